"""Alerting as its callers see it: an app that runs, windows for it, and servers that take its notifications."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import socketserver
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
from fastapi import FastAPI
from pydantic import SecretStr

from streamflow.alerting.app import Settings, create_app
from streamflow.alerting.store import Store
from streamflow.shared.auth import mint
from streamflow.shared.bus import ALERTS, ANALYTICS, Bus, Message
from streamflow.shared.bus.memory import MemoryBus

KEY = SecretStr("a-key-for-tests-that-is-long-enough")
WRITE = {"Authorization": f"Bearer {mint(KEY, 'ann', 'write', 24 * 3600)}"}
READ = {"Authorization": f"Bearer {mint(KEY, 'rob', 'read', 24 * 3600)}"}
SECONDS = 10.0
"""How long a test waits for what is to come."""


def window(minute: int = 0, revision: int = 1, *, closed: bool = True, **fields: Any) -> dict[str, Any]:
    """A window of one minute as analytics publishes it."""
    return {
        "window": "1m",
        "start": f"2026-03-01T10:{minute:02}:00Z",
        "end": f"2026-03-01T10:{minute + 1:02}:00Z",
        "revision": revision,
        "closed": closed,
        "count": 100,
        "by_type": {"error": 10},
        "by_source": {"shop": 100},
        "by_severity": {"low": 100},
        "unique_users": 7,
        "errors": 50,
        "error_rate": 0.5,
        "latency": {"p50": 1.0, "p95": 2.0, "p99": None},
        "a later field": "is ignored",
        **fields,
    }


def rule(**fields: Any) -> dict[str, Any]:
    return {"name": "errors", "condition": "error_rate > 0.1 over 1m", "suppress_seconds": 0, **fields}


@dataclass
class Desk:
    """An alerting app that runs, and the way to it."""

    client: httpx.AsyncClient
    bus: Bus
    changes: list[dict[str, Any]] = field(default_factory=list)

    async def call(self, method: str, path: str, status: int = 200, **request: Any) -> Any:
        answer = await self.client.request(method, path, **request)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def add(self, **fields: Any) -> dict[str, Any]:
        made: dict[str, Any] = await self.call("POST", "/rules", 201, json=rule(**fields))
        return made

    async def publish(self, *windows: dict[str, Any]) -> None:
        for each in windows:
            await self.bus.publish(ANALYTICS, Message(json.dumps(each).encode(), "the-cause"))

    async def alerts(self, **filters: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.call("GET", "/alerts", params=filters))["alerts"]
        return found

    async def fired(self, **filters: Any) -> dict[str, Any]:
        """The only alert there is, as soon as there is one."""

        async def one() -> Any:
            return await self.alerts(**filters)

        (alert,) = await until(one)
        return dict(alert)

    async def notified(self, alert_id: str, state: str, count: int = 1) -> list[dict[str, Any]]:
        """The alert's notifications, as soon as so many are in this state."""

        async def there() -> Any:
            told = (await self.call("GET", f"/alerts/{alert_id}"))["notifications"]
            return told if sum(each["state"] == state for each in told) >= count else None

        found: list[dict[str, Any]] = await until(there)
        return found

    async def judged(self) -> None:
        """All windows that were published are judged: one more, of a rule for this, fires behind them."""
        probe = await self.add(name="probe", condition="count > 0 over 1h")
        await self.publish(window(window="1h"))

        async def there() -> Any:
            return await self.alerts(rule=probe["id"])

        await until(there)
        await self.call("DELETE", f"/rules/{probe['id']}", 204)


def free_port() -> int:
    """A port of this host on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


async def until(found: Callable[[], Awaitable[Any]], seconds: float = SECONDS) -> Any:
    """What it finds, as soon as that is something."""
    end = time.monotonic() + seconds
    while not (value := await found()):
        assert time.monotonic() < end, "it didn't come"
        await asyncio.sleep(0.02)
    return value


@contextlib.asynccontextmanager
async def desk(store: Store | None = None, bus: Bus | None = None, **settings: Any) -> AsyncIterator[Desk]:
    """Alerting, running on this store and bus."""
    bus = bus or MemoryBus()
    app = create_app(Settings(jwt_secret_key=KEY, **settings), bus, store)
    async with served(app) as client:
        opened = Desk(client, bus)

        async def ready() -> bool:
            return (await client.get("/ready")).status_code == 200

        await until(ready, 30)

        async def note(message: Message) -> None:
            opened.changes.append(json.loads(message.body) | {"cause": message.correlation_id})

        watching = asyncio.create_task(bus.watch(ALERTS, note))
        try:
            yield opened
        finally:
            watching.cancel()


@contextlib.asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://alerting", headers=WRITE) as client,
    ):
        yield client


@dataclass
class Call:
    """What a webhook was called with."""

    path: str
    headers: dict[str, str]
    body: bytes
    moment: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Hook:
    """A web server that takes webhooks. `answers` are the statuses of the next ones; after them it is 200.

    A status of 0 is no answer until the server ends.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.answers: list[int] = []
        self.ended = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                body = self.rfile.read(length)
                if len(body) < length:  # the caller was killed while it wrote: that is no call
                    return
                outer.calls.append(
                    Call(self.path, {k.lower(): v for k, v in self.headers.items()}, body, time.monotonic())
                )
                status = outer.answers.pop(0) if outer.answers else 200
                if status == 0:
                    outer.ended.wait()
                    return
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", outer.url("/elsewhere"))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    async def called(self) -> bool:
        return bool(self.calls)

    def url(self, path: str = "/hook", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self._server.server_address[1]}{path}"

    @contextlib.contextmanager
    def running(self) -> Iterator[Hook]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield self
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()


@dataclass
class Mail:
    """What a mail server was given."""

    sender: str
    recipient: str
    text: str


class _MailHandler(socketserver.StreamRequestHandler):
    def handle(self) -> None:  # a verb, a case
        post: MailServer = self.server.post  # type: ignore[attr-defined]
        self.say("220 post.test")
        sender = recipient = ""
        while line := self.rfile.readline().decode():
            verb, _, rest = line.strip().partition(" ")
            match verb.upper():
                case "EHLO":
                    self.say("250-post.test", "250 AUTH PLAIN")
                case "AUTH":
                    post.logins.append(rest)
                    self.say("235 welcome")
                case "MAIL":
                    sender = rest
                    self.say("250 ok")
                case "RCPT" if "@refused.test" in rest:
                    self.say("550 unknown")
                case "RCPT":
                    recipient = rest
                    self.say("250 ok")
                case "DATA":
                    self.say("354 go on")
                    post.mails.append(Mail(sender, recipient, self.text()))
                    time.sleep(post.seconds_to_keep)
                    self.say("250 kept")
                case "QUIT":
                    self.say("221 bye")
                    return
                case _:
                    self.say("250 ok")

    def text(self) -> str:
        lines = []
        while (line := self.rfile.readline().decode().rstrip("\r\n")) != ".":
            lines.append(line)
        return "\n".join(lines)

    def say(self, *lines: str) -> None:
        time.sleep(self.server.post.seconds)  # type: ignore[attr-defined]
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())


class _Post(socketserver.ThreadingTCPServer):
    daemon_threads = True
    post: MailServer


class MailServer:
    """A mail server without encryption that knows no address at refused.test.

    It takes so many `seconds` for each answer, and `seconds_to_keep` more for the one to a message.
    """

    def __init__(self) -> None:
        self.seconds = self.seconds_to_keep = 0.0
        self.mails: list[Mail] = []
        self.logins: list[str] = []
        self._server = _Post(("127.0.0.1", 0), _MailHandler)
        self._server.post = self

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @contextlib.contextmanager
    def running(self) -> Iterator[MailServer]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield self
        self._server.shutdown()
        self._server.server_close()
