"""What analytics answers: figures of several windows together."""

from datetime import datetime
from itertools import pairwise

from pydantic import BaseModel, Field

from streamflow.shared.windows.kinds import WindowName
from streamflow.shared.windows.snapshot import WindowSnapshot


class Period(BaseModel):
    """A window, compared with the one before it."""

    start: datetime
    end: datetime
    count: int
    errors: int
    error_rate: float
    count_change: float | None = Field(
        description="how much more events than before, in proportion: 0.5 is half as many again; "
        "null where there were none before"
    )
    error_rate_change: float = Field(description="by how much the error rate is above that before")


class Trends(BaseModel):
    """Windows of one kind, oldest first; the last one is still running."""

    window: WindowName
    periods: tuple[Period, ...]


class Share(BaseModel):
    """How much of all events has this name."""

    name: str
    count: int
    share: float


class Shares(BaseModel):
    """Events from `start` on by name, most first."""

    window: WindowName
    start: datetime
    end: datetime
    count: int = Field(description="all events, of the names that are not told, too")
    shares: tuple[Share, ...]


class Crowd(BaseModel):
    """The users in one window, estimated."""

    start: datetime
    end: datetime
    unique_users: int


class Users(BaseModel):
    """How many users there were, estimated: in all windows together, and in each, oldest first."""

    window: WindowName
    unique_users: int
    periods: tuple[Crowd, ...]


def trends(name: WindowName, windows: tuple[WindowSnapshot, ...]) -> Trends:
    """Each window against the one before it; the first one is only compared with."""
    return Trends(window=name, periods=tuple(_period(*pair) for pair in pairwise(windows)))


def _period(before: WindowSnapshot, window: WindowSnapshot) -> Period:
    return Period(
        start=window.start,
        end=window.end,
        count=window.count,
        errors=window.errors,
        error_rate=window.error_rate,
        count_change=(window.count - before.count) / before.count if before.count else None,
        error_rate_change=window.error_rate - before.error_rate,
    )


def shares(
    name: WindowName, windows: tuple[WindowSnapshot, ...], counts: tuple[tuple[str, int], ...]
) -> Shares:
    """The counts as shares of all events in the windows; there is at least one window."""
    together = sum(window.count for window in windows)
    return Shares(
        window=name,
        start=windows[0].start,
        end=windows[-1].end,
        count=together,
        shares=tuple(
            Share(name=each, count=count, share=count / together if together else 0.0)
            for each, count in counts
        ),
    )


def by_type(windows: tuple[WindowSnapshot, ...]) -> tuple[tuple[str, int], ...]:
    """The events of each type in all the windows, most first."""
    counts: dict[str, int] = {}
    for window in windows:
        for kind, count in window.by_type.items():
            counts[kind] = counts.get(kind, 0) + count
    return tuple(sorted(counts.items(), key=lambda each: (-each[1], each[0])))


def users(name: WindowName, windows: tuple[WindowSnapshot, ...], together: int) -> Users:
    """The users of the windows."""
    return Users(
        window=name,
        unique_users=together,
        periods=tuple(
            Crowd(start=window.start, end=window.end, unique_users=window.unique_users) for window in windows
        ),
    )
