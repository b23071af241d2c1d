"""Puts a run's observers together: what is cleaned, recorded, drawn and printed, and where to."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import msgspec

from streamflow_build.engine.interface import BuildEvent
from streamflow_build.images.observer import RunObserver
from streamflow_build.model.report import ImagesReport, Outcome
from streamflow_build.report.clean import Cleaned, Mask
from streamflow_build.report.failures import failures
from streamflow_build.report.logs import Logs
from streamflow_build.report.plain import Plain
from streamflow_build.report.table import remarks, table
from streamflow_build.report.writer import Writer


class Manner(msgspec.Struct, frozen=True):
    """How the user wants to be told: ``quiet`` is errors and the result only, ``json`` the result as JSON."""

    quiet: bool = False
    json: bool = False

    def draws(self, stream: TextIO) -> bool:
        """Whether what goes to the stream is drawn, as on a terminal, and not plain lines."""
        can = stream.isatty() and os.environ.get("TERM", "dumb") not in {"", "dumb"}
        return can and not self.quiet and not self.json


@contextlib.contextmanager
def observing(  # noqa: PLR0913 - each is another thing that only the edge knows
    services: tuple[str, ...], *, root: Path, mask: Mask, manner: Manner, stdout: TextIO, stderr: TextIO
) -> Iterator[RunObserver]:
    """The observer of a run of these services: keeps logs under ``root``, draws on stderr, prints on stdout.

    Leaves the terminal as it was, also when the run breaks off. Its ``run_finished`` raises UsageError when
    the report can't be written, as on a full disk.
    """
    out, err = Writer(stdout, essential=True), Writer(stderr)
    results = Results(manner, out, err, draws=manner.draws(stdout))
    with contextlib.ExitStack() as stack:
        logs = Logs(root, results.note)
        stack.callback(logs.close)
        observers: list[RunObserver] = [logs]
        if manner.draws(stderr):
            from streamflow_build.report.live import Live  # noqa: PLC0415 - Rich takes 60 ms to import

            live = Live(err, services)
            stack.callback(live.close)
            observers.append(live)
        elif not manner.quiet:
            observers.append(Plain(err, services, notes=manner.json))
        yield Cleaned(Together((*observers, results)), mask)


class Together:
    """A RunObserver that tells several others, in their order."""

    def __init__(self, observers: tuple[RunObserver, ...]) -> None:
        self._observers = observers

    def base_pull(self, base: str, layer: str, current: int, total: int) -> None:
        for observer in self._observers:
            observer.base_pull(base, layer, current, total)

    def service_started(self, service: str, reason: str) -> None:
        for observer in self._observers:
            observer.service_started(service, reason)

    def event(self, service: str, event: BuildEvent) -> None:
        for observer in self._observers:
            observer.event(service, event)

    def service_finished(self, outcome: Outcome) -> None:
        for observer in self._observers:
            observer.service_finished(outcome)

    def note(self, text: str) -> None:
        for observer in self._observers:
            observer.note(text)

    def run_finished(self, report: ImagesReport) -> None:
        for observer in self._observers:
            observer.run_finished(report)


class Results:
    """A RunObserver that prints the result once a run is over: on stdout; failures last, on stderr."""

    def __init__(self, manner: Manner, out: Writer, err: Writer, *, draws: bool) -> None:
        self._manner = manner
        self._out = out
        self._err = err
        self._draws = draws
        self._notes: list[str] = []

    def base_pull(self, base: str, layer: str, current: int, total: int) -> None:
        """Nothing: progress is not a result."""

    def service_started(self, service: str, reason: str) -> None:
        """Nothing: progress is not a result."""

    def event(self, service: str, event: BuildEvent) -> None:
        """Nothing: progress is not a result."""

    def service_finished(self, outcome: Outcome) -> None:
        """Nothing: the report has it again."""

    def note(self, text: str) -> None:
        self._notes.append(text)

    def run_finished(self, report: ImagesReport) -> None:
        more = tuple(note for note in self._notes if note not in report.notes)
        report = msgspec.structs.replace(report, notes=(*report.notes, *more))
        if self._manner.json:
            self._out.write(f"{msgspec.json.format(msgspec.json.encode(report)).decode()}\n")
        else:
            self._out.write(self._table(report) + remarks(report))
        self._err.write(failures(report))

    def _table(self, report: ImagesReport) -> str:
        if not self._draws:
            return table(report)
        from streamflow_build.report.terminal import terminal_table  # noqa: PLC0415 - Rich takes 60 ms to import

        return terminal_table(report, shutil.get_terminal_size().columns)
