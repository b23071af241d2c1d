"""What dashboard shows of the windows."""

from datetime import datetime

from pydantic import BaseModel, Field

from streamflow.shared.windows.kinds import WindowName
from streamflow.shared.windows.snapshot import Latency, WindowSnapshot


class Realtime(BaseModel):
    """The running windows, and how fast events come."""

    at: datetime
    events_per_second: float = Field(description="over the last five seconds, as far as they are counted")
    windows: dict[WindowName, WindowSnapshot] = Field(description="the running window of each kind")


class Point(BaseModel):
    """One window of a history."""

    start: datetime
    end: datetime
    closed: bool
    count: int
    events_per_second: float
    errors: int
    error_rate: float
    unique_users: int
    latency: Latency


class Historical(BaseModel):
    """Windows of one kind, oldest first; the last one is still running."""

    window: WindowName
    points: tuple[Point, ...]


def historical(name: WindowName, windows: tuple[WindowSnapshot, ...], now: datetime) -> Historical:
    """The windows as points; the running one's rate is over what has passed of it."""
    return Historical(window=name, points=tuple(_point(window, now) for window in windows))


def _point(window: WindowSnapshot, now: datetime) -> Point:
    passed = (min(max(now, window.start), window.end) - window.start).total_seconds()
    return Point(
        start=window.start,
        end=window.end,
        closed=window.closed,
        count=window.count,
        events_per_second=window.count / max(passed, 1.0),
        errors=window.errors,
        error_rate=window.error_rate,
        unique_users=window.unique_users,
        latency=window.latency,
    )
