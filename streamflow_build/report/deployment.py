"""What an environment would run, as text and as JSON."""

from __future__ import annotations

import msgspec

from streamflow_build.model.deployment import Deployment, DeploymentReport
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
    return f"{table}{deployed.environment} would run {runs}\n"


def as_line(deployed: Deployment, before: tuple[str, ...]) -> str:
    """What an environment gets of a release, in one line, where those versions run now."""
    line = f"{deployed.environment}: {deployed.version} of {deployed.registry}"
    return line if before in {(), (deployed.version,)} else f"{line}, in place of {', '.join(before)}"


def as_json(report: DeploymentReport) -> str:
    """The report as indented JSON with a newline at its end."""
    return msgspec.json.format(msgspec.json.encode(report)).decode() + "\n"
