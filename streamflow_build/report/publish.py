"""A run of ``push`` or ``promote`` as text: progress while it runs, then a table, what stayed, each failure once."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import TextIO

import msgspec

from streamflow_build.errors import StreamflowError
from streamflow_build.model.release import Cancelled, Missing, NotPublished, Published, PublishReport
from streamflow_build.publish.observer import PublishObserver
from streamflow_build.report.clean import Mask
from streamflow_build.report.plain_publish import Plain
from streamflow_build.report.run import Manner
from streamflow_build.report.text import columns, duration, megabytes
from streamflow_build.report.writer import Writer

HEADER = ("service", "tags", "digest", "size", "seconds", "what happened")
_NUMBERS = frozenset({"size", "seconds"})
_DIGEST_WIDTH = len("sha256:") + 12


@contextlib.contextmanager
def observing(
    services: tuple[str, ...],
    mask: Mask,
    manner: Manner,
    stdout: TextIO,
    stderr: TextIO,
) -> Iterator[PublishObserver]:
    """The observer of a run of these services, which prints no secret that the mask knows.

    Progress goes to stderr, the result to stdout, failures last to stderr. Leaves the terminal as it was, also when
    the run breaks off; an error that it breaks off with holds no secret, either.
    """
    out, err = Writer(stdout, essential=True), Writer(stderr)
    with contextlib.ExitStack() as stack:
        progress: tuple[PublishObserver, ...] = ()
        if manner.draws(stderr):
            from streamflow_build.report.live_publish import Live  # noqa: PLC0415 - Rich takes 60 ms to import

            live = Live(err, services)
            stack.callback(live.close)
            progress = (live,)
        elif not manner.quiet:
            progress = (Plain(err, services),)
        try:
            yield Results(progress, mask, manner, out, err)
        except StreamflowError as error:
            error.message = mask.shown(error.message)
            error.hint = None if error.hint is None else mask.shown(error.hint)
            raise


class Results:
    """A PublishObserver that prints the result once a run is over.

    Until then it tells those of ``progress``. What they are told and what is printed holds no secret that ``mask``
    knows, and nothing that a terminal obeys.
    """

    def __init__(
        self, progress: tuple[PublishObserver, ...], mask: Mask, manner: Manner, out: Writer, err: Writer
    ) -> None:
        self._progress = progress
        self._mask = mask
        self._manner = manner
        self._out = out
        self._err = err
        self._notes: list[str] = []

    def sending(self, service: str, current: int, total: int) -> None:
        for observer in self._progress:
            observer.sending(service, current, total)

    def service_finished(self, outcome: Published | Missing) -> None:
        outcome = self._mask.cleaned(outcome)
        for observer in self._progress:
            observer.service_finished(outcome)

    def note(self, text: str) -> None:
        text = self._mask.shown(text)
        self._notes.append(text)
        for observer in self._progress:
            observer.note(text)

    def run_finished(self, report: PublishReport) -> None:
        report = self._mask.cleaned(msgspec.structs.replace(report, notes=(*report.notes, *self._notes)))
        for observer in self._progress:
            observer.run_finished(report)
        if self._manner.json:
            text = msgspec.json.format(msgspec.json.encode(report)).decode() + "\n"
        else:
            text = table(report) + remarks(report)
        self._out.write(text)
        self._err.write(failures(report))


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


def _row(outcome: Published | Missing) -> tuple[str, ...]:
    match outcome:
        case Published(service, repository, digest, size, _, _, sent, tags, put, seconds):
            cells = (digest[:_DIGEST_WIDTH], f"{megabytes(size)} MB", f"{seconds:.1f}")
            return (service, f"{repository}:{', '.join(tags)}", *cells, _what(sent, put))
        case NotPublished(service, repository):
            return (service, repository, "-", "-", "-", "failed")
        case Cancelled(service, repository):
            return (service, repository, "-", "-", "-", "cancelled")


def _what(sent: bool, put: tuple[str, ...]) -> str:
    if sent:
        return "pushed"
    return f"already there, new tags: {', '.join(put)}" if put else "already there"


def _kind(outcome: Published | Missing) -> str:
    match outcome:
        case Published(sent=True):
            return "pushed"
        case Published():
            return "already there"
        case NotPublished():
            return "failed"
        case Cancelled():
            return "cancelled"
