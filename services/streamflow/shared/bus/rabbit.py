"""The bus on RabbitMQ: quorum queues, persistent messages, publisher confirms, manual acknowledgements.

https://www.rabbitmq.com/docs/confirms, https://www.rabbitmq.com/docs/quorum-queues
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange, AbstractIncomingMessage
from aio_pika.exceptions import (
    CONNECTION_EXCEPTIONS,
    DeliveryError,
    ProbableAuthenticationError,
    PublishError,
)
from pydantic import SecretStr

from streamflow.shared.bus import (
    DEAD,
    EXCHANGES,
    QUEUES,
    BusUnavailable,
    Dead,
    Exchange,
    Handler,
    Letter,
    Message,
    Queue,
    Watcher,
)
from streamflow.shared.bus.amqp import DELIVERIES, decoded, enclosed, encoded
from streamflow.shared.bus.arriving import Arriving, gather
from streamflow.shared.bus.handling import handled
from streamflow.shared.bus.letters import DeadLetters, Refused
from streamflow.shared.readiness import Check, Unavailable

_log = logging.getLogger(__name__)
# Long for a broker that writes to a busy disk, and short of what requests get to finish in when a service ends.
CONFIRM_SECONDS = 5.0
# To take leave is to wait for an answer, which a broker that hangs doesn't give; it finds out by itself.
_CLOSE_SECONDS = 0.5
_CONNECT_SECONDS = 5.0
_RETRY_SECONDS = 0.5
_WATCHED_BYTES = 1 << 20
_AWAY = (
    *CONNECTION_EXCEPTIONS,
    asyncio.TimeoutError,
    ValueError,
)  # ValueError: an option in the URL that is none


_Subscribe = Callable[[AbstractChannel, Arriving], Awaitable[None]]
_Handle = Callable[[list[AbstractIncomingMessage]], Awaitable[None]]


class RabbitBus:
    """A Bus that connects again and again while the broker is away, and declares all that it uses."""

    def __init__(self, url: SecretStr, queues: tuple[Queue, ...] = QUEUES) -> None:
        self._url = url
        self._queues = queues
        self._connection: AbstractConnection | None = None
        self._exchanges: dict[str, AbstractExchange] = {}
        self._there = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._dead = DeadLetters(self._channel, self._send)
        self.refused = False
        """Whether the broker is there and doesn't take the URL's user and password."""

    async def start(self) -> None:
        self._keeper = asyncio.create_task(self._keep())

    async def connected(self) -> None:
        """Return when the broker is there."""
        await self._there.wait()

    async def close(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper

    async def drain(self, seconds: float) -> None:
        """The broker has everything."""

    async def publish(self, exchange: Exchange, message: Message) -> None:
        await self._send(self._exchanges.get(exchange.name), "", encoded(message))

    async def consume(self, queue: Queue, handler: Handler, *, most: int, linger: float) -> None:
        async def subscribe(channel: AbstractChannel, arriving: Arriving) -> None:
            await channel.set_qos(prefetch_count=2 * most)
            source = await channel.get_queue(queue.name, ensure=False)
            await source.consume(arriving.put)

        async def handle(batch: list[AbstractIncomingMessage]) -> None:
            dead = await handled(handler, tuple(decoded(arrived) for arrived in batch))
            # Where the channel is lost meanwhile they come again, and what was handled is handled twice.
            for each in dead:
                await self._bury(queue, each)
            await batch[-1].ack(multiple=True)

        await self._take(queue.name, subscribe, handle, most=most, linger=linger)

    async def watch(self, exchange: Exchange, watcher: Watcher) -> None:
        async def subscribe(channel: AbstractChannel, arriving: Arriving) -> None:
            source = await channel.declare_queue(
                exclusive=True, arguments={"x-max-length-bytes": _WATCHED_BYTES, "x-overflow": "drop-head"}
            )
            await source.bind(exchange.name)
            await source.consume(arriving.put, no_ack=True)

        async def hand_on(batch: list[AbstractIncomingMessage]) -> None:
            await watcher(decoded(batch[0]))

        await self._take(f"what watches {exchange.name}", subscribe, hand_on, most=1, linger=0)

    async def letters(self, most: int) -> tuple[Letter, ...]:
        return await self._dead.look(most)

    async def requeue(self, ids: frozenset[str] | None) -> int:
        return await self._dead.take_out(ids, put_back=True)

    async def drop(self, ids: frozenset[str] | None) -> int:
        return await self._dead.take_out(ids, put_back=False)

    def check(self) -> Check | None:
        async def probe() -> None:
            try:
                async with self._channel():
                    pass
            except BusUnavailable as error:
                raise Unavailable(str(error)) from error

        return Check("rabbitmq", probe)

    async def _keep(self) -> None:
        """Stay connected."""
        away = False
        while True:
            try:
                connection = await aio_pika.connect(self._url.get_secret_value(), timeout=_CONNECT_SECONDS)
            except _AWAY as error:
                self.refused = isinstance(error, ProbableAuthenticationError)
                if not away:
                    _log.warning("RabbitMQ is away: %s", error)
                away = True
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            try:
                lost = await self._use(connection)
                if away:
                    _log.info("RabbitMQ is back")
                away = False
                await lost.wait()
                _log.warning("the connection to RabbitMQ is lost")
            except _AWAY as error:
                _log.warning("RabbitMQ refuses: %s", error)
            finally:
                self._there.clear()
                self._connection = None
                self._exchanges = {}
                await _leave(connection)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _use(self, connection: AbstractConnection) -> asyncio.Event:
        """Declare all and begin to publish; the event comes when that is over."""
        lost = asyncio.Event()
        connection.close_callbacks.add(lambda *_: lost.set())
        channel = await connection.channel()
        channel.close_callbacks.add(lambda *_: lost.set())
        exchanges = {
            each.name: await channel.declare_exchange(each.name, aio_pika.ExchangeType.FANOUT, durable=True)
            for each in {*EXCHANGES, *(queue.exchange for queue in self._queues)}
        }
        for queue in self._queues:
            declared = await channel.declare_queue(queue.name, durable=True, arguments=_arguments(queue))
            await declared.bind(exchanges[queue.exchange.name])
        self._connection, self._exchanges = connection, exchanges
        self._there.set()
        return lost

    async def _send(self, exchange: AbstractExchange | None, key: str, message: aio_pika.Message) -> None:
        if exchange is None:
            raise BusUnavailable("RabbitMQ is away")
        try:
            # To a queue itself, which may be gone; who listens to an exchange is no concern of who speaks to it.
            straight = exchange.name == ""
            await exchange.publish(message, key, mandatory=straight, timeout=CONFIRM_SECONDS)
        except PublishError as error:
            raise Refused(f"there is no queue {key!r}") from error
        except DeliveryError as error:
            raise Refused("a queue is full") from error
        except _AWAY as error:
            raise BusUnavailable(f"RabbitMQ went away: {str(error) or type(error).__name__}") from error

    @asynccontextmanager
    async def _channel(self) -> AsyncIterator[AbstractChannel]:
        """A channel of its own. Raises BusUnavailable, in its body, too."""
        if self._connection is None:
            raise BusUnavailable("RabbitMQ is away")
        channel = self._connection.channel(on_return_raises=True)
        try:
            await channel.initialize()
            yield channel
        except _AWAY as error:
            raise BusUnavailable(f"RabbitMQ went away: {str(error) or type(error).__name__}") from error
        finally:
            if channel.is_initialized:
                await _leave(channel)

    async def _take(
        self, name: str, subscribe: _Subscribe, handle: _Handle, *, most: int, linger: float
    ) -> None:
        """Take messages until cancelled, on a channel of its own, and on another one when that is lost."""
        while True:
            await self._there.wait()
            try:
                async with self._channel() as channel:
                    arriving = Arriving()
                    channel.close_callbacks.add(arriving.end)
                    await subscribe(channel, arriving)
                    while (batch := await gather(arriving, most, linger)) is not None:
                        await handle(batch)
            except BusUnavailable as error:
                _log.info("%s begins again: %s", name, error)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _bury(self, queue: Queue, dead: Dead) -> None:
        letter = Letter(dead.message, dead.reason, queue.name)
        await self._send(self._exchanges.get(DEAD.name), "", enclosed(letter))


async def _leave(left: AbstractConnection | AbstractChannel) -> None:
    with suppress(*_AWAY):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await left.close()


def _arguments(queue: Queue) -> dict[str, Any]:
    return {
        "x-queue-type": "quorum",
        "x-max-length-bytes": queue.limit,
        "x-overflow": "reject-publish" if queue.when_full == "refuse" else "drop-head",
        "x-delivery-limit": DELIVERIES,
        **({} if queue.exchange == DEAD else {"x-dead-letter-exchange": DEAD.name}),
    }
