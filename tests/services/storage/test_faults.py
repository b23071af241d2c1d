"""Storage as processes on real servers, while those and it itself are killed: nothing is lost, nothing twice."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx
from pydantic import SecretStr

from streamflow.shared.bus import DEAD_LETTERS, EVENTS, STORAGE_EVENTS, BusUnavailable, Message
from streamflow.shared.bus.rabbit import RabbitBus
from streamflow.shared.wire import dump

from .running import KEY, SECONDS, bearer, made, query

Running = Any  # as in conftest.py above
Start = Callable[..., Running]
COUNT = "SELECT count(*) FROM events"
QUEUES = (STORAGE_EVENTS, DEAD_LETTERS)


def wait_until(holds: Callable[[], bool], seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.1)


def ready(running: Running) -> httpx.Response:
    return httpx.get(f"{running.url}/ready", timeout=SECONDS)


def wait_until_ready(running: Running) -> None:
    wait_until(lambda: ready(running).status_code == 200)


def publish(url: str, messages: int, events: int, pause: float = 0.0) -> int:
    """Publish so many messages of so many events, each until it is confirmed; how many events."""

    async def send() -> None:
        bus = RabbitBus(SecretStr(url), QUEUES)
        await bus.start()
        try:
            for _ in range(messages):
                message = Message(dump(tuple(made(timestamp=datetime.now(UTC)) for _ in range(events))))
                while True:
                    try:
                        await bus.publish(EVENTS, message)
                        break
                    except BusUnavailable:
                        await asyncio.sleep(0.1)
                await asyncio.sleep(pause)
        finally:
            await bus.close()

    asyncio.run(send())
    return messages * events


def left(url: str) -> int:
    """Messages in the queue and among the dead letters, handed out or not, once consumers are gone."""

    async def count() -> int:
        import aio_pika

        async with await aio_pika.connect(url) as connection, connection.channel() as channel:
            found = 0
            for queue in QUEUES:
                declared = await channel.declare_queue(queue.name, passive=True)
                found += declared.declaration_result.message_count or 0
            return found

    return asyncio.run(count())


def settings(database: str, broker: str | None = None) -> dict[str, str]:
    needed = {"DATABASE_URL": database, "JWT_SECRET_KEY": KEY.get_secret_value()}
    return needed if broker is None else needed | {"RABBITMQ_URL": broker}


def test_replicas_that_start_at_once_migrate_once(start: Start, postgres_url: str) -> None:
    gate = threading.Barrier(3)

    def begin(_: int) -> Running:
        gate.wait()
        return start("storage", **settings(postgres_url))

    with ThreadPoolExecutor(3) as pool:
        replicas = list(pool.map(begin, range(3)))
    for replica in replicas:
        wait_until_ready(replica)
        answer = httpx.get(f"{replica.url}/events", headers=bearer())
        assert (answer.status_code, answer.json()) == (200, {"events": [], "next": None})
        assert replica.stop() == 0
        assert replica.errors() == ""
    messages = [str(record["message"]) for replica in replicas for record in replica.records()]
    assert len([message for message in messages if message.startswith("Running upgrade")]) == 1
    assert not [message for message in messages if "can't be prepared" in message]
    assert query(postgres_url, "SELECT count(*) FROM storage_version") == 1


def test_a_database_that_comes_later_is_waited_for(start: Start, postgres_url: str, servers: Any) -> None:
    servers.kill("postgres")
    running = start("storage", **settings(postgres_url))
    away = ready(running)
    asked = httpx.get(f"{running.url}/events", headers=bearer())
    alive = httpx.get(f"{running.url}/health")
    servers.start("postgres")
    wait_until_ready(running)

    assert away.status_code == 503
    assert away.json()["checks"]["postgres"]["status"] == "unavailable"
    assert alive.status_code == 200
    assert (asked.status_code, asked.headers["Retry-After"]) == (503, "2")
    assert asked.json()["error"]["message"] == "the database doesn't answer"
    assert httpx.get(f"{running.url}/events", headers=bearer()).status_code == 200
    assert running.stop() == 0
    assert "Traceback" not in "".join(running.lines)
    assert "streamflow:streamflow" not in "".join(running.lines)


def test_nothing_is_consumed_while_the_database_is_away(
    start: Start, rabbitmq_url: str, postgres_url: str, servers: Any
) -> None:
    servers.kill("postgres")
    running = start("storage", **settings(postgres_url, rabbitmq_url))
    sent = publish(rabbitmq_url, 10, 10)
    time.sleep(1)
    metrics = httpx.get(f"{running.url}/metrics").text
    waiting = left(rabbitmq_url)
    servers.start("postgres")
    wait_until_ready(running)
    wait_until(lambda: query(postgres_url, COUNT) == sent)

    assert "events_stored_total 0.0" in metrics
    assert waiting == 10
    assert running.stop() == 0
    assert left(rabbitmq_url) == 0


def test_the_database_goes_and_comes_while_events_flow(
    start: Start, rabbitmq_url: str, postgres_url: str, servers: Any
) -> None:
    running = start("storage", **settings(postgres_url, rabbitmq_url))
    wait_until_ready(running)
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(publish, rabbitmq_url, 200, 25, 0.03)
        wait_until(lambda: query(postgres_url, COUNT) > 0)
        for _ in range(2):
            servers.kill("postgres")
            unready = ready(running)
            asked = httpx.get(f"{running.url}/events", headers=bearer(), timeout=SECONDS)
            assert (unready.status_code, asked.status_code) == (503, 503)
            servers.start("postgres")
        sent = sending.result()
    wait_until(lambda: query(postgres_url, COUNT) == sent)

    assert ready(running).status_code == 200
    assert query(postgres_url, "SELECT count(DISTINCT id) FROM events") == sent
    assert running.stop() == 0
    assert left(rabbitmq_url) == 0


def test_storage_is_killed_while_events_flow(start: Start, rabbitmq_url: str, postgres_url: str) -> None:
    running = start("storage", **settings(postgres_url, rabbitmq_url))
    wait_until_ready(running)  # and so the table is there
    running.stop(signal.SIGKILL)
    sent = publish(rabbitmq_url, 400, 100)
    for _ in range(3):
        before = query(postgres_url, COUNT)
        running = start("storage", **settings(postgres_url, rabbitmq_url))
        wait_until(partial(_went_on, postgres_url, before, sent))
        running.stop(signal.SIGKILL)
    running = start("storage", **settings(postgres_url, rabbitmq_url))
    wait_until(lambda: query(postgres_url, COUNT) == sent)
    began = time.monotonic()
    assert running.stop() == 0
    assert time.monotonic() - began < 10
    assert left(rabbitmq_url) == 0


def _went_on(url: str, before: int, sent: int) -> bool:
    return query(url, COUNT) > before or before == sent


def test_it_stops_at_once_though_the_database_is_silent(
    start: Start, rabbitmq_url: str, postgres_url: str, servers: Any
) -> None:
    running = start("storage", **settings(postgres_url, rabbitmq_url))
    wait_until_ready(running)
    servers.run("pause", "postgres")
    try:
        sent = publish(rabbitmq_url, 3, 10)
        time.sleep(0.5)
        began = time.monotonic()
        code = running.stop()
        took = time.monotonic() - began
    finally:
        servers.run("unpause", "postgres")
    assert code == 0
    assert took < 10
    # What was on its way is stored, or comes again.
    again = start("storage", **settings(postgres_url, rabbitmq_url))
    wait_until(lambda: query(postgres_url, COUNT) == sent)
    assert again.stop() == 0
    assert left(rabbitmq_url) == 0


def test_exports_are_few_and_end_with_their_clients(
    start: Start, postgres_url: str, rabbitmq_url: str
) -> None:
    running = start("storage", **settings(postgres_url, rabbitmq_url))
    sent = publish(rabbitmq_url, 30, 1000)
    wait_until_ready(running)
    wait_until(lambda: query(postgres_url, COUNT) == sent)
    place = f"{running.url}/events/export"

    with httpx.Client(headers=bearer(), timeout=SECONDS) as client:
        with client.stream("GET", place) as one, client.stream("GET", place) as other:
            refused = client.get(place)
            assert (one.status_code, other.status_code) == (200, 200)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")
        assert refused.json()["error"]["message"] == "2 exports run already"
        wait_until(lambda: client.head(place).status_code == 405 and _exports(client, place) == 200)
        with client.stream("GET", place) as whole:
            lines = [json.loads(line) for line in whole.iter_lines()]
    assert len({line["id"] for line in lines}) == len(lines) == sent
    assert running.stop() == 0


def _exports(client: httpx.Client, place: str) -> int:
    with client.stream("GET", place) as answer:
        return answer.status_code


def test_a_file_keeps_events_over_a_restart(start: Start, tmp_path: Any) -> None:
    place = f"sqlite:///{tmp_path / 'kept.db'}"
    first = start("storage", **settings(place))
    wait_until_ready(first)
    assert ready(first).json()["checks"] == {"sqlite": {"status": "ok", "reason": None}}
    assert first.stop() == 0
    second = start("storage", **settings(place))
    wait_until_ready(second)
    assert second.stop() == 0
    assert first.errors() + second.errors() == ""
    assert not [r for r in second.records() if str(r["message"]).startswith("Running upgrade")]


def test_a_file_that_can_not_be_opened_makes_it_not_ready(start: Start, tmp_path: Any) -> None:
    (tmp_path / "loop.db").symlink_to(tmp_path / "loop.db")
    running = start("storage", DATABASE_URL=f"sqlite:///{tmp_path / 'loop.db'}")
    answer = ready(running)
    assert answer.status_code == 503
    assert answer.json()["checks"]["sqlite"] == {
        "status": "unavailable",
        "reason": "unable to open database file",
    }
    assert running.stop() == 0
