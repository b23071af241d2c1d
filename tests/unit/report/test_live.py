from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from streamflow_build.engine.interface import BuildWarning, StepFinished, StepProgress, StepStarted
from streamflow_build.report.live import Live
from streamflow_build.report.writer import Writer

from .terminal import ESCAPE, Terminal, at_once, frame

SERVICES = ("ingestion", "analytics", "alerting", "dashboard", "storage")
INSTALL = "[common 2/3] RUN --mount=type=cache,target=/c uv pip install --require-hashes -r requirements.txt"


class Clock:
    """A clock that the test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def live(clock: Clock) -> Iterator[Live]:
    """Draws where nobody looks; ``frame`` asks it for what it would draw."""
    observer = Live(Writer(io.StringIO()), SERVICES, clock=clock)
    yield observer
    observer.close()


def half_way(live: Live, clock: Clock, sample: SimpleNamespace) -> None:
    """One image built, one failed, one at its second step, one just begun, one not yet."""
    base = "[common 1/3] FROM docker.io/library/python:3.11-slim"
    user = "[stage-3 2/6] RUN useradd streamflow"
    live.base_pull("python:3.11-slim", "1a2b3c", 1_000_000, 29_100_000)
    for service in SERVICES[:4]:
        live.service_started(service, "no image yet")
    live.event("ingestion", StepStarted("d1", base, 1, 12))
    live.event("ingestion", StepFinished("d1", base, cached=True, seconds=0.0, error=None))
    live.event("ingestion", StepStarted("d2", user, 2, 12))
    live.event("ingestion", StepFinished("d2", user, cached=True, seconds=0.0, error=None))
    live.event("ingestion", StepStarted("d3", INSTALL, 3, 12))
    live.service_finished(sample.built("analytics"))
    live.service_finished(sample.failed("alerting"))
    clock.now += 75.3


@pytest.mark.parametrize("width", [20, 40, 80, 120])
def test_a_frame(
    width: int, live: Live, clock: Clock, sample: SimpleNamespace, golden: Callable[[str, str], None]
) -> None:
    half_way(live, clock, sample)
    text = frame(live.screen, width)
    lines = text.splitlines()
    assert len(lines) == len(SERVICES)
    assert max(map(len, lines)) <= width
    golden(f"live_{width}.txt", "".join(f"{line.rstrip()}\n" for line in lines))


def test_a_base_is_pulled_before_the_builds(live: Live) -> None:
    live.base_pull("python:3.11-slim", "1a2b3c", 1_000_000, 29_100_000)
    live.base_pull("python:3.11-slim", "4d5e6f", 2_500_000, 10_000_000)
    assert frame(live.screen, 80).splitlines()[0] == "python:3.11-slim  pulling 3.5 of 39.1 MB"
    live.service_started("ingestion", "no image yet")
    assert "pulling" not in frame(live.screen, 80)


def test_of_steps_that_run_side_by_side_the_latest_shows(live: Live) -> None:
    live.service_started("ingestion", "no image yet")
    live.event("ingestion", StepStarted("d1", "[a 1/1] RUN first", 1, 3))
    live.event("ingestion", StepStarted("d2", "[b 1/1] RUN second", 2, 3))
    live.event("ingestion", StepProgress("d2", "layer", 1_500_000, 3_000_000))
    assert "2/3 1.5/3.0 MB RUN second" in frame(live.screen, 80)
    live.event("ingestion", StepFinished("d2", "[b 1/1] RUN second", cached=False, seconds=1.0, error=None))
    assert "2/3 RUN first" in frame(live.screen, 80)


def test_markup_in_a_step_is_text(live: Live) -> None:
    live.service_started("ingestion", "no image yet")
    live.event("ingestion", StepStarted("d1", "[a 1/1] RUN echo [red]x[/red] :smile:", 1, 1))
    assert "RUN echo [red]x[/red] :smile:" in frame(live.screen, 80)


def test_on_a_terminal(sample: SimpleNamespace, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    live = Live(Writer(terminal.stream), SERVICES, clock=clock)
    half_way(live, clock, sample)
    live.event("ingestion", BuildWarning("casing", 4))
    live.close()
    live.close()
    text = terminal.text()
    assert text.startswith("\x1b[?25l")
    assert text.endswith("\x1b[1A\x1b[2K")
    assert text.count("\x1b[?25h") == 1
    assert "ingestion: warning: casing (Dockerfile, line 4)\r\n" in text
    assert "\x1b[32mbuilt in 12.3 s" in text
    assert "\x1b[31mfailed after 3.2 s" in text


def test_no_color(sample: SimpleNamespace, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal()
    live = Live(Writer(terminal.stream), SERVICES, clock=clock)
    half_way(live, clock, sample)
    live.close()
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", terminal.text())


def test_a_terminal_without_utf_8(
    sample: SimpleNamespace, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    live = Live(Writer(stream), SERVICES, clock=clock)
    half_way(live, clock, sample)
    live.close()
    lines = ESCAPE.sub("", raw.getvalue().decode("ascii")).replace("\r", "\n").splitlines()
    assert any(line.startswith("ingestion  3/12 RUN uv") and "..." in line for line in lines)
    assert max(map(len, lines)) <= 40


def test_many_threads(sample: SimpleNamespace, clock: Clock) -> None:
    stream = io.StringIO()
    live = Live(Writer(stream), SERVICES, clock=clock)

    def build(service: str) -> None:
        live.service_started(service, "no image yet")
        for number in range(1, 200):
            live.event(service, StepStarted(f"d{number}", f"[a {number}/200] RUN x", number, 200))
            live.event(service, BuildWarning("w" * 20, number))
            live.event(service, StepFinished(f"d{number}", "[a] RUN x", cached=True, seconds=0.0, error=None))
        live.service_finished(sample.built(service))

    at_once(build, SERVICES)
    assert all("built in" in line for line in frame(live.screen, 80).splitlines())
    live.close()
