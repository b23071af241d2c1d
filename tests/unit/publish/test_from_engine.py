"""The engine's images, as they come into repositories."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from streamflow_build.engine.interface import EngineInfo
from streamflow_build.errors import EngineError, RegistryError
from streamflow_build.model.image import Image
from streamflow_build.model.version import Version
from streamflow_build.plan.publish import PublishGoal
from streamflow_build.publish.from_engine import EngineImages
from streamflow_build.publish.packing import packed
from streamflow_build.registry.manifest import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
    image_manifest,
)

from .giving import Giving, digest, path

GOAL = PublishGoal(
    services=(),
    version=Version.parse("1.1.0"),
    patterns=("v{version}", "{version}", "latest"),
    registry="r",
    force=False,
)


class Containerd(Giving):
    """The same with the containerd image store."""

    def info(self) -> EngineInfo:
        return EngineInfo(version="28.0.0", cpus=2, store="containerd")


class FakeBlobs(dict[str, bytes]):
    """Keeps what it gets, by its digest."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self.sent: list[str] = []
        self.streamed: list[str] = []

    def __str__(self) -> str:
        return self._name

    def holds(self, name: str) -> bool:
        return name in self

    def read(self, descriptor: Descriptor) -> bytes:
        if descriptor.digest not in self:
            raise RegistryError(f"There is no {descriptor.digest}.")
        return self[descriptor.digest]

    def upload(
        self,
        descriptor: Descriptor,
        content: Callable[[], Iterable[bytes]],
        progress: Callable[[int], None] = lambda _: None,  # noqa: ARG002
        *,
        missing: bool = False,
    ) -> None:
        assert not missing or descriptor.digest not in self
        if descriptor.digest not in self:
            self[descriptor.digest] = b"".join(content())
            self.sent.append(descriptor.digest)
        assert digest(self[descriptor.digest]) == descriptor.digest
        assert len(self[descriptor.digest]) == descriptor.size

    def stream(
        self,
        content: Callable[[], Iterable[bytes]],
        whole: Callable[[], Descriptor],
        progress: Callable[[int], None],
    ) -> Descriptor:
        sent = b""
        for piece in content():
            sent += piece
            progress(len(sent))
        described = whole()
        assert (digest(sent), len(sent)) == (described.digest, described.size)
        self[described.digest] = sent
        self.streamed.append(described.digest)
        return described

    def take(self, descriptor: Descriptor, source: FakeBlobs) -> None:
        self[descriptor.digest] = source[descriptor.digest]


class FakeRepository:
    """Refuses a manifest of which something is missing, as registries do."""

    registry = SimpleNamespace(patience=SimpleNamespace(end=lambda: None))

    def __init__(self, name: str) -> None:
        self.blobs = FakeBlobs(name)
        self.manifests: dict[str, Manifest] = {}

    def manifest(self, reference: str) -> Manifest | None:
        return self.manifests.get(reference)

    def put(self, reference: str, manifest: Manifest) -> None:
        wanted = {each.digest for each in (*manifest.layers, *filter(None, [manifest.config]))}
        assert wanted <= self.blobs.keys()
        assert {each.digest for each in manifest.manifests} <= self.manifests.keys()
        self.manifests[reference] = manifest


def document(**content: Any) -> bytes:
    return json.dumps({"schemaVersion": 2, **content}).encode()


def described(kind: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "digest": digest(content), "size": len(content)}


def config(*layers: bytes, **more: Any) -> bytes:
    """A configuration of these layers, unpacked."""
    return json.dumps(
        {"rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in layers]}, **more}
    ).encode()


def image(name: str, *layers: bytes) -> Image:
    return Image(
        id=name, tags=(), digests=(), labels={}, size=0, diff_ids=tuple(digest(layer) for layer in layers)
    )


def files(*contents: bytes) -> list[tuple[str, bytes]]:
    return [(path(content), content) for content in contents]


def unseen(_current: int, _total: int) -> None:
    """Nobody looks."""


BASE, ONE, TWO = b"base" * 1000, b"one", b"two"


def test_an_image_of_the_classic_store() -> None:
    content = config(BASE, ONE)
    source = EngineImages(
        Giving(*files(BASE, ONE, content)), {"web": image(digest(content), BASE, ONE)}, GOAL, jobs=1
    )
    repository, told = FakeRepository("r/web"), []
    source.prepare({"web": (repository, frozenset())})

    made = source.images["web"].send(repository, lambda *numbers: told.append(numbers))

    assert made.media_type == OCI_MANIFEST
    assert [gzip.decompress(repository.blobs[layer.digest]) for layer in made.layers] == [BASE, ONE]
    assert [layer.media_type for layer in made.layers] == [OCI_LAYER, OCI_LAYER]
    assert made.config == Descriptor(digest(content), len(content), OCI_CONFIG)
    size = sum(layer.size for layer in made.layers)
    assert told[-1] == (size, size)
    assert source.images["web"].is_in(made)


def test_layers_of_the_newest_version_are_neither_packed_nor_sent() -> None:
    """What a base is packed to is known from the registry, and so stays as it is there."""
    before, content = config(BASE, ONE), config(BASE, TWO)
    repository = FakeRepository("r/web")
    layers = []
    for layer in (BASE, ONE):
        made = gzip.compress(layer, 9)
        repository.blobs[digest(made)] = made
        layers.append(Descriptor(digest(made), len(made), OCI_LAYER))
    repository.blobs[digest(before)] = before
    repository.manifests["v1.0.0"] = image_manifest(
        Descriptor(digest(before), len(before), OCI_CONFIG), tuple(layers)
    )
    engine = Giving(*files(BASE, TWO, content))
    source = EngineImages(engine, {"web": image(digest(content), BASE, TWO)}, GOAL, jobs=1)

    source.prepare({"web": (repository, frozenset({"v0.9.0", "0.9.0", "v1.0.0", "1.0.0"}))})
    made = source.images["web"].send(repository, unseen)

    assert made.layers[0] == layers[0]
    own = b"".join(packed([TWO]))
    assert sorted(repository.blobs.sent + repository.blobs.streamed) == sorted([digest(own), digest(content)])
    with pytest.raises(EngineError, match="gave out an image without"):
        source._spool.blob(digest(BASE))


@pytest.mark.parametrize(
    "before", [b"?", config(BASE), config(BASE, ONE, TWO)], ids=["none", "fewer", "more"]
)
def test_an_earlier_version_whose_configuration_does_not_fit(before: bytes) -> None:
    content, there = config(BASE, TWO), gzip.compress(BASE, 9)
    repository = FakeRepository("r/web")
    repository.blobs |= {digest(there): there, digest(before): before}
    layers = (Descriptor(digest(there), len(there), OCI_LAYER),) * 2
    repository.manifests["v1.0.0"] = image_manifest(
        Descriptor(digest(before), len(before), OCI_CONFIG), layers
    )
    source = EngineImages(
        Giving(*files(BASE, TWO, content)), {"web": image(digest(content), BASE, TWO)}, GOAL, jobs=1
    )

    source.prepare({"web": (repository, frozenset({"v1.0.0", "1.0.0"}))})
    made = source.images["web"].send(repository, unseen)

    assert [gzip.decompress(repository.blobs[layer.digest]) for layer in made.layers] == [BASE, TWO]


def test_an_earlier_version_that_the_registry_lost_in_part() -> None:
    content, before = config(BASE), config(ONE)
    repository = FakeRepository("r/web")
    repository.manifests["v1.0.0"] = image_manifest(Descriptor(digest(before), len(before), OCI_CONFIG), ())
    source = EngineImages(Giving(*files(BASE, content)), {"web": image(digest(content), BASE)}, GOAL, jobs=1)

    source.prepare({"web": (repository, frozenset({"v1.0.0", "1.0.0"}))})
    made = source.images["web"].send(repository, unseen)

    assert gzip.decompress(repository.blobs[made.layers[0].digest]) == BASE


def test_what_an_earlier_run_sent_of_the_image_is_not_sent_again() -> None:
    """Its configuration is there: so something of it may be, under whatever digest it has when it is packed."""
    content = config(BASE, ONE)
    sent = b"".join(packed([BASE]))
    repository = FakeRepository("r/web")
    repository.blobs |= {digest(content): content, digest(sent): sent}
    source = EngineImages(
        Giving(*files(BASE, ONE, content)), {"web": image(digest(content), BASE, ONE)}, GOAL, jobs=1
    )

    source.prepare({"web": (repository, frozenset())})
    made = source.images["web"].send(repository, unseen)

    assert made.layers[0].digest == digest(sent)
    assert repository.blobs.sent == [digest(b"".join(packed([ONE])))]
    assert repository.blobs.streamed == []


def test_an_earlier_run_that_sent_another_image() -> None:
    """Images share layers: what the one has is looked for by the other, too."""
    begun, other = config(BASE, ONE), config(BASE, TWO)
    sent = b"".join(packed([BASE]))
    one, two = FakeRepository("r/one"), FakeRepository("r/two")
    one.blobs |= {digest(begun): begun, digest(sent): sent}
    source = EngineImages(
        Giving(*files(BASE, ONE, TWO, begun, other)),
        {"one": image(digest(begun), BASE, ONE), "two": image(digest(other), BASE, TWO)},
        GOAL,
        jobs=2,
    )

    source.prepare({"one": (one, frozenset()), "two": (two, frozenset())})
    source.images["one"].send(one, unseen)
    source.images["two"].send(two, unseen)

    assert digest(sent) not in one.blobs.sent + two.blobs.sent
    assert one.blobs.streamed + two.blobs.streamed == []


def test_a_layer_that_the_registry_lost_is_sent() -> None:
    before, content = config(BASE), config(BASE, labels="other")
    lost = gzip.compress(BASE, 9)
    repository = FakeRepository("r/web")
    repository.blobs[digest(before)] = before
    layers = (Descriptor(digest(lost), len(lost), OCI_LAYER),)
    repository.manifests["v1.0.0"] = image_manifest(
        Descriptor(digest(before), len(before), OCI_CONFIG), layers
    )
    source = EngineImages(Giving(*files(BASE, content)), {"web": image(digest(content), BASE)}, GOAL, jobs=1)

    source.prepare({"web": (repository, frozenset({"v1.0.0", "1.0.0"}))})
    made = source.images["web"].send(repository, unseen)

    assert gzip.decompress(repository.blobs[made.layers[0].digest]) == BASE


def test_nothing_that_is_missing_asks_the_engine_for_nothing() -> None:
    engine = Giving()
    EngineImages(engine, {"web": image("sha256:x")}, GOAL, jobs=1).prepare({})
    assert engine.asked == []


def indexed() -> tuple[bytes, list[bytes], list[bytes]]:
    """An index of two platforms and an attestation; the manifests that it lists; all blobs of these."""
    manifests, blobs, listed = [], [], []
    for layer, platform in ((BASE, "amd64"), (ONE, "arm64"), (b'{"predicate": {}}', "unknown")):
        stored = layer if platform == "unknown" else gzip.compress(layer)
        kind = "application/vnd.in-toto+json" if platform == "unknown" else OCI_LAYER
        about = config(layer, architecture=platform)
        made = document(
            mediaType=OCI_MANIFEST, config=described(OCI_CONFIG, about), layers=[described(kind, stored)]
        )
        manifests.append(made)
        blobs += [stored, about]
        listed.append(
            {**described(OCI_MANIFEST, made), "platform": {"architecture": platform, "os": "linux"}}
        )
    return document(mediaType=OCI_INDEX, manifests=listed), manifests, blobs


def test_an_index_of_the_containerd_store_stays_as_it_is() -> None:
    index, manifests, blobs = indexed()
    engine = Containerd(*files(*blobs, *manifests, index), ("index.json", b"{}"))
    source = EngineImages(engine, {"web": image(digest(index), BASE)}, GOAL, jobs=1)
    repository = FakeRepository("r/web")
    source.prepare({"web": (repository, frozenset({"v0.9.0", "0.9.0"}))})

    made = source.images["web"].send(repository, unseen)

    assert (made.media_type, made.content) == (OCI_INDEX, index)
    repository.put("v1.0.0", made)
    assert {each.content for each in repository.manifests.values()} == {*manifests, index}
    assert set(repository.blobs.values()) == set(blobs)
    assert source.images["web"].is_in(made)


def test_a_manifest_of_the_containerd_store_stays_as_it_is() -> None:
    _, (manifest, *_), (layer, about, *_) = indexed()
    source = EngineImages(
        Containerd(*files(layer, about, manifest)), {"web": image(digest(manifest), BASE)}, GOAL, jobs=1
    )
    repository = FakeRepository("r/web")
    source.prepare({"web": (repository, frozenset())})

    made = source.images["web"].send(repository, unseen)

    assert (made.media_type, made.content) == (OCI_MANIFEST, manifest)
    assert set(repository.blobs.values()) == {layer, about}


def test_an_index_of_which_the_engine_lacks_a_platform() -> None:
    index, manifests, blobs = indexed()
    engine = Containerd(*files(*blobs, *manifests[:1], index))
    source = EngineImages(engine, {"web": image(digest(index), BASE)}, GOAL, jobs=1)
    repository = FakeRepository("r/web")
    source.prepare({"web": (repository, frozenset())})

    with pytest.raises(EngineError, match=f"without {digest(manifests[1])}"):
        source.images["web"].send(repository, unseen)

    assert "v1.0.0" not in repository.manifests


def test_what_is_no_image_is_told() -> None:
    source = EngineImages(Containerd(*files(b"?")), {"web": image(digest(b"?"))}, GOAL, jobs=1)
    repository = FakeRepository("r/web")
    source.prepare({"web": (repository, frozenset())})
    with pytest.raises(RegistryError, match="is no manifest"):
        source.images["web"].send(repository, unseen)
