"""A run to report on: one image of each fate, and the goldens that its outputs are compared with."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from streamflow_build.engine.interface import (
    BuildWarning,
    StepFinished,
    StepOutput,
    StepProgress,
    StepStarted,
)
from streamflow_build.images.observer import RunObserver
from streamflow_build.model.image import Layer
from streamflow_build.model.report import (
    BaseUsed,
    Built,
    Cancelled,
    EngineUsed,
    Failed,
    ImagesReport,
    Outcome,
    Size,
    Skipped,
    Unchanged,
)

GOLDEN = Path(__file__).parents[2] / "golden" / "report"
DRAWING = ("live", "live_publish", "screen", "terminal")
"""The modules that import Rich."""
NAMES = ("v1.0.0", "1.0.0", "1.0", "1", "latest")
LAYERS = (
    Layer("COPY --from=common /opt/venv /opt/venv # buildkit", 98_100_000),
    Layer("COPY --from=added /added/ /opt/venv/ # buildkit", 12_340_000),
    Layer("COPY services/streamflow/analytics /app/streamflow/analytics # buildkit", 40_000),
)


def tags(service: str) -> tuple[str, ...]:
    return tuple(f"streamflow-{service}:{name}" for name in NAMES)


def built(service: str = "ingestion", **changes: object) -> Built:
    facts: dict[str, object] = {
        "service": service,
        "tags": tags(service),
        "image": f"sha256:{service:0<64}",
        "size": Size(143_210_000, 180_000_000, 180_000_000, False, LAYERS),
        "steps": 9,
        "cached": 5,
        "seconds": 12.34,
        "reason": "changed: services/streamflow/ingestion",
        "log": f".streamflow/logs/{service}.log",
    }
    return Built(**(facts | changes))  # type: ignore[arg-type]


def failed(service: str = "alerting", **changes: object) -> Failed:
    facts: dict[str, object] = {
        "service": service,
        "message": 'process "/bin/sh -c uv pip install -r requirements.txt" did not complete: exit code: 1',
        "hint": None,
        "step": "[added 2/2] RUN --mount=type=cache,target=/cache uv pip install -r requirements.txt",
        "dockerfile": f"docker/{service}/Dockerfile",
        "dockerfile_line": 31,
        "dockerfile_text": "RUN --mount=type=cache,target=/cache \\",
        "output": ("Resolved 3 packages", "error: [bold]no such[/bold] distribution: banana==1"),
        "log": f".streamflow/logs/{service}.log",
        "seconds": 3.21,
    }
    return Failed(**(facts | changes))  # type: ignore[arg-type]


def report(*outcomes: Outcome, **changes: object) -> ImagesReport:
    facts: dict[str, object] = {
        "version": "1.0.0",
        "registry": None,
        "engine": EngineUsed("28.5.2", "classic"),
        "bases": (
            BaseUsed(
                "python",
                "python:3.11-slim",
                "sha256:ba5e",
                "python@sha256:d16e57",
                stand_in=False,
                size=45_600_000,
            ),
        ),
        "images": outcomes,
        "seconds": 41.23,
        "notes": (),
    }
    return ImagesReport(**(facts | changes))  # type: ignore[arg-type]


def tell(observer: RunObserver) -> None:
    """A run as it is told: a base's pull, an image that is built, one that fails, one that is kept."""
    from_base = "[common 1/2] FROM docker.io/library/python:3.11-slim"
    common = "[common 2/2] RUN --mount=type=cache,target=/root/.cache/uv uv pip install -r common.txt"
    added = "[added 2/2] RUN uv pip install -r requirements.txt"
    observer.base_pull("python:3.11-slim", "1a2b3c", 1_000_000, 29_100_000)
    observer.base_pull("python:3.11-slim", "1a2b3c", 29_100_000, 29_100_000)
    observer.service_started("ingestion", "no image yet")
    observer.event("ingestion", StepStarted("d0", "[internal] load metadata", 1, 3))
    observer.event("ingestion", StepStarted("d1", from_base, 1, 3))
    observer.event("ingestion", StepFinished("d1", from_base, cached=True, seconds=0.0, error=None))
    observer.event("ingestion", StepStarted("d2", common, 2, 3))
    observer.event("ingestion", StepProgress("d2", "extracting", 1_000_000, 2_000_000))
    observer.event("ingestion", StepProgress("d2", "extracting", 2_000_000, 2_000_000))
    observer.event("ingestion", StepOutput("d2", "Resolved 12 packages"))
    observer.event(
        "ingestion", BuildWarning("FromAsCasing: 'as' and 'FROM' keywords' casing do not match", 4)
    )
    observer.event("ingestion", StepFinished("d2", common, cached=False, seconds=3.14, error=None))
    observer.service_started("alerting", "changed: services/requirements/alerting.txt")
    observer.event("alerting", StepStarted("d3", added, 3, 3))
    observer.event("alerting", StepOutput("d3", "error: no such distribution: banana==1"))
    observer.event("alerting", StepFinished("d3", added, cached=False, seconds=1.5, error="exit code: 1"))
    observer.service_finished(failed())
    observer.service_finished(built())
    observer.service_finished(
        Unchanged("dashboard", tags("dashboard"), (), "sha256:da54", Size(1, None, None, False, ()), 0.0)
    )
    observer.note("1 and latest stay on 1.2.0, which is newer than 1.0.0: dashboard")


@pytest.fixture
def sample() -> SimpleNamespace:
    """Makers of outcomes and reports, and ``tell``, which tells an observer of a run."""
    return SimpleNamespace(built=built, failed=failed, report=report, tell=tell)


@pytest.fixture
def every_fate() -> ImagesReport:
    """One image of each fate; one of the built ones is over its budget and has names in a registry too."""
    elsewhere = tuple(f"ghcr.io/org/{tag}" for tag in tags("analytics"))
    over = Size(212_340_000, 200_000_000, 200_000_000, True, LAYERS)
    return report(
        built(),
        built("analytics", tags=tags("analytics") + elsewhere, size=over, cached=0, reason="no image yet"),
        failed(),
        Unchanged(
            "dashboard",
            tags("dashboard"),
            ("streamflow-dashboard:1.0", "streamflow-dashboard:latest"),
            "sha256:da54",
            Size(130_000_000, None, None, False, ()),
            0.04,
        ),
        Cancelled("storage", 7.5, ".streamflow/logs/storage.log"),
        Skipped("gateway", "the engine went away"),
        notes=("1 and latest stay on 1.2.0, which is newer than 1.0.0: dashboard",),
    )


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compares a text with the file of that name; UPDATE_GOLDENS=1 writes the file instead."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if os.environ.get("UPDATE_GOLDENS"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")

    return compare


@pytest.fixture
def no_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal that could be drawn on, whatever imports Rich fails."""
    ours = {f"streamflow_build.report.{name}" for name in DRAWING}
    for module in [m for m in sys.modules if m.partition(".")[0] == "rich" or m in ours]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "rich", None)
    monkeypatch.setenv("TERM", "xterm-256color")
