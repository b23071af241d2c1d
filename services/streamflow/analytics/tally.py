"""What a batch of events adds to the windows, found in this process, so that each window is told of it once.

An error is an event of type `error`, or one of type `api.response` whose `data.status` is 500 or above. A latency is
the `data.latency_ms` of an event of type `api.response`, or else its `data.duration_ms`, in milliseconds.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import JsonValue

from streamflow.shared.events import Event, EventType
from streamflow.shared.windows import Cell, Tally
from streamflow.shared.windows.kinds import WINDOWS, Span, Window
from streamflow.shared.windows.latency import bucket

_MINUTE = 60
_SERVER_ERROR = 500
_FIRST, *_LONGER = WINDOWS.values()
"""The shortest windows are counted, and the longer ones summed up from them."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far from now an event may lie and still be counted, in seconds."""

    late: float
    early: float = 300.0


@dataclass(frozen=True, slots=True)
class Sorted:
    """A batch's events by what becomes of them: to be counted, each once; and how many are none of that."""

    inside: tuple[Event, ...]
    late: int
    early: int
    twice: int


def sort(events: Iterable[Event], bounds: Bounds, now: float) -> Sorted:
    """Tell events that lie within the bounds from those which don't, and leave out what comes twice."""
    inside = {}
    late = early = twice = 0
    for event in events:
        moment = event.timestamp.timestamp()
        if moment < now - bounds.late:
            late += 1
        elif moment > now + bounds.early:
            early += 1
        elif event.id in inside:
            twice += 1
        else:
            inside[event.id] = event
    return Sorted(tuple(inside.values()), late, early, twice)


def tally(events: tuple[Event, ...]) -> Tally:
    """What these events add. Each must have an id of its own."""
    minutes: dict[int, Cell] = {}
    for event in events:
        minute = int(event.timestamp.timestamp() // _MINUTE) * _MINUTE
        if (cell := minutes.get(minute)) is None:
            cell = minutes[minute] = Cell()
        _count(event, cell)
    cells = {_FIRST.starting(minute): cell for minute, cell in minutes.items()}
    for window in _LONGER:
        cells |= _summed(window, minutes)
    return Tally(tuple(event.id for event in events), cells)


def _count(event: Event, cell: Cell) -> None:
    counts = cell.counts
    fields = ["count", f"type:{event.type}", f"severity:{event.severity}"]
    if event.type is EventType.API_RESPONSE:
        if _is_error(event.data.get("status")):
            fields.append("errors")
        if (milliseconds := _latency(event.data)) is not None:
            fields.append(f"latency:{bucket(milliseconds)}")
    elif event.type is EventType.ERROR:
        fields.append("errors")
    for name in fields:
        counts[name] = counts.get(name, 0) + 1
    cell.sources[event.source] = cell.sources.get(event.source, 0) + 1
    if event.user_id is not None:
        cell.users.add(event.user_id)


def _is_error(status: JsonValue) -> bool:
    return isinstance(status, int | float) and status >= _SERVER_ERROR


def _latency(data: dict[str, JsonValue]) -> float | None:
    for name in ("latency_ms", "duration_ms"):
        value = data.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
            return value
    return None


def _summed(window: Window, minutes: dict[int, Cell]) -> dict[Span, Cell]:
    length = int(window.length.total_seconds())
    sums: dict[int, Cell] = {}
    for minute, cell in minutes.items():
        total = sums.setdefault(minute - minute % length, Cell())
        for into, some in ((total.counts, cell.counts), (total.sources, cell.sources)):
            for name, events in some.items():
                into[name] = into.get(name, 0) + events
        total.users |= cell.users
    return {window.starting(start): total for start, total in sums.items()}
