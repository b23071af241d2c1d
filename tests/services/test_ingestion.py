"""Ingestion: what it accepts is on the bus, and what it can't accept is refused so that a client can act on it."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from streamflow.ingestion.app import Settings, create_app
from streamflow.ingestion.limits import BURST_SECONDS, Limiter, limiter_for
from streamflow.ingestion.outbox import PARALLEL, Outbox
from streamflow.shared.auth import mint
from streamflow.shared.bus import EVENTS, Exchange, Message, Queue
from streamflow.shared.bus.memory import MemoryBus
from streamflow.shared.events import Event, EventType

from .asgi import ask, served
from .conftest import Running
from .servers import Servers

KEY = SecretStr("a-key-for-tests-that-is-long-enough")
TOKEN = mint(KEY, "tester", "write", 24 * 3600)
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


class Kept(MemoryBus):
    """A bus of this process that shows what was published."""

    def __init__(self, limit: int = 1 << 20) -> None:
        super().__init__((Queue("kept", EVENTS, limit),))
        self.published: list[Message] = []

    async def publish(self, exchange: Exchange, message: Message) -> None:
        await super().publish(exchange, message)
        self.published.append(message)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for message in self.published for event in json.loads(message.body)]


def event(**fields: Any) -> dict[str, Any]:
    return {"type": "web.click", "source": "shop", **fields}


def app_on(bus: MemoryBus, **settings: Any) -> FastAPI:
    return create_app(Settings(jwt_secret_key=KEY, **settings), bus)


def post(bus: MemoryBus, path: str, body: Any, headers: dict[str, str] | None = None, **settings: Any) -> Any:
    return ask(app_on(bus, **settings), "POST", path, json=body, headers={**HEADERS, **(headers or {})})


class TestAccepting:
    def test_an_event_is_on_the_bus_when_it_is_accepted(self) -> None:
        bus = Kept()
        answer = post(bus, "/events", event(user_id="u1"), {"X-Correlation-ID": "request-7"})
        (kept,) = bus.events
        assert answer.status_code == 202
        assert answer.json() == {"accepted": 1, "ids": [kept["id"]]}
        assert (kept["source"], kept["user_id"], kept["correlation_id"]) == ("shop", "u1", "request-7")
        assert bus.published[0].correlation_id == "request-7"

    def test_the_clients_own_ids_are_kept(self) -> None:
        bus, one = Kept(), str(uuid4())
        answer = post(bus, "/events", event(id=one, correlation_id="mine"))
        assert answer.json()["ids"] == [one]
        assert (bus.events[0]["id"], bus.events[0]["correlation_id"]) == (one, "mine")

    def test_a_batch_travels_together(self) -> None:
        bus = Kept()
        answer = post(bus, "/events/batch", {"events": [event() for _ in range(1000)]})
        assert answer.status_code == 202
        assert answer.json()["accepted"] == 1000
        assert len(bus.published) == 1
        assert [each["id"] for each in bus.events] == answer.json()["ids"]

    def test_posts_that_come_while_one_is_on_its_way_share_a_message(self) -> None:
        class Slow(Kept):
            async def publish(self, exchange: Exchange, message: Message) -> None:
                await asyncio.sleep(0.2)
                await super().publish(exchange, message)

        bus = Slow()

        async def many() -> list[int]:
            transport = httpx.ASGITransport(app_on(bus))
            async with httpx.AsyncClient(transport=transport, base_url="http://x", headers=HEADERS) as client:
                answers = await asyncio.gather(*(client.post("/events", json=event()) for _ in range(100)))
                return [answer.status_code for answer in answers]

        assert asyncio.run(many()) == [202] * 100
        assert len(bus.events) == 100
        assert len(bus.published) < 10


class Gated(MemoryBus):
    """A bus that confirms when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()

    async def publish(self, *_: object) -> None:
        await self.gate.wait()


class TestTheWayOut:
    def test_who_sends_again_at_once_is_not_left_waiting(self) -> None:
        async def sending() -> None:
            bus = Gated()
            outbox = Outbox(bus, CollectorRegistry())
            events = (Event(type=EventType.CUSTOM, source="test"),)

            async def send_twice() -> None:
                await outbox.send(events)
                await outbox.send(events)

            calls = [asyncio.create_task(send_twice())]
            for _ in range(PARALLEL - 1):
                await asyncio.sleep(0.01)
                calls.append(asyncio.create_task(outbox.send(events)))
            await asyncio.sleep(0.01)
            bus.gate.set()
            async with asyncio.timeout(10):
                await asyncio.gather(*calls)

        asyncio.run(sending())

    def test_a_mistake_in_the_bus_is_the_callers_to_know(self) -> None:
        class Broken(MemoryBus):
            async def publish(self, *_: object) -> None:
                raise RuntimeError("broken")

        async def sending() -> None:
            outbox = Outbox(Broken(), CollectorRegistry())
            for _ in range(2 * PARALLEL):
                with pytest.raises(RuntimeError, match="broken"):
                    async with asyncio.timeout(10):
                        await outbox.send((Event(type=EventType.CUSTOM, source="test"),))

        asyncio.run(sending())


class TestRefusing:
    @pytest.mark.parametrize(
        ("path", "body", "where"),
        [
            ("/events", event(severity="mild"), "body.severity"),
            ("/events", {"source": "x"}, "body.type"),
            ("/events", [], "body"),
            ("/events/batch", {"events": []}, "body.events"),
            ("/events/batch", {"events": [event()] * 1001}, "body.events"),
            ("/events/batch", {"events": [event(), event(tags=["a", ""])]}, "body.events.1.tags.1"),
            ("/events/batch", {"events": [event()], "more": 1}, "body.more"),
        ],
    )
    def test_what_is_not_valid_is_named_by_its_path(self, path: str, body: Any, where: str) -> None:
        bus = Kept()
        answer = post(bus, path, body)
        assert answer.status_code == 422
        assert [detail["path"] for detail in answer.json()["error"]["details"]] == [where]
        assert bus.published == []

    @pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", None])
    def test_what_is_not_said_to_be_json(self, kind: str | None) -> None:
        headers = HEADERS | ({} if kind is None else {"Content-Type": kind})
        answer = ask(app_on(Kept()), "POST", "/events", content=json.dumps(event()).encode(), headers=headers)
        assert answer.status_code == 422
        (detail,) = answer.json()["error"]["details"]
        assert detail == {
            "path": "body",
            "message": "JSON is needed, with the header Content-Type: application/json",
        }

    def test_of_many_mistakes_the_first_are_told(self) -> None:
        batch = post(Kept(), "/events/batch", {"events": [1] * 100_000}).json()["error"]
        assert [detail["path"] for detail in batch["details"]] == ["body.events.0", "body.events"]
        one = post(Kept(), "/events", event(**{f"key{number}": 1 for number in range(150)})).json()["error"]
        assert one["message"] == "the request is not valid; 100 of its 150 mistakes are named"
        assert [detail["path"] for detail in one["details"]] == [f"body.key{number}" for number in range(100)]

    @pytest.mark.parametrize(("zeros", "digits", "status"), [(5000, 0, 202), (0, 5000, 413)])
    def test_a_length_of_thousands_of_digits(self, zeros: int, digits: int, status: int) -> None:
        body = json.dumps(event()).encode()
        headers = {
            **HEADERS,
            "Content-Type": "application/json",
            "Content-Length": "0" * zeros + str(len(body)) + "9" * digits,
        }
        answer = ask(app_on(Kept()), "POST", "/events", content=body, headers=headers)
        assert answer.status_code == status

    def test_blanks_around_a_token(self) -> None:
        headers = {"Authorization": f"Bearer  {TOKEN} "}
        assert post(Kept(), "/events", event(), headers).status_code == 202

    def test_a_full_queue_pushes_back(self) -> None:
        bus = Kept(limit=10)
        answer = post(bus, "/events", event())
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "2"
        assert answer.json()["error"]["message"] == "not accepted: the queue kept is full"

    @pytest.mark.parametrize("chunked", [False, True])
    def test_a_body_that_is_too_large(self, chunked: bool) -> None:
        body = json.dumps(event(data={"x": "y" * 5000})).encode()

        async def parts() -> Any:
            yield body[:1000]
            yield body[1000:]

        app = app_on(Kept(), max_body_bytes=2000)
        headers = {**HEADERS, "Content-Type": "application/json"}
        answer = ask(app, "POST", "/events", content=parts() if chunked else body, headers=headers)
        assert answer.status_code == 413
        assert answer.headers["X-Correlation-ID"] == answer.json()["error"]["correlation_id"]
        assert answer.json()["error"]["message"] == "a body may have 2000 bytes"
        told = ask(app, "GET", "/metrics").text
        assert 'http_requests_total{method="POST",route="/events",status="413"} 1.0' in told

    @pytest.mark.parametrize("path", ["/events", "/events/validate"])
    def test_a_body_of_which_half_comes(self, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("streamflow.shared.bodies.SECONDS", 0.3)
        with served(app_on(Kept())) as url:
            host, port = url.removeprefix("http://").split(":")
            with socket.create_connection((host, int(port)), timeout=10) as client:
                client.sendall(
                    f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {TOKEN}\r\n"
                    "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{".encode()
                )
                answer = b"".join(iter(lambda: client.recv(65536), b""))  # to the end: the server hangs up
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"the body was not there within 0.3 s" in answer

    def test_a_client_over_its_rate_is_told_when_to_go_on(self) -> None:
        app = app_on(Kept(), rate_limit=100)
        batch = {"events": [event() for _ in range(1000)]}
        assert ask(app, "POST", "/events/batch", json=batch, headers=HEADERS).status_code == 202
        answer = ask(app, "POST", "/events/batch", json=batch, headers=HEADERS)
        assert answer.status_code == 429
        assert 9 <= int(answer.headers["Retry-After"]) <= 10
        other = {"Authorization": f"Bearer {mint(KEY, 'another', 'write', 24 * 3600)}"}
        assert ask(app, "POST", "/events/batch", json=batch, headers=other).status_code == 202

    def test_an_event_of_a_storage_that_is_not_configured(self) -> None:
        answer = ask(app_on(Kept()), "GET", f"/events/{uuid4()}", headers=HEADERS)
        assert answer.status_code == 503
        assert answer.json()["error"]["message"] == "no storage is configured: STORAGE_URL names it"


class TestTheWebSocket:
    @pytest.fixture
    def bus(self) -> Kept:
        return Kept()

    @pytest.fixture
    def url(self, bus: Kept) -> Iterator[str]:
        with served(app_on(bus)) as url:
            yield f"{url.replace('http', 'ws')}/ws"

    def test_each_event_is_acknowledged(self, url: str, bus: Kept) -> None:
        with connect(url, additional_headers=HEADERS) as socket:
            first = told(socket, json.dumps(event(user_id="u1")))
            second = told(socket, json.dumps(event(severity="mild")))
            third = told(socket, "{")
            fourth = told(socket, json.dumps(event()))
        ids = [each["id"] for each in bus.events]
        assert first == {"number": 1, "status": "accepted", "id": ids[0]}
        assert (second["number"], second["status"]) == (2, "refused")
        assert second["error"]["code"] == "unprocessable_entity"
        assert second["error"]["details"][0]["path"] == "severity"
        assert third["error"]["details"][0]["message"].startswith("Invalid JSON")
        assert fourth == {"number": 4, "status": "accepted", "id": ids[1]}

    def test_of_many_mistakes_the_first_are_told(self, url: str) -> None:
        with connect(url, additional_headers=HEADERS) as socket:
            error = told(socket, json.dumps(event(**{f"key{number}": 1 for number in range(150)})))["error"]
        assert error["message"] == "the event is not valid; 100 of its 150 mistakes are named"
        assert [detail["path"] for detail in error["details"]] == [f"key{number}" for number in range(100)]

    def test_a_browser_gives_its_token_in_the_query(self, url: str) -> None:
        with connect(f"{url}?access_token={TOKEN}") as socket:
            assert told(socket, json.dumps(event()))["status"] == "accepted"

    def test_it_ends_with_its_token(self, url: str) -> None:
        # A token is good for five seconds more.
        passing = {"Authorization": f"Bearer {mint(KEY, 'tester', 'write', -2)}"}
        with (
            connect(url, additional_headers=passing) as idle,
            connect(url, additional_headers=passing) as busy,
        ):
            assert told(idle, json.dumps(event()))["status"] == "accepted"
            with pytest.raises(ConnectionClosed):
                tell_for_ever(busy)
            with pytest.raises(ConnectionClosed):
                idle.recv(timeout=1)
        for each in (idle, busy):
            assert (each.close_code, each.close_reason) == (1008, "the token has expired")

    def test_a_frame_of_bytes_ends_the_conversation(self, url: str) -> None:
        with connect(url, additional_headers=HEADERS) as socket:
            socket.send(b"0")
            with pytest.raises(ConnectionClosed):
                socket.recv(timeout=10)
        assert socket.close_code == 1003

    @pytest.mark.parametrize(
        ("headers", "status"),
        [({}, 401), ({"Authorization": f"Bearer {mint(KEY, 'reader', 'read', 24 * 3600)}"}, 403)],
    )
    def test_who_may_not_write_is_not_let_in(self, url: str, headers: dict[str, str], status: int) -> None:
        with pytest.raises(InvalidStatus) as denial:
            connect(url, additional_headers=headers)
        answer = denial.value.response
        assert answer.status_code == status
        assert json.loads(answer.body or b"")["error"]["message"]

    def test_a_path_that_has_none_is_told(self, url: str) -> None:
        with pytest.raises(InvalidStatus) as denial:
            connect(f"{url}/nowhere", additional_headers=HEADERS)
        answer = denial.value.response
        assert answer.status_code == 404
        assert json.loads(answer.body or b"")["error"]["code"] == "not_found"

    def test_a_full_queue_is_told(self) -> None:
        with (
            served(app_on(Kept(limit=10))) as url,
            connect(f"{url.replace('http', 'ws')}/ws", additional_headers=HEADERS) as socket,
        ):
            answer = told(socket, json.dumps(event()))
        assert answer["error"]["code"] == "service_unavailable"


class TestLimiters:
    @pytest.fixture(params=["memory", "redis"])
    def limited(self, request: pytest.FixtureRequest) -> Callable[..., Any]:
        """Runs a coroutine with a limiter of 100 events a second."""
        url = None if request.param == "memory" else SecretStr(request.getfixturevalue("redis_url"))

        def run(test: Any) -> None:
            async def within() -> None:
                limiter = limiter_for(url, 100)
                try:
                    await test(limiter)
                finally:
                    await limiter.close()

            asyncio.run(within())

        return run

    def test_a_burst_then_its_rate(self, limited: Any) -> None:
        async def test(limiter: Limiter) -> None:
            assert await limiter.wait("a", int(100 * BURST_SECONDS)) == 0
            wait = await limiter.wait("a", 50)
            assert 0.3 < wait <= 0.5
            assert await limiter.wait("b", 50) == 0
            await asyncio.sleep(wait + 0.05)
            assert await limiter.wait("a", 50) == 0

        limited(test)

    def test_what_was_refused_does_not_count(self, limited: Any) -> None:
        async def test(limiter: Limiter) -> None:
            assert await limiter.wait("a", 900) == 0
            assert await limiter.wait("a", 900) > 0
            assert await limiter.wait("a", 90) == 0

        limited(test)

    def test_replicas_share_one_limit(self, redis_url: str) -> None:
        async def test() -> None:
            one, two = (limiter_for(SecretStr(redis_url), 100) for _ in range(2))
            assert await one.wait("a", 1000) == 0
            assert await two.wait("a", 100) > 0
            await one.close()
            await two.close()

        asyncio.run(test())

    def test_without_redis_everyone_is_let_in(self) -> None:
        async def test() -> None:
            limiter = limiter_for(SecretStr("redis://127.0.0.1:1"), 100)
            assert await limiter.wait("a", 1_000_000) == 0
            await limiter.close()

        asyncio.run(test())


class TestOnRabbitMQ:
    @pytest.fixture
    def running(self, start: Any, rabbitmq_url: str) -> Running:
        running: Running = start(
            "ingestion", RABBITMQ_URL=rabbitmq_url, JWT_SECRET_KEY=KEY.get_secret_value()
        )
        until(lambda: httpx.get(f"{running.url}/ready").status_code == 200)
        return running

    def test_while_the_broker_is_away_nothing_is_accepted_and_then_it_is_again(
        self, running: Running, servers: Servers
    ) -> None:
        assert send(running).status_code == 202
        servers.kill("rabbitmq")
        began = time.monotonic()
        answer = until(lambda: (got := send(running)).status_code == 503 and got)
        assert time.monotonic() - began < 15
        assert int(answer.headers["Retry-After"]) >= 1
        assert answer.json()["error"]["message"].startswith("not accepted: RabbitMQ ")
        assert httpx.get(f"{running.url}/ready").status_code == 503
        assert httpx.get(f"{running.url}/health").status_code == 200
        servers.start("rabbitmq")
        assert until(lambda: (got := send(running)).status_code == 202 and got)
        assert httpx.get(f"{running.url}/ready").status_code == 200

    def test_a_correlation_id_of_many_bytes_is_accepted(self, running: Running) -> None:
        assert send(running, correlation_id="ü" * 200).status_code == 202

    def test_what_is_under_way_at_the_end_is_answered(self, running: Running, servers: Servers) -> None:
        servers.run("pause", "rabbitmq")
        try:
            with ThreadPoolExecutor() as pool:
                sent = pool.submit(send, running)
                time.sleep(1)
                running.process.send_signal(signal.SIGTERM)
                time.sleep(0.5)
                servers.run("unpause", "rabbitmq")
                assert sent.result().status_code == 202
        finally:
            if servers.run("ps", "--status=paused", "--quiet"):
                servers.run("unpause", "rabbitmq")
        began = time.monotonic()
        assert running.wait() == 0
        assert time.monotonic() - began < 10


def told(socket: ClientConnection, frame: str) -> Any:
    socket.send(frame)
    return json.loads(socket.recv(timeout=10))


def tell_for_ever(socket: ClientConnection) -> None:
    while True:
        told(socket, "{}")


def send(running: Running, **fields: Any) -> httpx.Response:
    return httpx.post(f"{running.url}/events", json=event(**fields), headers=HEADERS, timeout=30)


def until(check: Callable[[], Any], seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.1)
    return found
