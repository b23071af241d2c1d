"""Tumbling windows: stretches of time without gap or overlap, aligned to the Unix epoch."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

WindowName = Literal["1m", "5m", "1h"]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Span:
    """One window: from `start` up to, but without, `end`."""

    window: WindowName
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Window:
    """A kind of window: its name, its length, and how long after its end it is kept."""

    name: WindowName
    length: timedelta
    kept: timedelta

    def containing(self, moment: datetime) -> Span:
        """The one window of this kind that the moment, which must have an offset, falls into.

        Raises OverflowError where that is not within the years 1 to 9999.
        """
        start = moment - (moment - _EPOCH) % self.length
        start = start.astimezone(UTC)
        return Span(self.name, start, start + self.length)

    def starting(self, seconds: int) -> Span:
        """The window that starts so many seconds after the epoch."""
        start = _EPOCH + timedelta(seconds=seconds)
        return Span(self.name, start, start + self.length)

    def last(self, count: int, moment: datetime) -> tuple[Span, ...]:
        """The window that the moment falls into, after those before it: so many in all, oldest first."""
        current = self.containing(moment).start
        return tuple(
            Span(self.name, start, start + self.length)
            for start in (current - number * self.length for number in reversed(range(count)))
        )


WINDOWS: dict[WindowName, Window] = {
    window.name: window
    for window in (
        Window("1m", timedelta(minutes=1), timedelta(hours=6)),
        Window("5m", timedelta(minutes=5), timedelta(hours=24)),
        Window("1h", timedelta(hours=1), timedelta(days=7)),
    )
}
