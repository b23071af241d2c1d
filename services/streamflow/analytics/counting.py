"""Counting what comes on the bus: from messages to windows, in portions, each event once."""

import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Histogram

from streamflow.analytics.tally import Bounds, sort, tally
from streamflow.shared.bus import Dead, Message
from streamflow.shared.events import Event
from streamflow.shared.windows import Windows
from streamflow.shared.wire import load

PORTION = 1000
"""Events that are counted in one step: what Redis does in a few milliseconds, and little memory."""


class Counting:
    """Counts the events of messages. Its `handle` is the bus' handler, and raises while the windows are away.

    Its metrics are those of this process, and tell what it did: a batch that comes again is seen again in them.
    """

    def __init__(
        self,
        windows: Windows,
        bounds: Bounds,
        registry: CollectorRegistry,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._windows = windows
        self._bounds = bounds
        self._clock = clock
        self._counted = Counter("events_counted", "Events counted in windows.", registry=registry)
        self._duplicates = Counter("events_duplicate", "Events counted before.", registry=registry)
        self._outside = Counter(
            "events_out_of_bounds", "Events too late or too early to count.", ("bound",), registry=registry
        )
        self._dead = Counter("events_dead", "Pieces of messages that are no events.", registry=registry)
        self._seconds = Histogram(
            "batch_seconds",
            "Seconds to handle a batch of messages.",
            registry=registry,
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
        )
        for bound in ("late", "early"):
            self._outside.labels(bound)

    async def handle(self, batch: tuple[Message, ...]) -> tuple[Dead, ...]:
        """Count a batch's events, and return what of it is none."""
        with self._seconds.time():
            dead: list[Dead] = []
            waiting: tuple[Event, ...] = ()
            for message in batch:
                events, none = load(message)
                dead += none
                waiting += events
                while len(waiting) >= PORTION:
                    await self._count(waiting[:PORTION])
                    waiting = waiting[PORTION:]
            await self._count(waiting)
        self._dead.inc(len(dead))
        return tuple(dead)

    async def _count(self, events: tuple[Event, ...]) -> None:
        now = self._clock()
        found = sort(events, self._bounds, now)
        left, twice = found.inside, found.twice
        while left and (seen := await self._windows.add(tally(left), now)):
            left = tuple(event for event in left if event.id not in seen)
            twice += len(seen)
        self._counted.inc(len(left))
        self._duplicates.inc(twice)
        self._outside.labels("late").inc(found.late)
        self._outside.labels("early").inc(found.early)
