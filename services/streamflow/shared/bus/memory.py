"""The bus inside of one process: what it holds is gone when the process ends."""

import asyncio
import logging
from collections import deque
from contextlib import suppress

from streamflow.shared.bus import (
    QUEUES,
    BusUnavailable,
    Exchange,
    Handler,
    Letter,
    Message,
    Queue,
    Watcher,
)
from streamflow.shared.bus.handling import handled
from streamflow.shared.readiness import Check

_log = logging.getLogger(__name__)

LETTERS = 10_000  # dead letters that are kept before the oldest go
WATCHED = 1000  # messages that a watcher may be behind before it misses the oldest


class _Held:
    """What one queue holds."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.messages: deque[Message] = deque()
        self.size = 0
        self.taken = 0
        """Messages that are being handled."""
        self.came = asyncio.Event()
        self.done = asyncio.Event()
        self.done.set()

    def refuses(self, message: Message) -> bool:
        return self.queue.when_full == "refuse" and self.size + len(message.body) > self.queue.limit

    def put(self, message: Message) -> None:
        self.messages.append(message)
        self.size += len(message.body)
        while self.size > self.queue.limit and len(self.messages) > 1:
            self._first()
        self.came.set()
        self.done.clear()

    def put_back(self, batch: tuple[Message, ...]) -> None:
        self.messages.extendleft(reversed(batch))
        self.size += sum(len(message.body) for message in batch)
        self.taken -= len(batch)
        self.came.set()

    def take(self) -> Message:
        self.taken += 1
        return self._first()

    def settle(self, batch: tuple[Message, ...]) -> None:
        self.taken -= len(batch)
        if not self.messages and not self.taken:
            self.done.set()

    def _first(self) -> Message:
        message = self.messages.popleft()
        self.size -= len(message.body)
        if not self.messages:
            self.came.clear()
        return message


class MemoryBus:
    """A Bus for services that share a process."""

    def __init__(self, queues: tuple[Queue, ...] = QUEUES) -> None:
        self._held = {queue.name: _Held(queue) for queue in queues}
        self._watchers: dict[str, set[asyncio.Queue[Message]]] = {}
        self._letters: deque[Letter] = deque(maxlen=LETTERS)

    async def start(self) -> None:
        """Nothing has to begin."""

    async def close(self) -> None:
        """Nothing has to end."""

    async def drain(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                # What one queue's handler publishes is in another one, which may have been empty before.
                while waited := [held for held in self._held.values() if not held.done.is_set()]:
                    await waited[0].done.wait()
        except TimeoutError:
            for held in waited:
                count = len(held.messages) + held.taken
                _log.error("%d messages of %s were not handled within %g s", count, held.queue.name, seconds)

    async def publish(self, exchange: Exchange, message: Message) -> None:
        bound = [held for held in self._held.values() if held.queue.exchange == exchange]
        for held in bound:
            if held.refuses(message):
                raise BusUnavailable(f"the queue {held.queue.name} is full")
        for held in bound:
            held.put(message)
        for watching in self._watchers.get(exchange.name, ()):
            if watching.full():
                watching.get_nowait()
            watching.put_nowait(message)

    async def consume(self, queue: Queue, handler: Handler, *, most: int, linger: float) -> None:
        held = self._held[queue.name]
        while True:
            batch = await _gather(held, most, linger)
            try:
                dead = await handled(handler, batch)
                self._letters += (Letter(each.message, each.reason, queue.name) for each in dead)
            except asyncio.CancelledError:
                held.put_back(batch)
                raise
            held.settle(batch)

    async def watch(self, exchange: Exchange, watcher: Watcher) -> None:
        watching: asyncio.Queue[Message] = asyncio.Queue(WATCHED)
        self._watchers.setdefault(exchange.name, set()).add(watching)
        try:
            while True:
                await watcher(await watching.get())
        finally:
            self._watchers[exchange.name].discard(watching)

    async def letters(self, most: int) -> tuple[Letter, ...]:
        return tuple(self._letters)[:most]

    async def requeue(self, ids: frozenset[str] | None) -> int:
        chosen = self._taken(ids)
        for letter in chosen:
            self._held[letter.queue].put(letter.message)
        return len(chosen)

    async def drop(self, ids: frozenset[str] | None) -> int:
        return len(self._taken(ids))

    def _taken(self, ids: frozenset[str] | None) -> list[Letter]:
        chosen = [letter for letter in self._letters if ids is None or letter.message.id in ids]
        for letter in chosen:
            self._letters.remove(letter)
        return chosen

    def check(self) -> Check | None:
        return None


async def _gather(held: _Held, most: int, linger: float) -> tuple[Message, ...]:
    while not held.messages:  # another consumer may have been quicker
        await held.came.wait()
    batch = [held.take()]
    try:
        while len(batch) < most:
            if not held.messages:
                with suppress(TimeoutError):
                    # Not wait_for, which before Python 3.12 may take a cancellation for a message that came.
                    async with asyncio.timeout(linger):
                        await held.came.wait()
            if not held.messages:
                break
            batch.append(held.take())
    except asyncio.CancelledError:
        held.put_back(tuple(batch))
        raise
    return tuple(batch)
