from __future__ import annotations

import msgspec

from streamflow_build.model.report import PlannedImage, PlanReport
from streamflow_build.report.dry_run import dry_run_text

REPORT = PlanReport(
    version="1.0.1",
    registry="ghcr.io/org",
    images=(
        PlannedImage(
            "web",
            "build",
            "no image yet",
            (
                "shop-web:v1.0.1",
                "shop-web:latest",
                "ghcr.io/org/shop-web:v1.0.1",
                "ghcr.io/org/shop-web:latest",
            ),
        ),
        PlannedImage("mailer", "keep", "unchanged", ("shop-mailer:v1.0.1", "shop-mailer:latest")),
    ),
)


def test_a_line_per_repository() -> None:
    assert dry_run_text(REPORT, as_json=False) == (
        "web     build  no image yet\n"
        "               shop-web:v1.0.1, latest\n"
        "               ghcr.io/org/shop-web:v1.0.1, latest\n"
        "mailer  keep   unchanged\n"
        "               shop-mailer:v1.0.1, latest\n"
    )


def test_json_has_it_all() -> None:
    assert msgspec.json.decode(dry_run_text(REPORT, as_json=True), type=PlanReport) == REPORT
