"""The archive: events put in, found, paged through, counted, exported and thrown away."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    String,
    Text,
    cast,
    delete,
    desc,
    func,
    literal,
    literal_column,
    select,
    tuple_,
    type_coerce,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from streamflow.shared.events import Event, EventType, Severity
from streamflow.storage import insertion
from streamflow.storage.cursors import Cursor
from streamflow.storage.database import Database, Unstorable
from streamflow.storage.filters import Filters, GroupFilters, conditions
from streamflow.storage.tables import EVENTS, Moment

_FETCHED = 128  # rows at once, which are text until they are read; of one there are up to 300 KiB
_PAGE_BYTES = 8 << 20
_EXPORTED_BYTES = 1 << 20
_READ = 8  # rows, before whatever else waits has its turn
_DELETED = 5_000  # events in one transaction, which holds their locks
_DOCUMENTS = ("data", "metadata", "tags")
_COLUMNS = [
    # As text, so that their sizes are known, and nothing is read before it has its place.
    cast(EVENTS.c[name], Text).label(name) if name in _DOCUMENTS else EVENTS.c[name]
    for name in Event.model_fields
]
_FIRST_HOUR: ColumnElement[datetime] = literal_column("TIMESTAMPTZ '0001-01-01T00:00:00Z'")
_LAST_HOUR: ColumnElement[datetime] = literal_column("TIMESTAMPTZ '9999-12-31T23:00:00Z'")
_PLACE = (EVENTS.c.timestamp, EVENTS.c.id)


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of events that were to be stored; those that weren't new were stored before."""

    new: int = 0
    duplicates: int = 0
    refused: tuple[tuple[Event, str], ...] = ()

    def __add__(self, other: "Stored") -> "Stored":
        return Stored(self.new + other.new, self.duplicates + other.duplicates, self.refused + other.refused)


@dataclass(frozen=True, slots=True)
class Page:
    """Events, newest first, and where to go on if there are more."""

    events: tuple[Event, ...]
    end: Cursor | None


class Archive:
    """All events, in the database. What goes to it raises DatabaseUnavailable while that is away."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = insertion.sqlite if database.embedded else insertion.postgres

    async def store(self, events: tuple[Event, ...]) -> Stored:
        """Store events, each once whatever happens; they are committed when this returns.

        When it raises, it has to be called again with them until it doesn't.
        """
        if not events:
            return Stored()
        try:
            new = await self._database.insist(partial(self._insert, events))
        except Unstorable as error:
            if len(events) == 1:
                return Stored(refused=((events[0], str(error)),))
            # One that the database has no place for keeps the others out: it is found by halving.
            middle = len(events) // 2
            return await self.store(events[:middle]) + await self.store(events[middle:])
        return Stored(new, len(events) - new)

    async def find(self, event_id: UUID) -> Event | None:
        """The event with the id."""
        rows = await self._database.run(partial(_all, select(*_COLUMNS).where(EVENTS.c.id == event_id)))
        return _event(rows[0]) if rows else None

    async def page(self, filters: Filters, after: Cursor | None, limit: int) -> Page:
        """Up to so many events, those that come after the cursor; what is stored meanwhile moves none of them.

        A page ends sooner with the event that makes it large.
        """
        events: list[Event] = []
        left = _PAGE_BYTES
        while True:
            most = min(_FETCHED, limit - len(events))
            asked = self._newest_first(filters, after).limit(most + 1)
            rows = await self._database.run(partial(_all, asked))
            taken, size = _within(rows[:most], left)
            events += await _events(taken)
            left -= size
            if len(taken) == len(rows):
                return Page(tuple(events), None)
            after = Cursor(events[-1].timestamp, events[-1].id)
            if left <= 0 or len(events) == limit:
                return Page(tuple(events), after)

    async def count(self, filters: GroupFilters) -> tuple[tuple[tuple[str, int], ...], bool]:
        """How many events each group has, at most `limit` groups, and whether those are all.

        Hours come newest first, everything else by its count.
        """
        hourly = filters.by == "hour"
        key = self._hour() if hourly else EVENTS.c[filters.by]
        total = func.count().label("count")
        group: ColumnElement[Any] = literal_column("1")
        asked = (
            select(key.label("key"), total)
            .where(*self._conditions(filters))
            .group_by(group)
            .order_by(*((desc(group),) if hourly else (desc(total), group)))
            .limit(filters.limit + 1)
        )

        async def work(connection: AsyncConnection) -> list[tuple[str, int]]:
            return [(_key(key), count) for key, count in await connection.execute(asked)]

        found = await self._database.run(work)
        return tuple(found[: filters.limit]), len(found) <= filters.limit

    async def export(self, filters: Filters) -> AsyncIterator[tuple[Event, ...]]:
        """Every event that passes, newest first, a few at a time however many and however large they are."""
        if self._database.embedded:
            after: Cursor | None = None
            while True:
                page = await self.page(filters, after, _FETCHED)
                yield page.events
                if page.end is None:
                    return
                after = page.end
        asked = self._newest_first(filters, None).execution_options(yield_per=_FETCHED)
        async with self._database.reading() as connection:
            result = await connection.stream(asked)  # by a cursor of the server
            async for rows in result.partitions():
                left: Sequence[Row[Any]] = rows
                while left:
                    taken, _ = _within(left, _EXPORTED_BYTES)
                    left = left[len(taken) :]
                    yield await _events(taken)

    async def delete_before(self, moment: datetime) -> int:
        """Delete the events that are older, oldest first, in transactions of a few; how many there were."""
        oldest = (
            select(EVENTS.c.id)
            .where(EVENTS.c.timestamp < moment)
            .order_by(*_PLACE)
            .limit(_DELETED)
            # What another replica deletes at this moment is its work.
            .with_for_update(skip_locked=True)
        )
        asked = delete(EVENTS).where(EVENTS.c.id.in_(oldest))

        async def work(connection: AsyncConnection) -> int:
            return (await connection.execute(asked)).rowcount

        count = 0
        while deleted := await self._database.run(work):
            count += deleted
        return count

    def _conditions(self, filters: Filters) -> list[ColumnElement[bool]]:
        return conditions(filters, sqlite=self._database.embedded)

    def _newest_first(self, filters: Filters, after: Cursor | None) -> Select[Any]:
        wanted = self._conditions(filters)
        if after is not None:
            place = tuple_(literal(after.timestamp, Moment()), literal(after.id, EVENTS.c.id.type))
            wanted.append(tuple_(*_PLACE) < place)
        return select(*_COLUMNS).where(*wanted).order_by(*(desc(column) for column in _PLACE))

    def _hour(self) -> ColumnElement[datetime]:
        hour: ColumnElement[Any]
        if self._database.embedded:
            # Of the text that it is there: SQLite's own functions round, past the year 9999, too.
            text = type_coerce(EVENTS.c.timestamp, String)
            hour = func.substr(text, 1, 13).op("||")(literal_column("':00:00.000000'"))
        else:
            # The first and the last moment that Python has are infinite to asyncpg, and have no hour there.
            finite = func.least(func.greatest(EVENTS.c.timestamp, _FIRST_HOUR), _LAST_HOUR)
            hour = func.date_trunc(literal_column("'hour'"), finite, literal_column("'UTC'"))
        return type_coerce(hour, Moment())


async def _all(asked: Select[Any], connection: AsyncConnection) -> Sequence[Row[Any]]:
    return (await connection.execute(asked)).all()


def _within(rows: Sequence[Row[Any]], limit: int) -> tuple[Sequence[Row[Any]], int]:
    """The first rows, up to the one whose documents reach so many bytes with theirs; and how many they have."""
    size = 0
    for count, row in enumerate(rows, 1):
        size += sum(len(getattr(row, name).encode()) for name in _DOCUMENTS)
        if size >= limit:
            return rows[:count], size
    return rows, size


async def _events(rows: Sequence[Row[Any]]) -> tuple[Event, ...]:
    events = []
    for number, row in enumerate(rows, 1):
        events.append(_event(row))
        if number % _READ == 0:
            await asyncio.sleep(0)
    return tuple(events)


def _event(row: Row[Any]) -> Event:
    """The event of a row. It was checked when it came, and may break rules that are newer than that."""
    fields = dict(row._mapping)  # noqa: SLF001  # public, by its documentation
    fields |= {name: json.loads(fields[name]) for name in _DOCUMENTS}
    return Event.model_construct(
        **fields
        | {
            "type": EventType(fields["type"]),
            "severity": Severity(fields["severity"]),
            "tags": tuple(fields["tags"]),
        }
    )


def _key(value: str | datetime) -> str:
    return value if isinstance(value, str) else value.astimezone(UTC).isoformat().replace("+00:00", "Z")
