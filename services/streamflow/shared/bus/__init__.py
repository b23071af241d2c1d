"""The bus: what carries events, windows and alerts between the services, and what it promises.

What `publish` accepted is not lost, and is handled at least once: handlers must bear a message twice. A queue that
is full refuses, so that what can't be handled in time pushes back instead of eating memory. A message that can't be
handled goes to the dead letters with its reason, and never blocks its queue.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol
from uuid import uuid4

from streamflow.shared.readiness import Check

MEBIBYTE = 1 << 20


def cut(text: str, most: int) -> str:
    """What of the text fits into so many bytes of UTF-8, of whole characters."""
    return text.encode(errors="replace")[:most].decode(errors="ignore")


class BusUnavailable(Exception):  # noqa: N818  # a state of the world, not a mistake
    """The broker is away, or a queue is full. What was to be published may still have been: publish it again."""


@dataclass(frozen=True, slots=True)
class Message:
    """What travels: a body of JSON, and the id of the request that caused it.

    On the way an id may be cut to 255 bytes; what the body says is whole.
    """

    body: bytes
    correlation_id: str | None = None
    id: str = field(default_factory=lambda: uuid4().hex)


@dataclass(frozen=True, slots=True)
class Dead:
    """A message, or a part of one, that can't be handled, and why."""

    message: Message
    reason: str


@dataclass(frozen=True, slots=True)
class Letter:
    """What lies among the dead letters: the message, its reason, and the queue that it was taken from."""

    message: Message
    reason: str
    queue: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """Hands each message to all queues that are bound to it."""

    name: str


@dataclass(frozen=True, slots=True)
class Queue:
    """Keeps an exchange's messages, in order, until they are handled.

    At `limit` bytes it refuses more, or drops the oldest where only the newest matter.
    """

    name: str
    exchange: Exchange
    limit: int
    when_full: Literal["refuse", "drop oldest"] = "refuse"


class NotPutBack(BusUnavailable):
    """Dead letters whose queue is gone or full. They stay where they are; `count` others were put back."""

    def __init__(self, count: int, left: tuple[tuple[Letter, str], ...]) -> None:
        super().__init__("; ".join(f"{letter.message.id}: {reason}" for letter, reason in left))
        self.count = count
        self.left = left
        """Each with what its queue lacks."""


EVENTS = Exchange("events")
ANALYTICS = Exchange("analytics")
ALERTS = Exchange("alerts")
DEAD = Exchange("events.dead")
EXCHANGES = (EVENTS, ANALYTICS, ALERTS, DEAD)

STORAGE_EVENTS = Queue("storage.events", EVENTS, 256 * MEBIBYTE)
ANALYTICS_EVENTS = Queue("analytics.events", EVENTS, 256 * MEBIBYTE)
ALERTING_WINDOWS = Queue("alerting.windows", ANALYTICS, 16 * MEBIBYTE, "drop oldest")
DEAD_LETTERS = Queue("events.dead", DEAD, 256 * MEBIBYTE, "drop oldest")

QUEUES = (STORAGE_EVENTS, ANALYTICS_EVENTS, ALERTING_WINDOWS, DEAD_LETTERS)

Handler = Callable[[tuple[Message, ...]], Awaitable[tuple[Dead, ...]]]
"""Handles a batch and returns what of it can't be handled. When it raises, the whole batch comes again."""
Watcher = Callable[[Message], Awaitable[None]]


class Bus(Protocol):
    """Where messages are published and taken. Use it between `start` and `close`."""

    async def start(self) -> None:
        """Begin; doesn't wait for the broker, which may come later."""

    async def close(self) -> None:
        """End. What was being handled comes again to whoever consumes its queue next."""

    async def drain(self, seconds: float) -> None:
        """Wait, but no longer than so, until nothing is left that would be lost with this process.

        Who publishes has to end before, and who consumes after.
        """

    async def publish(self, exchange: Exchange, message: Message) -> None:
        """Give a message to every queue of the exchange; returns when all of them have it safe.

        Raises BusUnavailable.
        """

    async def consume(self, queue: Queue, handler: Handler, *, most: int, linger: float) -> None:
        """Hand the queue's messages to the handler until cancelled, through every absence of the broker.

        A batch holds `most` messages, or fewer when for `linger` seconds no more came.
        """

    async def watch(self, exchange: Exchange, watcher: Watcher) -> None:
        """Hand on what is published from now on, until cancelled; what came while the broker was away is lost."""

    async def letters(self, most: int) -> tuple[Letter, ...]:
        """The oldest dead letters, which stay where they are. Raises BusUnavailable."""

    async def requeue(self, ids: frozenset[str] | None) -> int:
        """Put dead letters back where they came from: those with these ids, or all, of the oldest 10,000; how many.

        Raises NotPutBack when all were tried and some had to stay, or BusUnavailable.
        """

    async def drop(self, ids: frozenset[str] | None) -> int:
        """Forget dead letters, chosen likewise; how many. Raises BusUnavailable."""

    def check(self) -> Check | None:
        """Whether the broker answers; None where the bus is this process itself."""
