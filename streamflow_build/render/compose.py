"""The platform as Compose files: one for the first environment, and an override of it for each other one.

What Compose makes of them: https://docs.docker.com/reference/compose-file/.
"""

from __future__ import annotations

import msgspec

from streamflow_build.model.deployment import Deployment, Environment, Secret, Variable
from streamflow_build.model.project import Infrastructure, Project, Service
from streamflow_build.render.templates import Templates

BASE = "docker-compose.yml"
"""The file of the first environment, which Compose finds by itself."""
_LOOPBACK = "127.0.0.1:"


class Container(msgspec.Struct, frozen=True):
    """What Compose is told of a service or server in one environment; texts are as Compose reads them.

    ``needs`` has each name with the condition that is waited for, ``ready`` the path of a service that answers 200 once
    it can do its work, ``health`` the command that asks a server, ``data`` the volume and its folder.
    """

    name: str
    image: str
    dockerfile: str | None
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    ports: tuple[str, ...]
    needs: tuple[tuple[str, str], ...]
    ready: str | None
    health: tuple[str, ...]
    data: tuple[str, str] | None
    is_server: bool
    read_only: bool
    replicas: int
    memory: int | None


class Change(msgspec.Struct, frozen=True):
    """How a container of an environment differs from that of the first one."""

    before: Container
    after: Container

    @property
    def environment(self) -> tuple[tuple[str, str], ...]:
        """The variables that are new or have another value."""
        return tuple(each for each in self.after.environment if each not in self.before.environment)

    @property
    def gone(self) -> tuple[str, ...]:
        """The names of the variables that are there no more."""
        there = dict(self.after.environment)
        return tuple(name for name, _ in self.before.environment if name not in there)


def files_of(project: Project, environment: Environment) -> tuple[str, ...]:
    """The paths of an environment's files in the order in which Compose merges them."""
    if environment == project.environments[0]:
        return (BASE,)
    return (BASE, f"docker-compose.{environment.name}.yml")


def compose_files(project: Project, templates: Templates, header: str) -> dict[str, str]:
    """Every Compose file of a project, by its path. Raises ConfigError for a template that is wrong."""
    if not project.environments:
        return {}
    first, *others = project.environments
    base = _containers(project, first)
    found = {
        BASE: templates.render(
            "compose/docker-compose.yml.j2",
            header=header,
            project_name=project_name(project, first),
            environment=first,
            containers=base,
        )
    }
    for environment in others:
        found[files_of(project, environment)[-1]] = templates.render(
            "compose/override.yml.j2",
            header=header,
            project_name=project_name(project, environment),
            environment=environment,
            changes=[
                Change(before, after)
                for before, after in zip(base, _containers(project, environment), strict=True)
                if _differ(before, after)
            ],
        )
    return found


def images_file(deployment: Deployment, templates: Templates, header: str) -> tuple[str, str]:
    """The override that names a release's images: its path and its text. Raises ConfigError for its template."""
    return images_path(deployment.environment), templates.render(
        "compose/images.yml.j2", header=header, deployment=deployment
    )


def images_path(environment: str) -> str:
    """Where the override is that names the images an environment was deployed with last."""
    return f".streamflow/compose.{environment}.yml"


def project_name(project: Project, environment: Environment) -> str:
    """What Compose calls an environment's containers by, so that two of them are two."""
    plain = project.name.replace(".", "-")
    if environment == project.environments[0]:
        return plain
    return f"{plain}-{environment.name.replace('.', '-')}"


def _containers(project: Project, environment: Environment) -> tuple[Container, ...]:
    services = (_service(project, environment, service) for service in project.services)
    return (*services, *(_server(environment, server) for server in project.infrastructure))


def _differ(before: Container, after: Container) -> bool:
    # The order of variables is none that a container sees.
    return msgspec.structs.replace(before, environment=()) != msgspec.structs.replace(
        after, environment=()
    ) or dict(before.environment) != dict(after.environment)


def _service(project: Project, environment: Environment, service: Service) -> Container:
    built, scale = environment.images == "built", environment.scale(service.name)
    servers = {server.name: server for server in project.infrastructure}
    return Container(
        name=service.name,
        image=service.latest,
        dockerfile=service.dockerfile if built else None,
        command=(),
        environment=(
            # An image of another day may have another one, and what is published leads to this one.
            ("PORT", str(service.port)),
            *_texts(environment, environment.variables(service.name, service.environment)),
        ),
        # Whoever may reach this machine knows what is published of a development environment.
        ports=(f"{_LOOPBACK if built else ''}{service.publish}:{service.port}",)
        if service.name in environment.publish
        else (),
        needs=tuple((need, _condition(servers.get(need))) for need in service.needs),
        ready=service.ready,
        health=(),
        data=None,
        is_server=False,
        read_only=environment.read_only,
        replicas=scale.replicas,
        memory=scale.memory,
    )


def _server(environment: Environment, server: Infrastructure) -> Container:
    return Container(
        name=server.name,
        image=server.image,
        dockerfile=None,
        command=tuple(map(_literal, server.command)),
        environment=_texts(environment, server.environment),
        ports=(),
        needs=(),
        ready=None,
        health=tuple(map(_literal, server.health)),
        data=(f"{server.name}-data", server.data) if server.data else None,
        is_server=True,
        read_only=False,
        replicas=1,
        memory=None,
    )


def _condition(server: Infrastructure | None) -> str:
    # Services bear one another's absence, and come up side by side.
    return "service_healthy" if server is not None and server.health else "service_started"


def _texts(environment: Environment, variables: tuple[Variable, ...]) -> tuple[tuple[str, str], ...]:
    given = dict(environment.given)
    return tuple(
        (
            variable.name,
            "".join(
                _literal(part) if isinstance(part, str) else _asked(part, given.get(part.name))
                for part in variable.parts
            ),
        )
        for variable in variables
    )


def _asked(secret: Secret, given: str | None) -> str:
    """A secret as Compose's interpolation: from its variable, else what is given, else an error."""
    if given is not None:
        return f"${{{secret.name}:-{given}}}"
    # No brace may stand in the message, nor a dollar. The first environment's file is part of all others.
    said = secret.description.translate(dict.fromkeys(map(ord, "${}"), None))
    return f"${{{secret.name}:?{said}; set it, or write it to an env file}}"


def _literal(text: str) -> str:
    return text.replace("$", "$$")
