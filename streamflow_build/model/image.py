"""What an image is to the tool: what the engine says of one, and what is asked of the engine to make one."""

from __future__ import annotations

import msgspec

OCI = "org.opencontainers.image"
"""The prefix of the labels of the OCI image specification, annotations.md."""
LABEL_FINGERPRINT = "org.streamflow.fingerprint"
LABEL_INPUTS = "org.streamflow.inputs"
LABEL_STAND_IN = "org.streamflow.stand-in"
LARGEST_SECRET = 500 * 1024
"""What BuildKit takes of one secret, in bytes."""


class Layer(msgspec.Struct, frozen=True):
    """A layer of an image: the Dockerfile step that made it and its unpacked size in bytes."""

    step: str
    size: int


class Image(msgspec.Struct, frozen=True):
    """An image as the engine holds it.

    ``id`` is the engine's own identifier (``sha256:…``; a config digest on the classic image store, a manifest digest
    on the containerd store). ``size`` is the sum of the layers, unpacked, in bytes, the same on both stores.
    ``tags`` are familiar references (``streamflow-ingestion:1.0.0``); ``digests`` are ``name@sha256:…``, known for what
    came from or went to a registry.
    """

    id: str
    tags: tuple[str, ...]
    digests: tuple[str, ...]
    labels: dict[str, str]
    size: int
    diff_ids: tuple[str, ...]

    @property
    def stand_in(self) -> bool:
        """Whether scripts/bases made it from Debian packages because no registry answered."""
        return self.labels.get(LABEL_STAND_IN) == "true"


class ContextFile(msgspec.Struct, frozen=True):
    """A file of a build context: its path in the context (POSIX), mode (permission bits) and content.

    ``target`` is where a symbolic link points to; its content is empty then.
    """

    path: str
    mode: int
    content: bytes
    target: str | None = None

    @property
    def identity(self) -> tuple[bytes, bytes]:
        """Bytes that, one after the other, no other file has, nor two files together; the content is no copy."""
        head = f"{self.path}\0{self.mode:o}\0{self.target or ''}\0{len(self.content)}\0"
        return head.encode(), self.content


class BuildRequest(msgspec.Struct, frozen=True):
    """One image to build: all that the engine needs to know, and nothing it has to look up on the disk.

    ``context`` is sorted by path and holds the Dockerfile at ``dockerfile``. ``secrets`` maps a secret's id to its
    bytes; it is never printed (``repr`` leaves it out). ``tags`` are set once the image is complete, all or none.
    """

    service: str
    dockerfile: str
    context: tuple[ContextFile, ...]
    labels: dict[str, str]
    build_args: dict[str, str]
    tags: tuple[str, ...]
    no_cache: bool
    secrets: dict[str, bytes]

    def __repr__(self) -> str:
        return f"BuildRequest(service={self.service!r}, dockerfile={self.dockerfile!r}, tags={self.tags!r})"
