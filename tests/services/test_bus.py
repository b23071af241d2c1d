"""What the bus promises, of the one inside a process and of RabbitMQ alike; and what only RabbitMQ can be tried on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import SecretStr

from streamflow.shared.bus import (
    ALERTS,
    DEAD,
    EVENTS,
    Bus,
    BusUnavailable,
    Dead,
    Exchange,
    Letter,
    Message,
    Queue,
)
from streamflow.shared.bus.memory import MemoryBus
from streamflow.shared.bus.rabbit import RabbitBus
from streamflow.shared.wire import load

from .servers import Servers

ONE = Queue("one", EVENTS, 1 << 20)
TWO = Queue("two", EVENTS, 1 << 20)
SMALL = Queue("small", Exchange("little"), 2000)
NEWEST = Queue("newest", Exchange("news"), 2000, "drop oldest")
GRAVE = Queue("events.dead", DEAD, 1 << 20, "drop oldest")
QUEUES = (ONE, TWO, SMALL, NEWEST, GRAVE)
SECONDS = 60

Test = Callable[[Bus], Awaitable[None]]


@pytest.fixture(params=["memory", "rabbit"])
def on_bus(request: pytest.FixtureRequest) -> Callable[[Test], None]:
    """Runs a coroutine with a bus that has QUEUES, started and closed."""
    url = None if request.param == "memory" else request.getfixturevalue("rabbitmq_url")

    def run(test: Test) -> None:
        async def within() -> None:
            async with asyncio.timeout(SECONDS), open_bus(url) as bus:
                await test(bus)

        asyncio.run(within())

    return run


@asynccontextmanager
async def open_bus(url: str | None) -> Any:
    bus = MemoryBus(QUEUES) if url is None else RabbitBus(SecretStr(url), QUEUES)
    await bus.start()
    if isinstance(bus, RabbitBus):
        await bus.connected()
    try:
        yield bus
    finally:
        await bus.close()


class Taken:
    """A handler that keeps what it is given; `until` waits for so many messages."""

    def __init__(self, fails: int = 0, dead: Callable[[Message], str | None] = lambda _: None) -> None:
        self.batches: list[tuple[bytes, ...]] = []
        self.ids: list[str] = []
        self._fails = fails
        self._dead = dead
        self._news = asyncio.Event()

    async def __call__(self, batch: tuple[Message, ...]) -> tuple[Dead, ...]:
        if self._fails:
            self._fails -= 1
            raise OSError("the database is away")
        self.batches.append(tuple(message.body for message in batch))
        self.ids += [message.id for message in batch]
        self._news.set()
        return tuple(Dead(message, reason) for message in batch if (reason := self._dead(message)))

    @property
    def bodies(self) -> list[bytes]:
        return [body for batch in self.batches for body in batch]

    async def until(self, count: int) -> None:
        while len(self.bodies) < count:
            self._news.clear()
            await self._news.wait()


@asynccontextmanager
async def consuming(bus: Bus, queue: Queue, taken: Any, most: int = 10) -> Any:
    task = asyncio.create_task(bus.consume(queue, taken, most=most, linger=0.05))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def all_of(bus: Bus, count: int) -> tuple[Letter, ...]:
    """The dead letters as soon as they are so many."""
    found = await bus.letters(100)
    return found if len(found) == count else ()


async def lying(bus: Bus, count: int) -> bool:
    return len(await bus.letters(100)) == count


async def eventually(check: Callable[[], Awaitable[Any]]) -> Any:
    while not (found := await check()):  # noqa: ASYNC110 - what is waited for is outside of this process
        await asyncio.sleep(0.05)
    return found


def test_every_queue_of_an_exchange_gets_each_message_in_order(on_bus: Any) -> None:
    async def test(bus: Bus) -> None:
        for number in range(25):
            await bus.publish(EVENTS, Message(b"%d" % number, "cause"))
        one, two = Taken(), Taken()
        async with consuming(bus, ONE, one), consuming(bus, TWO, two):
            await one.until(25)
            await two.until(25)
        assert one.bodies == two.bodies == [b"%d" % number for number in range(25)]
        assert max(map(len, one.batches)) == 10

    on_bus(test)


def test_a_batch_whose_handler_fails_comes_again_whole(on_bus: Any) -> None:
    async def test(bus: Bus) -> None:
        taken = Taken(fails=1)
        async with consuming(bus, ONE, taken):
            await bus.publish(EVENTS, Message(b"1"))
            await taken.until(1)
            await bus.publish(EVENTS, Message(b"2"))
            await taken.until(2)
        assert taken.bodies == [b"1", b"2"]

    on_bus(test)


def test_what_was_being_handled_comes_again_to_the_next_consumer(on_bus: Any) -> None:
    async def test(bus: Bus) -> None:
        begun = asyncio.Event()

        async def never_ends(_: tuple[Message, ...]) -> tuple[Dead, ...]:
            begun.set()
            await asyncio.sleep(SECONDS)
            return ()

        await bus.publish(EVENTS, Message(b"1", id="the-id"))
        async with consuming(bus, ONE, never_ends):
            await begun.wait()
        taken = Taken()
        async with consuming(bus, ONE, taken):
            await taken.until(1)
        assert (taken.bodies, taken.ids) == ([b"1"], ["the-id"])

    on_bus(test)


def test_a_dead_letter_keeps_its_reason_blocks_nothing_and_can_be_put_back(on_bus: Any) -> None:
    async def test(bus: Bus) -> None:
        taken = Taken(dead=lambda message: "it is bad" if message.body == b"bad" else None)
        async with consuming(bus, ONE, taken):
            for body in (b"1", b"bad", b"2"):
                await bus.publish(EVENTS, Message(body, "cause", f"id-{body.decode()}"))
            await taken.until(3)
            (letter,) = await eventually(lambda: bus.letters(10))
        assert (letter.message, letter.reason, letter.queue) == (
            Message(b"bad", "cause", "id-bad"), "it is bad", "one",
        )  # fmt: skip
        assert len(await bus.letters(10)) == 1  # looking takes nothing away
        assert await bus.requeue(frozenset({"another"})) == 0
        assert await bus.requeue(frozenset({"id-bad"})) == 1
        healed = Taken()
        async with consuming(bus, ONE, healed):
            await healed.until(1)
        assert healed.bodies == [b"bad"]
        assert await bus.letters(10) == ()

    on_bus(test)


def test_putting_back_what_dies_again_at_once_comes_to_an_end(on_bus: Any) -> None:
    async def test(bus: Bus) -> None:
        taken = Taken(dead=lambda _: "always")
        async with consuming(bus, ONE, taken):
            for number in range(5):
                await bus.publish(EVENTS, Message(b"%d" % number))
            await taken.until(5)
            await eventually(lambda: lying(bus, 5))
            assert await bus.requeue(None) == 5
            await taken.until(10)
            await eventually(lambda: lying(bus, 5))

    on_bus(test)


def test_the_longest_ids_and_reasons_block_nothing(on_bus: Any) -> None:
    async def test(bus: Bus) -> None:
        taken = Taken(dead=lambda message: "Ä" * 200_000 if message.body == b"bad" else None)
        async with consuming(bus, ONE, taken):
            await bus.publish(EVENTS, Message(b"bad", "ü" * 200, "i" * 255))
            await bus.publish(EVENTS, Message(b"good", "ü" * 200, "é" * 200))
            await taken.until(2)
            (letter,) = await eventually(lambda: bus.letters(10))
        assert taken.bodies == [b"bad", b"good"]
        assert letter.message.id == "i" * 255
        assert letter.message.correlation_id is not None
        assert letter.message.correlation_id.startswith("ü" * 127)
        assert letter.reason == "Ä" * 999 + "…"

    on_bus(test)


def test_what_is_no_event_in_a_message_of_a_long_id_is_buried_piece_by_piece(on_bus: Any) -> None:
    async def test(bus: Bus) -> None:
        async def read(batch: tuple[Message, ...]) -> tuple[Dead, ...]:
            return tuple(dead for message in batch for dead in load(message)[1])

        async with consuming(bus, ONE, read):
            await bus.publish(EVENTS, Message(json.dumps([1, {"x" * 200_000: 2}]).encode(), id="i" * 255))
            first, second = await eventually(lambda: all_of(bus, 2))
        assert first.message.id != second.message.id
        assert (first.message.body, second.message.body[:5]) == (b"[1]", b'[{"xx')
        assert max(len(first.reason), len(second.reason)) <= 1000

    on_bus(test)


def test_looking_however_often_keeps_the_letters_and_their_order(on_bus: Any) -> None:
    async def test(bus: Bus) -> None:
        async with consuming(bus, ONE, Taken(dead=lambda _: "it is bad")):
            for number in range(3):
                await bus.publish(EVENTS, Message(b"%d" % number, "cause", f"id-{number}"))
            before = await eventually(lambda: all_of(bus, 3))
        for _ in range(25):
            assert await bus.letters(10) == before
        for _ in range(25):
            assert await bus.requeue(frozenset({"another"})) == 0
            assert await bus.drop(frozenset({"another"})) == 0
        assert await bus.letters(10) == before

    on_bus(test)


def test_a_full_queue_refuses_and_takes_again_when_there_is_room(on_bus: Any) -> None:
    async def test(bus: Bus) -> None:
        accepted, refusal = 0, None
        while refusal is None and accepted < 50:
            try:
                await bus.publish(SMALL.exchange, Message(b"x" * 500))
                accepted += 1
            except BusUnavailable as error:
                refusal = error
        assert "full" in str(refusal)
        assert accepted >= 3
        taken = Taken()
        async with consuming(bus, SMALL, taken):
            await taken.until(accepted)
            await bus.publish(SMALL.exchange, Message(b"y"))
            await taken.until(accepted + 1)

    on_bus(test)


def test_a_queue_of_news_drops_the_oldest(on_bus: Any) -> None:
    async def test(bus: Bus) -> None:
        for number in range(50):
            await bus.publish(NEWEST.exchange, Message(b"%d" % number + b"x" * 500))
        taken = Taken()
        async with consuming(bus, NEWEST, taken):
            await taken.until(3)
        assert taken.bodies[-1].startswith(b"49x")
        assert len(taken.bodies) < 10

    on_bus(test)


def test_watchers_see_what_comes_from_now_on(on_bus: Any) -> None:
    async def test(bus: Bus) -> None:
        await bus.publish(ALERTS, Message(b"before"))
        seen: list[bytes] = []

        async def watcher(message: Message) -> None:
            seen.append(message.body)

        watching = asyncio.create_task(bus.watch(ALERTS, watcher))

        async def published() -> bool:
            await bus.publish(ALERTS, Message(json.dumps({"after": True}).encode()))
            return bool(seen)

        await eventually(published)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        assert set(seen) == {b'{"after": true}'}

    on_bus(test)


class TestRabbitAway:
    def test_it_refuses_at_once_and_is_back_by_itself_with_all_that_it_had(
        self, rabbitmq_url: str, servers: Servers
    ) -> None:
        async def test() -> None:
            async with asyncio.timeout(2 * SECONDS), open_bus(rabbitmq_url) as bus:
                taken = Taken()
                for number in range(20):
                    await bus.publish(EVENTS, Message(b"%d" % number))
                async with consuming(bus, TWO, taken):
                    await taken.until(20)
                    await asyncio.to_thread(servers.kill, "rabbitmq")
                    with pytest.raises(BusUnavailable, match="away"):
                        await bus.publish(EVENTS, Message(b"lost"))
                    await asyncio.to_thread(servers.start, "rabbitmq")
                    await bus.connected()
                    await bus.publish(EVENTS, Message(b"20"))
                    await taken.until(21)
                one = Taken()
                async with consuming(bus, ONE, one):
                    await one.until(21)
                assert one.bodies == [b"%d" % number for number in range(21)]

        asyncio.run(test())

    def test_a_letter_whose_queue_is_gone_stays(self, rabbitmq_url: str) -> None:
        async def test() -> None:
            async with asyncio.timeout(SECONDS), open_bus(rabbitmq_url) as bus:
                await bus.publish(DEAD, Message(b"lost"))
                await eventually(lambda: lying(bus, 1))
                with pytest.raises(BusUnavailable, match="there is no queue"):
                    await bus.requeue(None)
                assert await eventually(lambda: lying(bus, 1))

        asyncio.run(test())

    def test_what_ends_its_consumer_again_and_again_is_buried(self, rabbitmq_url: str) -> None:
        async def test() -> None:
            async with asyncio.timeout(2 * SECONDS), open_bus(rabbitmq_url) as bus:
                await bus.publish(EVENTS, Message(b"deadly", id="deadly"))
                for _ in range(25):
                    async with bus._channel() as channel:
                        queue = await channel.get_queue("one", ensure=False)
                        if (got := await queue.get(fail=False)) is not None:
                            await got.nack(requeue=True)
                (letter,) = await eventually(lambda: bus.letters(10))
                assert letter.message.id == "deadly"
                assert letter.queue == "one"
                assert letter.reason == "delivered 20 times and never handled"

        asyncio.run(test())


def test_a_bus_in_the_process_drains_into_its_consumers(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        bus = MemoryBus((ONE, NEWEST))
        taken = Taken()

        async def hand_on(batch: tuple[Message, ...]) -> tuple[Dead, ...]:
            await asyncio.sleep(0.01)
            for message in batch:
                await bus.publish(NEWEST.exchange, message)
            return ()

        await bus.drain(SECONDS)
        async with asyncio.timeout(SECONDS), consuming(bus, ONE, hand_on), consuming(bus, NEWEST, taken):
            for number in range(25):
                await bus.publish(EVENTS, Message(b"%d" % number))
            await bus.drain(SECONDS)
            assert taken.bodies == [b"%d" % number for number in range(25)]
        assert caplog.messages == []

        await bus.publish(EVENTS, Message(b"nobody takes it"))
        await bus.drain(0.05)
        assert caplog.messages == ["1 messages of one were not handled within 0.05 s"]

    asyncio.run(test())
