from __future__ import annotations

import io
from collections.abc import Callable
from types import SimpleNamespace

from streamflow_build.engine.interface import BuildWarning, StepFinished, StepStarted
from streamflow_build.report.plain import Plain, finished
from streamflow_build.report.writer import Writer


def test_a_run(sample: SimpleNamespace, golden: Callable[[str, str], None]) -> None:
    stream = io.StringIO()
    sample.tell(Plain(Writer(stream), ("ingestion", "alerting", "dashboard"), notes=True))
    golden("plain.txt", stream.getvalue())


def test_a_long_step_is_cut_and_one_line() -> None:
    stream = io.StringIO()
    observer = Plain(Writer(stream), ("ingestion",))
    name = f"[added 2/2] RUN echo one &&\n  echo {'two ' * 100}"
    observer.event("ingestion", StepStarted("d1", name, 1, 1))
    observer.event("ingestion", StepFinished("d1", name, cached=True, seconds=0.0, error=None))
    observer.event(
        "ingestion", StepFinished("d2", "exporting to image", cached=False, seconds=0.5, error=None)
    )
    observer.event("ingestion", BuildWarning("no line", 0))
    first, *rest = stream.getvalue().splitlines()
    assert first.startswith("ingestion | [added 2/2] RUN echo one && echo two two")
    assert first.endswith("…")
    assert len(first) <= len("ingestion | ") + 120
    assert rest == [
        "ingestion | cached: added 2/2",
        "ingestion | exporting to image done in 0.5 s",
        "ingestion | warning: no line",
    ]


def test_what_became_of_each(every_fate: SimpleNamespace, sample: SimpleNamespace) -> None:
    lines = [
        finished(outcome) for outcome in (*every_fate.images, sample.failed(step=None, message="no base"))
    ]
    assert lines == [
        "built in 12.3 s, 143.2 MB, 5 of 9 steps cached",
        "built in 12.3 s, 212.3 MB, 0 of 9 steps cached",
        "failed after 3.2 s: [added 2/2] RUN uv pip install -r requirements.txt",
        "unchanged, new tags: streamflow-dashboard:1.0, streamflow-dashboard:latest",
        "cancelled after 7.5 s",
        "skipped: the engine went away",
        "failed after 3.2 s: no base",
    ]


def test_steps_in_a_row_that_came_from_the_cache_share_a_line(sample: SimpleNamespace) -> None:
    stream = io.StringIO()
    observer = Plain(Writer(stream), ("ingestion",))
    for label in ("uv 2/4", "uv 3/4", "common 1/1"):
        observer.event(
            "ingestion", StepFinished(label, f"[{label}] RUN x", cached=True, seconds=0.0, error=None)
        )
    observer.event("ingestion", StepStarted("d9", "[added 1/1] RUN y", 4, 5))
    observer.event("ingestion", StepFinished("d8", "[last 1/1] RUN z", cached=True, seconds=0.0, error=None))
    observer.service_finished(sample.built())
    assert stream.getvalue().splitlines() == [
        "ingestion | cached: uv 2/4, uv 3/4, common 1/1",
        "ingestion | [added 1/1] RUN y",
        "ingestion | cached: last 1/1",
        "ingestion | built in 12.3 s, 143.2 MB, 5 of 9 steps cached",
    ]
