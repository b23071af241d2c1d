"""Analytics from outside: events come on the bus, figures are asked for and published."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from streamflow.analytics.app import Settings, create_app
from streamflow.shared.auth import mint
from streamflow.shared.bus import ANALYTICS, EVENTS, Message
from streamflow.shared.bus.memory import MemoryBus
from streamflow.shared.events import Event
from streamflow.shared.windows.memory import MemoryWindows
from streamflow.shared.windows.snapshot import WindowSnapshot
from streamflow.shared.wire import dump

from . import analytics_reference as reference
from .servers import free_port

SETTINGS = Settings()
READER = {"Authorization": f"Bearer {mint(SETTINGS.jwt_secret_key, 'reader', 'read', 24 * 3600)}"}
SECONDS = 30
ROUTES = ("/windows", "/windows/1m", "/trends", "/sources", "/types", "/users")


def event(ago: float = 0.0, **fields: Any) -> Event:
    when = datetime.now(UTC) - timedelta(seconds=ago)
    return Event.model_validate({"type": "custom", "source": "shop", "timestamp": when, **fields})


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the app, which runs."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        asyncio.timeout(SECONDS),
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://analytics", headers=READER) as client,
    ):
        yield client


def with_app(test: Callable[[httpx.AsyncClient, MemoryBus], Awaitable[None]], **settings: Any) -> None:
    """Runs a coroutine with a client of an embedded analytics, and its bus."""

    async def within() -> None:
        bus = MemoryBus()
        async with serving(create_app(Settings(**settings), bus)) as client:
            await test(client, bus)

    asyncio.run(within())


async def send(bus: MemoryBus, *events: Event) -> None:
    await bus.publish(EVENTS, Message(dump(events)))


async def metric(client: httpx.AsyncClient, name: str) -> float:
    lines = (await client.get("/metrics")).text.splitlines()
    (value,) = (line.rpartition(" ")[2] for line in lines if line.rpartition(" ")[0] == name)
    return float(value)


async def until_metric(client: httpx.AsyncClient, name: str, value: float) -> None:
    while await metric(client, name) != value:  # noqa: ASYNC110  # it is looked at from outside
        await asyncio.sleep(0.01)


async def get(client: httpx.AsyncClient, path: str, **params: Any) -> Any:
    answer = await client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_events_become_figures() -> None:
    events = [
        event(type="api.response", data={"status": 503, "latency_ms": 120}, user_id="ann", source="api"),
        event(type="api.response", data={"status": 200, "duration_ms": 10}, user_id="bob", source="api"),
        event(type="error", severity="critical", source="shop"),
        event(type="web.click", user_id="ann", source="shop"),
        event(type="web.click", severity="critical", source="ads"),
    ]

    async def test(client: httpx.AsyncClient, bus: MemoryBus) -> None:
        await send(bus, *events)
        await until_metric(client, "events_counted_total", 5)
        for name in ("1m", "5m", "1h"):
            told = [WindowSnapshot.model_validate(each) for each in await get(client, f"/windows/{name}")]
            expected = reference.windows_of(events, name)
            assert [each.start for each in told] == sorted(expected, reverse=True)
            for each in told:
                reference.assert_tells(each, expected[each.start])
        types = await get(client, "/types")
        assert [(each["name"], each["count"], each["share"]) for each in types["shares"]] == [
            ("api.response", 2, 0.4),
            ("web.click", 2, 0.4),
            ("error", 1, 0.2),
        ]
        sources = await get(client, "/sources", limit=2)
        assert (sources["window"], sources["count"]) == ("1h", 5)
        assert sources["shares"] == [
            {"name": "api", "count": 2, "share": 0.4},
            {"name": "shop", "count": 2, "share": 0.4},
        ]
        users = await get(client, "/users")
        assert users["unique_users"] == 2
        assert len(users["periods"]) == 2

    with_app(test)


def test_trends_compare_each_window_with_the_one_before() -> None:
    now = time.time()
    start = now - now % 300
    latest = now - start  # seconds since the running window began

    async def test(client: httpx.AsyncClient, bus: MemoryBus) -> None:
        await send(
            bus,
            event(latest + 350),
            event(latest + 351),
            event(latest + 352, type="error"),
            event(latest + 353, type="error"),
            event(latest + 10, type="error"),
            event(latest + 1500),
        )
        await until_metric(client, "events_counted_total", 6)
        found = await get(client, "/trends", window="5m", periods=12)
        assert (found["window"], len(found["periods"])) == ("5m", 12)
        # Where a new window begins meanwhile all have moved by one.
        at = next(number for number, each in enumerate(found["periods"]) if each["count"] == 4)
        before, four, one = found["periods"][at - 1 : at + 2]
        assert (before["count"], before["count_change"], before["error_rate"]) == (0, None, 0)
        assert (four["count"], four["count_change"], four["errors"], four["error_rate"]) == (4, None, 2, 0.5)
        assert four["error_rate_change"] == 0.5
        assert (one["count"], one["count_change"], one["error_rate_change"]) == (1, -0.75, 0.5)
        assert one["start"] == four["end"]
        assert len((await get(client, "/trends", periods=1))["periods"]) == 1

    with_app(test)


def test_what_is_out_of_bounds_is_only_a_metric() -> None:
    async def test(client: httpx.AsyncClient, bus: MemoryBus) -> None:
        await send(bus, event(7300), event(7100), event(-290), event(-310), event(86_400 * 400))
        await until_metric(client, "events_counted_total", 2)
        assert await metric(client, 'events_out_of_bounds_total{bound="late"}') == 2
        assert await metric(client, 'events_out_of_bounds_total{bound="early"}') == 1
        assert sum(each["count"] for each in await get(client, "/windows/5m", limit=100)) == 2

    with_app(test, allowed_lateness=7200)


def test_what_comes_twice_counts_once() -> None:
    async def test(client: httpx.AsyncClient, bus: MemoryBus) -> None:
        same, other = event(), event()
        await send(bus, same, other, same)
        await send(bus, same)
        await until_metric(client, "events_duplicate_total", 2)
        assert await metric(client, "events_counted_total") == 2
        assert sum(each["count"] for each in await get(client, "/windows/1h")) == 2

    with_app(test)


def test_poison_is_set_aside_and_the_rest_counts() -> None:
    async def test(client: httpx.AsyncClient, bus: MemoryBus) -> None:
        mixed = [json.loads(dump((event(),)))[0], {"type": "nonsense"}, 7]
        for body in (b"\xff", b"{}", json.dumps(mixed).encode(), dump((event(),))):
            await bus.publish(EVENTS, Message(body))
        await until_metric(client, "events_counted_total", 2)
        await until_metric(client, "events_dead_total", 4)
        letters = await bus.letters(10)
        assert {letter.queue for letter in letters} >= {"analytics.events"}
        assert sum(letter.queue == "analytics.events" for letter in letters) == 4

    with_app(test)


class Published:
    """What is published to the exchange, with the moments."""

    def __init__(self, bus: MemoryBus) -> None:
        self.all: list[tuple[float, WindowSnapshot]] = []
        self._task = asyncio.create_task(bus.watch(ANALYTICS, self._take))

    async def _take(self, message: Message) -> None:
        self.all.append((time.monotonic(), WindowSnapshot.model_validate_json(message.body)))

    def of(self, name: str, start: datetime) -> list[tuple[float, WindowSnapshot]]:
        return [each for each in self.all if (each[1].window, each[1].start) == (name, start)]

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


def test_windows_are_published_as_they_change_but_not_too_often() -> None:
    async def test(client: httpx.AsyncClient, bus: MemoryBus) -> None:
        published = Published(bus)
        await asyncio.sleep(0)
        same = datetime.now(UTC)
        for _ in range(70):
            await send(bus, event(timestamp=same))
            await asyncio.sleep(0.01)
        while not any(each.count == 70 for _, each in published.all):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)
        start = same.replace(minute=0, second=0, microsecond=0)
        found = published.of("1h", start)
        revisions = [each.revision for _, each in found]
        assert revisions == sorted(set(revisions))
        assert found[-1][1].count == 70
        # The first one at once, then one each 0.2 s of the 0.7 s and more that this took.
        assert 3 <= len(found) <= 2 + (found[-1][0] - found[0][0]) / 0.2
        assert await get(client, "/windows/1h") == [found[-1][1].model_dump(mode="json")]
        await published.close()

    with_app(test)


def test_a_window_that_has_ended_is_published_as_closed_once_by_all_replicas() -> None:
    async def within() -> None:
        bus, windows = MemoryBus(), MemoryWindows()
        apps = [create_app(SETTINGS, bus, windows) for _ in range(3)]
        async with serving(apps[0]) as client, serving(apps[1]), serving(apps[2]):
            published = Published(bus)
            await asyncio.sleep(0)
            ended = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=10)
            for _ in range(3):
                await send(bus, event(timestamp=ended))
            while not any(each.closed and each.count == 3 for _, each in published.of("1m", ended)):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.5)
            closed = [each for _, each in published.of("1m", ended) if each.closed and each.count == 3]
            assert len(closed) == 1
            running = published.of("1h", ended.replace(minute=0))
            assert not any(each.closed for _, each in running) or ended.minute >= 50
            assert (await client.get("/ready")).json() == {"status": "ready", "checks": {}}
            await published.close()

    asyncio.run(within())


def test_spans_of_a_moment() -> None:
    async def test(client: httpx.AsyncClient, _: MemoryBus) -> None:
        assert await get(client, "/windows", at="2026-01-01T10:07:30+05:30") == [
            {"window": "1m", "start": "2026-01-01T04:37:00Z", "end": "2026-01-01T04:38:00Z"},
            {"window": "5m", "start": "2026-01-01T04:35:00Z", "end": "2026-01-01T04:40:00Z"},
            {"window": "1h", "start": "2026-01-01T04:00:00Z", "end": "2026-01-01T05:00:00Z"},
        ]
        assert len(await get(client, "/windows")) == 3
        for moment in ("9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00"):
            answer = await client.get("/windows", params={"at": moment})
            assert answer.status_code == 400
            message = answer.json()["error"]["message"]
            assert message == "at is outside of the years that windows cover"

    with_app(test)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/windows?at=2026-01-01T10:07:30", "query.at"),
        ("/windows/2m", "path.name"),
        ("/windows/1m?limit=0", "query.limit"),
        ("/windows/1m?limit=101", "query.limit"),
        ("/trends?window=day", "query.window"),
        ("/trends?periods=101", "query.periods"),
        ("/sources?periods=25", "query.periods"),
        ("/types?periods=x", "query.periods"),
        ("/users?periods=0", "query.periods"),
    ],
)
def test_a_wrong_question_is_refused_with_its_path(path: str, field: str) -> None:
    async def test(client: httpx.AsyncClient, _: MemoryBus) -> None:
        answer = await client.get(path)
        assert answer.status_code == 422
        assert [each["path"] for each in answer.json()["error"]["details"]] == [field]

    with_app(test)


def test_who_has_no_token_learns_nothing() -> None:
    async def test(client: httpx.AsyncClient, _: MemoryBus) -> None:
        for path in ROUTES:
            answer = await client.get(path, headers={"Authorization": ""})
            assert (path, answer.status_code) == (path, 401)
            assert (await client.get(path)).status_code == 200

    with_app(test)


def test_without_redis_it_says_when_to_come_again() -> None:
    async def within() -> None:
        settings = Settings.model_validate({"redis_url": f"redis://127.0.0.1:{free_port()}"})
        async with serving(create_app(settings, MemoryBus())) as client:
            for path in ROUTES[1:]:
                answer = await client.get(path)
                assert (path, answer.status_code, answer.headers["Retry-After"]) == (path, 503, "2")
                assert answer.json()["error"]["code"] == "service_unavailable"
            assert (await client.get(ROUTES[0])).status_code == 200
            ready = await client.get("/ready")
            assert (ready.status_code, list(ready.json()["checks"])) == (503, ["redis"])

    asyncio.run(within())
