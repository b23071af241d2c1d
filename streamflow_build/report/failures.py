"""Each failure of a run once, with what is needed to see why: where, what the step printed, and the log."""

from __future__ import annotations

from streamflow_build.model.report import Failed, ImagesReport
from streamflow_build.report.text import duration, label_and_what, shorten

LINE_WIDTH = 160
"""How much of a Dockerfile's line or a step's command is shown."""


def failures(report: ImagesReport) -> str:
    """All failures, a paragraph each; empty where nothing failed.

    A step that several images share fails in each of them; it is shown once, with all their names.
    """
    groups: dict[tuple[str | None, str], list[Failed]] = {}
    for outcome in report.images:
        if isinstance(outcome, Failed):
            groups.setdefault((outcome.step, outcome.message), []).append(outcome)
    return "".join(f"\n{_paragraph(group)}" for group in groups.values())


def _paragraph(group: list[Failed]) -> str:
    # A build that joined a shared step late saw less of what it printed.
    fullest = max(group, key=lambda failed: len(failed.output))
    names = ", ".join(failed.service for failed in group)
    where = "" if fullest.step is None else f" in {_step(fullest.step)}"
    lines = [f"{names} failed{where} after {duration(max(failed.seconds for failed in group))}"]
    lines += [f"  {place}" for failed in group if (place := _place(failed)) is not None]
    lines += [f"  {line}" for line in fullest.message.splitlines()]
    if fullest.output:
        lines.append(
            f"  the last {len(fullest.output)} lines of its output:"
            if len(fullest.output) > 1
            else "  output:"
        )
        lines += [f"    {line}".rstrip() for line in fullest.output]
    if fullest.hint:
        lines += [f"  {line}" for line in fullest.hint.splitlines()]
    lines += [f"  log: {failed.log}" for failed in group if failed.log is not None]
    return "".join(f"{line}\n" for line in lines)


def _step(step: str) -> str:
    label, what = label_and_what(step)
    return shorten(f"[{label}] {what}" if label else what, LINE_WIDTH)


def _place(failed: Failed) -> str | None:
    if failed.dockerfile_line is None:
        return None
    text = "" if failed.dockerfile_text is None else f": {shorten(failed.dockerfile_text, LINE_WIDTH)}"
    return f"{failed.dockerfile}:{failed.dockerfile_line}{text}"
