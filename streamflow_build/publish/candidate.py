"""What is to be in a registry: an image, wherever it comes from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from streamflow_build.registry.manifest import Manifest
from streamflow_build.registry.repository import Repository

Progress = Callable[[int, int], None]
"""Told of the bytes that were sent, of how many."""


class Candidate(Protocol):
    """One service's image of the version. Methods raise RegistryError and EngineError."""

    @property
    def labels(self) -> dict[str, str]:
        """The image's labels."""

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of its layers, alike for images that share a layer."""

    @property
    def named(self) -> str:
        """How the user can tell it from another: a clause such as ``image sha256:…``."""

    def is_in(self, manifest: Manifest) -> bool:
        """Whether a manifest of the registry is this very image's."""

    def send(self, repository: Repository, tag: str, progress: Progress) -> Manifest:
        """Have it in the repository under that tag; the manifest as it was read back."""
