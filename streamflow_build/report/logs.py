"""One log per image, under ``.streamflow/logs``: everything its build told, with the time, as it happened."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from streamflow_build.engine.interface import (
    BuildEvent,
    BuildWarning,
    StepFinished,
    StepOutput,
    StepProgress,
    StepStarted,
)
from streamflow_build.model.report import Built, Cancelled, Failed, ImagesReport, Outcome, Skipped, Unchanged
from streamflow_build.report.text import duration, megabytes

FOLDER = Path(".streamflow/logs")
"""Where the logs are, in the project's folder."""


def log_path(service: str) -> Path:
    """The path of a service's log in the project's folder."""
    return FOLDER / f"{service}.log"


def _now() -> datetime:
    return datetime.now(UTC)


class Logs:
    """A RunObserver that keeps the logs.

    A line is written once it is told, so that a killed run leaves it. A new log takes the old one's place
    when its build begins. Where the disk takes no log, ``complain`` is told so, once, and the run goes on.
    """

    def __init__(
        self, root: Path, complain: Callable[[str], None], now: Callable[[], datetime] = _now
    ) -> None:
        self._root = root
        self._complain = complain
        self._now = now
        self._lock = threading.Lock()
        self._files: dict[str, TextIO] = {}
        self._names: dict[str, dict[str, str]] = {}
        self._broken = False

    def base_pull(self, base: str, layer: str, current: int, total: int) -> None:
        """A base belongs to no image's log."""

    def service_started(self, service: str, reason: str) -> None:
        try:
            file = self._open(service)
        except OSError as error:
            self._disk_refuses(service, error)
            return
        with self._lock:
            self._files[service] = file
            self._names[service] = {}
        self._log(service, f"build of {service}: {reason}")

    def event(self, service: str, event: BuildEvent) -> None:
        line = self._line(self._names.setdefault(service, {}), event)
        if line is not None:
            self._log(service, line)

    def service_finished(self, outcome: Outcome) -> None:
        self._log(outcome.service, _end(outcome))
        with self._lock:
            file = self._files.pop(outcome.service, None)
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()

    def note(self, text: str) -> None:
        """A note belongs to no image's log."""

    def run_finished(self, report: ImagesReport) -> None:  # noqa: ARG002 - the observer's signature
        self.close()

    def close(self) -> None:
        """Close the logs of builds that told no end."""
        with self._lock:
            files, self._files = self._files, {}
        for file in files.values():
            with contextlib.suppress(OSError):
                file.close()

    def _open(self, service: str) -> TextIO:
        path = self._root / log_path(service)
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        file = fresh.open("w", encoding="utf-8", errors="backslashreplace", buffering=1)
        fresh.replace(path)
        return file

    def _log(self, service: str, text: str) -> None:
        stamp = self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        with self._lock:
            file = self._files.get(service)
            if file is None:
                return
            try:
                file.writelines(f"{stamp} {line}\n" for line in text.split("\n"))
            except OSError as error:
                del self._files[service]
                refused = error
            else:
                return
        with contextlib.suppress(OSError):
            file.close()
        self._disk_refuses(service, refused)

    def _disk_refuses(self, service: str, error: OSError) -> None:
        with self._lock:
            first, self._broken = not self._broken, True
        if first:
            self._complain(
                f"The log {log_path(service)} can't be written: {error.strerror}. The build goes on."
            )

    @staticmethod
    def _line(names: dict[str, str], event: BuildEvent) -> str | None:
        match event:
            case StepStarted(step, name, number, total):
                names[step] = name
                return f"step {number}/{total}: {name}"
            case StepOutput(step, line):
                label = names.get(step, step)
                return f"{label.partition(']')[0].removeprefix('[')} | {line}"
            case StepProgress(step, what, current, total):
                # Only the last of many: a log is read, not watched.
                return f"{what}: {megabytes(current)} MB" if 0 < total == current else None
            case StepFinished(_, name, cached, seconds, error):
                if error is not None:
                    return f"failed after {duration(seconds)}: {name}: {error}"
                return f"cached: {name}" if cached else f"done in {duration(seconds)}: {name}"
            case BuildWarning(message, line):
                return f"warning, Dockerfile line {line}: {message}" if line else f"warning: {message}"


def _end(outcome: Outcome) -> str:
    match outcome:
        case Built():
            return f"built {outcome.image} as {', '.join(outcome.tags)} in {duration(outcome.seconds)}"
        case Unchanged():
            return f"unchanged: {outcome.image}"
        case Failed():
            return f"failed after {duration(outcome.seconds)}: {outcome.message}"
        case Cancelled():
            return f"cancelled after {duration(outcome.seconds)}"
        case Skipped():
            return f"skipped: {outcome.reason}"
