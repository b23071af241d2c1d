"""Images that the engine holds: given out by it once, and sent from here."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from streamflow_build.engine.interface import Engine
from streamflow_build.model.image import Image
from streamflow_build.model.tags import tags_of
from streamflow_build.plan.publish import newest
from streamflow_build.publish.candidate import Progress
from streamflow_build.publish.layers import Layers, Placed
from streamflow_build.publish.spool import Spool
from streamflow_build.publish.tags import read_back
from streamflow_build.registry.manifest import (
    OCI_CONFIG,
    OCI_LAYER,
    Descriptor,
    Manifest,
    diff_ids,
    digest_of,
    image_manifest,
)
from streamflow_build.registry.repository import Repository
from streamflow_build.work import interrupted, together


class EngineImages:
    """A Source: the engine's images, by the services' names.

    ``patterns`` are the tags' of streamflow.yaml; at most ``jobs`` repositories are asked at once.
    """

    def __init__(
        self, engine: Engine, images: Mapping[str, Image], patterns: tuple[str, ...], *, jobs: int
    ) -> None:
        self._engine = engine
        self._held = images
        self._patterns = patterns
        self._jobs = jobs
        self._spool = Spool(engine)
        self._layers = Layers()
        self.images = {name: EngineImage(image, self._spool, self._layers) for name, image in images.items()}

    def prepare(self, missing: Mapping[str, tuple[Repository, frozenset[str]]]) -> None:
        """Find the layers that are there, of earlier versions, and have the engine give out the others."""
        if not missing:
            return
        images = [self._held[name] for name in missing]
        patience = next(repository.registry.patience for repository, _ in missing.values())
        layers = None
        if self._engine.info().store == "classic":
            together(
                self._note,
                tuple(missing.values()),
                jobs=self._jobs,
                stop=lambda _: patience.end(),
                left=interrupted,
            )
            layers = frozenset(layer for image in images for layer in image.diff_ids) - self._layers.names
        self._spool.begin(_exports(images, layers or frozenset()), layers)

    def cancel(self) -> None:
        self._spool.cancel()
        self._engine.cancel()

    def _note(self, there: tuple[Repository, frozenset[str]]) -> None:
        """Note the layers that a repository has of its newest version: they needn't be packed to be known."""
        repository, tags = there
        version = newest(self._patterns, (tags,))
        manifest = None if version is None else repository.manifest(tags_of(self._patterns, version).full[0])
        if manifest is None or manifest.config is None:
            return
        names = diff_ids(repository.blob(manifest.config))
        for name, layer in zip(names, manifest.layers, strict=False):
            if name not in self._layers.names and repository.holds(layer.digest):
                self._layers.note(name, Placed(layer, repository))


def _exports(images: list[Image], layers: frozenset[str]) -> tuple[tuple[str, ...], ...]:
    """Which images to export together, by ids.

    The classic store packs an export on one core before it sends the first byte. So the smallest image, which is
    little but what it shares, goes by itself: its layers are compressed while the engine still packs the others.
    """
    distinct = {image.id: image for image in images}
    smallest = min(distinct.values(), key=lambda image: image.size)
    others = tuple(image for image in distinct.values() if image is not smallest)
    if any(layers.intersection(smallest.diff_ids, other.diff_ids) for other in others):
        return (smallest.id,), tuple(image.id for image in others)
    return (tuple(distinct),)


class EngineImage:
    """A Candidate: one of the engine's images."""

    def __init__(self, image: Image, spool: Spool, layers: Layers) -> None:
        self._image = image
        self._spool = spool
        self._layers = layers

    @property
    def labels(self) -> dict[str, str]:
        return self._image.labels

    @property
    def named(self) -> str:
        return f"here it is image {self._image.id}"

    def is_in(self, manifest: Manifest) -> bool:
        """An image's id is its configuration's digest with the classic image store, else its manifest's."""
        config = manifest.config
        return self._image.id in {manifest.digest, None if config is None else config.digest}

    def send(self, repository: Repository, tag: str, progress: Progress) -> Manifest:
        count = _Count(progress)
        content = self._spool.blob(self._image.id).read()
        manifest = Manifest.of(content)
        if manifest is None:
            config = Descriptor(digest_of(content), len(content), OCI_CONFIG)
            repository.upload(config, lambda: [content])
            manifest = image_manifest(config, self._place(repository, self._image.diff_ids, count))
        else:
            self._put_parts(repository, manifest, count)
        repository.put(tag, manifest)
        return read_back(repository, tag, manifest.digest)

    def _put_parts(self, repository: Repository, manifest: Manifest, count: _Count) -> None:
        """Put what a manifest consists of; that of several platforms consists of manifests."""
        for part in manifest.manifests:
            inner = Manifest(part.media_type, self._spool.blob(part.digest).read())
            self._put_parts(repository, inner, count)
            repository.put(part.digest, inner)
        self._place(repository, tuple(layer.digest for layer in manifest.layers), count)
        if manifest.config is not None:
            config = self._spool.blob(manifest.config.digest)
            repository.upload(manifest.config, config.content)

    def _place(self, repository: Repository, names: tuple[str, ...], count: _Count) -> tuple[Descriptor, ...]:
        """Have layers there. The image's own stand last and go first: the others may be on their way already."""
        placed = {
            name: self._layers.place(name, repository, partial(self._send, repository, name, count))
            for name in reversed(names)
        }
        return tuple(placed[name] for name in names)

    def _send(self, repository: Repository, name: str, count: _Count) -> Descriptor:
        blob = self._spool.blob(name)
        layer = Descriptor(blob.digest, blob.size, OCI_LAYER)
        count.expect(layer)
        repository.upload(layer, blob.content, partial(count.sent, layer))
        count.sent(layer, layer.size)
        return layer


class _Count:
    """Adds up what is sent of an image's layers."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._sizes: dict[str, int] = {}
        self._sent: dict[str, int] = {}

    def expect(self, layer: Descriptor) -> None:
        """A layer is to be sent."""
        self._sizes[layer.digest] = layer.size

    def sent(self, layer: Descriptor, size: int) -> None:
        """So many bytes of a layer are sent."""
        self._sent[layer.digest] = size
        self._progress(sum(self._sent.values()), sum(self._sizes.values()))
