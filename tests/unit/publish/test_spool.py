"""What the engine gives out, as it is kept until it is sent."""

from __future__ import annotations

import errno
import gzip
import io
import json
import os
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from streamflow_build.engine.fake import FakeEngine
from streamflow_build.engine.interface import TakeFile
from streamflow_build.errors import EngineError, Interrupted, RegistryError
from streamflow_build.publish import spool as module
from streamflow_build.publish.blob import Blob
from streamflow_build.publish.spool import Export, Spool
from streamflow_build.registry.blobs import CHUNK
from streamflow_build.registry.manifest import OCI_CONFIG, OCI_LAYER, Descriptor

from .giving import Giving, digest, path

SECONDS = 10


BASE, OWN = b"base" * 300_000, b"own" * 100
CONFIG = json.dumps({"rootfs": {"type": "layers", "diff_ids": [digest(BASE), digest(OWN)]}}).encode()
IMAGE = digest(CONFIG)
BOTH = frozenset({digest(BASE), digest(OWN)})
NEW = ((path(BASE), BASE), (path(OWN), OWN), (path(CONFIG), CONFIG), ("manifest.json", b"[]"))
OLD = (("a/layer.tar", BASE), ("b/layer.tar", OWN), (f"{IMAGE[7:]}.json", CONFIG), ("manifest.json", b"[]"))
LAYOUTS = pytest.mark.parametrize("files", [NEW, OLD], ids=["since Engine 25", "before"])


class Waiting(FakeEngine):
    """An engine that gives nothing until it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.goes_on = threading.Event(), threading.Event()

    def export(self, images: tuple[str, ...], take: TakeFile) -> None:  # noqa: ARG002
        self.begun.set()
        assert self.goes_on.wait(SECONDS)
        take(path(CONFIG), io.BytesIO(CONFIG))


def spooled(
    *files: tuple[str, bytes], layers: frozenset[str] | None = BOTH, end: BaseException | None = None
) -> Spool:
    made = Spool(Giving(*files, end=end))
    made.begin(Export((IMAGE,), layers))
    return made


def blob(spool: Spool, name: str) -> Blob:
    """A blob, which must not be waited for forever."""
    pool = ThreadPoolExecutor(max_workers=1)
    try:
        return pool.submit(spool.blob, name).result(SECONDS)
    finally:
        spool.cancel()
        pool.shutdown()


@LAYOUTS
def test_layers_are_packed_and_the_configuration_is_as_it_was(files: tuple[tuple[str, bytes], ...]) -> None:
    spool = spooled(*files)
    for layer in (BASE, OWN):
        found = spool.blob(digest(layer))
        content = found.read()
        assert found.whole(OCI_LAYER) == Descriptor(digest(content), len(content), OCI_LAYER)
        assert gzip.decompress(content) == layer
    config = spool.blob(IMAGE)
    assert config.read() == CONFIG
    assert config.whole(OCI_CONFIG) == Descriptor(IMAGE, len(CONFIG), OCI_CONFIG)


@LAYOUTS
def test_a_blob_is_read_from_its_beginning_each_time(files: tuple[tuple[str, bytes], ...]) -> None:
    found = spooled(*files).blob(digest(BASE))
    started = found.content()
    next(started)
    assert gzip.decompress(found.read()) == gzip.decompress(found.read()) == BASE


def test_a_large_blob_comes_in_pieces() -> None:
    noise = os.urandom(2 * CHUNK + 1)
    found = spooled((path(noise), noise), layers=None).blob(digest(noise))
    assert [len(piece) for piece in found.content()] == [CHUNK, CHUNK, 1]
    assert found.read() == noise


def test_only_the_layers_that_are_asked_for_are_kept() -> None:
    spool = spooled(*NEW, layers=frozenset({digest(OWN)}))
    assert gzip.decompress(spool.blob(digest(OWN)).read()) == OWN
    with pytest.raises(EngineError):
        spool.blob(digest(BASE))


def test_of_the_containerd_store_all_is_kept_as_it_is() -> None:
    packed = gzip.compress(OWN)
    manifest = b'{"schemaVersion": 2}'
    spool = spooled(
        (path(packed), packed), (path(CONFIG), CONFIG), (path(manifest), manifest), ("index.json", b"{}"),
        layers=None,
    )  # fmt: skip
    for content in (packed, CONFIG, manifest):
        found = spool.blob(digest(content))
        assert (found.read(), found.whole("").digest) == (content, digest(content))
    with pytest.raises(EngineError):
        spool.blob(digest(b"{}"))


def test_a_layer_that_two_exports_have_is_packed_once() -> None:
    engine = Giving(*NEW)
    spool = Spool(engine)
    spool.begin(Export((IMAGE,), BOTH), Export(("sha256:other", "sha256:further"), BOTH))
    for name in (IMAGE, digest(BASE), digest(OWN)):
        spool.blob(name)
    assert sorted(engine.asked) == [(IMAGE,), ("sha256:other", "sha256:further")]


@pytest.mark.parametrize("layers", [BOTH, None], ids=["packed", "as it is"])
def test_a_damaged_blob(layers: frozenset[str] | None) -> None:
    spool = spooled((path(BASE), BASE[:-1] + b"!"), *NEW[1:], layers=layers)
    begun = spool.blob(digest(BASE))
    for ask in (begun.read, partial(begun.whole, OCI_LAYER)):
        with pytest.raises(EngineError) as caught:
            ask()
        assert str(caught.value) == (
            f"The Docker Engine gave out {digest(BASE)} damaged.\nLook at the engine's disk."
        )


@LAYOUTS
def test_a_blob_that_does_not_come(files: tuple[tuple[str, bytes], ...]) -> None:
    spool = spooled(*files[1:])
    assert spool.blob(IMAGE).read() == CONFIG
    with pytest.raises(EngineError) as caught:
        blob(spool, digest(BASE))
    assert str(caught.value) == (
        f"The Docker Engine gave out an image without {digest(BASE)}, which belongs to it.\n"
        "Build the image again with --no-cache: the engine doesn't have all of it."
    )


def test_what_came_before_the_engine_went_away_can_be_sent() -> None:
    spool = spooled(NEW[0], end=EngineError("The engine went away."))
    assert gzip.decompress(spool.blob(digest(BASE)).read()) == BASE
    for name in (digest(OWN), IMAGE):
        with pytest.raises(EngineError, match=r"^The engine went away\.$"):
            blob(spool, name)


@pytest.mark.parametrize("layers", [BOTH, None], ids=["packed", "as it is"])
def test_no_room(layers: frozenset[str] | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Path("/dev/full").open("r+b", buffering=0) as full:
        monkeypatch.setattr(module.tempfile, "TemporaryFile", lambda: full)
        with pytest.raises(RegistryError) as caught:
            blob(spooled(*NEW, layers=layers), IMAGE)
    assert str(caught.value) == (
        f"The layers can't be kept in {tmp_path} until they are sent: No space left on device.\n"
        "Make room there, or name another folder in TMPDIR."
    )


def test_no_folder_to_keep_anything_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Python says where every folder that it knows is full."""

    def none() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    with pytest.raises(RegistryError) as caught:
        blob(spooled(*NEW), IMAGE)
    assert str(caught.value) == (
        "The layers can't be kept until they are sent: No usable temporary directory found in ['/tmp'].\n"
        "Make room there, or name another folder in TMPDIR."
    )


def test_nothing_stays_on_the_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    spool = spooled(*NEW)
    assert spool.blob(IMAGE).read() == CONFIG
    assert not list(tmp_path.iterdir())
    held = {str(each.readlink()) for each in Path("/proc/self/fd").iterdir() if each.is_symlink()}
    assert any(name.startswith(f"{tmp_path}/") for name in held)


def test_cancelled_while_a_blob_is_waited_for() -> None:
    engine = Waiting()
    spool = Spool(engine)
    spool.begin(Export((IMAGE,), BOTH))
    with ThreadPoolExecutor() as pool:
        asked = [pool.submit(spool.blob, name) for name in (IMAGE, digest(BASE))]
        assert engine.begun.wait(SECONDS)
        assert not any(each.done() for each in asked)
        spool.cancel()
        for each in asked:
            assert isinstance(each.exception(SECONDS), Interrupted)
    engine.goes_on.set()


def test_cancelled_before_a_blob_is_asked_for() -> None:
    engine = Waiting()
    spool = Spool(engine)
    spool.begin(Export((IMAGE,), BOTH))
    spool.cancel()
    with pytest.raises(Interrupted):
        spool.blob(IMAGE)
    engine.goes_on.set()


class Slow(FakeEngine):
    """An engine that gives out a layer in two halves, the second when it is told to."""

    def __init__(self, first: bytes, second: bytes) -> None:
        super().__init__()
        self._halves = [first, second]
        self.goes_on = threading.Event()

    def export(self, images: tuple[str, ...], take: TakeFile) -> None:  # noqa: ARG002
        take(path(b"".join(self._halves)), self)

    def read(self, size: int, /) -> bytes:  # noqa: ARG002
        """A file of the archive: the first half, later the second, then its end."""
        if len(self._halves) == 1:
            assert self.goes_on.wait(SECONDS)
        return self._halves.pop(0) if self._halves else b""


def test_a_blob_is_read_while_it_still_comes() -> None:
    halves = os.urandom(1000), os.urandom(1000)
    engine = Slow(*halves)
    spool = Spool(engine)
    spool.begin(Export((IMAGE,), None))
    found = spool.blob(digest(b"".join(halves)))

    pieces = found.content()
    assert next(pieces) == halves[0]
    assert (found.size, found.is_whole) == (1000, False)
    with ThreadPoolExecutor() as pool:
        further, whole = pool.submit(next, pieces), pool.submit(found.whole, OCI_LAYER)
        assert not further.done()
        engine.goes_on.set()
        assert further.result(SECONDS) == halves[1]
        assert whole.result(SECONDS) == Descriptor(digest(b"".join(halves)), 2000, OCI_LAYER)
    assert list(pieces) == []
    assert (found.size, found.is_whole) == (2000, True)


def test_cancelled_in_the_middle_of_a_blob() -> None:
    engine = Slow(b"one", b"two")
    spool = Spool(engine)
    spool.begin(Export((IMAGE,), None))
    pieces = spool.blob(digest(b"onetwo")).content()
    assert next(pieces) == b"one"
    with ThreadPoolExecutor() as pool:
        further = pool.submit(next, pieces)
        spool.cancel()
        assert isinstance(further.exception(SECONDS), Interrupted)
    engine.goes_on.set()


def test_the_engine_goes_away_in_the_middle_of_a_blob() -> None:
    class Going(Slow):
        def read(self, size: int, /) -> bytes:
            if len(self._halves) == 1:
                raise EngineError("The engine went away.")
            return super().read(size)

    spool = Spool(Going(b"one", b"two"))
    spool.begin(Export((IMAGE,), None))
    found = spool.blob(digest(b"onetwo"))
    with pytest.raises(EngineError, match=r"^The engine went away\.$"):
        found.read()


def test_an_export_ends_when_nothing_more_of_it_is_wanted() -> None:
    engine = Giving(*NEW)
    spool = Spool(engine)
    spool.begin(Export((IMAGE,), frozenset({digest(BASE)})))
    assert spool.blob(IMAGE).read() == CONFIG
    for thread in threading.enumerate():
        if thread.name == "export":
            thread.join(SECONDS)
    assert engine.given == [path(BASE), path(OWN), path(CONFIG)]
