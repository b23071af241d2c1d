"""The live figures, from windows as they are published."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from streamflow.dashboard.live import Live
from streamflow.shared.bus import Message
from streamflow.shared.windows.kinds import WINDOWS, Span
from streamflow.shared.windows.snapshot import WindowSnapshot, snapshot


def running() -> Span:
    return WINDOWS["1m"].containing(datetime.now(UTC))


def window(count: int, revision: int, span: Span | None = None) -> WindowSnapshot:
    return snapshot(span or running(), {"count": count, "errors": 1, "revision": revision})


def take(live: Live, *windows: WindowSnapshot) -> None:
    async def give() -> None:
        for each in windows:
            await live.take(Message(each.model_dump_json().encode(), "test"))

    asyncio.run(give())


def test_without_events_each_running_window_is_empty() -> None:
    found = Live().now()
    assert set(found.windows) == {"1m", "5m", "1h"}
    assert [each.count for each in found.windows.values()] == [0, 0, 0]
    assert found.events_per_second == 0


def test_the_newest_snapshot_counts_whenever_it_comes() -> None:
    live = Live()
    span = running()
    take(live, window(30, 3, span), window(20, 2, span))
    assert live._newest[span].count == 30


def test_the_rate_is_what_windows_grew_by() -> None:
    live = Live()
    span = WINDOWS["1m"].containing(datetime.now(UTC) - timedelta(minutes=2))
    take(live, window(1000, 7, span))  # counted before anybody watched
    assert live.now().events_per_second == 0
    take(live, window(1040, 8, span), window(1050, 9, span))
    assert live.now().events_per_second == 10


def test_the_rate_falls_when_nothing_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    live = Live()
    span = WINDOWS["1m"].containing(datetime.now(UTC) - timedelta(minutes=2))
    take(live, window(0, 1, span), window(50, 2, span))
    assert live.now().events_per_second == 10
    later = time.monotonic() + 5.1
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert live.now().events_per_second == 0


def test_what_is_no_window_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    live = Live()
    asyncio.run(live.take(Message(b"{}", "test")))
    assert live.now().events_per_second == 0
    assert "not a window" in caplog.text


def test_a_change_is_told_soon_and_nothing_is_told_each_second() -> None:
    async def watch() -> None:
        live = Live()
        telling = asyncio.create_task(live.tell())
        await live.next()
        await asyncio.sleep(0.2)
        span = running()
        await live.take(Message(window(5, 1, span).model_dump_json().encode(), "test"))
        async with asyncio.timeout(5):
            while '"count":5' not in await live.next():
                pass
            await live.next()  # though nothing has changed
        telling.cancel()

    asyncio.run(watch())
