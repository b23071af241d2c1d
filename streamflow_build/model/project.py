"""The project: what streamflow.yaml says once it is read, merged with its defaults and checked."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from streamflow_build.errors import UsageError
from streamflow_build.model.deployment import Environment, Variable
from streamflow_build.model.names import suggestion
from streamflow_build.model.tags import tags_of


class User(msgspec.Struct, frozen=True):
    """The user that a container runs as; ``uid`` is also its group."""

    name: str
    uid: int


class Base(msgspec.Struct, frozen=True):
    """A base image: the name streamflow.yaml gives it, and its reference, such as ``python:3.11-slim``."""

    name: str
    image: str


class BuildSecret(msgspec.Struct, frozen=True):
    """A secret that a service's build may read at ``/run/secrets/<id>``.

    It comes from the environment variable ``env`` or from ``file``; the other one is None.
    """

    id: str
    env: str | None = None
    file: str | None = None


class Package(msgspec.Struct, frozen=True):
    """The distribution that ``install: package`` installs.

    ``wheels`` is a folder of the project with wheels of it, None where it comes from an index.
    """

    name: str
    wheels: str | None = None


class Infrastructure(msgspec.Struct, frozen=True):
    """A server that services need and that is not built here, such as a database.

    ``port`` is where it listens, ``command`` the arguments of its image's entry point, ``health`` a command that
    succeeds in its container once it serves, and ``data`` the folder there that outlives the container; each is
    empty or None where streamflow.yaml says nothing.
    """

    name: str
    image: str
    port: int | None = None
    command: tuple[str, ...] = ()
    environment: tuple[Variable, ...] = ()
    health: tuple[str, ...] = ()
    data: str | None = None


class Registry(msgspec.Struct, frozen=True):
    """A registry by the name streamflow.yaml gives it; ``url`` is host and namespace, such as ``ghcr.io/org``.

    ``create_repositories`` is whether a push makes what repositories it lacks.
    """

    name: str
    url: str
    create_repositories: bool = False


class Service(msgspec.Struct, frozen=True):
    """One service of the platform, with every default already applied.

    Paths are relative to the project's folder, in POSIX form. ``source_root`` is the folder that Python imports
    the sources from. ``size_budget`` is in bytes, unpacked.
    """

    name: str
    image: str
    base: Base
    module: str
    port: int
    user: User
    health: str
    ready: str
    metrics: str
    install: Literal["source", "package"]
    package: Package | None
    source_root: str
    sources: tuple[str, ...]
    requirements: str | None
    build_packages: tuple[str, ...]
    secrets: tuple[BuildSecret, ...]
    publish: int | None
    needs: tuple[str, ...]
    size_budget: int | None
    description: str
    environment: tuple[Variable, ...] = ()

    @property
    def dockerfile(self) -> str:
        """Where its Dockerfile is."""
        return f"docker/{self.name}/Dockerfile"

    @property
    def latest(self) -> str:
        """What the image is called that was built last, whatever its version."""
        return f"{self.image}:{tags_of((), None).floating[0]}"


class Project(msgspec.Struct, frozen=True):
    """All of streamflow.yaml. ``root`` is the folder it stands in, ``file`` the path as the user gave it."""

    root: Path
    file: Path
    name: str
    source: str
    licenses: str
    tags: tuple[str, ...]
    bases: tuple[Base, ...]
    mirrors: tuple[tuple[str, str], ...]
    registries: tuple[Registry, ...]
    infrastructure: tuple[Infrastructure, ...]
    ignore: tuple[str, ...]
    services: tuple[Service, ...]
    environments: tuple[Environment, ...] = ()

    def select(self, names: tuple[str, ...]) -> tuple[Service, ...]:
        """The named services in the order of streamflow.yaml; all of them where none is named.

        Raises UsageError for a name that no service has.
        """
        known = {service.name: service for service in self.services}
        for name in names:
            if name not in known:
                close = suggestion(name, known)
                raise UsageError(
                    f"There is no service {name!r} in {self.file}{close}{'?' if close else '.'}",
                    hint=f"The services are: {', '.join(known)}.",
                )
        return tuple(s for s in self.services if not names or s.name in names)

    def environment(self, name: str) -> Environment:
        """The environment of that name. Raises UsageError where there is none."""
        for environment in self.environments:
            if environment.name == name:
                return environment
        if not self.environments:
            raise UsageError(
                f"{self.file} has no environments.",
                hint=f"Add one, such as: environments: {{{name}: {{images: built}}}}",
            )
        known = [environment.name for environment in self.environments]
        close = suggestion(name, known)
        raise UsageError(
            f"There is no environment {name!r} in {self.file}{close}{'?' if close else '.'}",
            hint=f"The environments are: {', '.join(known)}.",
        )
