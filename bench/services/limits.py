"""What the servers do for a client that does nothing else: the measure for the services' figures."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from pathlib import Path

import aio_pika
import asyncpg
from pydantic import SecretStr, TypeAdapter
from traffic import events

from streamflow.shared.bus import EVENTS
from streamflow.shared.bus.rabbit import RabbitBus
from streamflow.shared.events import Event
from streamflow.shared.wire import dump

_MESSAGES = 20
_BYTES = 200_000_000
"""Below what the queues, from which nobody takes, hold before they refuse."""


async def publish(url: str, size: int, parallel: int, seconds: float) -> float:
    """Events a second that a loop publishes which waits for the confirms: so many in a message, so many on their way.

    To the services' own exchange and queues, which are made, persistent as the services send them.
    """
    bodies = [_body(size, seed) for seed in range(_MESSAGES)]
    bus = RabbitBus(SecretStr(url))
    await bus.start()
    await bus.connected()
    await bus.close()
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange(EVENTS.name, ensure=False)
        turns = itertools.cycle(bodies)
        published = sent = 0
        began = time.perf_counter()

        async def loop() -> None:
            nonlocal published, sent
            while time.perf_counter() - began < seconds and sent < _BYTES:
                body = next(turns)
                sent += len(body)
                message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
                await exchange.publish(message, "", mandatory=False)
                published += 1

        await asyncio.gather(*(loop() for _ in range(parallel)))
        return published * size / (time.perf_counter() - began)


async def copy(url: str, file: Path, rows: int, runs: int) -> list[float]:
    """Rows a second of COPY, of rows that storage has stored, into a table with the same indexes; each run anew."""
    connection = await asyncpg.connect(url)
    try:
        stored = "SELECT * FROM events LIMIT $1"
        await connection.copy_from_query(stored, rows, output=file, format="binary")
        rates = []
        for _ in range(runs):
            await connection.execute("DROP TABLE IF EXISTS copied")
            await connection.execute("CREATE TABLE copied (LIKE events INCLUDING ALL)")
            await connection.execute("CHECKPOINT")
            began = time.perf_counter()
            told = await connection.copy_to_table("copied", source=file, format="binary")
            rates.append(int(told.split()[1]) / (time.perf_counter() - began))
        return rates
    finally:
        await connection.close()


async def stored_rows(url: str) -> int:
    """How many rows storage's table has."""
    connection = await asyncpg.connect(url)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM events"))
    finally:
        await connection.close()


def _body(size: int, seed: int) -> bytes:
    parsed: Sequence[Event] = TypeAdapter(tuple[Event, ...]).validate_python(events(size, seed))
    return dump(tuple(parsed))
