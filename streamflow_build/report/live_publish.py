"""Progress of ``push`` and ``promote`` on a terminal: a line per service. Imports Rich: import it only when needed."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from rich.text import Text

from streamflow_build.model.release import Cancelled, Missing, NotPublished, Published, PublishReport
from streamflow_build.report.plain_publish import amount, finished
from streamflow_build.report.screen import Screen
from streamflow_build.report.text import shorten
from streamflow_build.report.writer import Writer

LONGEST_BAR = 30
SHORTEST_BAR = 8
"""With fewer columns left for it, there is no bar."""
_AMOUNT_WIDTH = len("123.4 of 567.8 MB")
_STATE_WIDTH = len("pushed in 12 min 34 s")


@dataclass(slots=True)
class _Row:
    """What one service's line shows; ``total`` is 0 until something is sent."""

    current: int = 0
    total: int = 0
    outcome: Published | Missing | None = None


class Live:
    """A PublishObserver that draws. ``close`` takes the lines away again, but no note; the results follow them."""

    def __init__(self, writer: Writer, services: tuple[str, ...]) -> None:
        self._lock = threading.Lock()
        self._rows = {service: _Row() for service in services}
        self._name_width = max(map(len, services), default=0)
        self.screen = Screen(writer, self._lines)

    def close(self) -> None:
        """Take the lines away and give the cursor back; may be called again."""
        self.screen.close()

    def sending(self, service: str, current: int, total: int) -> None:
        with self._lock:
            row = self._rows[service]
            row.current, row.total = current, total

    def service_finished(self, outcome: Published | Missing) -> None:
        with self._lock:
            self._rows[outcome.service].outcome = outcome

    def note(self, text: str) -> None:
        self.screen.above(text)

    def run_finished(self, report: PublishReport) -> None:  # noqa: ARG002 - the results follow
        self.close()

    def _lines(self, width: int) -> list[Text]:
        with self._lock:
            return [self._line(name, row, width) for name, row in self._rows.items()]

    def _line(self, name: str, row: _Row, width: int) -> Text:
        head = (f"{name:<{self._name_width}}", "bold")
        room = width - self._name_width - 2
        state, style = _state(row)
        if not row.total or isinstance(row.outcome, Missing):
            return Text.assemble(head, "  ", (shorten(state, room), style))
        sent = f"{amount(row.current, row.total):>{_AMOUNT_WIDTH}}"
        if len(sent) + 2 + len(state) > room:
            return Text.assemble(head, "  ", (shorten(state, room), style))
        bar = min(LONGEST_BAR, room - _AMOUNT_WIDTH - _STATE_WIDTH - 4)
        drawn = (*_bar(row, bar), "  ") if bar >= SHORTEST_BAR else ()
        return Text.assemble(head, "  ", *drawn, sent, "  ", (state, style))


def _state(row: _Row) -> tuple[str, str]:
    match row.outcome:
        case None:
            return ("sending", "cyan") if row.total else ("preparing", "dim")
        case Published():
            return finished(row.outcome), "green"
        case NotPublished():
            return finished(row.outcome), "red"
        case Cancelled():
            return finished(row.outcome), "yellow"


def _bar(row: _Row, width: int) -> tuple[tuple[str, str], tuple[str, str]]:
    full = width * min(row.current, row.total) // row.total
    return ("━" * full, "cyan"), ("─" * (width - full), "dim")
