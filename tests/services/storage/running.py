"""Storage in this process, asked over HTTP and fed by its bus; and databases for it."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from uuid import UUID, uuid4

import asyncpg
import httpx
from pydantic import SecretStr

from streamflow.shared.auth import Role, mint
from streamflow.shared.bus import EVENTS, Letter, Message
from streamflow.shared.bus.memory import MemoryBus
from streamflow.shared.events import Event
from streamflow.shared.wire import dump
from streamflow.storage.app import Settings, create_app

KEY = SecretStr("a-key-for-tests-that-is-long-enough")
SECONDS = 60
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def bearer(role: Role = "read") -> dict[str, str]:
    return {"Authorization": f"Bearer {mint(KEY, 'tester', role, 24 * 3600)}"}


def made(**fields: Any) -> Event:
    return Event.model_validate({"type": "web.click", "source": "shop", "timestamp": NOON, **fields})


def numbered(count: int, **fields: Any) -> tuple[Event, ...]:
    """Events a second apart, the oldest first, with ids in no order."""
    return tuple(made(timestamp=NOON + timedelta(seconds=n), data={"n": n}, **fields) for n in range(count))


def newest_first(events: Iterable[Event]) -> list[Event]:
    return sorted(events, key=lambda event: (event.timestamp, event.id), reverse=True)


def ids(events: Iterable[Event | dict[str, Any]]) -> list[UUID]:
    return [event.id if isinstance(event, Event) else UUID(event["id"]) for event in events]


class Storage:
    """A storage service in this process. Its loop runs while it is asked, and only then."""

    def __init__(self, url: str | None = None, **settings: Any) -> None:
        self._database = {} if url is None else {"database_url": SecretStr(url)}
        self._settings = settings
        self.bus = MemoryBus()

    def __enter__(self) -> Self:
        self._runner = asyncio.Runner()
        self._runner.run(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._stack.aclose())
        self._runner.close()

    async def _start(self) -> None:
        app = create_app(Settings(jwt_secret_key=KEY, **self._database, **self._settings), self.bus)
        self._stack = AsyncExitStack()
        await self._stack.enter_async_context(app.router.lifespan_context(app))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self._client = await self._stack.enter_async_context(
            httpx.AsyncClient(transport=transport, base_url="http://storage", headers=bearer())
        )

    def ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        return self._runner.run(self._client.request(method, path, **request))

    def get(self, path: str, **parameters: Any) -> Any:
        """The JSON of an answer that is one."""
        answer = self.ask("GET", path, params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def wait_until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SECONDS
        while not holds():
            assert time.monotonic() < deadline, "it never came"
            self._runner.run(asyncio.sleep(0.02))

    def wait_until_ready(self) -> None:
        self.wait_until(lambda: self.ask("GET", "/ready").status_code == 200)

    def publish(self, *bodies: bytes) -> None:
        async def publish() -> None:
            for body in bodies:
                await self.bus.publish(EVENTS, Message(body, "cause"))

        self._runner.run(publish())

    def store(self, events: Iterable[Event]) -> None:
        """Send events in a message, and wait until they were handled."""
        taken = tuple(events)
        before = self.handled()
        self.publish(dump(taken))
        self.wait_until(lambda: self.handled() == before + len(taken))

    def letters(self) -> tuple[Letter, ...]:
        return self._runner.run(self.bus.letters(100))

    def metric(self, name: str) -> float:
        found = re.search(rf"^{name} (\S+)$", self.ask("GET", "/metrics").text, re.MULTILINE)
        assert found is not None, name
        return float(found[1])

    def handled(self) -> int:
        return int(
            sum(map(self.metric, ("events_stored_total", "events_duplicate_total", "events_dead_total")))
        )

    def pages(self, **parameters: Any) -> Iterator[list[dict[str, Any]]]:
        """Page after page until there is no next one."""
        cursor: dict[str, str] = {}
        while True:
            page = self.get("/events", **parameters, **cursor)
            yield page["events"]
            if page["next"] is None:
                return
            cursor = {"cursor": page["next"]}


@contextmanager
def postgres_database(port: int) -> Iterator[str]:
    """A fresh database of the server on the port."""
    server = f"postgresql://streamflow:streamflow@127.0.0.1:{port}"
    name = f"storage_{uuid4().hex}"

    async def execute(command: str) -> None:
        connection = await asyncpg.connect(f"{server}/postgres")
        try:
            await connection.execute(command)
        finally:
            await connection.close()

    asyncio.run(execute(f"CREATE DATABASE {name}"))
    yield f"{server}/{name}"
    asyncio.run(execute(f"DROP DATABASE {name} WITH (FORCE)"))


def query(url: str, question: str) -> Any:
    """The first value that PostgreSQL answers with."""

    async def ask() -> Any:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(question)
        finally:
            await connection.close()

    return asyncio.run(ask())


def run_on_postgres(url: str, statements: str) -> None:
    """Do what PostgreSQL is told."""

    async def run() -> None:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(statements)
        finally:
            await connection.close()

    asyncio.run(run())
