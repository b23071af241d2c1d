"""Images that a registry holds, which get another version's name: the layers stay as they are."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec

from streamflow_build.errors import RegistryError
from streamflow_build.model.image import OCI
from streamflow_build.model.project import Service
from streamflow_build.model.reference import Reference
from streamflow_build.model.tags import tags_of
from streamflow_build.model.version import Version
from streamflow_build.plan.publish import PublishGoal
from streamflow_build.publish.candidate import Progress
from streamflow_build.publish.layers import Layers
from streamflow_build.registry.client import Registry
from streamflow_build.registry.manifest import OCI_CONFIG, Descriptor, Manifest, decoded, digest_of
from streamflow_build.registry.repository import Repository
from streamflow_build.work import interrupted, together


class RegistryImages:
    """A Source: images of a registry, by the services' names."""

    def __init__(self, images: Mapping[str, RegistryImage]) -> None:
        self.images = images

    def prepare(self, missing: Mapping[str, tuple[Repository, frozenset[str]]]) -> None:
        """Nothing is to be done: the images are at hand, in the registry."""

    def cancel(self) -> None:
        """Nothing waits for it."""


class RegistryImage:
    """A Candidate: an image of a registry, stamped with a version."""

    def __init__(self, source: Repository, manifest: Manifest, config: bytes, layers: Layers) -> None:
        self._source = source
        self._manifest = manifest
        self._config = config
        self._layers = layers

    @property
    def labels(self) -> dict[str, str]:
        return _labels(self._config)

    @property
    def named(self) -> str:
        return f"it would be {self._manifest.digest}"

    def is_in(self, manifest: Manifest) -> bool:
        return manifest.digest == self._manifest.digest

    def send(self, repository: Repository, progress: Progress) -> Manifest:
        """Layers are mounted from where they are in the same registry, and sent through from another."""
        layers = {layer.digest: layer for layer in self._manifest.layers}
        total, sent = sum(layer.size for layer in layers.values()), 0

        def take(layer: Descriptor) -> Descriptor:
            if str(self._source) != str(repository):
                repository.blobs.take(layer, self._source.blobs, lambda here: progress(sent + here, total))
            return layer

        for digest, layer in layers.items():
            self._layers.place(digest, repository.blobs, partial(take, layer))
            sent += layer.size
            progress(sent, total)
        config = Descriptor(digest_of(self._config), len(self._config), OCI_CONFIG)
        repository.blobs.upload(config, lambda: [self._config])
        return self._manifest


def source_of(
    goal: PublishGoal, origin: Registry, prefix: str, version: Version, *, jobs: int
) -> RegistryImages:
    """The goal's images: those that a registry has of another version, stamped.

    ``prefix`` is the host and namespace of what is there. Raises RegistryError, Interrupted.
    """
    tag = tags_of(goal.patterns, version).full[0]
    layers = Layers()

    def find(service: Service) -> RegistryImage:
        name = Reference.parse(f"{prefix}/{service.image}").repository
        return stamped(Repository(origin, name), tag, goal.version, layers)

    found = together(find, goal.services, jobs=jobs, stop=lambda _: origin.patience.end(), left=interrupted)
    return RegistryImages({service.name: each for service, each in zip(goal.services, found, strict=True)})


def stamped(source: Repository, tag: str, version: Version, layers: Layers) -> RegistryImage:
    """The image of a tag as that version: its label says so, nothing else differs. Raises RegistryError."""
    manifest = source.manifest(tag)
    if manifest is None:
        raise RegistryError(
            f"There is no {source}:{tag}.",
            hint=f"Push it first: streamflow-build push {str(source).rpartition('/')[0]} {tag}",
        )
    if manifest.config is None:
        raise RegistryError(
            f"{source}:{tag} is an index of images for several platforms, which can't be given another version.",
            hint="Build and push the version itself.",
        )
    config = source.blobs.read(manifest.config)
    try:
        fresh = _with_version(config, str(version))
    except msgspec.DecodeError as error:
        raise RegistryError(
            f"The configuration of {source}:{tag} can't be read: {error}.",
            hint="Build and push the version itself.",
        ) from error
    if fresh != config:
        described = Descriptor(digest_of(fresh), len(fresh), manifest.config.media_type)
        manifest = manifest.with_config(described)
    return RegistryImage(source, manifest, fresh, layers)


class _Labels(msgspec.Struct, frozen=True):
    labels: dict[str, str] | None = msgspec.field(name="Labels", default=None)


class _Config(msgspec.Struct, frozen=True):
    config: _Labels | None = None


def _labels(config: bytes) -> dict[str, str]:
    found = decoded(config, _Config).config
    return (found and found.labels) or {}


def _with_version(config: bytes, version: str) -> bytes:
    """The same configuration but for the label. Raises msgspec.DecodeError where it is none."""
    labels = _labels(config)
    if labels.get(f"{OCI}.version") == version:
        return config
    document: dict[str, Any] = msgspec.json.decode(config)
    inner = {**(document.get("config") or {}), "Labels": {**labels, f"{OCI}.version": version}}
    return msgspec.json.encode({**document, "config": inner})
