"""Runs that are stopped in the middle of a build: by the user, by a signal, by the loss of the engine."""

from __future__ import annotations

import contextlib
import json
import select
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ..shop import DEADLINE, Shop, processes, seconds_hidden, until

START = (
    "Start Docker, or name a running engine in DOCKER_HOST; in a checkout of the project, "
    '`scripts/engine start` makes a private one and `eval "$(scripts/engine env)"` names it.'
)


@pytest.fixture
def long(shop: Shop, forever: str) -> Shop:
    """Alpha's build lasts until it is ended."""
    shop.step("alpha", f"RUN {forever}\n")
    return shop


@pytest.fixture
def long_here(shop_here: Shop, forever: str) -> Shop:
    shop_here.step("alpha", f"RUN {forever}\n")
    return shop_here


def wait_for_step(forever: str) -> None:
    until(lambda: bool(processes(forever.split()[1])), "the long step runs on the engine")


def assert_nothing_left(shop: Shop, forever: str) -> None:
    until(lambda: not processes(forever.split()[1]), "the engine has ended the step")
    assert shop.tags("alpha") == {}


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("milliseconds", [0, 2, 20])
def test_another_signal_right_behind_it(long_here: Shop, forever: str, first: int, milliseconds: int) -> None:
    run = long_here.start("images", "v1.0.0")
    wait_for_step(forever)

    run.process.send_signal(first)
    threading.Event().wait(milliseconds / 1000)
    run.process.send_signal(signal.SIGTERM if first != signal.SIGTERM else signal.SIGINT)
    done = run.ended()

    assert done.returncode == 130
    assert "Traceback" not in done.stderr
    assert "ignored" not in done.stderr
    assert_nothing_left(long_here, forever)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_builds_on_the_engine(long: Shop, forever: str, number: int) -> None:
    run = long.start("images", "v1.0.0", "--json")
    wait_for_step(forever)

    run.process.send_signal(number)
    done = run.ended()

    assert done.returncode == 130
    assert done.stderr.endswith("streamflow-build: Interrupted.\n")
    assert "Traceback" not in done.stderr
    outcomes = {image["service"]: image["outcome"] for image in json.loads(done.stdout)["images"]}
    assert outcomes["alpha"] == "cancelled"
    assert_nothing_left(long, forever)
    assert "cancelled after" in long.log("alpha")


def test_builds_that_wait_for_their_turn_never_begin(long_here: Shop, forever: str) -> None:
    run = long_here.start("images", "v1.0.0", "--json", "--jobs", "1")
    wait_for_step(forever)

    run.process.send_signal(signal.SIGINT)
    done = run.ended()

    assert done.returncode == 130
    alpha, beta = json.loads(done.stdout)["images"]
    assert (alpha["outcome"], beta) == (
        "cancelled",
        {"outcome": "skipped", "service": "beta", "reason": "interrupted"},
    )
    assert "beta | building" not in done.stderr
    assert long_here.tags("beta") == {}


def test_what_was_complete_stays_complete(long_here: Shop, forever: str) -> None:
    run = long_here.start("images", "v1.0.0", "--json", "--jobs", "2")
    wait_for_step(forever)
    until(lambda: "latest" in long_here.tags("beta"), "beta is complete")

    run.process.send_signal(signal.SIGINT)

    assert run.ended().returncode == 130
    assert set(long_here.tags("beta")) == {"v1.0.0", "1.0.0", "1.0", "1", "latest"}
    assert_nothing_left(long_here, forever)


def test_ctrl_c_on_a_terminal(long_here: Shop, forever: str) -> None:
    """The terminal's own Ctrl-C reaches the program, which leaves the cursor visible."""
    with long_here.on_terminal("images", "v1.0.0") as run:
        wait_for_step(forever)
        run.press(b"\x03")
        assert run.ended() == 130
    screen = run.screen
    assert screen.rstrip().endswith(b"streamflow-build: Interrupted.")
    assert screen.rfind(b"\x1b[?25h") > screen.rfind(b"\x1b[?25l") >= 0
    assert_nothing_left(long_here, forever)


def test_a_killed_tool_ends_its_builds_too(long: Shop, forever: str) -> None:
    run = long.start("images", "v1.0.0")
    wait_for_step(forever)

    run.process.kill()
    run.ended()

    assert_nothing_left(long, forever)


class Relay:
    """A socket that passes everything to the engine's, until it is cut.

    ``instead`` may answer what a client sends, and nothing is an answer, too: the client waits.
    """

    def __init__(self, path: Path, engine: str) -> None:
        self.host = f"unix://{path}"
        self._engine = engine.removeprefix("unix://")
        self._open: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._path = path
        self.instead: Callable[[bytes], bytes | None] = lambda _: None
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def cut(self) -> None:
        """Break every connection and take no new one."""
        self._path.unlink(missing_ok=True)
        for each in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.cut()
        for thread in self._threads:
            thread.join(DEADLINE)
        for each in (self._listener, *self._open):
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(self._engine)
                self._open += [near, far]
                thread = threading.Thread(target=self._pass, args=(near, far))
                self._threads.append(thread)
                thread.start()

    def _pass(self, near: socket.socket, far: socket.socket) -> None:
        pairs = {near: far, far: near}
        with contextlib.suppress(OSError):
            while pairs:
                for source in select.select(list(pairs), [], [])[0]:
                    data = source.recv(65536)
                    answer = self.instead(data) if source is near and data else None
                    if answer is not None:
                        near.sendall(answer)
                    elif data:
                        (far if source is near else near).sendall(data)
                    else:
                        pairs.pop(source).shutdown(socket.SHUT_WR)


@pytest.fixture
def relay(long_here: Shop, short_folder: Path) -> Iterator[Relay]:
    assert long_here.live.address.startswith("unix://")
    made = Relay(short_folder / "engine.sock", long_here.live.address)
    yield made
    made.close()


def test_an_engine_that_goes_away_in_the_middle_of_a_build(
    long_here: Shop, forever: str, relay: Relay
) -> None:
    run = long_here.start("images", "v1.0.0", "--jobs", "1", DOCKER_HOST=relay.host)
    wait_for_step(forever)

    relay.cut()
    done = run.ended()

    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert seconds_hidden(done.stderr).partition("\n\n")[2] == (
        "alpha failed after N s\n"
        f"  The Docker Engine at {relay.host} went away while it built alpha: Response ended prematurely.\n"
        f"  {START}\n"
        "  log: .streamflow/logs/alpha.log\n"
        "streamflow-build: 2 of 2 images could not be built: alpha, beta.\n"
    )
    assert "skipped: the engine failed" in done.stdout
    assert long_here.tags("beta") == {}
    assert_nothing_left(long_here, forever)


def test_an_engine_that_answers_no_build(long_here: Shop, relay: Relay) -> None:
    asked = threading.Event()

    def hold(data: bytes) -> bytes | None:
        if b"/build?" not in data and not asked.is_set():
            return None
        asked.set()
        return b""

    relay.instead = hold
    run = long_here.start("images", "v1.0.0", "--json", DOCKER_HOST=relay.host)
    assert asked.wait(DEADLINE)

    run.process.send_signal(signal.SIGTERM)
    done = run.ended(40)

    assert done.returncode == 130
    assert {image["outcome"] for image in json.loads(done.stdout)["images"]} == {"cancelled"}


def test_an_engine_that_takes_no_more_tags(shop_here: Shop, short_folder: Path) -> None:
    shop_here.report("v1.0.0", "--only", "alpha")
    before = shop_here.tags("alpha")
    shop_here.write("alpha/said.txt", "something else\n")
    said = b'{"message": "no space left on device"}'
    refusal = (
        b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    )
    taken: list[bytes] = []

    def refuse(data: bytes) -> bytes | None:
        if b"/tag?" not in data:
            return None
        taken.append(data)
        return refusal % len(said) + said if len(taken) > 2 else None

    relay = Relay(short_folder / "engine.sock", shop_here.live.address)
    relay.instead = refuse
    try:
        done = shop_here.images("v1.0.0", "--only", "alpha", DOCKER_HOST=relay.host)
    finally:
        relay.close()

    name = f"{shop_here.name}-alpha"
    assert done.returncode == 3
    assert f"as {name}:1.0: no space left on device" in done.stderr
    assert (
        f"Run the command again: {name}:v1.0.0, {name}:1.0.0 may be on the new image, others of its tags not."
        in done.stderr
    )
    assert "Traceback" not in done.stderr
    assert set(shop_here.report("v1.0.0", "--only", "alpha")["images"][0]["tags"]) == {
        f"{name}:{tag}" for tag in before
    }


def test_no_engine(shop_here: Shop) -> None:
    nowhere = "unix:///nonexistent/docker.sock"

    done = shop_here.images(DOCKER_HOST=nowhere)

    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        f"streamflow-build: No Docker Engine answers at {nowhere} (from DOCKER_HOST): "
        "No such file or directory.\n"
        f"{START}\n"
    )
