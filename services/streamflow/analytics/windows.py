"""Tumbling windows: stretches of time without gap or overlap, aligned to the Unix epoch."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Span:
    """One window: from `start` up to, but without, `end`."""

    window: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Window:
    """A kind of window, by its name and length."""

    name: str
    length: timedelta

    def containing(self, moment: datetime) -> Span:
        """The one window of this kind that the moment, which must have an offset, falls into."""
        start = moment - (moment - _EPOCH) % self.length
        start = start.astimezone(UTC)
        return Span(self.name, start, start + self.length)


WINDOWS = {
    window.name: window
    for window in (
        Window("1m", timedelta(minutes=1)),
        Window("5m", timedelta(minutes=5)),
        Window("1h", timedelta(hours=1)),
    )
}
