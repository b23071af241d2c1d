"""Each layer is sent once in a run; whoever else wants it takes it from there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from streamflow_build.errors import RegistryError
from streamflow_build.publish import layers as module
from streamflow_build.publish.layers import Layers, Placed
from streamflow_build.registry.manifest import OCI_LAYER, Descriptor

LAYER = Descriptor("sha256:" + "a" * 64, 10, OCI_LAYER)
SECONDS = 10


class FakeBlobs:
    """Notes which layers are sent there, and which are taken from where."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.sent = 0
        self.taken: list[tuple[Descriptor, str]] = []

    def __str__(self) -> str:
        return self._name

    def take(self, layer: Descriptor, source: FakeBlobs) -> None:
        self.taken.append((layer, str(source)))

    def send(self) -> Descriptor:
        self.sent += 1
        return LAYER


class Sender:
    """Sending to a repository that lasts until it is told how it ends."""

    def __init__(self, repository: FakeBlobs) -> None:
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


@dataclass
class Contest:
    """Repositories that want one layer: the first is sending it, and the others wait."""

    sender: Sender
    first: Future[Descriptor]
    others: list[Future[Descriptor]]


@pytest.fixture
def contest(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Contest]]:
    """Begins one, by the layers of a run, the first repository and the others."""
    monkeypatch.setattr(Waited, "waiting", threading.Semaphore(0))
    monkeypatch.setattr(module, "Future", Waited)

    def begin(layers: Layers, one: FakeBlobs, *others: FakeBlobs) -> Contest:
        sender = Sender(one)
        first = pool.submit(layers.place, "x", one, sender)
        assert sender.begun.wait(SECONDS)
        waiting = [pool.submit(layers.place, "x", other, other.send) for other in others]
        for _ in others:
            assert Waited.waiting.acquire(timeout=SECONDS)
        return Contest(sender, first, waiting)

    with ThreadPoolExecutor(max_workers=6) as pool:
        yield begin


def test_the_second_takes_it_from_the_first(contest: Callable[..., Contest]) -> None:
    layers, one, two = Layers(), FakeBlobs("r/one"), FakeBlobs("r/two")
    begun = contest(layers, one, two)
    assert not two.taken

    begun.sender.works()

    assert begun.first.result(SECONDS) == begun.others[0].result(SECONDS) == LAYER
    assert (one.sent, one.taken) == (1, [])
    assert (two.sent, two.taken) == (0, [(LAYER, "r/one")])


def test_where_the_first_fails_the_second_sends_it_himself(contest: Callable[..., Contest]) -> None:
    layers, one, two, three = Layers(), *(FakeBlobs(f"r/{n}") for n in ("one", "two", "three"))
    begun = contest(layers, one, two)

    begun.sender.fails(RegistryError("refused"))

    with pytest.raises(RegistryError, match="refused"):
        begun.first.result(SECONDS)
    assert begun.others[0].result(SECONDS) == LAYER
    assert (two.sent, two.taken) == (1, [])

    assert layers.place("x", three, three.send) == LAYER
    assert three.taken == [(LAYER, "r/two")]


def test_of_many_who_wait_one_sends_it(contest: Callable[..., Contest]) -> None:
    layers, one = Layers(), FakeBlobs("r/one")
    others = [FakeBlobs(f"r/{number}") for number in range(5)]
    begun = contest(layers, one, *others)

    begun.sender.fails(RegistryError("refused"))

    assert begun.first.exception(SECONDS) is not None
    assert [each.result(SECONDS) for each in begun.others] == [LAYER] * 5
    assert sum(other.sent for other in others) == 1
    assert sum(len(other.taken) for other in others) == 4


def test_the_same_repository_needs_nothing_more() -> None:
    layers, one = Layers(), FakeBlobs("r/one")
    for again in (one, one, FakeBlobs("r/one")):
        assert layers.place("x", again, again.send) == LAYER
        assert not again.taken
    assert one.sent == 1


def test_a_layer_that_was_there_before_is_not_sent() -> None:
    layers, one, two = Layers(), FakeBlobs("r/one"), FakeBlobs("r/two")
    layers.note("x", Placed(LAYER, one))
    layers.note("x", Placed(LAYER, two))  # the first word counts
    assert layers.names == {"x"}

    assert layers.place("x", one, one.send) == layers.place("x", two, two.send) == LAYER

    assert (one.sent, two.sent) == (0, 0)
    assert (one.taken, two.taken) == ([], [(LAYER, "r/one")])


def test_other_layers_are_not_waited_for() -> None:
    layers, one, two = Layers(), FakeBlobs("r/one"), FakeBlobs("r/two")
    sender = Sender(one)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(layers.place, "x", one, sender)
        assert sender.begun.wait(SECONDS)
        assert layers.place("y", two, two.send) == LAYER
        assert not first.done()
        sender.works()
    assert two.sent == 1
