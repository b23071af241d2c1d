"""Images that the engine holds: given out by it once, and sent from here."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import partial

from streamflow_build.engine.interface import Engine
from streamflow_build.errors import Interrupted, RegistryError
from streamflow_build.model.image import Image
from streamflow_build.model.tags import tags_of
from streamflow_build.plan.publish import PublishGoal, nearest
from streamflow_build.publish.candidate import Progress
from streamflow_build.publish.layers import Layers, Placed
from streamflow_build.publish.spool import Export, Spool
from streamflow_build.registry.blobs import Blobs
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
    """A Source: the engine's images, by the services' names; at most ``jobs`` repositories are asked at once."""

    def __init__(self, engine: Engine, images: Mapping[str, Image], goal: PublishGoal, *, jobs: int) -> None:
        self._engine = engine
        self._held = images
        self._goal = goal
        self._jobs = jobs
        self._spool = Spool(engine)
        self._layers = Layers()
        self.images = {name: EngineImage(image, self._spool, self._layers) for name, image in images.items()}

    def prepare(self, missing: Mapping[str, tuple[Repository, frozenset[str]]]) -> None:
        """Find the layers that are there, of earlier versions, and have the engine give out the others.

        These are sent while they are packed, before it is known what they will be. A run that goes on where another
        was broken off packs them first, and sends only what is missing.
        """
        if not missing:
            return
        images = [self._held[name] for name in missing]
        patience = next(iter(missing.values()))[0].registry.patience

        def stop(_: Interrupted) -> None:
            patience.end()
            self.cancel()

        if self._engine.info().store == "containerd":
            self._spool.begin(Export(tuple({image.id: image for image in images}), None))
            return
        together(self._note, tuple(missing.values()), jobs=self._jobs, stop=stop, left=interrupted)
        layers = frozenset(layer for image in images for layer in image.diff_ids) - self._layers.names
        self._spool.begin(*_exports(images, layers))
        begun = together(self._is_begun, tuple(missing.items()), jobs=self._jobs, stop=stop, left=interrupted)
        for image in self.images.values():
            image.fresh = not any(begun)

    def cancel(self) -> None:
        self._spool.cancel()
        self._engine.cancel()

    def _is_begun(self, there: tuple[str, tuple[Repository, frozenset[str]]]) -> bool:
        """Whether an earlier run began to send an image: its configuration goes first, its version's tags last."""
        name, (repository, tags) = there
        return not tags.isdisjoint(self._goal.tags.full) or repository.blobs.holds(self._held[name].id)

    def _note(self, there: tuple[Repository, frozenset[str]]) -> None:
        """Note the layers that a repository has of an earlier version: they needn't be packed to be known."""
        repository, tags = there
        version = nearest(self._goal, tags)
        if version is None:
            return
        with suppress(RegistryError):  # that version may be damaged, which is no matter of this one's
            for name, layer in _layers_of(repository, tags_of(self._goal.patterns, version).full[0]):
                if name not in self._layers.names and repository.blobs.holds(layer.digest):
                    self._layers.note(name, Placed(layer, repository.blobs))


def _layers_of(repository: Repository, tag: str) -> tuple[tuple[str, Descriptor], ...]:
    """An image's layers, with what they are unpacked; none where that can't be known. Raises RegistryError."""
    manifest = repository.manifest(tag)
    config = None if manifest is None else manifest.config
    if manifest is None or config is None:
        return ()
    names = diff_ids(repository.blobs.read(config))
    return tuple(zip(names, manifest.layers, strict=True)) if len(names) == len(manifest.layers) else ()


def _exports(images: list[Image], layers: frozenset[str]) -> tuple[Export, ...]:
    """Which images to export together.

    The classic store packs an export on one core before it sends the first byte. So the smallest image, which is
    little but what it shares, goes by itself: its layers are compressed while the engine still packs the others.
    """
    distinct = {image.id: image for image in images}
    smallest = min(distinct.values(), key=lambda image: image.size)
    others = tuple(image for image in distinct.values() if image is not smallest)
    if any(layers.intersection(smallest.diff_ids, other.diff_ids) for other in others):
        return _export((smallest,), layers), _export(others, layers)
    return (_export(tuple(distinct.values()), layers),)


def _export(images: tuple[Image, ...], layers: frozenset[str]) -> Export:
    wanted = frozenset(layer for image in images for layer in image.diff_ids)
    return Export(tuple(image.id for image in images), wanted & layers)


class EngineImage:
    """A Candidate: one of the engine's images."""

    fresh = False
    """Whether no run began to send it: what isn't known to be there is missing, and need not be looked for."""

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

    def send(self, repository: Repository, progress: Progress) -> Manifest:
        count = _Count(progress)
        content = self._spool.blob(self._image.id).read()
        manifest = Manifest.of(content)
        if manifest is None:
            config = Descriptor(digest_of(content), len(content), OCI_CONFIG)
            repository.blobs.upload(config, lambda: [content], missing=self.fresh)
            return image_manifest(config, self._place(repository.blobs, self._image.diff_ids, count))
        self._put_parts(repository, manifest, count)
        return manifest

    def _put_parts(self, repository: Repository, manifest: Manifest, count: _Count) -> None:
        """Put what a manifest consists of; that of several platforms consists of manifests."""
        for part in manifest.manifests:
            inner = Manifest(part.media_type, self._spool.blob(part.digest).read())
            self._put_parts(repository, inner, count)
            repository.put(part.digest, inner)
        self._place(repository.blobs, tuple(layer.digest for layer in manifest.layers), count)
        if manifest.config is not None:
            repository.blobs.upload(manifest.config, self._spool.blob(manifest.config.digest).content)

    def _place(self, blobs: Blobs, names: tuple[str, ...], count: _Count) -> tuple[Descriptor, ...]:
        """Have layers there. The image's own stand last and go first: the others may be on their way already."""
        placed = {
            name: self._layers.place(name, blobs, partial(self._send, blobs, name, count))
            for name in reversed(names)
        }
        return tuple(placed[name] for name in names)

    def _send(self, blobs: Blobs, name: str, count: _Count) -> Descriptor:
        blob = self._spool.blob(name)

        def progress(sent: int) -> None:
            count.sent(name, sent, blob.size)

        if self.fresh and not blob.is_whole:
            return blobs.stream(blob.content, partial(blob.whole, OCI_LAYER), progress)
        layer = blob.whole(OCI_LAYER)
        blobs.upload(layer, blob.content, progress, missing=self.fresh)
        count.sent(name, layer.size, layer.size)
        return layer


class _Count:
    """Adds up the progress of an image's layers."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._layers: dict[str, tuple[int, int]] = {}

    def sent(self, name: str, current: int, total: int) -> None:
        """So many bytes of a layer are sent, of so many."""
        self._layers[name] = current, total
        currents, totals = zip(*self._layers.values(), strict=True)
        self._progress(sum(currents), sum(totals))
