"""What became of a version in a registry, as frozen data: `--json` and the release file hold exactly these.

Sizes are in bytes, times in seconds. A key, once released, keeps its name and meaning.
"""

from __future__ import annotations

import msgspec


class Published(msgspec.Struct, frozen=True, tag_field="outcome", tag="published"):
    """The image is in the registry, under its full version's tags, and was read back.

    ``repository`` is with its registry; ``digest`` is the manifest's; ``size`` counts the layers as they are
    stored there, compressed; ``sent`` is whether the image had to be sent, ``tags`` those that it has now and
    ``set`` those of them that it got in this run. ``fingerprint`` is that of what the image is made of, and
    ``revision`` the commit; both are empty where the image has no such label.
    """

    service: str
    repository: str
    digest: str
    size: int
    fingerprint: str
    revision: str
    sent: bool
    tags: tuple[str, ...]
    set: tuple[str, ...]
    seconds: float


class NotPublished(msgspec.Struct, frozen=True, tag_field="outcome", tag="failed"):
    """The image could not be published: why, and what to do next."""

    service: str
    repository: str
    message: str
    hint: str | None


class Cancelled(msgspec.Struct, frozen=True, tag_field="outcome", tag="cancelled"):
    """The user stopped the run before the image had all its tags."""

    service: str
    repository: str


Missing = NotPublished | Cancelled
"""An image that a run did not publish, or not under all its tags."""


class TagRefused(msgspec.Struct, frozen=True):
    """A floating tag that stayed where it was, for all services; ``reason`` is a clause."""

    tag: str
    reason: str


class PublishReport(msgspec.Struct, frozen=True):
    """A run of ``push``: ``registry`` is host and namespace; one outcome per service, in streamflow.yaml's order.

    ``refused`` are the floating tags that stayed; ``seconds`` is the whole run.
    """

    version: str
    registry: str
    images: tuple[Published | Missing, ...]
    refused: tuple[TagRefused, ...]
    seconds: float
    notes: tuple[str, ...]


class ReleasedImage(msgspec.Struct, frozen=True):
    """An image of a release: ``repository`` with ``digest`` names it for ever, ``tags`` those that it had then."""

    service: str
    repository: str
    digest: str
    size: int
    fingerprint: str
    revision: str
    tags: tuple[str, ...]


class ReleasedTo(msgspec.Struct, frozen=True):
    """A release in one registry, and the floating tags that stayed where they were."""

    registry: str
    images: tuple[ReleasedImage, ...]
    refused: tuple[TagRefused, ...]


class Release(msgspec.Struct, frozen=True):
    """The release file; ``commit`` is that of all its images, None where they are of several."""

    version: str
    commit: str | None
    registries: tuple[ReleasedTo, ...]
