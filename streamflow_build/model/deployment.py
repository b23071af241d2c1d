"""What a deployment is made of: environments, the variables of containers, and secrets, which no file holds."""

from __future__ import annotations

from typing import Literal

import msgspec


class Secret(msgspec.Struct, frozen=True):
    """What whoever deploys gives, by the environment variable ``name``; ``description`` says what it is."""

    name: str
    description: str


class Variable(msgspec.Struct, frozen=True):
    """A variable of a container's environment; its value is the texts and secrets of ``parts``, one after another."""

    name: str
    parts: tuple[str | Secret, ...]


class Scale(msgspec.Struct, frozen=True):
    """How much of a service runs in an environment: how many containers, and the bytes of memory each may take.

    ``environment`` is what they have, or have otherwise, there.
    """

    replicas: int = 1
    memory: int | None = None
    environment: tuple[Variable, ...] = ()


class Environment(msgspec.Struct, frozen=True):
    """Where the platform is deployed, such as staging.

    Its images are the ``built`` ones of this machine, or those of a release, by digest; ``registry`` is the address
    that it takes them from, None where any will do. ``environment`` is what each service has there, ``given`` the
    values that secrets have unless others are given, by their names, and ``publish`` names the services that are
    reached from outside. ``read_only`` is whether their containers can't change their file systems. ``scales`` has
    each service, by its name.
    """

    name: str
    images: Literal["built", "released"]
    registry: str | None
    environment: tuple[Variable, ...]
    given: tuple[tuple[str, str], ...]
    publish: tuple[str, ...]
    read_only: bool
    scales: tuple[tuple[str, Scale], ...]

    def scale(self, service: str) -> Scale:
        """How much of a service runs here."""
        return dict(self.scales)[service]

    def variables(self, service: str, own: tuple[Variable, ...]) -> tuple[Variable, ...]:
        """A service's variables here: its own, then what this environment adds or has otherwise, by name."""
        merged = {v.name: v for v in (*own, *self.environment, *self.scale(service).environment)}
        return tuple(merged.values())


class DeployedImage(msgspec.Struct, frozen=True):
    """The image that a service runs; ``reference`` holds its digest, and its version's tag for who reads it."""

    service: str
    reference: str


class Deployment(msgspec.Struct, frozen=True):
    """What an environment runs: an image per service, in streamflow.yaml's order.

    They are those of a release, of one registry; of no version and no registry where this machine built them.
    """

    environment: str
    version: str | None
    commit: str | None
    registry: str | None
    images: tuple[DeployedImage, ...]


class DeploymentReport(msgspec.Struct, frozen=True):
    """What `compose` prints: the deployment, its files in the project's folder, and the command that they are for."""

    deployment: Deployment
    files: tuple[str, ...]
    command: tuple[str, ...]
