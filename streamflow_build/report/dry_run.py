"""What a dry run prints."""

from __future__ import annotations

import msgspec

from streamflow_build.model.report import PlanReport


def dry_run_text(report: PlanReport, *, as_json: bool) -> str:
    """The plan as JSON, or a line per image: what would be done, why, and the tags it would get."""
    if as_json:
        return f"{msgspec.json.format(msgspec.json.encode(report)).decode()}\n"
    width = max((len(image.service) for image in report.images), default=0)
    indent = " " * (width + 9)
    return "".join(
        f"{image.service:<{width}}  {image.action:<5}  {image.reason}\n{indent}{' '.join(image.tags)}\n"
        for image in report.images
    )
