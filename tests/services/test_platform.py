"""All services in one process, as a newcomer runs them: `python -m streamflow`."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr

from streamflow.cli import demo
from streamflow.shared.auth import mint
from streamflow.shared.settings import DEVELOPMENT_KEY

from .conftest import DEADLINE_SECONDS, environment
from .servers import free_port

HEADERS = {"Authorization": f"Bearer {mint(SecretStr(DEVELOPMENT_KEY), 'tester', 'write', 24 * 3600)}"}
PREFIXES = ("/api/ingest", "/api/analytics", "/api/alerts", "/api/storage", "")


@pytest.fixture
def platform() -> Iterator[httpx.Client]:
    with running() as client:
        yield client


@contextmanager
def running(**settings: str) -> Iterator[httpx.Client]:
    """The platform, which ends cleanly and tells nothing of it."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "streamflow"],
        env=environment(PORT=str(port), **settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    watchdog = threading.Timer(DEADLINE_SECONDS, process.kill)
    watchdog.start()
    assert process.stderr is not None
    assert process.stderr.readline() == f"streamflow: http://127.0.0.1:{port}\n"
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=HEADERS) as client:
        until(lambda: healthy(client))
        yield client
    process.terminate()
    assert process.wait() == 0
    watchdog.cancel()
    assert process.stderr.read() == ""
    process.stderr.close()


def healthy(client: httpx.Client) -> bool:
    try:
        return client.get("/health").status_code == 200
    except httpx.TransportError:
        return False


def until(check: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 20
    while not (found := check()):
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.1)
    return found


def test_every_service_is_below_its_path_and_ready(platform: httpx.Client) -> None:
    names = []
    for prefix in PREFIXES:
        names.append(platform.get(f"{prefix}/health").json()["service"])
        assert until(lambda prefix=prefix: platform.get(f"{prefix}/ready").status_code == 200)
        assert platform.get(f"{prefix}/openapi.json").status_code == 200
    assert names == ["ingestion", "analytics", "alerting", "storage", "dashboard"]


def test_an_event_goes_the_whole_way(platform: httpx.Client) -> None:
    sent = platform.post(
        "/api/ingest/events",
        json={"type": "api.response", "source": "shop", "user_id": "u1", "data": {"latency_ms": 12}},
        headers={"X-Correlation-ID": "the-whole-way"},
    )
    (one,) = sent.json()["ids"]

    stored = until(lambda: (got := platform.get(f"/api/storage/events/{one}")).status_code == 200 and got)
    assert stored.json()["correlation_id"] == "the-whole-way"
    assert platform.get(f"/api/ingest/events/{one}").json() == stored.json()
    (window, *_) = until(lambda: platform.get("/api/analytics/windows/1h").json())
    assert window["count"] == 1


def test_what_was_accepted_is_stored_when_it_is_asked_to_end(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    batch = {"events": [{"type": "web.click", "source": "shop"}] * 1000}
    with running(DATABASE_URL=f"sqlite:///{path}") as client:
        for _ in range(20):
            assert client.post("/api/ingest/events/batch", json=batch).status_code == 202
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM events").fetchone() == (20_000,)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/ingest/events/{id}"),
        ("POST", "/alerts/{id}/resolve"),
        ("GET", "/a%0Ab"),
        ("GET", "/api/x"),
    ],
)
def test_an_error_has_the_id_of_its_request_whoever_answers(
    platform: httpx.Client, method: str, path: str
) -> None:
    answer = platform.request(method, path.format(id=uuid4()), headers={"X-Correlation-ID": "mine"})
    assert answer.status_code == 404
    assert answer.json()["error"]["correlation_id"] == answer.headers["X-Correlation-ID"] == "mine"


def test_the_demo_is_seen(platform: httpx.Client) -> None:
    url = f"{str(platform.base_url).rstrip('/')}/api/ingest"
    command = [sys.executable, "-m", "streamflow", "demo", "--url", url, "--seconds", "2", "--rate", "100"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    sent = int(done.stderr.split()[2])
    assert 100 < sent < 400

    def counted() -> bool:
        counts = platform.get("/api/storage/events/aggregations", params={"by": "type"}).json()
        return sum(group["count"] for group in counts["groups"]) == sent

    until(counted)


def test_the_demo_has_failures_now_and_then_and_many_in_an_outage() -> None:
    def failures(share: float) -> float:
        answers = [event for event in map(demo.event, [share] * 20_000) if event["type"] == "api.response"]
        return sum(event["data"]["status"] == 500 for event in answers) / len(answers)

    assert 0.003 < failures(demo.FAILURES) < 0.03
    assert 0.4 < failures(demo.FAILURES_IN_OUTAGE) < 0.6
    moments = (0, 19.9, 20, 59.9, 60, 199, 200)
    assert [demo.is_out(moment) for moment in moments] == [False, False, True, True, False, False, True]


def test_a_demo_without_a_platform_says_what_is_missing() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "streamflow", "demo", "--url", url]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"streamflow demo: ingestion doesn't answer at {url}: ")
    assert done.stderr.endswith("is `streamflow` running?\n")
