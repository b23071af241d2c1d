"""Analytics as processes on real servers, which are killed: the figures stay exact."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from pydantic import SecretStr

from streamflow.analytics.app import Settings
from streamflow.shared.auth import mint
from streamflow.shared.bus import ANALYTICS, EVENTS, BusUnavailable, Message
from streamflow.shared.bus.rabbit import RabbitBus
from streamflow.shared.events import Event
from streamflow.shared.windows.snapshot import WindowSnapshot
from streamflow.shared.wire import dump

from . import analytics_reference as reference
from .conftest import Running
from .servers import Servers

Start = Callable[..., Running]
READER = {"Authorization": f"Bearer {mint(Settings().jwt_secret_key, 'reader', 'read', 24 * 3600)}"}
SECONDS = 120
QUICK = 10.0


@asynccontextmanager
async def open_bus(url: str) -> AsyncIterator[RabbitBus]:
    bus = RabbitBus(SecretStr(url))
    await bus.start()
    await bus.connected()
    yield bus
    await bus.close()


def varied(count: int) -> list[Event]:
    """Events of all kinds in the last ten minutes."""
    now = datetime.now(UTC)
    kinds: list[dict[str, Any]] = [
        {"type": "api.response", "data": {"status": 200, "latency_ms": 3.5}},
        {"type": "api.response", "data": {"status": 503, "duration_ms": 800}},
        {"type": "error", "severity": "critical"},
        {"type": "web.click"},
    ]
    return [
        Event.model_validate(
            {
                "source": f"source {number % 27}",
                "timestamp": now - timedelta(seconds=number % 600),
                "user_id": f"user {number % 500}",
                **kinds[number % len(kinds)],
            }
        )
        for number in range(count)
    ]


def messages_of(events: list[Event], size: int) -> list[Message]:
    return [Message(dump(tuple(events[at : at + size]))) for at in range(0, len(events), size)]


async def publish_surely(bus: RabbitBus, message: Message) -> None:
    """Again and again, as a client does whose request was not accepted."""
    while True:
        try:
            await bus.publish(EVENTS, message)
        except BusUnavailable:
            await asyncio.sleep(0.1)
        else:
            return


def told(url: str, name: str) -> list[WindowSnapshot]:
    deadline = time.monotonic() + QUICK
    while True:
        answer = httpx.get(f"{url}/windows/{name}", params={"limit": 100}, headers=READER, timeout=QUICK)
        if answer.status_code != 503 or time.monotonic() > deadline:  # Redis may be reading its data
            break
        time.sleep(0.2)
    assert answer.status_code == 200, answer.text
    return [WindowSnapshot.model_validate(each) for each in answer.json()]


def counted(url: str) -> float:
    lines = httpx.get(f"{url}/metrics", timeout=QUICK).text.splitlines()
    (value,) = (line.split()[1] for line in lines if line.startswith("events_counted_total "))
    return float(value)


async def in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    return await asyncio.to_thread(function, *arguments)


async def until_counted(url: str, count: int) -> None:
    while sum(each.count for each in await in_thread(told, url, "1h")) < count:  # noqa: ASYNC110
        await asyncio.sleep(0.3)
    await asyncio.sleep(0.5)  # what is counted twice shows by now


def assert_exact(url: str, events: list[Event]) -> None:
    for name in ("1m", "5m", "1h"):
        expected = reference.windows_of(events, name)
        found = told(url, name)
        assert [each.start for each in found] == sorted(expected, reverse=True)
        for each in found:
            reference.assert_tells(each, expected[each.start])


def test_replicas_that_are_killed_count_exactly(start: Start, rabbitmq_url: str, redis_url: str) -> None:
    events = varied(100_000)  # more than are sent while three processes are killed and started
    messages = messages_of(events, 25)

    def replica() -> Running:
        return start("analytics", RABBITMQ_URL=rabbitmq_url, REDIS_URL=redis_url)

    async def within() -> None:
        async with asyncio.timeout(SECONDS), open_bus(rabbitmq_url) as bus:
            replicas = [replica(), replica()]
            done = asyncio.Event()

            async def send() -> int:
                sent = 0
                while not done.is_set():
                    await publish_surely(bus, messages[sent])
                    if sent % 10 == 0:  # comes again, as when a client didn't learn that it was accepted
                        await publish_surely(bus, messages[sent // 2])
                    sent += 1
                    await asyncio.sleep(0.008)
                return sent

            sending = asyncio.create_task(send())
            for number in range(3):
                victim = replicas[number % 2]
                while await in_thread(counted, victim.url) < 500:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
                await in_thread(victim.stop, signal.SIGKILL)
                replicas[number % 2] = await in_thread(replica)
            done.set()
            accepted = events[: 25 * await sending]
            await until_counted(replicas[0].url, len(accepted))
            await in_thread(assert_exact, replicas[1].url, accepted)
            assert [each.stop() for each in replicas] == [0, 0]

    asyncio.run(within())


def test_redis_that_is_killed_loses_nothing(
    start: Start, servers: Servers, rabbitmq_url: str, redis_url: str
) -> None:
    events = varied(9_000)
    messages = messages_of(events, 30)
    running = start("analytics", RABBITMQ_URL=rabbitmq_url, REDIS_URL=redis_url)

    async def within() -> None:
        async with asyncio.timeout(SECONDS), open_bus(rabbitmq_url) as bus:
            for message in messages[:100]:
                await publish_surely(bus, message)
            await in_thread(servers.kill, "redis")
            for message in messages[100:200]:
                await publish_surely(bus, message)
            answer = await in_thread(
                lambda: httpx.get(f"{running.url}/trends", headers=READER, timeout=QUICK)
            )
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
            ready = await in_thread(lambda: httpx.get(f"{running.url}/ready", timeout=QUICK))
            assert ready.status_code == 503
            checks = ready.json()["checks"]
            assert [checks[name]["status"] for name in ("rabbitmq", "redis")] == ["ok", "unavailable"]
            await in_thread(servers.start, "redis")
            for message in messages[200:]:
                await publish_surely(bus, message)
            await until_counted(running.url, len(events))
            await in_thread(assert_exact, running.url, events)
            ready = await in_thread(lambda: httpx.get(f"{running.url}/ready", timeout=QUICK))
            assert ready.status_code == 200

    asyncio.run(within())


def test_it_starts_while_its_servers_are_away_and_stops_meanwhile(
    start: Start, servers: Servers, rabbitmq_url: str, redis_url: str
) -> None:
    servers.kill("redis")
    running = start("analytics", RABBITMQ_URL=rabbitmq_url, REDIS_URL=redis_url)
    (event,) = varied(1)

    async def within() -> None:
        async with asyncio.timeout(SECONDS), open_bus(rabbitmq_url) as bus:
            # The queue may not be declared yet when the bus here is there, for its own start declares it.
            await publish_surely(bus, Message(dump((event,))))
            await asyncio.sleep(1)
            began = time.monotonic()
            assert await in_thread(running.stop) == 0
            assert time.monotonic() - began < 10
            await in_thread(servers.start, "redis")
            # What was being handled comes again to the next one.
            after = start("analytics", RABBITMQ_URL=rabbitmq_url, REDIS_URL=redis_url)
            await until_counted(after.url, 1)
            await in_thread(assert_exact, after.url, [event])

    asyncio.run(within())
    assert running.errors() == ""


def test_replicas_publish_each_closing_once(start: Start, rabbitmq_url: str, redis_url: str) -> None:
    settings = {"RABBITMQ_URL": rabbitmq_url, "REDIS_URL": redis_url, "WINDOW_GRACE_SECONDS": "2"}
    replicas = [start("analytics", **settings) for _ in range(3)]
    now = datetime.now(UTC)
    events = varied(3000)
    ended = {start for start in reference.windows_of(events, "1m") if start + timedelta(seconds=60) < now}

    async def within() -> None:
        published: list[WindowSnapshot] = []

        async def take(message: Message) -> None:
            published.append(WindowSnapshot.model_validate_json(message.body))

        async with asyncio.timeout(SECONDS), open_bus(rabbitmq_url) as bus:
            watching = asyncio.create_task(bus.watch(ANALYTICS, take))
            await asyncio.sleep(0.5)
            # Together, so that each window is complete before it is published.
            await bus.publish(EVENTS, Message(dump(tuple(events[:1000]))))
            while not ended <= {one.start for one in published if one.closed and one.window == "1m"}:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            await asyncio.sleep(6)  # longer than the lease
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        closings = Counter((each.window, each.start) for each in published if each.closed)
        assert set(closings.values()) == {1}
        assert {start for window, start in closings if window == "1m"} >= ended
        seen: dict[tuple[str, datetime], int] = {}
        for each in published:
            assert each.revision > seen.get((each.window, each.start), 0)
            seen[each.window, each.start] = each.revision
        assert sum(counted(each.url) for each in replicas) == 1000

    asyncio.run(within())
