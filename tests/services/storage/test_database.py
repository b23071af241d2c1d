"""What the archive promises on every database: SQLite in memory and in a file, and PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic import SecretStr
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from streamflow.shared.events import Event
from streamflow.shared.readiness import Unavailable
from streamflow.storage import migration
from streamflow.storage.archive import Archive, Stored
from streamflow.storage.cursors import Cursor
from streamflow.storage.database import Database, DatabaseUnavailable
from streamflow.storage.filters import Filters, GroupFilters
from streamflow.storage.tables import METADATA

from .running import NOON, SECONDS, ids, made, newest_first, numbered

Test = Callable[[Archive], Awaitable[None]]
EVERYTHING = Filters()
HOSTILE = (
    "' OR 1=1 --",
    "'; DROP TABLE events; --",
    "%",
    "_",
    "\\",
    '"',
    '["a"]',
    "$1",
    ":source",
    "{}",
    "ä😀\u2028",
)


@pytest.fixture
def on_archive(database_url: str | None) -> Callable[[Test], None]:
    """Runs a coroutine with the archive of an empty database."""

    def run(test: Test) -> None:
        async def within() -> None:
            database = connected(database_url)
            try:
                async with asyncio.timeout(SECONDS):
                    await database.prepare()
                    await test(Archive(database))
            finally:
                await database.close()

        asyncio.run(within())

    return run


def connected(url: str | None) -> Database:
    return Database(None if url is None else SecretStr(url))


async def all_of(archive: Archive, filters: Filters = EVERYTHING) -> list[Event]:
    return [event async for some in archive.export(filters) for event in some]


def test_an_event_comes_back_as_it_went_in(on_archive: Callable[[Test], None]) -> None:
    event = made(
        type="api.response",
        timestamp="2026-03-01T12:00:00.123456+05:30",
        severity="critical",
        data={
            "text": "ä😀\u2028 ' \" \\ \\u0000",
            "deep": [{"a": [1, -2.5, None, True, 10**30, 1e-7]}],
            "": {},
        },
        metadata={"ip": "::1"},
        correlation_id="c",
        session_id="s" * 200,
        user_id="😀" * 200,
        tags=["b", "a", "b", "ä"],
    )

    async def test(archive: Archive) -> None:
        await archive.store((event,))
        assert await archive.find(event.id) == event
        assert await all_of(archive) == [event]
        assert await archive.find(uuid4()) is None

    on_archive(test)


def test_what_was_stored_before_a_rule_was_made_can_be_read(on_archive: Callable[[Test], None]) -> None:
    event = made(tags=["a"]).model_copy(update={"data": {"a": "x" * 300_000}})

    async def test(archive: Archive) -> None:
        await archive.store((event,))
        assert await archive.find(event.id) == event
        assert await all_of(archive) == [event]

    on_archive(test)


@pytest.mark.parametrize(
    "moment",
    [
        datetime.min.replace(tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999999, UTC),
        datetime.max.replace(tzinfo=UTC),
    ],
)
def test_every_moment_has_a_place(on_archive: Callable[[Test], None], moment: datetime) -> None:
    event = made(timestamp=moment)

    async def test(archive: Archive) -> None:
        await archive.store((event, made(timestamp=moment.replace(minute=30)), made()))
        assert await archive.find(event.id) == event
        assert event in (await archive.page(EVERYTHING, None, 3)).events
        (hours, complete) = await archive.count(GroupFilters(by="hour"))
        assert complete
        hour = moment.isoformat()[:13]
        assert sorted(hours) == sorted(((f"{hour}:00:00Z", 2), ("2026-03-01T12:00:00Z", 1)))
        await archive.page(EVERYTHING, Cursor(event.timestamp, event.id), 2)

    on_archive(test)


def test_an_event_is_stored_once(on_archive: Callable[[Test], None]) -> None:
    first, second, third = made(), made(), made()
    changed = first.model_copy(update={"source": "elsewhere"})

    async def test(archive: Archive) -> None:
        assert await archive.store(()) == Stored()
        assert await archive.store((first, second, first)) == Stored(new=2, duplicates=1)
        assert await archive.store((changed, third, second)) == Stored(new=1, duplicates=2)
        assert await archive.find(first.id) == first  # the first one counts
        assert len(await all_of(archive)) == 3

    on_archive(test)


def test_writers_at_once_store_each_event_once(on_archive: Callable[[Test], None]) -> None:
    events = numbered(400)

    async def test(archive: Archive) -> None:
        each = [events[start : start + 200] for start in range(0, 201, 40)]
        each += [tuple(reversed(some)) for some in each]
        stored = await asyncio.gather(*map(archive.store, each))
        assert sum(one.new for one in stored) == 400
        assert sum(one.duplicates for one in stored) == 200 * len(each) - 400
        assert await all_of(archive) == newest_first(events)

    on_archive(test)


def test_pages_hold_every_event_once_in_order(on_archive: Callable[[Test], None]) -> None:
    # Many at the same moment, so that only their ids tell them apart.
    events = (*numbered(10), *(made() for _ in range(25)))

    async def test(archive: Archive) -> None:
        await archive.store(events)
        found, after = [], None
        while True:
            page = await archive.page(EVERYTHING, after, 4)
            found += page.events
            assert len(page.events) <= 4
            if page.end is None:
                break
            after = page.end
        assert found == newest_first(events)
        whole = await archive.page(EVERYTHING, None, len(events))
        assert (list(whole.events), whole.end) == (newest_first(events), None)

    on_archive(test)


def test_pages_and_exports_are_bounded_by_bytes(on_archive: Callable[[Test], None]) -> None:
    # Of 3 KiB that each has PostgreSQL makes 125, and SQLite keeps them.
    events = numbered(150, metadata={"a": [1e-300] * 420, "b": "ä😀"})

    async def test(archive: Archive) -> None:
        await archive.store(events)
        found, pages, after = [], [], None
        while True:
            page = await archive.page(EVERYTHING, after, 1000)
            found += page.events
            pages.append(len(page.events))
            if page.end is None:
                break
            after = page.end
        assert found == newest_first(events)
        embedded = archive._database.embedded
        assert pages == ([150] if embedded else [66, 66, 18])
        sizes = [len(some) async for some in archive.export(EVERYTHING)]
        assert sum(sizes) == 150
        assert max(sizes) == (128 if embedded else 9)
        assert await all_of(archive) == newest_first(events)

    on_archive(test)


def test_a_page_is_never_empty_while_there_are_more(
    on_archive: Callable[[Test], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamflow.storage.archive._PAGE_BYTES", 10)
    events = numbered(5)

    async def test(archive: Archive) -> None:
        await archive.store(events)
        found, after = [], None
        for left in reversed(range(5)):
            page = await archive.page(EVERYTHING, after, 1000)
            found += page.events
            after = page.end
            assert (len(page.events), after is None) == (1, left == 0)
        assert found == newest_first(events)

    on_archive(test)


def test_an_export_is_larger_than_what_is_in_memory_at_once(on_archive: Callable[[Test], None]) -> None:
    events = numbered(1600)

    async def test(archive: Archive) -> None:
        assert await all_of(archive) == []
        await archive.store(events)
        sizes = [len(some) async for some in archive.export(EVERYTHING)]
        assert sum(sizes) == 1600
        assert max(sizes) <= 500
        assert await all_of(archive) == newest_first(events)

    on_archive(test)


def test_an_export_that_is_left_gives_its_connection_back(on_archive: Callable[[Test], None]) -> None:
    async def test(archive: Archive) -> None:
        await archive.store(numbered(1600))
        for _ in range(30):  # more than there are connections
            export = archive.export(EVERYTHING)
            await anext(export)
            await export.aclose()  # type: ignore[attr-defined]  # it is a generator
        assert len(await all_of(archive)) == 1600

    on_archive(test)


def test_counts_are_ordered_and_bounded(on_archive: Callable[[Test], None]) -> None:
    events = (
        *numbered(3, source="b"),
        *numbered(3, source="a"),
        *numbered(5, source="c", type="error", severity="high"),
        made(source="c", timestamp=NOON - timedelta(microseconds=1)),
        made(source="c", timestamp=NOON + timedelta(hours=5)),
    )

    async def test(archive: Archive) -> None:
        await archive.store(events)
        by_source = await archive.count(GroupFilters(by="source"))
        by_hour = await archive.count(GroupFilters(by="hour"))
        assert by_source == ((("c", 7), ("a", 3), ("b", 3)), True)
        assert await archive.count(GroupFilters(by="source", limit=2)) == ((("c", 7), ("a", 3)), False)
        assert await archive.count(GroupFilters(by="source", limit=3)) == by_source
        assert by_hour == (
            (("2026-03-01T17:00:00Z", 1), ("2026-03-01T12:00:00Z", 11), ("2026-03-01T11:00:00Z", 1)),
            True,
        )
        assert await archive.count(GroupFilters(by="hour", limit=1)) == (by_hour[0][:1], False)
        assert await archive.count(GroupFilters(by="type")) == ((("web.click", 8), ("error", 5)), True)
        assert await archive.count(GroupFilters(by="severity", source="a")) == ((("low", 3),), True)
        assert await archive.count(GroupFilters(by="hour", source="none")) == ((), True)

    on_archive(test)


def test_only_what_is_older_is_deleted(
    on_archive: Callable[[Test], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamflow.storage.archive._DELETED", 7)  # several transactions
    events = numbered(50)

    async def test(archive: Archive) -> None:
        await archive.store(events)
        deleted = await asyncio.gather(*(archive.delete_before(events[30].timestamp) for _ in range(3)))
        assert sum(deleted) == 30
        assert await all_of(archive) == newest_first(events[30:])
        assert await archive.delete_before(events[30].timestamp) == 0

    on_archive(test)


@pytest.mark.parametrize("hostile_text", HOSTILE)
def test_text_means_itself(on_archive: Callable[[Test], None], hostile_text: str) -> None:
    hostile = made(
        source=hostile_text,
        user_id=hostile_text,
        session_id=hostile_text,
        correlation_id=hostile_text,
        tags=["x", hostile_text],
        data={hostile_text: hostile_text},
    )
    others = numbered(3, source="other", user_id="other", tags=["a", "other"])

    async def test(archive: Archive) -> None:
        await archive.store((hostile, *others))
        for name in ("source", "user_id", "session_id", "correlation_id", "tag"):
            assert await all_of(archive, Filters.model_validate({name: hostile_text})) == [hostile]
        assert await archive.count(GroupFilters(by="source", tag=hostile_text)) == (
            ((hostile_text, 1),),
            True,
        )
        assert len(await all_of(archive)) == 4

    on_archive(test)


def test_what_has_no_place_keeps_nothing_else_out(
    on_archive: Callable[[Test], None], database_url: str | None
) -> None:
    # Events from before such were refused.
    inside = made().model_copy(update={"data": {"a": ["\0"]}})
    good, name = numbered(9), made().model_copy(update={"source": "a\0b"})

    async def test(archive: Archive) -> None:
        stored = await archive.store((*good[:5], inside, *good[5:], name, good[0]))
        refused = [event for event, _ in stored.refused]
        if database_url is None or database_url.startswith("sqlite"):
            assert (stored.new, stored.duplicates, refused) == (11, 1, [])
            return
        assert (stored.new, stored.duplicates, refused) == (9, 1, [inside, name])
        assert [reason for _, reason in stored.refused] == [
            "unsupported Unicode escape sequence",
            'invalid byte sequence for encoding "UTF8": 0x00',
        ]
        assert set(ids(good)) <= set(ids(await all_of(archive)))

    on_archive(test)


def test_the_migrations_make_the_tables(database_url: str | None) -> None:
    def differences(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"version_table": "storage_version"})
        return compare_metadata(context, METADATA)

    async def test() -> None:
        database = connected(database_url)
        await database.prepare()
        try:
            assert await database.run(lambda connection: connection.run_sync(differences)) == []
        finally:
            await database.close()

    asyncio.run(test())


def test_revisions_are_named_after_their_modules() -> None:
    scripts = ScriptDirectory(str(Path(migration.__file__).with_name("migrations")))
    for script in scripts.walk_revisions():
        assert Path(script.path).name.startswith(f"v{script.revision}_")
    assert scripts.get_current_head() == migration.newest()


@pytest.mark.parametrize("database_url", ["file", "postgres"], indirect=True)
def test_a_database_of_a_later_version_is_left_alone(database_url: str) -> None:
    async def later(connection: AsyncConnection) -> None:
        await connection.execute(text("UPDATE storage_version SET version_num = '9999'"))

    async def test() -> Any:
        first, second = connected(database_url), connected(database_url)
        await first.prepare()
        await first.run(later)
        await first.close()
        preparing = asyncio.create_task(second.prepare())
        check = second.check()
        assert check is not None
        reason = "the database has no schema yet"
        async with asyncio.timeout(SECONDS):
            while reason == "the database has no schema yet":
                await asyncio.sleep(0.1)
                with pytest.raises(Unavailable) as raised:
                    await check.probe()
                reason = str(raised.value)
        preparing.cancel()
        await asyncio.gather(preparing, return_exceptions=True)
        await second.close()
        return reason

    assert asyncio.run(test()) == "Can't locate revision identified by '9999'"


@pytest.mark.parametrize("database_url", ["file", "postgres"], indirect=True)
def test_many_prepare_a_fresh_database_at_once(database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        several = [connected(database_url) for _ in range(6)]
        try:
            async with asyncio.timeout(SECONDS):
                await asyncio.gather(*(database.prepare() for database in several))
                stored = [await Archive(database).store((made(),)) for database in several]
        finally:
            await asyncio.gather(*(database.close() for database in several))
        assert stored == [Stored(new=1)] * 6

    asyncio.run(test())
    # Nobody only succeeded by trying again.
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == []


@pytest.mark.parametrize("database_url", ["file", "postgres"], indirect=True)
def test_data_outlives_the_process_that_stored_it(database_url: str) -> None:
    events = numbered(3)

    async def work(*to_store: Event) -> list[Event]:
        database = connected(database_url)
        await database.prepare()
        try:
            await Archive(database).store(to_store)
            return await all_of(Archive(database))
        finally:
            await database.close()

    asyncio.run(work(*events))
    assert asyncio.run(work()) == newest_first(events)


def test_before_it_is_prepared_it_is_unavailable(database_url: str | None) -> None:
    async def test() -> None:
        database = connected(database_url)
        try:
            with pytest.raises(DatabaseUnavailable, match=r"^the database has no schema yet$"):
                await Archive(database).store((made(),))
            with pytest.raises(DatabaseUnavailable, match=r"^the database has no schema yet$"):
                await all_of(Archive(database))
        finally:
            await database.close()

    asyncio.run(test())


def test_a_query_that_is_cancelled_breaks_nothing(on_archive: Callable[[Test], None]) -> None:
    events = numbered(300)

    async def test(archive: Archive) -> None:
        await archive.store(events[:1])
        for moment in range(20):
            storing = asyncio.create_task(archive.store(events))
            await asyncio.sleep(moment / 1000)
            storing.cancel()
            await asyncio.gather(storing, return_exceptions=True)
        await archive.store(events)
        assert await all_of(archive) == newest_first(events)

    on_archive(test)


def test_a_cursor_survives_its_text() -> None:
    from streamflow.storage.cursors import parse

    for moment in (datetime.min, datetime(1970, 1, 1), datetime(2026, 1, 1, 1, 1, 1, 1), datetime.max):  # noqa: DTZ001, DTZ901
        cursor = Cursor(moment.replace(tzinfo=UTC), UUID(int=2**128 - 1))
        assert parse(str(cursor)) == cursor
