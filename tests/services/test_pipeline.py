"""What the platform promises: an event that was accepted is stored once and counted once, whatever fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
from pydantic import SecretStr

from streamflow.shared.auth import mint

from .conftest import Running
from .servers import Servers

KEY = "a-key-for-tests-that-is-long-enough"
HEADERS = {"Authorization": f"Bearer {mint(SecretStr(KEY), 'tester', 'write', 24 * 3600)}"}
EVENTS, FEWER, BATCH = 50_000, 30_000, 500
KILLS = 3
PACE, LEISURE = 0.25, 1
SECONDS = 600
STOP_SECONDS = 10


class Sender(threading.Thread):
    """Sends so many events or more, each batch under its ids until it is accepted, as a client does that loses none."""

    def __init__(self, url: str, events: int) -> None:
        super().__init__()
        self.url = url
        self.events = events
        self.accepted = 0
        self.refused = 0
        self.hurry = threading.Event()
        """Until it is set there is always more to send, at a pace."""

    def run(self) -> None:
        with httpx.Client(headers=HEADERS, timeout=30) as client:
            while self.accepted < self.events or not self.hurry.is_set():
                events = [
                    {"id": str(uuid4()), "type": "web.click", "source": "shop", "user_id": f"u{number}"}
                    for number in range(BATCH)
                ]
                while not self._accepts(client, events):
                    self.refused += 1
                    time.sleep(0.2)
                self.accepted += BATCH
                self.hurry.wait(PACE if self.accepted < self.events else LEISURE)

    def _accepts(self, client: httpx.Client, events: list[dict[str, Any]]) -> bool:
        try:
            answer = client.post(f"{self.url}/events/batch", json={"events": events})
        except httpx.TransportError:
            return False
        assert answer.status_code in {202, 503}, answer.text
        return answer.status_code == 202


def test_nothing_accepted_is_lost_or_doubled_while_everything_fails(
    start: Callable[..., Running], servers: Servers, postgres_url: str, rabbitmq_url: str, redis_url: str
) -> None:
    urls = {"DATABASE_URL": postgres_url, "RABBITMQ_URL": rabbitmq_url, "REDIS_URL": redis_url}
    settings = {**urls, "JWT_SECRET_KEY": KEY, "RATE_LIMIT": "1000000"}

    def begin(name: str) -> Running:
        return start(name, within=SECONDS, **settings)

    ingestion = begin("ingestion")
    consumers = {name: begin(name) for name in ("storage", "analytics")}
    until(lambda: httpx.get(f"{ingestion.url}/ready").status_code == 200)
    sender = Sender(ingestion.url, EVENTS)
    sender.start()

    for turn in range(KILLS):
        for name, running in tuple(consumers.items()):
            reached = sender.accepted
            until(lambda reached=reached: sender.accepted > reached)
            running.process.kill()
            consumers[name] = begin(name)
        if turn == 0:
            servers.kill("rabbitmq")
            servers.start("rabbitmq")
        if turn == 1:
            servers.kill("postgres")
            servers.start("postgres")
    sender.hurry.set()
    sender.join()

    assert sender.refused > 0  # RabbitMQ was away for a while
    judge(sender, consumers)


def test_nothing_is_lost_when_services_are_asked_to_stop(
    start: Callable[..., Running], postgres_url: str, rabbitmq_url: str, redis_url: str
) -> None:
    urls = {"DATABASE_URL": postgres_url, "RABBITMQ_URL": rabbitmq_url, "REDIS_URL": redis_url}
    settings = {**urls, "JWT_SECRET_KEY": KEY, "RATE_LIMIT": "1000000"}

    def begin(name: str) -> Running:
        return start(name, within=SECONDS, **settings)

    running = {name: begin(name) for name in ("storage", "analytics", "ingestion")}
    until(lambda: httpx.get(f"{running['ingestion'].url}/ready").status_code == 200)
    sender = Sender(running["ingestion"].url, FEWER)
    sender.start()
    for _ in range(2):
        for name, service in tuple(running.items()):
            reached = sender.accepted
            until(lambda reached=reached: sender.accepted > reached)
            began = time.monotonic()
            assert service.stop() == 0
            assert time.monotonic() - began < STOP_SECONDS
            assert service.errors() == ""
            running[name] = begin(name)
            sender.url = running["ingestion"].url
    sender.hurry.set()
    sender.join()
    judge(sender, running)


def judge(sender: Sender, running: dict[str, Running]) -> None:
    """All that was accepted is stored once and counted once."""
    events = sender.accepted
    assert events >= sender.events
    stored = f"{running['storage'].url}/events/aggregations"
    assert until(lambda: total(stored, {"by": "type"}) == events or None)
    counted = f"{running['analytics'].url}/windows/1h"
    assert until(lambda: sum(w["count"] for w in ask(counted)) == events or None)
    time.sleep(2)  # nothing more comes
    assert total(stored, {"by": "type"}) == events
    assert sum(window["count"] for window in ask(counted)) == events


def ask(url: str, params: dict[str, str] | None = None) -> Any:
    answer = httpx.get(url, params=params, headers=HEADERS, timeout=30)
    return answer.json() if answer.status_code == 200 else []


def total(url: str, params: dict[str, str]) -> int:
    answer = ask(url, params)
    return sum(group["count"] for group in answer["groups"]) if answer else 0


def until(check: Callable[[], Any], seconds: float = 120) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.2)
    return found
