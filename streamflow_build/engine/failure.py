"""What is to be said of a build that failed: the step, the Dockerfile's line, the cause where it is a known one."""

from __future__ import annotations

from streamflow_build.engine.interface import StepFailed
from streamflow_build.engine.trace import Trace
from streamflow_build.model.image import BuildRequest


def failure(request: BuildRequest, trace: Trace, message: str) -> StepFailed:
    """The error to raise for a build, from what it told and the engine's last words."""
    step = trace.failed
    return StepFailed(message, step=step.name if step else None, output=tuple(step.lines) if step else ())
