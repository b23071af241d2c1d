"""Alerting as it is run: processes that share PostgreSQL and RabbitMQ, and what befalls these."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from streamflow.alerting.store.postgres import PostgresStore
from streamflow.shared.bus import ALERTS, ANALYTICS, Message
from streamflow.shared.bus.rabbit import RabbitBus

from .desk import KEY, WRITE, Desk, Hook, desk, free_port, until, window

Start = Callable[..., Any]


@pytest.fixture
def replica(start: Start, postgres_url: str, rabbitmq_url: str) -> Callable[..., Any]:
    """Start a replica on the test's own database and queues."""

    def begin(**settings: str) -> Any:
        shared = {
            "DATABASE_URL": postgres_url,
            "RABBITMQ_URL": rabbitmq_url,
            "JWT_SECRET_KEY": KEY.get_secret_value(),
        }
        return start("alerting", **shared | settings)

    return begin


@contextlib.asynccontextmanager
async def way_to(running: Any, rabbitmq_url: str) -> AsyncIterator[Desk]:
    """A replica that is ready, a bus to it, and what it publishes."""
    bus = RabbitBus(SecretStr(rabbitmq_url))
    await bus.start()
    async with httpx.AsyncClient(base_url=running.url, headers=WRITE, timeout=10) as client:

        async def ready() -> bool:
            return (await client.get("/ready")).status_code == 200

        await until(ready, 30)
        opened = Desk(client, bus)

        async def note(message: Message) -> None:
            opened.changes.append({"id": message.id, "cause": message.correlation_id, "body": message.body})

        watching = asyncio.create_task(bus.watch(ALERTS, note))
        await asyncio.sleep(0.5)  # until it watches
        try:
            yield opened
        finally:
            watching.cancel()
            await bus.close()


def test_replicas_fire_one_alert_and_send_one_notification(
    replica: Callable[..., Any], rabbitmq_url: str, hook: Hook
) -> None:
    replicas = [replica() for _ in range(3)]

    async def run() -> None:
        async with way_to(replicas[0], rabbitmq_url) as alerting:
            for number in range(5):
                await alerting.add(name=str(number), channels=[{"kind": "webhook", "url": hook.url()}])
            # Spread over the replicas by the queue, and each of them twice.
            windows = [window(minute, revision) for minute in range(10) for revision in (1, 2)]
            await alerting.publish(*[each for each in windows for _ in range(2)])

            async def all_fired() -> bool:
                return len(await alerting.alerts()) == 5

            await until(all_fired)

            async def all_sent() -> bool:
                return len(hook.calls) >= 5

            await until(all_sent)
            await asyncio.sleep(2)  # the time in which there would be more
            alerts = await alerting.alerts()
            assert sorted(alert["rule_name"] for alert in alerts) == list("01234")
            assert {alert["version"] for alert in alerts} == {1}
            assert sorted(call.json["alert"]["id"] for call in hook.calls) == sorted(
                alert["id"] for alert in alerts
            )
            assert len(alerting.changes) == 5
            assert len({change["id"] for change in alerting.changes}) == 5

            # They end together, too.
            await alerting.publish(*[window(20, error_rate=0.0)] * 6)

            async def all_resolved() -> bool:
                return len(await alerting.alerts(state="resolved")) == 5

            await until(all_resolved)
            await asyncio.sleep(1)
            assert len(alerting.changes) == 10

    asyncio.run(run())
    for each in replicas:
        assert each.stop() == 0
        assert each.errors() == ""


def test_apps_that_judge_the_same_window_at_once_fire_once(postgres_url: str, hook: Hook) -> None:
    """Each has a bus of its own, so that every one of them gets every window."""

    async def run() -> None:
        async with contextlib.AsyncExitStack() as stack:
            desks = [
                await stack.enter_async_context(desk(PostgresStore(SecretStr(postgres_url))))
                for _ in range(4)
            ]

            async def ready() -> bool:
                return all([(await each.client.get("/ready")).status_code == 200 for each in desks])

            await until(ready)
            made = [
                await desks[0].add(name=str(number), channels=[{"kind": "webhook", "url": hook.url()}])
                for number in range(5)
            ]
            for minute in range(6):
                fulfilled = 0.0 if minute % 2 else 0.5
                await asyncio.gather(*(each.publish(window(minute, error_rate=fulfilled)) for each in desks))
                for each in desks:
                    await each.judged()
            for rule in made:
                alerts = await desks[0].alerts(rule=rule["id"])
                assert [alert["state"] for alert in alerts] == ["resolved"] * 3
                assert {alert["version"] for alert in alerts} == {2}

            async def all_sent() -> bool:
                return len(hook.calls) >= 30

            await until(all_sent)
            await asyncio.sleep(1.5)
            assert len(hook.calls) == 30  # each fired and was resolved
            assert len({call.headers["x-streamflow-notification"] for call in hook.calls}) == 30
            changes = [
                change for each in desks for change in each.changes if change["alert"]["rule_name"] != "probe"
            ]
            assert len(changes) == 30

    asyncio.run(run())


def test_a_notification_whose_sender_is_killed_is_sent_by_the_next_one(
    replica: Callable[..., Any], rabbitmq_url: str, hook: Hook
) -> None:
    hook.answers = [0]  # the first sender waits for an answer when it is killed
    first = replica(NOTIFICATION_TIMEOUT_SECONDS="1.5")

    async def fire() -> str:
        async with way_to(first, rabbitmq_url) as alerting:
            await alerting.add(channels=[{"kind": "webhook", "url": hook.url()}])
            await alerting.publish(window())
            alert = await alerting.fired()
            await until(hook.called)
            first.stop(signal.SIGKILL)
            return str(alert["id"])

    async def follow(alert_id: str) -> None:
        async with way_to(replica(), rabbitmq_url) as alerting:
            (told,) = await alerting.notified(alert_id, "sent")
            assert told["attempts"] == 2
            assert [call.headers["x-streamflow-notification"] for call in hook.calls] == [told["id"]] * 2

    alert_id = asyncio.run(fire())
    asyncio.run(follow(alert_id))


def test_nothing_is_lost_when_they_are_killed_again_and_again(
    replica: Callable[..., Any], rabbitmq_url: str, hook: Hook
) -> None:
    """Windows come all the while; at the end each rule has its alert, and each alert its notification."""

    async def run() -> None:
        running = replica(NOTIFICATION_TIMEOUT_SECONDS="1")
        async with way_to(running, rabbitmq_url) as alerting:
            for number in range(20):
                await alerting.add(
                    name=str(number),
                    condition=f"count > {number} over 1m",
                    channels=[{"kind": "webhook", "url": hook.url()}],
                )
            for count in range(1, 21):
                await alerting.publish(window(count, count=count))
                if count % 5 == 0:
                    await asyncio.sleep(0.1)
                    running.stop(signal.SIGKILL)
                    running = replica(NOTIFICATION_TIMEOUT_SECONDS="1")
        async with way_to(running, rabbitmq_url) as alerting:

            async def all_fired() -> bool:
                return {alert["rule_name"] for alert in await alerting.alerts()} == set(map(str, range(20)))

            await until(all_fired, 20)

            async def all_sent() -> bool:
                told = {call.json["alert"]["id"] for call in hook.calls}
                return told == {alert["id"] for alert in await alerting.alerts()}

            await until(all_sent, 20)
            assert len(await alerting.alerts()) == 20

    asyncio.run(run())


def test_without_its_database_it_starts_answers_503_and_recovers(
    start: Start, servers: Any, postgres_url: str, rabbitmq_url: str, hook: Hook
) -> None:
    async def run() -> None:
        servers.kill("postgres")
        running = start(
            "alerting",
            DATABASE_URL=postgres_url,
            RABBITMQ_URL=rabbitmq_url,
            JWT_SECRET_KEY=KEY.get_secret_value(),
        )
        async with httpx.AsyncClient(base_url=running.url, headers=WRITE, timeout=10) as client:
            ready = await client.get("/ready")
            assert (ready.status_code, ready.json()["checks"]["postgres"]["status"]) == (503, "unavailable")
            for method, path, request in (
                ("GET", "/rules", {}),
                ("GET", "/alerts", {}),
                ("GET", "/statistics", {}),
                ("GET", "/retention", {}),
                ("POST", "/retention/run", {}),
                ("POST", "/rules", {"json": {"name": "a", "condition": "count > 1 over 1m"}}),
            ):
                answer = await client.request(method, path, **request)
                assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
                assert answer.json()["error"]["code"] == "service_unavailable"
        await asyncio.to_thread(servers.start, "postgres")
        async with way_to(running, rabbitmq_url) as alerting:
            await alerting.add(channels=[{"kind": "webhook", "url": hook.url()}])
            # And once more, while it runs: windows wait until the database is back.
            await asyncio.to_thread(servers.kill, "postgres")
            await alerting.publish(window())
            await alerting.call("GET", "/alerts", 503)
            await asyncio.to_thread(servers.start, "postgres")

            async def back() -> bool:
                return (await alerting.client.get("/alerts")).status_code == 200

            await until(back, 30)
            alert = await until(lambda: _one(alerting), 30)
            await alerting.notified(alert["id"], "sent")
        began = time.monotonic()
        assert await asyncio.to_thread(running.stop) == 0
        assert time.monotonic() - began < 10
        assert running.errors() == ""

    asyncio.run(run())


async def _one(alerting: Desk) -> Any:
    answer = await alerting.client.get("/alerts")
    return next(iter(answer.json()["alerts"]), None) if answer.status_code == 200 else None


def test_it_ends_in_time_while_nothing_answers(start: Start) -> None:
    running = start(
        "alerting",
        DATABASE_URL=f"postgresql://user:geheim@127.0.0.1:{free_port()}/streamflow",
        RABBITMQ_URL=f"amqp://user:geheim@127.0.0.1:{free_port()}/",
    )
    began = time.monotonic()
    assert running.stop() == 0
    assert time.monotonic() - began < 5
    assert "geheim" not in "".join(running.lines) + running.errors()


def test_replicas_that_start_at_once_make_the_tables_once(postgres_url: str) -> None:
    async def run() -> None:
        stores = [PostgresStore(SecretStr(postgres_url)) for _ in range(8)]
        await asyncio.gather(*(store.start() for store in stores))

        def applied(store: PostgresStore) -> Callable[[], Awaitable[Any]]:
            async def versions() -> Any:
                with contextlib.suppress(Exception):
                    async with store.transaction() as session:
                        return await session.rows("SELECT version FROM alerting_schema")
                return None

            return versions

        for store in stores:
            assert await until(applied(store)) == [{"version": 1}, {"version": 2}]
        await asyncio.gather(*(store.close() for store in stores))

    asyncio.run(run())


def test_a_window_from_the_bus_reaches_the_queue_of_alerting(rabbitmq_url: str) -> None:
    """What is published before any replica runs is judged by the first one."""

    async def run() -> None:
        bus = RabbitBus(SecretStr(rabbitmq_url))
        await bus.start()

        async def published() -> bool:
            with contextlib.suppress(Exception):
                await bus.publish(ANALYTICS, Message(b"no window", "early"))
                return True
            return False

        await until(published)
        async with desk(bus=RabbitBus(SecretStr(rabbitmq_url))):

            async def dead() -> Any:
                return await bus.letters(10)

            (letter,) = await until(dead)
            assert letter.reason.startswith("not a window: it: Invalid JSON")
            assert (letter.queue, letter.message.correlation_id) == ("alerting.windows", "early")
        await bus.close()

    asyncio.run(run())
