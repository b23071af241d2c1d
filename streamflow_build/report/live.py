"""Progress on a terminal: a line per image, redrawn in place. Imports Rich: import it only when needed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from rich.text import Text

from streamflow_build.engine.interface import (
    BuildEvent,
    BuildWarning,
    StepFinished,
    StepOutput,
    StepProgress,
    StepStarted,
)
from streamflow_build.model.report import Failed, ImagesReport, Outcome
from streamflow_build.report.plain import finished
from streamflow_build.report.screen import Screen
from streamflow_build.report.text import duration, is_internal, label_and_what, megabytes, shorten
from streamflow_build.report.writer import Writer

ROOMY = 64
"""From this many columns on there is room for how many steps came from the cache."""
SMALLEST_WHAT = 8
"""With fewer columns left for it, what a step does says nothing."""


@dataclass(slots=True)
class _Row:
    """What one image's line shows."""

    started: float | None = None
    number: int = 0
    total: int = 0
    cached: int = 0
    running: dict[str, str] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    outcome: Outcome | None = None


class Live:
    """A RunObserver that draws. ``close`` takes the lines away again; the results follow them."""

    def __init__(
        self, writer: Writer, services: tuple[str, ...], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._lock = threading.Lock()
        self._clock = clock
        self._rows = {service: _Row() for service in services}
        self._bases: dict[str, dict[str, tuple[int, int]]] = {}
        self._name_width = max((len(service) for service in services), default=0)
        self.screen = Screen(writer, self._lines)

    def close(self) -> None:
        """Take the lines away and give the cursor back; may be called again."""
        self.screen.close()

    def base_pull(self, base: str, layer: str, current: int, total: int) -> None:
        with self._lock:
            self._bases.setdefault(base, {})[layer] = (current, total)

    def service_started(self, service: str, reason: str) -> None:  # noqa: ARG002 - the table says why
        with self._lock:
            self._bases.clear()
            self._rows[service].started = self._clock()

    def event(self, service: str, event: BuildEvent) -> None:
        match event:
            case StepOutput():
                return
            case BuildWarning(message, line):
                where = f" (Dockerfile, line {line})" if line else ""
                self.screen.above(f"{service}: warning: {message}{where}")
            case StepStarted() | StepProgress() | StepFinished():
                with self._lock:
                    _advance(self._rows[service], event)

    def service_finished(self, outcome: Outcome) -> None:
        with self._lock:
            self._rows[outcome.service].outcome = outcome

    def note(self, text: str) -> None:
        """Nothing: the result says it, on the same terminal."""

    def run_finished(self, report: ImagesReport) -> None:  # noqa: ARG002 - the results follow
        self.close()

    def _lines(self, width: int) -> list[Text]:
        with self._lock:
            return [
                *(self._base_line(base, layers) for base, layers in self._bases.items()),
                *(self._service_line(name, row, width) for name, row in self._rows.items()),
            ]

    def _base_line(self, base: str, layers: dict[str, tuple[int, int]]) -> Text:
        current, total = (sum(amounts) for amounts in zip(*layers.values(), strict=True))
        return Text.assemble((base, "bold"), f"  pulling {megabytes(current)} of {megabytes(total)} MB")

    def _service_line(self, name: str, row: _Row, width: int) -> Text:
        head = (f"{name:<{self._name_width}}", "bold")
        room = width - self._name_width - 2
        if row.outcome is not None:
            style = "red" if isinstance(row.outcome, Failed) else "green"
            return Text.assemble(head, "  ", (shorten(finished(row.outcome), room), style))
        if row.started is None:
            return Text.assemble(head, "  ", ("waiting", "dim"))
        tail = duration(self._clock() - row.started)
        if row.cached and width >= ROOMY:
            tail = f"{row.cached} cached  {tail}"
        count = f"{row.number}/{row.total} " if row.total else ""
        room -= len(tail) + 2
        what = f"{count}{_doing(row)}"
        what = shorten(what, room) if room >= SMALLEST_WHAT else ""
        return Text.assemble(head, "  ", f"{what:<{max(room, 0)}}", "  ", (tail, "cyan"))


def _doing(row: _Row) -> str:
    if not row.running:
        return ""
    step, what = next(reversed(row.running.items()))
    moved = row.moved.get(step)
    return f"{moved} {what}" if moved else what


def _advance(row: _Row, event: StepStarted | StepProgress | StepFinished) -> None:
    match event:
        case StepStarted(step, name, number, total):
            row.number, row.total = max(row.number, number), total
            if not is_internal(name):
                row.running[step] = label_and_what(name)[1]
        case StepProgress(step, _, current, total) if current:
            row.moved[step] = (
                f"{megabytes(current)}/{megabytes(total)} MB" if total else f"{megabytes(current)} MB"
            )
        case StepFinished(step, name, cached):
            row.running.pop(step, None)
            row.moved.pop(step, None)
            # Whether a base came from the cache says nothing; the table doesn't count it either.
            row.cached += cached and not label_and_what(name)[1].startswith("FROM")
