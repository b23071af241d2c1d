"""A cancelled build leaves nothing: no step that runs, no tag."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from streamflow_build.engine.docker_engine import DockerEngine
from streamflow_build.engine.interface import BuildCancelled, BuildEvent, StepOutput
from streamflow_build.model.image import BuildRequest

SECONDS = 30


def processes(argument: str) -> list[str]:
    """The processes of this machine which were given that argument; the engine runs its steps here."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = place.read_bytes().split(b"\0")
        except OSError:
            continue
        if argument.encode() in words and b"sleep" in words[0]:
            found.append(str(place))
    return found


def waited_for(count: int, argument: str) -> bool:
    """Whether so many processes with that argument run, now or soon."""
    deadline = time.monotonic() + SECONDS
    while len(processes(argument)) != count:
        if time.monotonic() > deadline:
            return False
        threading.Event().wait(0.02)
    return True


def test_every_running_step_ends(
    engine: DockerEngine, request_of: Callable[..., BuildRequest], token: str
) -> None:
    seconds = str(100_000 + int(token[:4], 16))
    running = [threading.Event(), threading.Event()]
    caught: list[BaseException] = []

    def build(number: int) -> None:
        def observe(event: BuildEvent) -> None:
            if isinstance(event, StepOutput):
                running[number].set()

        request = request_of(
            f"RUN echo {{token}} {number}; sleep {seconds}\n", tags=(f"streamflow-{token}:{number}",)
        )
        try:
            engine.build(request, observe)
        except BuildCancelled as error:
            caught.append(error)

    threads = [threading.Thread(target=build, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    assert all(event.wait(SECONDS) for event in running)
    if not waited_for(2, seconds):
        pytest.fail(
            "the engine's processes can't be seen from here, so this test can't tell whether they end"
        )
    engine.cancel()
    for thread in threads:
        thread.join(SECONDS)

    assert len(caught) == 2
    assert waited_for(0, seconds), processes(seconds)
    assert [engine.image(f"streamflow-{token}:{number}") for number in (0, 1)] == [None, None]
