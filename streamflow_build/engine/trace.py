"""BuildKit's trace: the messages that a build streams, turned into the events of interface.py. Pure."""

from __future__ import annotations

import codecs
import re
from collections import deque
from collections.abc import Iterator
from typing import Any

from streamflow_build.engine.interface import (
    BuildEvent,
    BuildWarning,
    StepFinished,
    StepOutput,
    StepProgress,
    StepStarted,
)

KEPT_LINES = 30
"""How many of a step's last lines are remembered, for the report of a failure."""

STEP = re.compile(r"\[(?:(?P<stage>\S+) )? *(?P<number>\d+)/\d+\] (?P<keyword>[A-Z]+)")
"""BuildKit's name of a step: its stage (where there are several), its place in it, and its instruction."""
_COUNTED = frozenset({"RUN", "COPY", "ADD", "WORKDIR"})
"""Whether a FROM comes from the cache varies with what else the engine knows, so it says nothing."""
_NANO = 1_000_000_000


class Step:
    """What is known of one step, a vertex of BuildKit's graph: what it is, how far it is, what it printed."""

    def __init__(self, digest: str, name: str) -> None:
        self.digest = digest
        self.name = name
        self.number = 0
        self.cached = False
        self.finished = False
        self.error: str | None = None
        self.lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    @property
    def counted(self) -> bool:
        """Whether it is one of the steps by which a build's use of the cache is judged."""
        match = STEP.match(self.name)
        return match is not None and match["keyword"] in _COUNTED

    def feed(self, chunk: bytes, *, final: bool = False) -> Iterator[str]:
        """The lines that are whole after this chunk; the last one, too, when nothing follows.

        Of what a program overwrote by carriage returns (a progress bar), a line holds what is left to see.
        """
        *whole, self._rest = (self._rest + self._decoder.decode(chunk, final)).split("\n")
        if final and self._rest:
            whole, self._rest = [*whole, self._rest], ""
        for text in whole:
            line = text.rstrip("\r").rpartition("\r")[2]
            self.lines.append(line)
            yield line


class Trace:
    """All that a build has told so far."""

    def __init__(self) -> None:
        self._steps: dict[str, Step] = {}
        self._began = 0

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps by which a build is counted (RUN, COPY, ADD, WORKDIR)."""
        return tuple(step for step in self._steps.values() if step.counted)

    @property
    def failed(self) -> Step | None:
        """The step that failed; of several, the one that wasn't merely cancelled with the others."""
        failures = [step for step in self._steps.values() if step.error]
        return min(failures, key=lambda step: "context canceled" in (step.error or ""), default=None)

    def events(self, message: bytes) -> Iterator[BuildEvent]:
        """What one trace message says that is new."""
        # Protobuf takes its time to import; until the first message there is none to lose.
        from streamflow_build.engine.messages import StatusResponse  # noqa: PLC0415

        status = StatusResponse.FromString(message)
        vertexes = [vertex for vertex in status.vertexes if _shown(vertex.name)]
        for vertex in vertexes:
            self._steps.setdefault(vertex.digest, Step(vertex.digest, vertex.name))
        for vertex in vertexes:
            yield from self._start(vertex)
        for progress in status.statuses:
            if progress.vertex in self._steps and progress.ID:
                yield StepProgress(
                    progress.vertex, progress.name or progress.ID, progress.current, progress.total
                )
        for log in status.logs:
            if step := self._steps.get(log.vertex):
                for line in step.feed(log.msg):
                    yield StepOutput(step.digest, line)
        for vertex in vertexes:
            yield from self._finish(vertex)
        for warning in status.warnings:
            first = warning.ranges[0].start.line if warning.ranges else 0
            yield BuildWarning(warning.short.decode(errors="replace"), first)

    def _start(self, vertex: Any) -> Iterator[BuildEvent]:
        step = self._steps[vertex.digest]
        if step.number or not vertex.HasField("started"):
            return
        self._began += 1
        step.number = self._began
        yield StepStarted(step.digest, step.name, step.number, len(self._steps))

    def _finish(self, vertex: Any) -> Iterator[BuildEvent]:
        step = self._steps[vertex.digest]
        step.cached = vertex.cached
        # BuildKit tells of a vertex several times; only an error after the end is news.
        news = not step.finished or (vertex.error and not step.error)
        if not vertex.HasField("completed") or not news:
            return
        for line in step.feed(b"", final=True):
            yield StepOutput(step.digest, line)
        step.finished = True
        step.error = vertex.error or None
        seconds = (_nanoseconds(vertex.completed) - _nanoseconds(vertex.started)) / _NANO
        yield StepFinished(step.digest, step.name, step.cached, max(0.0, seconds), step.error)


def _shown(name: str) -> bool:
    """Whether it is something that the Dockerfile asks for, or the image's export."""
    return STEP.match(name) is not None or name.startswith("exporting to ")


def _nanoseconds(stamp: Any) -> int:
    return int(stamp.seconds) * _NANO + int(stamp.nanos)
