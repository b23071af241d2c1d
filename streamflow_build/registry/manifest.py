"""Manifests: the bytes that a digest is of, and what of them is read."""

from __future__ import annotations

import hashlib
from typing import Any, TypeVar

import msgspec

from streamflow_build.errors import RegistryError

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
ACCEPTED = (OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST)
"""All the kinds that are known: a registry asked for fewer converts, or has none."""
_DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"  # the same as OCI's, by another name
LARGEST = 4 << 20
"""Bytes that a manifest may have: what registries take, by the specification."""

T = TypeVar("T")


class Descriptor(msgspec.Struct, frozen=True):
    """What a manifest says of a blob or of another manifest."""

    digest: str
    size: int
    media_type: str = msgspec.field(name="mediaType")

    @property
    def is_checkable(self) -> bool:
        """Whether its digest is of the algorithm that all registries know, and this tool."""
        return self.digest.startswith("sha256:")


class Manifest(msgspec.Struct, frozen=True):
    """A manifest as a registry sent it, or as it is to be sent."""

    media_type: str
    content: bytes

    @classmethod
    def of(cls, content: bytes) -> Manifest | None:
        """The manifest that a document is, which need not say so itself; None for a configuration.

        Raises RegistryError where it is neither.
        """
        try:
            kind = decoded(content, _Kind)
        except msgspec.DecodeError as error:
            raise RegistryError(f"{digest_of(content)} is no manifest: {error}.") from error
        return cls(kind.media_type or OCI_MANIFEST, content) if kind.rootfs is None else None

    @property
    def digest(self) -> str:
        return digest_of(self.content)

    @property
    def config(self) -> Descriptor | None:
        """The image's configuration; None for an index of several images."""
        return self._read().config

    @property
    def layers(self) -> tuple[Descriptor, ...]:
        """The layers, from the lowest."""
        return self._read().layers

    @property
    def manifests(self) -> tuple[Descriptor, ...]:
        """What an index lists."""
        return self._read().manifests

    def with_config(self, config: Descriptor) -> Manifest:
        """The same manifest with another configuration, all else as it was."""
        document: dict[str, Any] = msgspec.json.decode(self.content)
        document["config"] = {
            **document["config"],
            "digest": config.digest,
            "size": config.size,
        }
        return Manifest(self.media_type, msgspec.json.encode(document))

    def _read(self) -> _Document:
        try:
            return decoded(self.content, _Document)
        except msgspec.DecodeError as error:
            raise RegistryError(f"The registry's manifest {self.digest} can't be read: {error}.") from error


class _Kind(msgspec.Struct, frozen=True):
    media_type: str = msgspec.field(name="mediaType", default="")
    rootfs: dict[str, Any] | None = None


class _Document(msgspec.Struct, frozen=True):
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    manifests: tuple[Descriptor, ...] = ()


class _Disk(msgspec.Struct, frozen=True):
    diff_ids: tuple[str, ...] = ()


class _Configuration(msgspec.Struct, frozen=True):
    rootfs: _Disk = msgspec.field(default_factory=_Disk)


def image_manifest(config: Descriptor, layers: tuple[Descriptor, ...]) -> Manifest:
    """The manifest of an image (https://github.com/opencontainers/image-spec/blob/main/manifest.md)."""
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": config,
        "layers": [
            msgspec.structs.replace(layer, media_type=OCI_LAYER)
            if layer.media_type == _DOCKER_LAYER
            else layer
            for layer in layers
        ],
    }
    return Manifest(OCI_MANIFEST, msgspec.json.encode(document))


def diff_ids(config: bytes) -> tuple[str, ...]:
    """The digests of an image's layers, unpacked, as its configuration has them; none where it can't be read."""
    try:
        return decoded(config, _Configuration).rootfs.diff_ids
    except msgspec.DecodeError:
        return ()


def decoded(content: bytes, kind: type[T]) -> T:
    """A registry's JSON as a type. Raises msgspec.DecodeError where it is none, or nested without an end."""
    try:
        return msgspec.json.decode(content, type=kind)
    except RecursionError as error:
        raise msgspec.DecodeError("it is nested without an end") from error


def digest_of(content: bytes) -> str:
    """``sha256:`` and 64 hexadecimal digits."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
