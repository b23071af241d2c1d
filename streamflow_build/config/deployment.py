"""What streamflow.yaml says of deployments: secrets, infrastructure and environments."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import UNSET

from streamflow_build.config import names, shape
from streamflow_build.config.problems import Keys, Problems, Wrong, quoted
from streamflow_build.config.sizes import in_bytes
from streamflow_build.config.variables import Places, placed, variables
from streamflow_build.model.deployment import Environment, Scale, Secret
from streamflow_build.model.names import suggestion
from streamflow_build.model.project import Infrastructure, Registry, Service

# https://docs.docker.com/engine/containers/resource_constraints/: Docker refuses less.
_LEAST_MEMORY = 6 * 2**20


def places(document: shape.Document) -> Places:
    """What the values of variables may name."""
    general = (document.defaults.port if document.defaults else UNSET) or None
    # A service that has no port is a problem of its own.
    ports = {name: service.port or general or 0 for name, service in document.services.items()}
    return Places(
        {name: Secret(name, text) for name, text in (document.secrets or {}).items()},
        {**ports, **{name: server.port or None for name, server in (document.infrastructure or {}).items()}},
    )


def check_secrets(document: shape.Document, known: Places, problems: Problems) -> None:
    """Note each secret that a placeholder couldn't tell from a service or server."""
    for name in known.secrets:
        if name in known.ports:
            kind = "service" if name in document.services else "server of infrastructure"
            problems.about(
                ("secrets", name),
                f"a {kind} has this name too",
                "Rename one of the two, such as to upper case.",
            )


def infrastructure(document: shape.Document, known: Places, problems: Problems) -> tuple[Infrastructure, ...]:
    """The servers that aren't built here; what is wrong with one goes to ``problems``."""
    servers = []
    for name, server in (document.infrastructure or {}).items():
        keys: Keys = ("infrastructure", name)
        with problems.place((*keys, "image")):
            names.check_image(server.image)
        if name in document.services:
            problems.about(
                keys,
                "a service has this name too",
                "Rename one of the two: needs couldn't tell them apart.",
            )
        _check_words(server.command or (), (*keys, "command"), known, problems)
        _check_words(server.health or (), (*keys, "health"), known, problems)
        environment = placed(server.environment, (*keys, "environment"))
        servers.append(
            Infrastructure(
                name=name,
                image=server.image,
                port=server.port or None,
                command=server.command or (),
                environment=variables(environment, known, problems, holder=repr(name), needs=None),
                health=server.health or (),
                data=server.data or None,
            )
        )
    return tuple(servers)


def _check_words(words: tuple[str, ...], keys: Keys, known: Places, problems: Problems) -> None:
    """Note each word that would be taken as it stands where a secret is meant."""
    for index, word in enumerate(words):
        for name in known.secrets:
            if f"{{{name}}}" in word:
                problems.about(
                    (*keys, index),
                    f"a command holds no secret, and {{{name}}} would stand there as it is",
                    "Whoever lists processes would see it. Give it by environment, and have the command read it there.",
                )


class EnvironmentAssembly:
    """Makes the environments of a project's services; what is wrong with one goes to ``problems``."""

    def __init__(
        self,
        document: shape.Document,
        services: tuple[Service, ...],
        registries: tuple[Registry, ...],
        known: Places,
        problems: Problems,
    ) -> None:
        self._known_services = tuple(document.services)
        self._first = next(iter((document.environments or {}).items()), None)
        # Those of them that nothing is missing of.
        self._services = {service.name: service for service in services}
        self._registries = {registry.name: registry.url for registry in registries}
        self._known = known
        self._problems = problems
        self._named: dict[str, str] = {}

    def environment(self, name: str, document: shape.Environment) -> Environment:
        """The environment of that name."""
        keys: Keys = ("environments", name)
        with self._problems.place(keys):
            self._check_name(name)
        publish = self._publish(document, keys)
        every = placed(document.environment, (*keys, "environment"))
        return Environment(
            name=name,
            images="built" if document.images == "built" else "released",
            registry=self._registry(document, keys),
            environment=variables(every, self._known, self._problems, holder="each service", needs=None),
            given=self._given(name, document, keys),
            publish=publish,
            read_only=document.read_only or False,
            scales=self._scales(document.services or {}, (*keys, "services"), publish),
        )

    def _check_name(self, name: str) -> None:
        if name == "override":
            raise Wrong(
                "docker compose takes docker-compose.override.yml for a part of every environment",
                "Give the environment another name.",
            )
        other = self._named.setdefault(name.replace(".", "-"), name)
        if other != name:
            raise Wrong(
                f"docker compose couldn't tell it from {other!r}: its names of projects have no dot",
                "Rename one of the two.",
            )

    def _registry(self, document: shape.Environment, keys: Keys) -> str | None:
        if document.registry is UNSET:
            return None
        url = self._registries.get(document.registry, document.registry)
        with self._problems.place((*keys, "registry")):
            if document.images == "built":
                raise Wrong("images that are built here are in no registry", "Take registry or images out.")
            if url.isidentifier() and suggestion(url, self._registries):
                raise names.unknown(url, "registry", self._registries)
            names.check_registry(url)
        return url

    def _given(
        self, environment: str, document: shape.Environment, keys: Keys
    ) -> tuple[tuple[str, str], ...]:
        given = tuple((document.secrets or {}).items())
        for name, _ in given:
            with self._problems.place((*keys, "secrets", name)):
                if name not in self._known.secrets:
                    raise names.unknown(name, "secret", self._known.secrets)
                if document.images != "built":
                    raise Wrong(
                        "a released platform's secrets stand in no file",
                        f"Take it out: whoever deploys gives it by the environment variable {name}.",
                    )
                self._check_first_gives(name, environment)
        return given

    def _check_first_gives(self, secret: str, environment: str) -> None:
        # Compose asks for what a file wants before it looks at the overrides of the file.
        if self._first is None or secret in (self._first[1].secrets or {}):
            return
        first, document = self._first
        raise Wrong(
            f"docker-compose.yml is that of {first}, and asks for it all the same",
            f"Give it a value in {first}, too."
            if document.images == "built"
            else f"Put {environment} before {first}.",
        )

    def _publish(self, document: shape.Environment, keys: Keys) -> tuple[str, ...]:
        if document.publish is UNSET:
            return tuple(name for name, service in self._services.items() if service.publish is not None)
        for index, name in enumerate(document.publish):
            with self._problems.place((*keys, "publish", index)):
                self._check_published(name, document.publish[:index])
        return document.publish

    def _check_published(self, name: str, before: tuple[str, ...]) -> None:
        if name not in self._known_services:
            raise names.unknown(name, "service", self._known_services)
        if name in self._services and self._services[name].publish is None:
            raise Wrong(
                f"{quoted(name)} says no port to publish", f"Add it: services: {{{name}: {{publish: 8001}}}}"
            )
        if name in before:
            raise Wrong(f"{quoted(name)} is already in this list", "Take one of them out.")

    def _scales(
        self, document: Mapping[str, shape.Scale], keys: Keys, publish: tuple[str, ...]
    ) -> tuple[tuple[str, Scale], ...]:
        for name in document:
            with self._problems.place((*keys, name)):
                if name not in self._known_services:
                    raise names.unknown(name, "service", self._known_services)
        return tuple(
            (name, self._scale(service, document.get(name, shape.Scale()), (*keys, name), publish))
            for name, service in self._services.items()
        )

    def _scale(self, service: Service, document: shape.Scale, keys: Keys, publish: tuple[str, ...]) -> Scale:
        replicas = document.replicas or 1
        if replicas > 1 and service.name in publish:
            self._problems.about(
                (*keys, "replicas"),
                f"port {service.publish} leads to one container, and there would be {replicas}",
                f"Leave {service.name} out of the environment's publish, or run one of it.",
            )
        memory = in_bytes(document.memory) if document.memory else None
        if memory is not None and memory < _LEAST_MEMORY:
            self._problems.about(
                (*keys, "memory"),
                "no container starts with less than 6MiB",
                "Write a size such as 512MiB, or leave the key out.",
            )
        own = placed(document.environment, (*keys, "environment"))
        return Scale(
            replicas,
            memory,
            variables(own, self._known, self._problems, holder=repr(service.name), needs=service.needs),
        )
