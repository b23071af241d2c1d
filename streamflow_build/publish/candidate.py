"""What is to be in a registry: images, wherever they come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from streamflow_build.registry.manifest import Manifest
from streamflow_build.registry.repository import Repository

Progress = Callable[[int, int], None]
"""Called with the bytes sent so far, and the total."""


class Candidate(Protocol):
    """One service's image of the version. Methods raise RegistryError and EngineError."""

    @property
    def labels(self) -> dict[str, str]:
        """The image's labels."""

    @property
    def named(self) -> str:
        """How the user can tell it from another: a clause such as ``image sha256:…``."""

    def is_in(self, manifest: Manifest) -> bool:
        """Whether a manifest of the registry is this very image's."""

    def send(self, repository: Repository, progress: Progress) -> Manifest:
        """Have all that it consists of in the repository; the manifest, which is to be put there."""


class Source(Protocol):
    """Where the images of a version come from."""

    @property
    def images(self) -> Mapping[str, Candidate]:
        """They go by the services' names."""

    def prepare(self, missing: Mapping[str, tuple[Repository, frozenset[str]]]) -> None:
        """Get ready to send images, named by their services, which go to repositories that have those tags.

        Comes once, before the first is sent, from the main thread. Raises RegistryError, EngineError, Interrupted.
        """

    def cancel(self) -> None:
        """End what waits for the source: it raises Interrupted."""
