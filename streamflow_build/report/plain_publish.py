"""Progress of ``push`` and ``promote`` as plain lines, each with its service's name in front."""

from __future__ import annotations

import threading
import time

from streamflow_build.model.release import Cancelled, Missing, NotPublished, Published, PublishReport
from streamflow_build.report.text import duration, megabytes
from streamflow_build.report.writer import Writer

_EVERY_SECONDS = 5.0


class Plain:
    """A PublishObserver that writes how far each service is, every few seconds, and what became of it."""

    def __init__(self, writer: Writer, services: tuple[str, ...]) -> None:
        self._writer = writer
        self._width = max(map(len, services), default=0)
        self._lock = threading.Lock()
        self._told: dict[str, float] = {}

    def sending(self, service: str, current: int, total: int) -> None:
        now = time.monotonic()
        with self._lock:
            last = self._told.setdefault(service, now)
            if now - last < _EVERY_SECONDS:
                return
            self._told[service] = now
        self._line(service, f"sending {amount(current, total)}")

    def service_finished(self, outcome: Published | Missing) -> None:
        digest = f": {outcome.digest}" if isinstance(outcome, Published) else ""
        self._line(outcome.service, f"{finished(outcome)}{digest}")

    def note(self, text: str) -> None:
        self._writer.write(f"{text}\n")

    def run_finished(self, report: PublishReport) -> None:
        """Nothing: the results follow."""

    def _line(self, service: str, text: str) -> None:
        self._writer.write(f"{service:<{self._width}} | {text}\n")


def amount(current: int, total: int) -> str:
    """``12.3 of 57.1 MB``: how many bytes are sent."""
    return f"{megabytes(current)} of {megabytes(total)} MB"


def finished(outcome: Published | Missing) -> str:
    """What became of a service, in a line."""
    match outcome:
        case Published(sent=True, seconds=seconds):
            return f"pushed in {duration(seconds)}"
        case Published():
            return "already there"
        case NotPublished(message=message):
            return f"failed: {message}"
        case Cancelled():
            return "cancelled"
