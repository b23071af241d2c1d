"""What an environment runs, as text and as JSON."""

from __future__ import annotations

import msgspec

from streamflow_build.model.deployment import DeploymentReport
from streamflow_build.report.text import columns


def as_text(report: DeploymentReport) -> str:
    """The images as aligned columns, and where they come from."""
    deployed = report.deployment
    table = columns(
        [("service", "image"), *((each.service, each.reference) for each in deployed.images)],
        right=frozenset(),
    )
    runs = (
        "what was built here last"
        if deployed.version is None
        else f"{deployed.version} of {deployed.registry}"
    )
    return f"{table}{deployed.environment} runs {runs}\n"


def as_json(report: DeploymentReport) -> str:
    """The report as indented JSON with a newline at its end."""
    return msgspec.json.format(msgspec.json.encode(report)).decode() + "\n"
