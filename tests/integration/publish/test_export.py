"""An engine that fails while it gives images out: exit code 3, and no floating tag moves."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ..conftest import CHUNK, Proxy
from ..shop import Shop
from .conftest import SERVICES, Clients, pushed
from .registries import Process

SERIES = ("v1.0.0", "1.0.0", "1.0", "1", "latest")
START = "Start Docker, or name a running engine in DOCKER_HOST"
REFUSAL = (
    b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nContent-Length: 26\r\n\r\n"
    b'{"message":"disk on fire"}'
)

BEGUN = 1_500
"""Bytes of an answer that has begun, and of which no blob has passed."""


class Fragile(Proxy):
    """A way to an engine which an export does not survive: so many bytes of it pass, then something happens."""

    def __init__(
        self, folder: Path, engine: str, after: int, happens: Callable[[Fragile, socket.socket], None]
    ) -> None:
        self.address = f"unix://{folder}/docker.sock"
        self.befallen = 0
        self._after = after
        self._happens = happens
        self._exports: set[socket.socket] = set()
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(f"{folder}/docker.sock")
        listener.listen()
        super().__init__(listener, engine)

    def die(self) -> None:
        """Nothing listens, every connection breaks off."""
        for each in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK):
                if b"/images/get?" in data:
                    self._exports.add(sink)
                if source in self._exports:
                    left = self._after - passed
                    passed += len(data)
                    if passed > self._after:
                        self.befallen += 1
                        sink.sendall(data[:left])
                        self._happens(self, sink)
                        break
                sink.sendall(data)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


def breaks_off(_: Fragile, near: socket.socket) -> None:
    """The answer ends in the middle, and the engine is still there."""


def dies(way: Fragile, near: socket.socket) -> None:
    """The engine is gone."""
    way.die()


def refuses(_: Fragile, near: socket.socket) -> None:
    """The engine answers with an error."""
    near.sendall(REFUSAL)


@pytest.fixture
def fragile(built_here: Shop, short_folder: Path) -> Iterator[Callable[..., Fragile]]:
    """Makes ways to the shop's engine."""
    ways: list[Fragile] = []

    def make(after: int, happens: Callable[[Fragile, socket.socket], None]) -> Fragile:
        engine = built_here.live.address.removeprefix("unix://")
        ways.append(Fragile(short_folder, engine, after, happens))
        return ways[-1]

    yield make
    for way in ways:
        way.cut()


@pytest.mark.parametrize(
    ("after", "happens", "said"),
    [
        (
            0,
            breaks_off,
            "The Docker Engine at {} went away during an export: Remote end closed connection without response.",
        ),
        (
            BEGUN,
            breaks_off,
            "The Docker Engine at {} went away during an export: the connection broke off.",
        ),
        (BEGUN, dies, "The Docker Engine at {} went away during an export: the connection broke off."),
        (0, refuses, "The Docker Engine at {} refused to export images: disk on fire"),
    ],
    ids=["before it begins", "in the middle", "with the engine", "refused"],
)
def test_the_export_ends_early(  # noqa: PLR0913, PLR0917 - fixtures
    after: int,
    happens: Callable[[Fragile, socket.socket], None],
    said: str,
    built_here: Shop,
    registry: Process,
    clients: Clients,
    fragile: Callable[..., Fragile],
) -> None:
    pushed(built_here, registry.host)
    before = clients.digests(registry.host, built_here, *SERIES)
    built_here.write("beta/said.txt", "something else\n")
    built_here.report("v1.1.0")
    way = fragile(after, happens)

    done = built_here.run("push", f"{registry.host}/team", "v1.1.0", DOCKER_HOST=way.address)

    assert way.befallen == 1
    assert done.returncode == 3
    assert said.format(way.address) in done.stderr
    assert (START in done.stderr) == (happens is not refuses)
    assert "Traceback" not in done.stderr
    assert clients.digests(registry.host, built_here, *SERIES) == before
    for service in SERVICES:
        assert not {"1.1.0", "v1.1.0", "1.1"} & set(clients.tags(registry.host, built_here, service))

    pushed(built_here, registry.host, "v1.1.0")
    on = clients.digests(registry.host, built_here, "v1.1.0", "latest")
    assert on["latest"] == on["v1.1.0"]


def test_on_a_first_push_nothing_is_left_under_a_tag(
    built_here: Shop, registry: Process, clients: Clients, fragile: Callable[..., Fragile]
) -> None:
    way = fragile(BEGUN, breaks_off)

    done = built_here.run("push", f"{registry.host}/team", DOCKER_HOST=way.address)

    assert done.returncode == 3
    assert way.befallen
    for service in SERVICES:
        assert clients.tags(registry.host, built_here, service) == []
