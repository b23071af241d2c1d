"""The result of a run as text: a table of the images, then what is worth a remark, then each failure once."""

from __future__ import annotations

from collections import Counter

import msgspec

from streamflow_build.model.image import Layer
from streamflow_build.model.report import (
    STAND_IN_ALLOWANCE,
    BaseUsed,
    Built,
    Cancelled,
    Failed,
    ImagesReport,
    Outcome,
    Size,
    Skipped,
    Unchanged,
)
from streamflow_build.report.text import columns, duration, label_and_what, megabytes, shorten

HEADER = ("service", "tags", "size", "cached", "seconds", "what happened")
NUMBERS = frozenset({"size", "cached", "seconds"})
"""The columns that are aligned to the right."""
LAYER_WIDTH = 120
"""How much of the step that made a layer is shown."""


class Row(msgspec.Struct, frozen=True):
    """A service's cells; ``tags`` is a line per repository."""

    service: str
    tags: tuple[str, ...]
    size: str
    cached: str
    seconds: str
    what: str


def rows(report: ImagesReport) -> tuple[Row, ...]:
    """The table's rows, in the report's order."""
    return tuple(map(_row, report.images))


def table(report: ImagesReport) -> str:
    """The table as aligned columns."""
    lines = [HEADER]
    for row in rows(report):
        first, *more = row.tags or ("-",)
        lines.append((row.service, first, row.size, row.cached, row.seconds, row.what))
        lines += [("", tags, "", "", "", "") for tags in more]
    return columns(lines, right=NUMBERS)


def remarks(report: ImagesReport) -> str:
    """What follows the table: the run in a line, images over their budgets, the bases and the notes."""
    counts = Counter(_kind(outcome) for outcome in report.images)
    engine = f"Docker Engine {report.engine.version}, {report.engine.store} image store"
    total = ", ".join(f"{count} {kind}" for kind, count in counts.items()) or "no image"
    lines = [f"{total} in {duration(report.seconds)} ({engine})"]
    for outcome in report.images:
        if isinstance(outcome, Built | Unchanged) and outcome.size.over_budget:
            lines += _over(outcome.service, outcome.size)
    lines += map(_base, report.bases)
    lines += [f"note: {note}" for note in report.notes]
    return "".join(f"{line}\n" for line in lines)


def _row(outcome: Outcome) -> Row:
    match outcome:
        case Built(service, tags, _, size, steps, cached, seconds, reason):
            cells = (
                _size(size),
                f"{cached} of {steps}",
                f"{seconds:.1f}",
                f"built: {reason}{_verdict(size)}",
            )
            return Row(service, folded_tags(tags), *cells)
        case Unchanged(service, tags, added, _, size, seconds):
            what = f"unchanged, new tags: {', '.join(map(_tag, added))}" if added else "unchanged"
            return Row(
                service, folded_tags(tags), _size(size), "-", f"{seconds:.1f}", f"{what}{_verdict(size)}"
            )
        case Failed(service, step=step, seconds=seconds):
            label = "" if step is None else label_and_what(step)[0]
            what = f"failed in [{label}]" if label else "failed"
            return Row(service, (), "-", "-", f"{seconds:.1f}", what)
        case Cancelled(service, seconds):
            return Row(service, (), "-", "-", f"{seconds:.1f}", "cancelled")
        case Skipped(service, reason):
            return Row(service, (), "-", "-", "-", f"skipped: {reason}")


def _kind(outcome: Outcome) -> str:
    match outcome:
        case Built():
            return "built"
        case Unchanged():
            return "unchanged"
        case Failed():
            return "failed"
        case Cancelled():
            return "cancelled"
        case Skipped():
            return "skipped"


def _tag(reference: str) -> str:
    return reference.rpartition(":")[2]


def folded_tags(references: tuple[str, ...]) -> tuple[str, ...]:
    """References as ``name:v1.0.0, 1.0.0, latest``: a line per repository, which is named once."""
    repositories: dict[str, list[str]] = {}
    for reference in references:
        repositories.setdefault(reference.rpartition(":")[0], []).append(_tag(reference))
    return tuple(f"{repository}:{', '.join(tags)}" for repository, tags in repositories.items())


def _size(size: Size) -> str:
    if size.limit is None:
        return f"{megabytes(size.total)} MB"
    return f"{megabytes(size.total)} of {megabytes(size.limit)} MB"


def _verdict(size: Size) -> str:
    return "; over its budget" if size.over_budget else ""


def _over(service: str, size: Size) -> list[str]:
    if size.limit is None:
        return []
    what = "budget" if size.limit == size.budget else "limit on a stand-in base"
    beyond = megabytes(size.total - size.limit)
    layers = [f"{megabytes(layer.size):>8} MB  {_made_by(layer)}" for layer in size.largest_layers]
    over = f"{service} is {beyond} MB over its {what} of {megabytes(size.limit)} MB"
    return [f"{over}; its largest layers beyond the base:", *layers] if layers else [over]


def _made_by(layer: Layer) -> str:
    return shorten(layer.step.removesuffix("# buildkit"), LAYER_WIDTH)


def _base(base: BaseUsed) -> str:
    if base.stand_in:
        return (
            f"base {base.image} is a stand-in made of Debian packages ({megabytes(base.size)} MB): an image "
            f"may hold {STAND_IN_ALLOWANCE // 1_000_000} MB beyond it, as budgets are meant for the real base"
        )
    return f"base {base.image} is {base.digest or base.id} ({megabytes(base.size)} MB)"
