"""On SIGTERM a service ends within ten seconds, which is what an engine gives it, whatever hangs meanwhile."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from pydantic import SecretStr

from streamflow.shared.bus import ANALYTICS, EVENTS, Message
from streamflow.shared.bus.rabbit import RabbitBus
from streamflow.shared.events import Event
from streamflow.shared.wire import dump

from .alerting.desk import window
from .asgi import AUTHORIZED
from .conftest import DEADLINE_SECONDS, SERVICES, Running
from .servers import Servers

GIVEN_SECONDS = 10
EVENT = {"type": "web.click", "source": "shop"}
ASKED = {"alerting": "rules", "storage": "events"}
Start = Callable[..., Running]


def until_ready(running: Running) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while httpx.get(f"{running.url}/ready", timeout=DEADLINE_SECONDS).status_code != 200:
        assert time.monotonic() < deadline, "it never was ready"
        time.sleep(0.1)


async def publish(url: str) -> None:
    """Something to write into the database, for storage and for alerting."""
    bus = RabbitBus(SecretStr(url))
    await bus.start()
    await bus.connected()
    await bus.publish(EVENTS, Message(dump((Event(type="web.click", source="shop"),))))
    await bus.publish(ANALYTICS, Message(json.dumps(window()).encode()))
    await bus.close()


def end_in_time(running: Running) -> None:
    began = time.monotonic()
    assert running.stop() == 0
    assert time.monotonic() - began < GIVEN_SECONDS
    assert running.errors() == ""


@pytest.mark.parametrize("service", SERVICES)
def test_the_broker_hangs(service: str, start: Start, rabbitmq_url: str, servers: Servers) -> None:
    running = start(service, RABBITMQ_URL=rabbitmq_url)
    until_ready(running)
    with servers.paused("rabbitmq"):
        time.sleep(1)
        end_in_time(running)


@pytest.mark.parametrize("service", ["alerting", "storage"])
def test_the_database_hangs_in_the_middle_of_work(
    service: str, start: Start, rabbitmq_url: str, postgres_url: str, servers: Servers
) -> None:
    running = start(service, RABBITMQ_URL=rabbitmq_url, DATABASE_URL=postgres_url)
    until_ready(running)
    with servers.paused("postgres"):
        asyncio.run(publish(rabbitmq_url))
        time.sleep(1.5)
        end_in_time(running)


@pytest.mark.parametrize("service", ["alerting", "storage"])
def test_the_database_hangs_from_the_beginning(
    service: str, start: Start, postgres_url: str, servers: Servers
) -> None:
    with servers.paused("postgres"):
        running = start(service, DATABASE_URL=postgres_url)
        time.sleep(1)
        end_in_time(running)


def test_who_waits_for_a_broker_that_hangs_is_told_to_come_again(
    start: Start, rabbitmq_url: str, servers: Servers
) -> None:
    running = start("ingestion", RABBITMQ_URL=rabbitmq_url)
    until_ready(running)

    def send(_: int) -> httpx.Response:
        return httpx.post(f"{running.url}/events", json=EVENT, headers=AUTHORIZED, timeout=DEADLINE_SECONDS)

    with servers.paused("rabbitmq"), ThreadPoolExecutor(8) as pool:
        sent = [pool.submit(send, number) for number in range(8)]  # more than travel at once
        time.sleep(0.5)
        end_in_time(running)
        answers = [each.result() for each in sent]
    assert {answer.status_code for answer in answers} == {503}
    assert {answer.headers["Retry-After"] for answer in answers} == {"2"}
    messages = {answer.json()["error"]["message"] for answer in answers}
    assert all(message.startswith("not accepted: RabbitMQ went away") for message in messages)


@pytest.mark.parametrize("service", ["alerting", "storage"])
def test_everything_hangs_and_so_does_a_request(
    service: str, start: Start, rabbitmq_url: str, postgres_url: str, servers: Servers
) -> None:
    running = start(service, RABBITMQ_URL=rabbitmq_url, DATABASE_URL=postgres_url)
    until_ready(running)
    with servers.paused("postgres"), servers.paused("rabbitmq"), ThreadPoolExecutor(1) as pool:
        place = f"{running.url}/{ASKED[service]}"
        asked = pool.submit(httpx.get, place, headers=AUTHORIZED, timeout=DEADLINE_SECONDS)
        time.sleep(0.5)
        began = time.monotonic()
        assert running.stop() == 0
        assert time.monotonic() - began < GIVEN_SECONDS
        assert asked.exception() is not None or asked.result().is_error
