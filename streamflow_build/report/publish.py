"""A run of ``push`` as text: lines while it runs, then a table, what stayed, and each failure once."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable
from typing import TextIO

import msgspec

from streamflow_build.model.release import NotPublished, Published, PublishReport
from streamflow_build.report.clean import Mask
from streamflow_build.report.run import Manner
from streamflow_build.report.text import columns, duration, harmless, megabytes
from streamflow_build.report.writer import Writer

HEADER = ("service", "tags", "digest", "size", "seconds", "what happened")
_NUMBERS = frozenset({"size", "seconds"})
_DIGEST_WIDTH = len("sha256:") + 12
_EVERY_SECONDS = 5.0


def observing(
    services: tuple[str, ...],
    secrets: Iterable[str],
    manner: Manner,
    stdout: TextIO,
    stderr: TextIO,
) -> Lines:
    """The observer of a run of these services, which never prints one of the secrets."""
    mask = Mask(secret.encode() for secret in secrets)
    return Lines(services, mask=mask, manner=manner, stdout=stdout, stderr=stderr)


class Lines:
    """A PublishObserver that prints: progress as lines on stderr, the result on stdout, failures last on stderr.

    What it prints holds no secret that ``mask`` knows.
    """

    def __init__(
        self, services: tuple[str, ...], *, mask: Mask, manner: Manner, stdout: TextIO, stderr: TextIO
    ) -> None:
        self._mask = mask
        self._manner = manner
        self._out, self._err = Writer(stdout, essential=True), Writer(stderr)
        self._width = max(map(len, services), default=0)
        self._lock = threading.Lock()
        self._told: dict[str, float] = {}
        self._notes: list[str] = []

    def sending(self, service: str, current: int, total: int) -> None:
        now = time.monotonic()
        with self._lock:
            last = self._told.setdefault(service, 0.0)
            if now - last < _EVERY_SECONDS:
                return
            self._told[service] = now
        self._line(service, f"sending {megabytes(current)} of {megabytes(total)} MB")

    def service_finished(self, outcome: Published | NotPublished) -> None:
        match outcome:
            case Published(sent=sent, digest=digest, seconds=seconds):
                what = f"pushed in {duration(seconds)}" if sent else "already there"
                self._line(outcome.service, f"{what}: {digest}")
            case NotPublished(message=message):
                self._line(outcome.service, f"failed: {message}")

    def note(self, text: str) -> None:
        with self._lock:
            self._notes.append(text)
        if not self._manner.quiet:
            self._err.write(f"{self._clean(text)}\n")

    def run_finished(self, report: PublishReport) -> None:
        report = msgspec.structs.replace(report, notes=(*report.notes, *self._notes))
        if self._manner.json:
            text = msgspec.json.format(msgspec.json.encode(report)).decode() + "\n"
        else:
            text = table(report) + remarks(report)
        self._out.write(self._clean(text))
        self._err.write(self._clean(failures(report)))

    def _line(self, service: str, text: str) -> None:
        if not self._manner.quiet:
            self._err.write(f"{service:<{self._width}} | {self._clean(text)}\n")

    def _clean(self, text: str) -> str:
        return self._mask(harmless(self._mask(text)))


def table(report: PublishReport) -> str:
    """The images as aligned columns."""
    lines = [HEADER, *(_row(outcome) for outcome in report.images)]
    return columns(lines, right=_NUMBERS)


def remarks(report: PublishReport) -> str:
    """What follows the table: the run in a line, and the floating tags that stayed."""
    counts = Counter(_kind(outcome) for outcome in report.images)
    total = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    lines = [f"{report.version} at {report.registry}: {total} in {duration(report.seconds)}"]
    lines += [f"{stay.tag} stays {stay.reason}" for stay in report.refused]
    return "".join(f"{line}\n" for line in lines)


def failures(report: PublishReport) -> str:
    """Each failure once, with the services that it befell."""
    groups: dict[tuple[str, str | None], list[str]] = {}
    for outcome in report.images:
        if isinstance(outcome, NotPublished):
            groups.setdefault((outcome.message, outcome.hint), []).append(outcome.service)
    lines = []
    for (message, hint), services in groups.items():
        lines += ["", f"{', '.join(services)} failed", f"  {message}", *([f"  {hint}"] if hint else [])]
    return "".join(f"{line}\n" for line in lines)


def _row(outcome: Published | NotPublished) -> tuple[str, ...]:
    match outcome:
        case Published(service, repository, digest, size, _, _, sent, tags, put, seconds):
            cells = (digest[:_DIGEST_WIDTH], f"{megabytes(size)} MB", f"{seconds:.1f}")
            return (service, f"{repository}:{', '.join(tags)}", *cells, _what(sent, put))
        case NotPublished(service, repository):
            return (service, repository, "-", "-", "-", "failed")


def _what(sent: bool, put: tuple[str, ...]) -> str:
    if sent:
        return "pushed"
    return f"already there, new tags: {', '.join(put)}" if put else "already there"


def _kind(outcome: Published | NotPublished) -> str:
    match outcome:
        case Published(sent=True):
            return "pushed"
        case Published():
            return "already there"
        case NotPublished():
            return "failed"
