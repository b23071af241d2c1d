"""Layers on their way into a registry: each is sent once, and mounted by the repositories that come after."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

import msgspec

from streamflow_build.registry.blobs import Blobs
from streamflow_build.registry.manifest import Descriptor


class Placed(msgspec.Struct, frozen=True):
    """A layer among the blobs of a repository, as it is stored there."""

    layer: Descriptor
    blobs: Blobs


class Layers:
    """The layers of a run, by names that are alike for images which share a layer. Any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._placed: dict[str, Future[Placed | None]] = {}

    def note(self, name: str, placed: Placed) -> None:
        """A layer was there before."""
        there: Future[Placed | None] = Future()
        there.set_result(placed)
        with self._lock:
            self._placed.setdefault(name, there)

    @property
    def names(self) -> frozenset[str]:
        """Those that are there, or on their way."""
        with self._lock:
            return frozenset(self._placed)

    def place(self, name: str, blobs: Blobs, send: Callable[[], Descriptor]) -> Descriptor:
        """Have a layer in a repository: the first who wants it sends it, the others wait, and take it from there.

        Where it can't be sent, the next one sends it. Raises what ``send`` raises, and RegistryError.
        """
        while True:
            mine: Future[Placed | None] = Future()
            with self._lock:
                there = self._placed.setdefault(name, mine)
            if there is mine:
                return self._sent(name, blobs, send, mine)
            if (placed := there.result()) is not None:
                if str(placed.blobs) != str(blobs):
                    blobs.take(placed.layer, placed.blobs)
                return placed.layer

    def _sent(
        self,
        name: str,
        blobs: Blobs,
        send: Callable[[], Descriptor],
        outcome: Future[Placed | None],
    ) -> Descriptor:
        try:
            layer = send()
        except BaseException:
            with self._lock:
                del self._placed[name]
            outcome.set_result(None)
            raise
        outcome.set_result(Placed(layer, blobs))
        return layer
