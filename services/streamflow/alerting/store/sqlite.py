"""SQLite inside of this process, for alerting without a database server. What it holds in memory ends with it.

One connection in one worker thread: there is one writer at a time anyway.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

from streamflow.alerting.store import Row, Session, StoreUnavailable, schema
from streamflow.shared.readiness import Check, Unavailable

T = TypeVar("T")
MEMORY = ":memory:"
# What a file may do that is no mistake in a statement.
_AWAY = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}


class SqliteStore:
    """A Store in memory, or in a file, which is opened when it is first needed."""

    def __init__(self, path: str = MEMORY) -> None:
        self._path = path
        self._worker = ThreadPoolExecutor(1, "alerting-sqlite")
        self._turn = asyncio.Lock()
        self._connection: sqlite3.Connection | None = None

    async def start(self) -> None:
        with suppress(StoreUnavailable):
            async with self.transaction():
                pass

    async def close(self) -> None:
        async with self._turn:
            if self._connection is not None:
                await self._run(self._connection.close)
            self._connection = None
            self._worker.shutdown(wait=False)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        async with self._turn:
            try:
                connection = self._connection or await self._open()
                async with self._begun(connection) as session:
                    yield session
            except sqlite3.Error as error:
                if error.sqlite_errorcode & 0xFF not in _AWAY:
                    raise
                raise StoreUnavailable(f"the database is away: {error}") from error

    def check(self) -> Check | None:
        async def probe() -> None:
            try:
                async with self.transaction():
                    pass
            except StoreUnavailable as error:
                raise Unavailable(str(error)) from error

        return None if self._path == MEMORY else Check("sqlite", probe)

    async def _open(self) -> sqlite3.Connection:
        connection = await self._run(
            lambda: sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        )
        connection.row_factory = sqlite3.Row
        try:
            async with self._begun(connection) as session:
                await schema.apply(session)
        except BaseException:
            await asyncio.shield(self._run(connection.close))
            raise
        self._connection = connection
        return connection

    @asynccontextmanager
    async def _begun(self, connection: sqlite3.Connection) -> AsyncIterator[Session]:
        def undo() -> None:
            if connection.in_transaction:
                connection.rollback()

        try:
            await self._run(lambda: connection.execute("BEGIN IMMEDIATE"))
            yield _Transaction(self, connection)
            await self._run(connection.commit)
        except BaseException:
            # Also when cancelled: the worker does what it was given in order, so this comes after all of it.
            await asyncio.shield(self._run(undo))
            raise

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, work)


class _Transaction:
    def __init__(self, store: SqliteStore, connection: sqlite3.Connection) -> None:
        self._store = store
        self._connection = connection

    async def rows(self, statement: str, *values: object) -> list[Row]:
        # `$1` is a placeholder of the name "1" here. There is no other writer, so nothing is to be locked or skipped.
        plain = statement.replace("FOR UPDATE SKIP LOCKED", "").replace("FOR UPDATE", "")
        named = {str(number): _plain(value) for number, value in enumerate(values, start=1)}
        return await self._store._run(  # noqa: SLF001  # one adapter in two classes
            lambda: [dict(row) for row in self._connection.execute(plain, named).fetchall()]
        )

    async def now(self) -> datetime:
        return datetime.now(UTC)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        # Of one length and in UTC, so that text sorts as the moments do.
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return str(value) if isinstance(value, UUID) else value
