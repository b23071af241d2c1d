"""The dead letters on RabbitMQ: looked at, put back, forgotten."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractIncomingMessage

from streamflow.shared.bus import DEAD_LETTERS, BusUnavailable, Letter, NotPutBack
from streamflow.shared.bus.amqp import enclosed, encoded, letter_of

# A letter that was looked at this often is laid down anew: far enough below the limit for looks that break off.
_LOOKS = 10
_REQUEUED = 10_000  # letters that are looked through at once

Channels = Callable[[], AbstractAsyncContextManager[AbstractChannel]]
Send = Callable[[AbstractExchange, str, aio_pika.Message], Awaitable[None]]


class Refused(BusUnavailable):
    """The broker is there, and doesn't take this message."""


class DeadLetters:
    """The queue of dead letters, on channels of its own; `send` raises Refused and BusUnavailable."""

    def __init__(self, channels: Channels, send: Send) -> None:
        self._channel = channels
        self._send = send

    async def look(self, most: int) -> tuple[Letter, ...]:
        """The oldest letters, which stay. Raises BusUnavailable."""
        found: list[AbstractIncomingMessage] = []
        async with self._channel() as channel:
            queue = await channel.get_queue(DEAD_LETTERS.name, ensure=False)
            while len(found) < most and (arrived := await queue.get(fail=False)) is not None:
                found.append(arrived)
            await self._renew(channel, found)
        # The channel's end puts them all back, in their order.
        return tuple(letter_of(arrived) for arrived in found)

    async def take_out(self, ids: frozenset[str] | None, *, put_back: bool) -> int:
        """Put letters back where they came from, or forget them; how many. Raises BusUnavailable, NotPutBack."""
        count = 0
        left: list[tuple[Letter, str]] = []
        async with self._channel() as channel:
            queue = await channel.get_queue(DEAD_LETTERS.name, ensure=False)
            # Taken before any is put back, for what dies again at once would be taken again.
            taken: list[AbstractIncomingMessage] = []
            while len(taken) < _REQUEUED and (arrived := await queue.get(fail=False)) is not None:
                taken.append(arrived)
            others: list[AbstractIncomingMessage] = []  # which stay
            for arrived in taken:
                letter = letter_of(arrived)
                if ids is not None and letter.message.id not in ids:
                    others.append(arrived)
                    continue
                try:
                    if put_back:
                        await self._send(channel.default_exchange, letter.queue, encoded(letter.message))
                except Refused as error:
                    left.append((letter, str(error)))
                    others.append(arrived)
                    continue
                await arrived.ack()
                count += 1
            await self._renew(channel, others)
        if left:
            raise NotPutBack(count, tuple(left))
        return count

    async def _renew(self, channel: AbstractChannel, seen: list[AbstractIncomingMessage]) -> None:
        """See to it that letters which were only looked at are there for ever.

        To look is to be delivered, and the queue's limit of deliveries would delete what was seen too often. The
        queue can't do without one: a queue that exists keeps its arguments, and RabbitMQ 4 has a limit of its own,
        which 3 knows no word against. So before they reach it, all of them are replaced by letters that are new.
        """
        if not any(int(str(each.headers.get("x-delivery-count", 0))) >= _LOOKS for each in seen):
            return
        for arrived in seen:
            await self._send(channel.default_exchange, DEAD_LETTERS.name, enclosed(letter_of(arrived)))
            await arrived.ack()
