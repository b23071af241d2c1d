"""Dashboard as it is run: a process between RabbitMQ, Redis, storage and alerting, asked over HTTP and WebSocket."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from streamflow.shared.auth import mint
from streamflow.shared.settings import DEVELOPMENT_KEY

from ..servers import Servers, free_port

Start = Callable[..., Any]
KEY = "a-key-of-the-tests-with-enough-bytes"
WRITE = {"Authorization": f"Bearer {mint(SecretStr(KEY), 'ada', 'write', 24 * 3600)}"}
READ = {"Authorization": f"Bearer {mint(SecretStr(KEY), 'eve', 'read', 24 * 3600)}"}
VIEW = {"name": "Night watch", "panels": ["alerts", "rate"], "window": "5m", "filter": {"source": "shop"}}


@pytest.fixture
def urls(rabbitmq_url: str, redis_url: str, postgres_url: str) -> dict[str, str]:
    return {"RABBITMQ_URL": rabbitmq_url, "REDIS_URL": redis_url, "DATABASE_URL": postgres_url}


@pytest.fixture
def run(start: Start, urls: dict[str, str]) -> Start:
    """Start a service on the test's own servers; it is ready when this returns."""

    def begin(service: str, **settings: str) -> Any:
        running = start(service, within=120, JWT_SECRET_KEY=KEY, **urls, **settings)
        until(lambda: httpx.get(f"{running.url}/ready").status_code == 200)
        return running

    return begin


@pytest.fixture
def platform(run: Start) -> dict[str, Any]:
    """All five services."""
    storage, analytics, alerting = run("storage"), run("analytics"), run("alerting")
    return {
        "storage": storage,
        "analytics": analytics,
        "alerting": alerting,
        "ingestion": run("ingestion", STORAGE_URL=storage.url),
        "dashboard": run("dashboard", STORAGE_URL=storage.url, ALERTING_URL=alerting.url),
    }


def until(check: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 30
    while not (found := check()):
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.1)
    return found


def watching(url: str, path: str, headers: dict[str, str] = READ) -> ClientConnection:
    return connect(url.replace("http", "ws", 1) + path, additional_headers=headers, proxy=None)


def heard(socket: ClientConnection, wanted: Callable[[Any], bool]) -> Any:
    """The first message that is wanted."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        message = json.loads(socket.recv(timeout=30))
        if wanted(message):
            return message
    raise AssertionError("it was not told")


def anything(_: Any) -> bool:
    return True


def drain(socket: ClientConnection) -> None:
    """Take what is still told until the server ends the connection."""
    while True:
        socket.recv(timeout=10)


def send(ingestion: Any, *events: dict[str, Any]) -> None:
    sent = httpx.post(f"{ingestion.url}/events/batch", json={"events": events}, headers=WRITE)
    assert sent.status_code == 202, sent.text


def test_events_show_in_the_figures_over_every_way(platform: dict[str, Any]) -> None:
    shown = platform["dashboard"].url
    with watching(shown, "/ws/metrics") as socket:
        first = json.loads(socket.recv(timeout=10))
        assert set(first["windows"]) == {"1m", "5m", "1h"}
        failed = {"type": "api.response", "source": "shop", "data": {"status": 500, "latency_ms": 40}}
        send(platform["ingestion"], *[{"type": "web.click", "source": "shop"}] * 40, *[failed] * 10)
        heard(socket, lambda each: each["events_per_second"] == 10)
        told = heard(socket, lambda each: each["windows"]["1h"]["count"] == 50)
        assert told["windows"]["1h"]["error_rate"] == 0.2
        assert told["windows"]["1h"]["by_source"] == {"shop": 50}
    asked = httpx.get(f"{shown}/metrics/realtime", headers=READ).json()
    assert asked["windows"]["1h"]["count"] == 50
    history = httpx.get(f"{shown}/metrics/historical?window=1h&periods=3", headers=READ).json()
    assert [point["count"] for point in history["points"]][-1] == 50
    assert len(history["points"]) == 3
    assert history["points"][-1]["latency"]["p50"] == pytest.approx(40, rel=0.02)
    stored = until(
        lambda: httpx.get(f"{shown}/events?type=api.response&limit=5", headers=READ).json()["events"]
    )
    assert [event["type"] for event in stored] == ["api.response"] * 5


def test_a_replica_that_starts_later_shows_the_same(platform: dict[str, Any], run: Start) -> None:
    send(platform["ingestion"], *[{"type": "web.click", "source": "shop"}] * 7)
    asked = f"{platform['dashboard'].url}/metrics/realtime"
    until(lambda: httpx.get(asked, headers=READ).json()["windows"]["1h"]["count"] == 7)
    later = run("dashboard")
    with watching(later.url, "/ws/metrics") as socket:
        told = heard(socket, lambda each: each["windows"]["1h"]["count"] == 7)
    assert told["events_per_second"] == 0


def test_an_alert_is_told_and_taken_on_through_it(platform: dict[str, Any]) -> None:
    shown = platform["dashboard"].url
    rule = {"name": "traffic", "condition": "count > 3 over 1m", "level": "high"}
    assert httpx.post(f"{platform['alerting'].url}/rules", json=rule, headers=WRITE).status_code == 201
    with watching(shown, "/ws/alerts") as one, watching(shown, "/ws/alerts") as other:
        send(platform["ingestion"], *[{"type": "web.click", "source": "shop"}] * 9)
        fired = heard(one, lambda each: each["change"] == "fired")["alert"]
        assert heard(other, anything)["alert"]["id"] == fired["id"]
        listed = httpx.get(f"{shown}/alerts?state=firing", headers=READ).json()["alerts"]
        assert [alert["id"] for alert in listed] == [fired["id"]]

        place = f"{shown}/alerts/{fired['id']}"
        assert httpx.post(f"{place}/acknowledge", headers=READ).status_code == 403
        taken = httpx.post(f"{place}/acknowledge", headers=WRITE)
        assert (taken.status_code, taken.json()["acknowledged_by"]) == (200, "ada")
        assert heard(one, anything)["change"] == "acknowledged"
        again = httpx.post(f"{place}/acknowledge", headers=WRITE)
        assert (again.status_code, again.json()["error"]["code"]) == (409, "conflict")
        assert httpx.post(f"{place}/resolve", headers=WRITE).json()["state"] == "resolved"
        assert heard(one, anything)["change"] == "resolved"
    absent = httpx.post(f"{shown}/alerts/{uuid4()}/resolve", headers=WRITE)
    assert (absent.status_code, absent.json()["error"]["code"]) == (404, "not_found")


def test_replicas_share_the_dashboards_that_are_kept(run: Start) -> None:
    replicas = [run("dashboard").url for _ in range(2)]
    made = httpx.post(f"{replicas[0]}/dashboards", json=VIEW, headers=WRITE)
    assert made.status_code == 201
    board = made.json()
    assert {name: board[name] for name in ("name", "panels", "window", "version")} == {
        "name": "Night watch",
        "panels": ["alerts", "rate"],
        "window": "5m",
        "version": 1,
    }
    place = f"/dashboards/{board['id']}"
    assert httpx.get(f"{replicas[1]}{place}", headers=READ).json() == board
    assert httpx.get(f"{replicas[1]}/dashboards", headers=READ).json() == {"dashboards": [board]}

    changed = httpx.put(f"{replicas[1]}{place}", json=VIEW | {"name": "Day", "version": 1}, headers=WRITE)
    assert (changed.status_code, changed.json()["version"], changed.json()["name"]) == (200, 2, "Day")
    assert changed.json()["created_at"] == board["created_at"]
    late = httpx.put(f"{replicas[0]}{place}", json=VIEW | {"version": 1}, headers=WRITE)
    assert (late.status_code, late.json()["error"]["code"]) == (409, "conflict")

    assert httpx.delete(f"{replicas[0]}{place}", headers=READ).status_code == 403
    assert httpx.delete(f"{replicas[0]}{place}", headers=WRITE).status_code == 204
    assert httpx.delete(f"{replicas[0]}{place}", headers=WRITE).status_code == 404
    assert httpx.get(f"{replicas[1]}{place}", headers=READ).status_code == 404


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"name": " "}, "body.name"),
        ({"name": "a\nb"}, "body.name"),
        ({"panels": []}, "body.panels"),
        ({"panels": ["rate", "rate"]}, "body.panels"),
        ({"panels": ["weather"]}, "body.panels.0"),
        ({"window": "2m"}, "body.window"),
        ({"filter": {"colour": "red"}}, "body.filter.colour"),
        ({"extra": 1}, "body.extra"),
    ],
)
def test_a_dashboard_that_is_none_is_refused(start: Start, wrong: dict[str, Any], path: str) -> None:
    shown = start("dashboard", JWT_SECRET_KEY=KEY)
    answer = httpx.post(f"{shown.url}/dashboards", json=VIEW | wrong, headers=WRITE)
    assert answer.status_code == 422
    assert answer.json()["error"]["details"][0]["path"] == path
    assert httpx.get(f"{shown.url}/dashboards", headers=READ).json() == {"dashboards": []}


def test_what_is_away_is_said_and_comes_back(run: Start, servers: Servers) -> None:
    shown = run("dashboard")
    other = f"{shown.url}/events"
    assert httpx.get(other, headers=READ).json()["error"]["message"] == (
        "no storage is configured: STORAGE_URL names it"
    )
    servers.kill("redis")
    for path in ("/metrics/realtime", "/metrics/historical", "/dashboards"):
        answer = httpx.get(f"{shown.url}{path}", headers=READ, timeout=10)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
        assert answer.json()["error"]["code"] == "service_unavailable"
    assert httpx.get(f"{shown.url}/ready", timeout=10).json()["checks"]["redis"]["status"] == "unavailable"
    with watching(shown.url, "/ws/metrics") as socket:
        assert json.loads(socket.recv(timeout=10))["windows"]["1m"]["count"] == 0
    servers.start("redis")
    until(lambda: httpx.get(f"{shown.url}/dashboards", headers=READ, timeout=10).status_code == 200)


def test_a_peer_that_does_not_answer_is_named(start: Start) -> None:
    gone = f"http://127.0.0.1:{free_port()}"
    shown = start("dashboard", JWT_SECRET_KEY=KEY, STORAGE_URL=gone, ALERTING_URL=gone)
    for path, name in (("/events", "storage"), ("/alerts", "alerting")):
        answer = httpx.get(f"{shown.url}{path}", headers=READ)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert answer.json()["error"]["message"] == f"{name} doesn't answer"


@pytest.mark.parametrize("path", ["/ws/metrics", "/ws/alerts"])
def test_a_socket_needs_a_token(start: Start, path: str) -> None:
    shown = start("dashboard", JWT_SECRET_KEY=KEY)
    with pytest.raises(InvalidStatus) as refused:
        watching(shown.url, path, {})
    assert refused.value.response.status_code == 401
    token = READ["Authorization"].removeprefix("Bearer ")
    with connect(f"{shown.url.replace('http', 'ws', 1)}{path}?access_token={token}", proxy=None):
        pass


@pytest.mark.parametrize("path", ["/ws/metrics", "/ws/alerts"])
def test_a_socket_ends_with_its_token(start: Start, path: str) -> None:
    shown = start("dashboard", JWT_SECRET_KEY=KEY)
    # A token is good for five seconds more.
    passing = {"Authorization": f"Bearer {mint(SecretStr(KEY), 'eve', 'read', -2)}"}
    with watching(shown.url, path, passing) as socket, pytest.raises(ConnectionClosed):
        drain(socket)
    assert (socket.close_code, socket.close_reason) == (1008, "the token has expired")
    assert shown.stop() == 0
    assert shown.errors() == ""


def test_only_in_development_it_hands_out_a_token(start: Start) -> None:
    development, own = start("dashboard"), start("dashboard", JWT_SECRET_KEY=KEY)
    token = httpx.get(f"{development.url}/token").json()["token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert httpx.post(f"{development.url}/dashboards", json=VIEW, headers=headers).status_code == 201
    assert httpx.get(f"{own.url}/token").status_code == 404
    assert httpx.get(f"{own.url}/dashboards", headers=headers).status_code == 401
    known = {"Authorization": f"Bearer {mint(SecretStr(DEVELOPMENT_KEY), 'x', 'write', 60)}"}
    assert httpx.get(f"{own.url}/dashboards", headers=known).status_code == 401


def test_the_page_may_load_nothing_from_elsewhere(start: Start) -> None:
    shown = start("dashboard")
    page = httpx.get(f"{shown.url}/")
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    again = httpx.get(f"{shown.url}/", headers={"If-None-Match": page.headers["ETag"]})
    assert again.status_code == 304
    for path in ("/page/../app.py", "/page/%2e%2e/app.py", "/page/absent.js", "/page/"):
        assert httpx.get(f"{shown.url}{path}").status_code == 404


def test_it_ends_in_time_with_readers_connected(start: Start) -> None:
    shown = start("dashboard", JWT_SECRET_KEY=KEY)
    with watching(shown.url, "/ws/metrics") as figures, watching(shown.url, "/ws/alerts") as alerts:
        figures.recv(timeout=10)
        began = time.monotonic()
        assert shown.stop() == 0
        assert time.monotonic() - began < 10
        for socket in (figures, alerts):
            with pytest.raises(ConnectionClosed):
                drain(socket)
    assert shown.errors() == ""
