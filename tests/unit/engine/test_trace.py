from __future__ import annotations

import base64
from pathlib import Path

import pytest

from streamflow_build.engine.interface import (
    BuildEvent,
    BuildWarning,
    StepFinished,
    StepOutput,
    StepProgress,
    StepStarted,
)
from streamflow_build.engine.messages import StatusResponse
from streamflow_build.engine.trace import Trace

RECORDED = Path(__file__).parent / "traces"
STEP = "[common 2/3] RUN make"


def replay(name: str) -> tuple[Trace, list[BuildEvent]]:
    """What was recorded of a real build, one message a line."""
    trace = Trace()
    lines = (RECORDED / f"{name}.txt").read_text().splitlines()
    return trace, [event for line in lines for event in trace.events(base64.b64decode(line))]


def vertex(
    *, digest: str = "d", name: str = STEP, started: int = 0, completed: int = 0, **more: object
) -> bytes:
    message = StatusResponse()
    said = message.vertexes.add(digest=digest, name=name, **more)
    if started:
        said.started.seconds = started
    if completed:
        said.completed.seconds = completed
    return bytes(message.SerializeToString())


def log(text: bytes, digest: str = "d") -> bytes:
    message = StatusResponse()
    message.logs.add(vertex=digest, msg=text)
    return bytes(message.SerializeToString())


def tell(*messages: bytes) -> list[BuildEvent]:
    trace = Trace()
    return [event for message in messages for event in trace.events(message)]


def test_a_recorded_build_is_told_step_by_step() -> None:
    trace, events = replay("two-stages")
    begun = [(e.number, e.total, e.name[:24]) for e in events if isinstance(e, StepStarted)]
    assert begun == [
        (1, 6, "[common 1/3] FROM docker"),
        (2, 6, "[common 2/3] WORKDIR /op"),
        (3, 6, "[common 3/3] RUN echo on"),
        (4, 6, "[stage-1 2/4] COPY --fro"),
        (5, 6, "[stage-1 3/4] COPY a /a"),
        (6, 6, "[stage-1 4/4] RUN echo -"),
        (7, 7, "exporting to image"),
    ]
    assert [e.line for e in events if isinstance(e, StepOutput)] == ["one", "two", "no line end"]
    assert len(trace.steps) == 5
    assert trace.failed is None


def test_a_recorded_failure_names_its_step_and_keeps_its_output() -> None:
    trace, events = replay("failed")
    assert trace.failed is not None
    assert trace.failed.name == "[2/2] RUN for i in 1 2 3; do echo line $i; done;     exit 3"
    assert list(trace.failed.lines) == ["line 1", "line 2", "line 3"]
    last = events[-1]
    assert isinstance(last, StepFinished)
    assert last.error is not None
    assert last.error.endswith("did not complete successfully: exit code: 3")


def test_a_recorded_warning_names_its_line() -> None:
    _, events = replay("warned")
    assert [e for e in events if isinstance(e, BuildWarning)] == [
        BuildWarning("FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 1)", 1),
        BuildWarning(
            "SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data "
            '(ENV "DB_PASSWORD") (line 2)',
            2,
        ),
    ]


@pytest.mark.parametrize(
    ("chunks", "lines"),
    [
        ([b"one\ntwo\n"], ["one", "two"]),
        ([b"on", b"e\ntw", b"o\n"], ["one", "two"]),
        ([b"gr\xc3", b"\xbc\xc3\x9fe\n"], ["grüße"]),
        ([b"no end"], ["no end"]),
        ([b"10 %\r20 %\r100 %\n"], ["100 %"]),
        ([b"windows\r\n"], ["windows"]),
        ([b"\xff\n"], ["\ufffd"]),
        ([b"\n\n"], ["", ""]),
    ],
    ids=[
        "lines",
        "chunks",
        "split character",
        "no line end",
        "progress bar",
        "crlf",
        "no utf-8",
        "empty lines",
    ],
)
def test_chunks_become_lines(chunks: list[bytes], lines: list[str]) -> None:
    events = tell(vertex(started=1), *map(log, chunks), vertex(started=1, completed=2))
    assert [event.line for event in events if isinstance(event, StepOutput)] == lines
    assert isinstance(events[-1], StepFinished)


def test_a_step_told_of_twice_starts_and_ends_once() -> None:
    events = tell(
        vertex(),
        vertex(started=1),
        vertex(started=1),
        vertex(started=1, completed=3),
        vertex(started=1, completed=3),
    )
    assert events == [
        StepStarted("d", STEP, 1, 1),
        StepFinished("d", STEP, cached=False, seconds=2.0, error=None),
    ]


def test_an_error_after_the_end_is_told() -> None:
    events = tell(vertex(started=1, completed=2), vertex(started=1, completed=4, error="broken"))
    assert events[-1] == StepFinished("d", STEP, cached=False, seconds=3.0, error="broken")


def test_what_only_buildkit_does_is_left_out() -> None:
    internal = [vertex(name=name, started=1) for name in ("[internal] load build context", "copy /context /")]
    assert tell(*internal, log(b"text\n"), vertex(name="[auth] library/python:pull token", started=1)) == []


def test_progress_of_a_transfer_is_told() -> None:
    message = StatusResponse()
    message.vertexes.add(digest="d", name="[common 1/3] FROM python:3.11-slim")
    message.statuses.add(ID="sha256:abc", vertex="d", current=5, total=9)
    assert tell(message.SerializeToString()) == [StepProgress("d", "sha256:abc", 5, 9)]


def test_the_step_to_blame_is_not_one_that_was_cancelled_with_it() -> None:
    trace = Trace()
    list(trace.events(vertex(digest="a", started=1, completed=2, error="context canceled")))
    list(trace.events(vertex(digest="b", started=1, completed=2, error="exit code: 1")))
    assert trace.failed is not None
    assert trace.failed.digest == "b"


def test_only_the_last_thirty_lines_are_kept() -> None:
    trace = Trace()
    text = b"".join(b"line %d\n" % number for number in range(100))
    for message in (vertex(started=1), log(text), vertex(started=1, completed=2, error="no")):
        list(trace.events(message))
    assert trace.failed is not None
    assert list(trace.failed.lines) == [f"line {number}" for number in range(70, 100)]
