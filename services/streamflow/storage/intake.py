"""From the bus into the archive: messages are acknowledged when the events they carry are committed."""

import asyncio
import logging
from collections.abc import Iterator
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Histogram

from streamflow.shared.bus import STORAGE_EVENTS, Bus, Dead, Message
from streamflow.shared.events import Event
from streamflow.shared.wire import dump, load
from streamflow.storage.archive import Archive, Stored

_log = logging.getLogger(__name__)
_MESSAGES = 8  # a message holds up to 1,000 events, and twice as many messages are on their way
_LINGER_SECONDS = 0.02
_EVENTS = 1000  # in one transaction; what the others in the batch carry is not even read before


class Intake:
    """Stores the events of messages. One that comes again changes nothing."""

    def __init__(self, archive: Archive, registry: CollectorRegistry) -> None:
        self._archive = archive
        self._stored = Counter("events_stored", "Events that are new in the database.", registry=registry)
        self._duplicates = Counter(
            "events_duplicate", "Events that were in the database already.", registry=registry
        )
        self._dead = Counter("events_dead", "What was no event, or one with no place.", registry=registry)
        self._sizes = Histogram(
            "store_batch_events",
            "Events in one transaction.",
            buckets=(1, 5, 10, 50, 100, 250, 500, 1000, 2000),
            registry=registry,
        )
        self._seconds = Histogram("store_batch_seconds", "Seconds of one transaction.", registry=registry)

    async def consume(self, bus: Bus) -> None:
        """Take messages until cancelled."""
        await bus.consume(STORAGE_EVENTS, self.handle, most=_MESSAGES, linger=_LINGER_SECONDS)

    async def handle(self, batch: tuple[Message, ...]) -> tuple[Dead, ...]:
        """Store what the messages carry, and return what of it can't be. Raises DatabaseUnavailable."""
        dead: list[Dead] = []
        storing: asyncio.Task[list[Dead]] | None = None
        try:
            for events in _portions(batch, dead):
                if storing is not None:
                    dead += await storing
                storing = asyncio.create_task(self._store(events))
                await asyncio.sleep(0)  # it begins, and the next events are read while the database works
            if storing is not None:
                dead += await storing
        finally:
            if storing is not None:
                storing.cancel()
        self._dead.inc(len(dead))
        return tuple(dead)

    async def _store(self, events: tuple[Event, ...]) -> list[Dead]:
        began = perf_counter()
        stored: Stored = await self._archive.store(events)
        self._seconds.observe(perf_counter() - began)
        self._sizes.observe(len(events))
        self._stored.inc(stored.new)
        self._duplicates.inc(stored.duplicates)
        _log.debug("stored %d of %d events", stored.new, len(events))
        return [
            Dead(Message(dump((event,)), event.correlation_id, str(event.id)), f"not storable: {reason}")
            for event, reason in stored.refused
        ]


def _portions(batch: tuple[Message, ...], dead: list[Dead]) -> Iterator[tuple[Event, ...]]:
    """The events of the messages, as many at once as one transaction takes; what is none is added to the dead."""
    waiting: tuple[Event, ...] = ()
    for message in batch:
        events, pieces = load(message)
        dead += pieces
        if waiting and len(waiting) + len(events) > _EVENTS:
            yield waiting
            waiting = ()
        waiting += events
    if waiting:
        yield waiting
