"""Progress as plain lines, each with its image's name in front: for pipes, CI and simple terminals."""

from __future__ import annotations

import threading

from streamflow_build.engine.interface import (
    BuildEvent,
    BuildWarning,
    StepFinished,
    StepOutput,
    StepProgress,
    StepStarted,
)
from streamflow_build.model.report import Built, Cancelled, Failed, ImagesReport, Outcome, Skipped, Unchanged
from streamflow_build.report.text import duration, is_internal, label_and_what, megabytes, shorten
from streamflow_build.report.writer import Writer

STEP_WIDTH = 120
"""How much of a step's command is shown; the log has all of it."""


class Plain:
    """A RunObserver that writes a line per step, and one for all steps in a row that came from the cache.

    What steps print is left to the logs, and notes to the result unless ``notes`` is set.
    """

    def __init__(self, writer: Writer, services: tuple[str, ...], *, notes: bool = False) -> None:
        self._writer = writer
        self._notes = notes
        self._width = max((len(service) for service in services), default=0)
        self._lock = threading.Lock()
        self._pulled: set[tuple[str, str]] = set()
        self._cached: dict[str, list[str]] = {}

    def base_pull(self, base: str, layer: str, current: int, total: int) -> None:
        with self._lock:
            first = not any(pulled == base for pulled, _ in self._pulled)
            done = 0 < total <= current and (base, layer) not in self._pulled
            self._pulled |= {(base, "")} | ({(base, layer)} if done else set())
        if first:
            self._line(base, "pulling")
        if done:
            self._line(base, f"layer {layer} {megabytes(total)} MB")

    def service_started(self, service: str, reason: str) -> None:
        self._line(service, f"building: {reason}")

    def event(self, service: str, event: BuildEvent) -> None:
        text = _text(event)
        if text is None:
            return
        if isinstance(event, StepFinished) and event.cached:
            with self._lock:
                self._cached.setdefault(service, []).append(text)
            return
        self._tell_cached(service)
        self._line(service, text)

    def service_finished(self, outcome: Outcome) -> None:
        self._tell_cached(outcome.service)
        self._line(outcome.service, finished(outcome))

    def note(self, text: str) -> None:
        if self._notes:
            self._writer.write(f"note: {text}\n")

    def run_finished(self, report: ImagesReport) -> None:
        """Nothing: the results follow."""

    def _tell_cached(self, service: str) -> None:
        with self._lock:
            steps = self._cached.pop(service, [])
        if steps:
            self._line(service, f"cached: {', '.join(steps)}")

    def _line(self, name: str, text: str) -> None:
        self._writer.write(f"{name:<{self._width}} | {text}\n")


def finished(outcome: Outcome) -> str:
    """What became of a service, in a line."""
    match outcome:
        case Built(size=size, steps=steps, cached=cached, seconds=seconds):
            return (
                f"built in {duration(seconds)}, {megabytes(size.total)} MB, {cached} of {steps} steps cached"
            )
        case Unchanged(added=added):
            return f"unchanged, new tags: {', '.join(added)}" if added else "unchanged"
        case Failed(step=step, message=message, seconds=seconds):
            where = shorten(message, STEP_WIDTH) if step is None else shorten(_name(step), STEP_WIDTH)
            return f"failed after {duration(seconds)}: {where}"
        case Cancelled(seconds=seconds):
            return f"cancelled after {duration(seconds)}"
        case Skipped(reason=reason):
            return f"skipped: {reason}"


def _text(event: BuildEvent) -> str | None:
    match event:
        case StepOutput() | StepProgress():
            return None
        case BuildWarning(message, line):
            where = f" (Dockerfile, line {line})" if line else ""
            return f"warning: {shorten(message, STEP_WIDTH)}{where}"
        case StepStarted(name=name) | StepFinished(name=name, error=None) if is_internal(name):
            return None
        case StepStarted(name=name):
            return shorten(_name(name), STEP_WIDTH)
        case StepFinished(name=name, cached=cached, seconds=seconds, error=error):
            label, what = label_and_what(name)
            if cached:
                return label or what
            short = f"[{label}]" if label else shorten(what, STEP_WIDTH)
            how = "done in" if error is None else "failed after"
            return f"{short} {how} {duration(seconds)}"


def _name(step: str) -> str:
    label, what = label_and_what(step)
    return f"[{label}] {what}" if label else what
