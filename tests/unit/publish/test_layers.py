"""Each layer is sent once in a run; whoever else wants it takes it from there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from streamflow_build.errors import RegistryError
from streamflow_build.publish import layers as module
from streamflow_build.publish.layers import Layers, Placed
from streamflow_build.registry.manifest import OCI_LAYER, Descriptor

LAYER = Descriptor("sha256:" + "a" * 64, 10, OCI_LAYER)
SECONDS = 10


class FakeRepository:
    """Notes which layers are sent to it, and which it takes from where."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.sent = 0
        self.taken: list[tuple[Descriptor, str]] = []

    def __str__(self) -> str:
        return self._name

    def take(self, layer: Descriptor, source: FakeRepository) -> None:
        self.taken.append((layer, str(source)))

    def send(self) -> Descriptor:
        self.sent += 1
        return LAYER


class Sender:
    """Sending to a repository that lasts until it is told how it ends."""

    def __init__(self, repository: FakeRepository) -> None:
        self._repository = repository
        self._end: Future[None] = Future()
        self.begun = threading.Event()

    def __call__(self) -> Descriptor:
        self.begun.set()
        self._end.result(SECONDS)
        return self._repository.send()

    def works(self) -> None:
        self._end.set_result(None)

    def fails(self, error: BaseException) -> None:
        self._end.set_exception(error)


class Waited(Future):
    """A future that tells when somebody waits for it."""

    waiting = threading.Semaphore(0)

    def result(self, timeout: float | None = None) -> object:
        self.waiting.release()
        return super().result(timeout)


@pytest.fixture
def somebody_waits(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Returns once a further thread waits for a layer that another one sends."""
    monkeypatch.setattr(Waited, "waiting", threading.Semaphore(0))
    monkeypatch.setattr(module, "Future", Waited)

    def wait() -> None:
        assert Waited.waiting.acquire(timeout=SECONDS)

    return wait


def test_the_second_takes_it_from_the_first(somebody_waits: Callable[[], None]) -> None:
    layers, one, two = Layers(), FakeRepository("r/one"), FakeRepository("r/two")
    sender = Sender(one)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(layers.place, "x", one, sender)
        assert sender.begun.wait(SECONDS)
        second = pool.submit(layers.place, "x", two, two.send)
        somebody_waits()
        assert not two.taken
        sender.works()
        assert first.result(SECONDS) == second.result(SECONDS) == LAYER
    assert (one.sent, one.taken) == (1, [])
    assert (two.sent, two.taken) == (0, [(LAYER, "r/one")])


def test_where_the_first_fails_the_second_sends_it_himself(somebody_waits: Callable[[], None]) -> None:
    layers, one, two, three = Layers(), *(FakeRepository(f"r/{n}") for n in ("one", "two", "three"))
    sender = Sender(one)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(layers.place, "x", one, sender)
        assert sender.begun.wait(SECONDS)
        second = pool.submit(layers.place, "x", two, two.send)
        somebody_waits()
        sender.fails(RegistryError("refused"))
        with pytest.raises(RegistryError, match="refused"):
            first.result(SECONDS)
        assert second.result(SECONDS) == LAYER
    assert (two.sent, two.taken) == (1, [])

    assert layers.place("x", three, three.send) == LAYER
    assert three.taken == [(LAYER, "r/two")]


def test_of_many_who_wait_one_sends_it(somebody_waits: Callable[[], None]) -> None:
    layers, one = Layers(), FakeRepository("r/one")
    others = [FakeRepository(f"r/{number}") for number in range(5)]
    sender = Sender(one)
    with ThreadPoolExecutor(max_workers=6) as pool:
        first = pool.submit(layers.place, "x", one, sender)
        assert sender.begun.wait(SECONDS)
        waiting = [pool.submit(layers.place, "x", other, other.send) for other in others]
        for _ in others:
            somebody_waits()
        sender.fails(RegistryError("refused"))
        assert first.exception(SECONDS) is not None
        assert [each.result(SECONDS) for each in waiting] == [LAYER] * 5
    assert sum(other.sent for other in others) == 1
    assert sum(len(other.taken) for other in others) == 4


def test_the_same_repository_needs_nothing_more() -> None:
    layers, one = Layers(), FakeRepository("r/one")
    for again in (one, one, FakeRepository("r/one")):
        assert layers.place("x", again, again.send) == LAYER
        assert not again.taken
    assert one.sent == 1


def test_a_layer_that_was_there_before_is_not_sent() -> None:
    layers, one, two = Layers(), FakeRepository("r/one"), FakeRepository("r/two")
    layers.note("x", Placed(LAYER, one))
    layers.note("x", Placed(LAYER, two))  # the first word counts
    assert layers.names == {"x"}

    assert layers.place("x", one, one.send) == layers.place("x", two, two.send) == LAYER

    assert (one.sent, two.sent) == (0, 0)
    assert (one.taken, two.taken) == ([], [(LAYER, "r/one")])


def test_other_layers_are_not_waited_for() -> None:
    layers, one, two = Layers(), FakeRepository("r/one"), FakeRepository("r/two")
    sender = Sender(one)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(layers.place, "x", one, sender)
        assert sender.begun.wait(SECONDS)
        assert layers.place("y", two, two.send) == LAYER
        assert not first.done()
        sender.works()
    assert two.sent == 1
