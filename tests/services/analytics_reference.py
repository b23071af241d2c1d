"""What windows must say, computed as plainly as can be: all events in a list, looked at once for each window."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from streamflow.shared.events import Event
from streamflow.shared.windows.snapshot import WindowSnapshot

LENGTHS = {"1m": 60, "5m": 300, "1h": 3600}
LATENESS = 3600
EARLINESS = 300


def within(events: Iterable[Event], now: float) -> list[Event]:
    """The events that count, each once."""
    different = {event.id: event for event in events}.values()
    return [event for event in different if now - LATENESS <= event.timestamp.timestamp() <= now + EARLINESS]


def windows_of(events: list[Event], name: str) -> dict[datetime, list[Event]]:
    """The events of each window of a kind in which there are any, by the window's start."""
    found: dict[datetime, list[Event]] = {}
    for event in events:
        seconds = math.floor(event.timestamp.timestamp())
        start = datetime.fromtimestamp(seconds - seconds % LENGTHS[name], UTC)
        found.setdefault(start, []).append(event)
    return found


def is_error(event: Event) -> bool:
    status: Any = event.data.get("status")
    failed = isinstance(status, int) and not isinstance(status, bool) and status >= 500
    return event.type == "error" or (event.type == "api.response" and failed)


def latencies(events: list[Event]) -> list[float]:
    found = []
    for event in events:
        for field in ("latency_ms", "duration_ms"):
            value: Any = event.data.get(field)
            if event.type == "api.response" and type(value) in (int, float) and value >= 0:
                found.append(float(min(value, 1e7)))
                break
    return sorted(found)


def assert_tells(snapshot: WindowSnapshot, events: list[Event]) -> None:
    """The snapshot says what these events, all of its window, amount to."""
    sources = Counter(event.source for event in events)
    top = sorted(sources.items(), key=lambda each: (-each[1], each[0]))[:20]
    errors = sum(map(is_error, events))
    assert snapshot.end - snapshot.start == timedelta(seconds=LENGTHS[snapshot.window])
    assert snapshot.count == len(events)
    assert snapshot.by_type == Counter(event.type.value for event in events)
    assert snapshot.by_severity == Counter(event.severity.value for event in events)
    assert list(snapshot.by_source.items()) == top
    assert (snapshot.errors, snapshot.error_rate) == (errors, errors / len(events) if events else 0)
    users = len({event.user_id for event in events if event.user_id is not None})
    assert abs(snapshot.unique_users - users) <= 1 + 0.03 * users
    told = snapshot.latency
    for percent, value in ((50, told.p50), (95, told.p95), (99, told.p99)):
        assert_percentile(value, percent, latencies(events))


def assert_percentile(told: float | None, percent: int, values: list[float]) -> None:
    """The percentile is within 1% of the true one, by nearest rank; below 0.01 ms it says 0.01 ms."""
    if not values:
        assert told is None
        return
    assert told is not None
    true = min(max(values[math.ceil(len(values) * percent / 100) - 1], 0.01), 1e7)
    assert abs(told - true) <= 0.01 * true * (1 + 1e-9)
