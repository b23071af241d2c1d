"""The way out to the bus: events that arrive while a message is on its way travel together in the next one."""

import asyncio
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter

from streamflow.shared.bus import EVENTS, Bus, BusUnavailable, Message
from streamflow.shared.events import Event
from streamflow.shared.wire import dump, join

MOST = 1000
"""Events in one message."""
_LARGEST = 1 << 20
"""Bytes of a message that holds the events of more than one call."""
PARALLEL = 2
"""Messages on their way at once: while one is confirmed the next one gathers what comes."""


def _future() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


@dataclass(slots=True)
class _Call:
    """The events of one call, as they travel, and what tells it the end."""

    count: int
    body: bytes
    correlation_id: str | None
    done: asyncio.Future[None] = field(default_factory=_future)

    def settle(self, error: Exception | None) -> None:
        if self.done.done():  # its caller has gone
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)


class Outbox:
    """Publishes events; `send` returns when the bus has them safe, and so when they may be called accepted."""

    def __init__(self, bus: Bus, registry: CollectorRegistry) -> None:
        self._bus = bus
        self._waiting: list[_Call] = []
        self._sending = 0
        # Nothing else keeps a task from being collected.
        self._senders: set[asyncio.Task[None]] = set()
        self._accepted = Counter("events_accepted", "Events that the bus has confirmed.", registry=registry)
        self._refused = Counter("events_refused", "Events that the bus did not take.", registry=registry)

    async def send(self, events: tuple[Event, ...]) -> None:
        """Publish events. Raises BusUnavailable, and then none of them may be called accepted."""
        call = _Call(len(events), dump(events), events[0].correlation_id)
        self._waiting.append(call)
        if self._sending < PARALLEL:
            self._sending += 1
            sender = asyncio.create_task(self._send_all())
            self._senders.add(sender)
            sender.add_done_callback(self._senders.discard)
        try:
            await call.done
        except BusUnavailable:
            self._refused.inc(len(events))
            raise
        self._accepted.inc(len(events))

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                taken = self._take()
                failed = await self._publish(taken)
                if isinstance(failed, BusUnavailable):
                    # Who waited behind them need not wait as long once more, to be told the same.
                    taken += self._waiting
                    self._waiting = []
                for call in taken:
                    call.settle(failed)
        finally:
            # At once, not when the task is found to have ended: until then a call would wait for nobody.
            self._sending -= 1

    async def _publish(self, calls: list[_Call]) -> Exception | None:
        message = Message(join([call.body for call in calls]), calls[0].correlation_id)
        try:
            await self._bus.publish(EVENTS, message)
        except Exception as error:  # noqa: BLE001  # whatever it is, the callers are told
            return error
        return None

    def _take(self) -> list[_Call]:
        """As many calls as fit into one message, at least the first."""
        taken: list[_Call] = []
        count = size = 0
        for call in self._waiting:
            count, size = count + call.count, size + len(call.body)
            if taken and (count > MOST or size > _LARGEST):
                break
            taken.append(call)
        self._waiting = self._waiting[len(taken) :]
        return taken
