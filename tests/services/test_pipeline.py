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
EVENTS, BATCH = 50_000, 500
KILLS = 3
PACE = 0.25
SECONDS = 600


class Sender(threading.Thread):
    """Sends all events, each batch under its own ids until it is accepted, as a client does that loses none."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.accepted = 0
        self.refused = 0
        self.hurry = threading.Event()
        """Until it is set there is always more to send."""
        self._url = url

    def run(self) -> None:
        with httpx.Client(headers=HEADERS, timeout=30) as client:
            for _ in range(EVENTS // BATCH):
                events = [
                    {"id": str(uuid4()), "type": "web.click", "source": "shop", "user_id": f"u{number}"}
                    for number in range(BATCH)
                ]
                while not self._accepts(client, events):
                    self.refused += 1
                    time.sleep(0.2)
                self.accepted += BATCH
                self.hurry.wait(PACE)

    def _accepts(self, client: httpx.Client, events: list[dict[str, Any]]) -> bool:
        try:
            answer = client.post(f"{self._url}/events/batch", json={"events": events})
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
    sender = Sender(ingestion.url)
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
    assert sender.accepted < EVENTS
    sender.hurry.set()
    sender.join()

    assert sender.accepted == EVENTS
    assert sender.refused > 0  # RabbitMQ was away for a while
    stored = f"{consumers['storage'].url}/events/aggregations"
    assert until(lambda: total(stored, {"by": "type"}) == EVENTS or None)
    counted = f"{consumers['analytics'].url}/windows/1h"
    assert until(lambda: sum(w["count"] for w in ask(counted)) == EVENTS or None)
    time.sleep(2)  # nothing more comes
    assert total(stored, {"by": "type"}) == EVENTS
    assert sum(window["count"] for window in ask(counted)) == EVENTS


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
