"""What windows promise, of those inside a process and those in Redis alike."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from streamflow.analytics.counting import Counting
from streamflow.analytics.tally import Bounds
from streamflow.shared.bus import Message
from streamflow.shared.events import Event
from streamflow.shared.windows import MOST_SOURCES, Terms, Windows, WindowsUnavailable, latency
from streamflow.shared.windows.kinds import WINDOWS, Span
from streamflow.shared.windows.loglog import HyperLogLog
from streamflow.shared.windows.memory import MemoryWindows
from streamflow.shared.windows.redis import RedisWindows
from streamflow.shared.windows.snapshot import WindowSnapshot
from streamflow.shared.wire import dump

from . import analytics_reference as reference
from .servers import free_port

NOW = time.time()
HOUR = WINDOWS["1h"]
SECONDS = 60

Test = Callable[[Windows], Awaitable[None]]
Open = Callable[..., Any]


@pytest.fixture(params=["memory", "redis"])
def open_windows(request: pytest.FixtureRequest) -> Iterator[Open]:
    """Opens windows that are empty unless they are given a prefix that was used before in this test."""
    url = None if request.param == "memory" else request.getfixturevalue("redis_url")
    own: dict[str, MemoryWindows] = {}

    @asynccontextmanager
    async def opened(prefix: str, terms: Terms | None = None) -> AsyncIterator[Windows]:
        if url is None:
            yield own.setdefault(prefix, MemoryWindows(terms))
            return
        windows = RedisWindows(SecretStr(url), terms, prefix)
        try:
            yield windows
        finally:
            await windows.close()

    return opened


@pytest.fixture
def on_windows(open_windows: Open) -> Callable[..., None]:
    """Runs a coroutine with empty windows."""

    def run(test: Test, terms: Terms | None = None) -> None:
        async def within() -> None:
            async with asyncio.timeout(SECONDS), open_windows(uuid.uuid4().hex, terms) as windows:
                await test(windows)

        asyncio.run(within())

    return run


def event(ago: float = 0.0, **fields: Any) -> Event:
    """An event so many seconds before NOW."""
    when = datetime.fromtimestamp(NOW - ago, UTC)
    return Event.model_validate({"type": "custom", "source": "shop", "timestamp": when, **fields})


def message(*events: Event) -> Message:
    return Message(dump(events))


def counting(windows: Windows, now: float = NOW) -> Counting:
    bounds = Bounds(reference.LATENESS, reference.EARLINESS)
    return Counting(windows, bounds, CollectorRegistry(), lambda: now)


def hour(snapshots: tuple[WindowSnapshot, ...]) -> list[WindowSnapshot]:
    return [each for each in snapshots if each.window == "1h"]


def changes(window: WindowSnapshot, began: float = NOW) -> int:
    """How often a window has changed since it began."""
    return window.revision - round(began * 1000)


async def figures(windows: Windows) -> list[WindowSnapshot]:
    """All windows, without how often each has changed, which depends on the batches."""
    found = [each for name in WINDOWS for each in await windows.latest(name, 100)]
    assert all(each.revision > 0 for each in found)
    return [each.model_copy(update={"revision": 0}) for each in found]


def assert_figures(found: list[WindowSnapshot], events: list[Event]) -> None:
    counted = reference.within(events, NOW)
    for name in WINDOWS:
        expected = reference.windows_of(counted, name)
        told = {each.start: each for each in found if each.window == name}
        assert list(told) == sorted(expected, reverse=True)
        for start, some in expected.items():
            reference.assert_tells(told[start], some)


DATA = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"latency_ms": st.floats(0, 2e7) | st.integers(-5, 10**400)}),
    st.fixed_dictionaries({"duration_ms": st.integers(0, 3000), "status": st.sampled_from([200, 499, 500])}),
    st.sampled_from(
        [
            {"status": 503, "latency_ms": "12"},
            {"status": True, "latency_ms": True},
            {"status": None, "latency_ms": None, "duration_ms": 7},
            {"status": "500", "duration_ms": [1]},
        ]
    ),
)
EVENTS = st.builds(
    event,
    ago=st.one_of(st.floats(-280, 3500), st.floats(3700, 9000), st.floats(-900, -310)),
    type=st.sampled_from(["api.response", "api.response", "error", "web.click"]),
    source=st.sampled_from(
        [f"source {number}" for number in range(30)] + ["ü", "😀", "7", "\x01", '"', "{}"]
    ),
    severity=st.sampled_from(["low", "critical"]),
    user_id=st.none() | st.sampled_from([f"user {number}" for number in range(50)]),
    data=DATA,
)


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[Event], list[list[tuple[Message, ...]]]]:
    """Events, and for each of some replicas the batches that it is handed: together all events, some repeatedly."""
    events = draw(st.lists(EVENTS, min_size=1, max_size=60, unique_by=lambda each: each.id))
    shuffler = draw(st.randoms(use_true_random=False))
    repeated = shuffler.choices(events, k=draw(st.integers(0, 40)))
    sent = shuffler.sample(events + repeated, len(events) + len(repeated))
    replicas: list[list[tuple[Message, ...]]] = [[] for _ in range(draw(st.integers(1, 3)))]
    while sent:
        size = shuffler.randint(1, 20)
        portion, sent = sent[:size], sent[size:]
        half = shuffler.randint(1, len(portion))
        parts = [message(*part) for part in (portion[:half], portion[half:]) if part]
        shuffler.choice(replicas).append(tuple(parts))
    return events, replicas


@given(deliveries())
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_batches_order_repetition_and_replicas_make_no_difference(
    open_windows: Open, handed: tuple[list[Event], list[list[tuple[Message, ...]]]]
) -> None:
    events, replicas = handed

    async def within() -> None:
        name = uuid.uuid4().hex
        async with asyncio.timeout(SECONDS), open_windows(name) as one, open_windows(name) as other:

            async def replica(number: int) -> None:
                handler = counting(one if number % 2 else other)
                for batch in replicas[number]:
                    assert await handler.handle(batch) == ()

            await asyncio.gather(*map(replica, range(len(replicas))))
            found = await figures(one)
            assert_figures(found, events)
            async with open_windows(uuid.uuid4().hex) as plain:
                await counting(plain).handle((message(*events),))
                assert await figures(plain) == found

    asyncio.run(within())


def test_a_batch_counts_as_a_whole_or_not_at_all(on_windows: Callable[..., None]) -> None:
    """Where one of its events was counted before, the others are counted by the second try only: exactly once."""

    async def test(windows: Windows) -> None:
        first, second, third = event(), event(), event()
        handler = counting(windows)
        await handler.handle((message(first, second),))
        await handler.handle((message(second, third, third),))
        await handler.handle((message(first, second, third),))
        (told,) = await windows.latest("1h", 5)
        assert (told.count, changes(told)) == (3, 2)

    on_windows(test)


def test_an_id_is_forgotten_in_the_end(on_windows: Callable[..., None]) -> None:
    async def test(windows: Windows) -> None:
        same = event()
        await counting(windows).handle((message(same),))
        await asyncio.sleep(1.1)
        await counting(windows, NOW + 1.1).handle((message(same),))
        (told,) = await windows.latest("1h", 5)
        assert told.count == 2

    on_windows(test, Terms(remember=1))


def test_more_events_than_fit_into_one_step(on_windows: Callable[..., None]) -> None:
    async def test(windows: Windows) -> None:
        events = [event(number % 1800, user_id=f"u{number}") for number in range(2500)]
        messages = tuple(message(*events[at : at + 900]) for at in range(0, 2500, 900))
        await counting(windows).handle(messages)
        await counting(windows).handle(messages)
        assert_figures(await figures(windows), events)

    on_windows(test)


def test_due_windows_are_taken_once_and_not_too_often(on_windows: Callable[..., None]) -> None:
    async def test(windows: Windows) -> None:
        handler = counting(windows)
        await handler.handle((message(event()),))
        first = await windows.due(NOW)
        assert {(each.window, each.count, each.closed) for each in first} == {
            ("1m", 1, False),
            ("5m", 1, False),
            ("1h", 1, False),
        }
        assert await windows.due(NOW) == ()
        await handler.handle((message(event()),))
        assert await windows.due(NOW + 0.01) == ()  # taken, and not yet published
        await windows.published(first, NOW + 0.05)
        assert await windows.due(NOW + 0.19) == ()
        second = await windows.due(NOW + 0.21)
        assert {(each.count, changes(each)) for each in second} == {(2, 2)}
        await windows.published(second, NOW + 0.22)
        assert await windows.due(NOW + 1) == ()

    on_windows(test, Terms(grace=7200))


def test_what_was_taken_and_never_published_is_due_again(on_windows: Callable[..., None]) -> None:
    async def test(windows: Windows) -> None:
        await counting(windows).handle((message(event()),))
        first = await windows.due(NOW)
        assert await windows.due(NOW + 4.9) == ()
        again = await windows.due(NOW + 5.1)
        assert sorted(map(str, again)) == sorted(map(str, first))
        await windows.published(again, NOW + 5.2)
        # The slow first one comes to it at last, when that no longer matters.
        await windows.published(first, NOW + 5.3)
        assert await windows.due(NOW + 60) == ()

    on_windows(test, Terms(grace=7200))


def test_a_window_closes_once(on_windows: Callable[..., None]) -> None:
    async def test(windows: Windows) -> None:
        handler = counting(windows)
        await handler.handle((message(event()),))
        await windows.published(await windows.due(NOW), NOW)
        end = WINDOWS["1h"].containing(datetime.fromtimestamp(NOW, UTC)).end.timestamp()
        assert hour(await windows.due(end + 9.9)) == []
        (closed,) = hour(taken := await windows.due(end + 10.1))
        assert (closed.closed, closed.count, changes(closed)) == (True, 1, 2)
        await windows.published(taken, end + 10.2)
        assert hour(await windows.due(end + 100)) == []
        # A late event still counts, and the window is published anew; it stays closed.
        await counting(windows, end + 101).handle((message(event(NOW - end + 1)),))
        (late,) = hour(await windows.due(end + 101))
        assert (late.closed, late.count, changes(late)) == (True, 2, 3)

    on_windows(test)


def test_a_closing_during_a_publication_comes_after_it(on_windows: Callable[..., None]) -> None:
    async def test(windows: Windows) -> None:
        end = WINDOWS["1h"].containing(datetime.fromtimestamp(NOW, UTC)).end.timestamp()
        await counting(windows).handle((message(event()),))
        running = await windows.due(end + 9.9)
        assert hour(await windows.due(end + 10.1)) == []
        await windows.published(running, end + 10.15)
        (closed,) = hour(await windows.due(end + 10.4))
        assert (closed.closed, changes(closed)) == (True, 2)

    on_windows(test)


def test_a_window_that_was_lost_and_begins_anew_is_newer(on_windows: Callable[..., None]) -> None:
    """As Redis loses what it had in memory only: who knows the old figures must take the new ones."""
    found: list[WindowSnapshot] = []

    def look(now: float, times: int) -> Test:
        async def test(windows: Windows) -> None:
            for _ in range(times):
                await counting(windows, now).handle((message(event()),))
            (told,) = await windows.latest("1h", 1)
            found.append(told)

        return test

    on_windows(look(NOW, 500))
    on_windows(look(NOW + 5, 1))
    before, after = found
    assert (before.count, after.count) == (500, 1)
    assert after.revision > before.revision


def test_silence_is_told_once_when_a_window_closes(on_windows: Callable[..., None]) -> None:
    def minute(snapshots: tuple[WindowSnapshot, ...]) -> list[tuple[float, bool, int, int]]:
        return [
            (each.start.timestamp() - start, each.closed, each.count, changes(each, start + 1))
            for each in snapshots
            if each.window == "1m"
        ]

    start = WINDOWS["1m"].containing(datetime.fromtimestamp(NOW, UTC)).start.timestamp() + 60

    async def test(windows: Windows) -> None:
        # Nothing is told of what was before anybody looked, nor of a window that isn't over.
        assert await windows.due(start + 1) == ()
        assert await windows.due(start + 69.9) == ()
        taken = await windows.due(start + 70.1)
        assert minute(taken) == [(0, True, 0, 1)]
        assert await windows.due(start + 70.2) == ()
        await windows.published(taken, start + 70.3)
        assert minute(await windows.due(start + 129)) == []
        assert await windows.latest("1m", 10) == ()
        # A late event counts as in any other window that is closed.
        await counting(windows, start + 129).handle((message(event(NOW - start - 1)),))
        assert minute(await windows.due(start + 129.1)) == [(0, True, 1, 2)]
        assert [each.count for each in await windows.latest("1m", 10)] == [1]

    on_windows(test)


def test_windows_in_which_nothing_happened_are_empty(on_windows: Callable[..., None]) -> None:
    async def test(windows: Windows) -> None:
        await counting(windows).handle((message(event(user_id="u")),))
        before, current = HOUR.last(2, datetime.fromtimestamp(NOW, UTC))
        empty, full = await windows.of((before, current))
        assert (empty.span, empty.count, empty.revision, empty.error_rate) == (before, 0, 0, 0)
        assert (empty.by_type, empty.latency.p99, empty.closed) == ({}, None, False)
        assert (full.span, full.count) == (current, 1)
        assert await windows.of(()) == ()

    on_windows(test)


def test_sources_and_users_of_several_windows_together(on_windows: Callable[..., None]) -> None:
    async def test(windows: Windows) -> None:
        start = HOUR.containing(datetime.fromtimestamp(NOW, UTC)).start.timestamp()
        last, current = NOW - start + 1, NOW - start  # seconds ago
        events = [
            event(last, source="b", user_id="u"),
            event(current, source="b", user_id="u"),
            event(current, source="a", user_id="v"),
            event(last, source="a", user_id="w"),
            event(last, source="c"),
        ]
        await counting(windows, start + 1).handle((message(*events),))
        spans = HOUR.last(2, datetime.fromtimestamp(NOW, UTC))
        assert await windows.sources(spans, 5) == (("a", 2), ("b", 2), ("c", 1))
        assert await windows.sources(spans, 1) == (("a", 2),)
        assert await windows.sources(spans[1:], 5) == (("a", 1), ("b", 1))
        assert await windows.users(spans) == 3
        assert await windows.users(spans[1:]) == 2
        assert (await windows.sources((), 5), await windows.users(())) == ((), 0)

    on_windows(test)


def test_sources_are_bounded(on_windows: Callable[..., None]) -> None:
    async def test(windows: Windows) -> None:
        handler = counting(windows)
        for first in range(0, MOST_SOURCES + 500, 500):
            await handler.handle((message(*(event(source=f"s{n}") for n in range(first, first + 500))),))
        await handler.handle((message(event(source="s7"), event(source="new")),))
        span = HOUR.containing(datetime.fromtimestamp(NOW, UTC))
        found = dict(await windows.sources((span,), MOST_SOURCES + 500))
        assert (len(found), found["s7"], "new" in found) == (MOST_SOURCES, 2, False)
        (told,) = await windows.latest("1h", 1)
        assert told.count == MOST_SOURCES + 502

    on_windows(test)


def test_users_are_estimated_well(on_windows: Callable[..., None]) -> None:
    async def test(windows: Windows) -> None:
        handler = counting(windows)
        for first in range(0, 20_000, 1000):
            events = (event(user_id=f"user {number}") for number in range(first, first + 1000))
            await handler.handle((message(*events),))
        (told,) = await windows.latest("1h", 1)
        assert abs(told.unique_users - 20_000) < 600

    on_windows(test)


def test_redis_that_is_away_is_told() -> None:
    async def within() -> None:
        windows = RedisWindows(SecretStr(f"redis://user:geheim@127.0.0.1:{free_port()}/0"))
        span = HOUR.containing(datetime.fromtimestamp(NOW, UTC))
        attempts: list[Awaitable[Any]] = [
            counting(windows).handle((message(event()),)),
            windows.due(NOW),
            windows.published((), NOW),
            windows.latest("1h", 1),
            windows.of((span,)),
            windows.sources((span,), 1),
            windows.users((span,)),
        ]
        for attempt in attempts:
            with pytest.raises(WindowsUnavailable) as raised:
                await attempt
            assert "geheim" not in str(raised.value)
        await windows.close()

    asyncio.run(within())


@given(st.lists(st.floats(0, 2e7) | st.integers(0, 10**9), min_size=1), st.sampled_from([50, 95, 99]))
def test_a_percentile_is_within_one_percent(values: list[float], percent: int) -> None:
    buckets: dict[int, int] = {}
    for value in values:
        number = latency.bucket(value)
        buckets[number] = buckets.get(number, 0) + 1
    reference.assert_percentile(latency.percentile(buckets, percent), percent, sorted(values))


def test_users_in_memory_add_up() -> None:
    one, other, both = HyperLogLog(), HyperLogLog(), HyperLogLog()
    one.add(f"u{number}" for number in range(50_000))
    other.add(f"u{number}" for number in range(30_000, 100_000))
    both.add(f"u{number}" for number in range(100_000))
    one.merge(other)
    assert one.count() == both.count()
    assert abs(both.count() - 100_000) < 3000


@given(
    st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.sampled_from(sorted(WINDOWS)),
)
def test_windows_follow_one_another(moment: datetime, name: str) -> None:
    window = next(each for each in WINDOWS.values() if each.name == name)
    span = window.containing(moment)
    assert span.start <= moment < span.end
    assert span.end - span.start == window.length
    assert window.containing(span.end).start == span.end
    assert window.containing(span.end - timedelta(microseconds=1)) == span
    before, same = window.last(2, moment)
    assert (before.end, same) == (span.start, span)
    assert window.starting(int(span.start.timestamp())) == span


def test_a_snapshot_is_read_as_it_was_written(on_windows: Callable[..., None]) -> None:
    async def test(windows: Windows) -> None:
        await counting(windows).handle((message(event(type="api.response", data={"latency_ms": 12.5})),))
        for told in await windows.latest("1m", 1):
            assert WindowSnapshot.model_validate_json(told.model_dump_json()) == told
            assert isinstance(told.span, Span)

    on_windows(test)
