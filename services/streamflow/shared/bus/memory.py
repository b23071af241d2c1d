"""The bus inside of one process: what it holds is gone when the process ends."""

import asyncio
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

LETTERS = 10_000  # dead letters that are kept before the oldest go
WATCHED = 1000  # messages that a watcher may be behind before it misses the oldest


class _Held:
    """What one queue holds."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.messages: deque[Message] = deque()
        self.size = 0
        self.came = asyncio.Event()

    def refuses(self, message: Message) -> bool:
        return self.queue.when_full == "refuse" and self.size + len(message.body) > self.queue.limit

    def put(self, message: Message) -> None:
        self.messages.append(message)
        self.size += len(message.body)
        while self.size > self.queue.limit and len(self.messages) > 1:
            self.take()
        self.came.set()

    def put_back(self, batch: tuple[Message, ...]) -> None:
        self.messages.extendleft(reversed(batch))
        self.size += sum(len(message.body) for message in batch)
        self.came.set()

    def take(self) -> Message:
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
