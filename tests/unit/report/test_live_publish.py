from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from streamflow_build.model.release import NotPublished, Published
from streamflow_build.report.live_publish import Live
from streamflow_build.report.writer import Writer

from .terminal import ESCAPE, Terminal, at_once, frame

SERVICES = ("ingestion", "analytics", "alerting", "dashboard", "storage")


@pytest.fixture
def live() -> Iterator[Live]:
    """Draws where nobody looks."""
    observer = Live(Writer(io.StringIO()), SERVICES)
    yield observer
    observer.close()


def published(service: str, *, sent: bool = True) -> Published:
    return Published(service, f"ghcr.io/org/{service}", "sha256:d16e57", 1, "", "", sent, (), (), 2.14)


def half_way(live: Live) -> None:
    """One image on its way, one sent, one failed, one that was there, one not begun."""
    live.sending("ingestion", 12_300_000, 57_100_000)
    live.sending("analytics", 157_100_000, 157_100_000)
    live.sending("alerting", 7_000_000, 157_100_000)
    live.service_finished(published("analytics"))
    live.service_finished(published("dashboard", sent=False))
    live.service_finished(
        NotPublished("alerting", "ghcr.io/org/alerting", "ghcr.io: 503 for the blob\n(5 attempts).", None)
    )


WIDE = """\
ingestion  ━━━━━──────────────────────    12.3 of 57.1 MB  sending
analytics  ━━━━━━━━━━━━━━━━━━━━━━━━━━━  157.1 of 157.1 MB  pushed in 2.1 s
alerting   failed: ghcr.io: 503 for the blob (5 attempts).
dashboard  already there
storage    preparing
"""
WITHOUT_BARS = """\
ingestion    12.3 of 57.1 MB  sending
analytics  157.1 of 157.1 MB  pushed in 2.1 s
alerting   failed: ghcr.io: 503 for the blob (5…
dashboard  already there
storage    preparing
"""
WITHOUT_ALL_AMOUNTS = """\
ingestion    12.3 of 57.1 MB  sending
analytics  pushed in 2.1 s
alerting   failed: ghcr.io: 503 for…
dashboard  already there
storage    preparing
"""
NARROW = """\
ingestion  sending
analytics  pushed i…
alerting   failed:…
dashboard  already…
storage    preparing
"""


@pytest.mark.parametrize(
    ("width", "drawn"), [(20, NARROW), (37, WITHOUT_ALL_AMOUNTS), (48, WITHOUT_BARS), (80, WIDE)]
)
def test_a_frame(width: int, drawn: str, live: Live) -> None:
    half_way(live)
    text = frame(live.screen, width)
    assert "".join(f"{line.rstrip()}\n" for line in text.splitlines()) == drawn
    assert max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize(("current", "total"), [(0, 0), (0, 1), (1, 1), (3, 2), (1, 10**12)])
def test_any_amount_has_a_bar_of_its_place(current: int, total: int, live: Live) -> None:
    live.sending("ingestion", current, total)
    line = frame(live.screen, 80).splitlines()[0]
    assert line.count("━") + line.count("─") == (27 if total else 0)
    assert ("sending" if total else "preparing") in line


def test_the_total_may_grow_and_an_attempt_begin_anew(live: Live) -> None:
    for current, total, said in [
        (1_000_000, 1_000_000, "1.0 of 1.0 MB"),
        (1_000_000, 4_000_000, "1.0 of 4.0 MB"),
        (200_000, 4_000_000, "0.2 of 4.0 MB"),
    ]:
        live.sending("ingestion", current, total)
        assert said in frame(live.screen, 80)


def test_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    live = Live(Writer(terminal.stream), SERVICES)
    half_way(live)
    note = "ghcr.io/org/alerting: 503 for [red]the blob[/red]; attempt 2 of 5 in 1.0 s" + " and long" * 9
    live.note(note)
    live.close()
    live.close()
    text = terminal.text()
    assert text.startswith("\x1b[?25l")
    assert text.endswith("\x1b[1A\x1b[2K")
    assert text.count("\x1b[?25h") == 1
    assert f"{note}\r\n" in text
    assert "\x1b[32mpushed in 2.1 s" in text
    assert "\x1b[31mfailed: ghcr.io" in text


def test_a_terminal_without_utf_8(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    raw = io.BytesIO()
    live = Live(Writer(io.TextIOWrapper(raw, encoding="ascii")), SERVICES)
    half_way(live)
    live.close()
    lines = ESCAPE.sub("", raw.getvalue().decode("ascii")).replace("\r", "\n").splitlines()
    assert any(line.startswith("ingestion  #####-----") and "12.3 of 57.1 MB" in line for line in lines)
    assert max(map(len, lines)) <= 80


def test_many_threads() -> None:
    live = Live(Writer(io.StringIO()), SERVICES)

    def push(service: str) -> None:
        for number in range(1, 100):
            live.sending(service, number, 100)
            live.note(f"{service}: 503; attempt {number}")
        live.service_finished(published(service))

    at_once(push, SERVICES)
    assert all("pushed in" in line for line in frame(live.screen, 80).splitlines())
    live.close()
