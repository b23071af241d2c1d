"""What a dry run prints."""

from __future__ import annotations

import msgspec

from streamflow_build.model.report import PlanReport
from streamflow_build.report.table import folded_tags


def dry_run_text(report: PlanReport, *, as_json: bool) -> str:
    """The plan as JSON, or a line per image: what would be done and why, with the tags it would get below it."""
    if as_json:
        return f"{msgspec.json.format(msgspec.json.encode(report)).decode()}\n"
    width = max((len(image.service) for image in report.images), default=0)
    indent = " " * (width + 9)
    lines = []
    for image in report.images:
        lines.append(f"{image.service:<{width}}  {image.action:<5}  {image.reason}\n")
        lines += [f"{indent}{tags}\n" for tags in folded_tags(image.tags)]
    return "".join(lines)
