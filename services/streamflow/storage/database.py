"""The one place that connects to a database: PostgreSQL by asyncpg, or SQLite in a file or in memory.

Everything else hands it work to do on a connection, and learns that the database is away by DatabaseUnavailable.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from time import monotonic
from typing import TypeVar

import asyncpg
from pydantic import SecretStr
from sqlalchemy import URL, Connection, event, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool, StaticPool

from streamflow.shared.postgres import FAILURES, being_cancelled
from streamflow.shared.readiness import Check, Unavailable
from streamflow.storage.migration import MigrationError, migrate

_log = logging.getLogger(__name__)
_CONNECT_SECONDS = 5.0
_COMMAND_SECONDS = 30.0
_CLOSE_SECONDS = 2.0
_CONNECTIONS = 6  # one takes events in, two may export
_RETRY_SECONDS = 1.0
_FAILED_SECONDS = 60.0  # a failure is that old only where another replica has done the work
_FILE = "sqlite:///"
_NO_SCHEMA = "the database has no schema yet"
_DATA_EXCEPTION = (
    "22"  # the class of SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html
)

T = TypeVar("T")
Work = Callable[[AsyncConnection], Awaitable[T]]


class DatabaseUnavailable(Exception):  # noqa: N818  # a state of the world, not a mistake
    """The database is away, refuses, takes too long, or has no schema yet. Nothing of the transaction is done."""


class Unstorable(Exception):  # noqa: N818  # a property of the data, not a mistake
    """The database has no place for a value, such as PostgreSQL for the character U+0000."""


class Database:
    """The connections of a process. It connects when first used, so that a start needs no database."""

    def __init__(self, url: SecretStr | None) -> None:
        """Connect to the URL's PostgreSQL or SQLite file; without one, to SQLite in memory."""
        address = None if url is None else url.get_secret_value()
        self._address = address
        self.in_memory = address is None
        """It is in this process, and never away."""
        self.embedded = address is None or address.startswith(_FILE)
        """It is SQLite, on one connection: whoever works with it has it alone."""
        self._alone = asyncio.Lock()
        self._works: set[asyncio.Task[object]] = set()
        self._prepared = False
        self._lack = _NO_SCHEMA
        self._failure: str | None = None
        self._failed_at = 0.0
        self._engine = _sqlite(address) if self.embedded else _postgres(address)

    async def prepare(self) -> None:
        """Bring the schema up to date, and try until that is done."""
        while not self._prepared:
            try:
                await self._migrate()
            except (DatabaseUnavailable, MigrationError) as error:
                if str(error) != self._lack:
                    _log.warning("the database can't be prepared yet: %s", error)
                self._lack = str(error)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                self._prepared = True
                _log.info("the database is prepared")

    async def run(self, work: Work[T]) -> T:
        """Do the work, which is one statement that may be done twice; it is committed when this returns.

        Raises DatabaseUnavailable or Unstorable.
        """
        if not self._prepared:
            raise DatabaseUnavailable(_NO_SCHEMA)
        return await self._run(work)

    async def insist(self, work: Work[T]) -> T:
        """Do work like `run`, which who asks for it repeats until it is done: readiness tells of it while it fails.

        A full disk can be read from. Raises DatabaseUnavailable or Unstorable.
        """
        try:
            done = await self.run(work)
        except DatabaseUnavailable as error:
            self._failure, self._failed_at = str(error), monotonic()
            raise
        self._failure = None
        return done

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection to read from for long; not where the database is embedded, for there is but one."""
        if not self._prepared:
            raise DatabaseUnavailable(_NO_SCHEMA)
        with _translated():
            async with self._engine.connect() as connection:
                yield connection

    def check(self) -> Check | None:
        """Whether the database answers, has its schema and does what it must.

        None where it is in the memory of this process.
        """
        if self.in_memory:
            return None

        async def probe() -> None:
            try:
                await self._run(_ask)
            except DatabaseUnavailable as error:
                raise Unavailable(str(error)) from error
            if not self._prepared:
                raise Unavailable(self._lack)
            if self._failure is not None and monotonic() - self._failed_at < _FAILED_SECONDS:
                raise Unavailable(self._failure)

        return Check("sqlite" if self.embedded else "postgres", probe)

    async def close(self) -> None:
        """End every connection."""
        try:
            async with asyncio.timeout(_CLOSE_SECONDS), self._alone:
                await self._engine.dispose()
        except TimeoutError:
            _log.warning("the database didn't take leave within %g s", _CLOSE_SECONDS)

    async def _run(self, work: Work[T]) -> T:
        if not self.embedded:
            return await _at_once(self._engine, work)
        # A cancelled query breaks its connection, and with this one goes what is in memory: it may finish.
        running = asyncio.create_task(self._run_alone(work))
        self._works.add(running)
        running.add_done_callback(self._works.discard)
        return await asyncio.shield(running)

    async def _run_alone(self, work: Work[T]) -> T:
        async with self._alone:
            return await _transact(self._engine, work)

    async def _migrate(self) -> None:
        if self.embedded:
            await self._run(partial(_in_sync, migrate))
            return
        # A revision may take as long as a large table needs.
        engine = _postgres(self._address, within=None)
        try:
            await _transact(engine, partial(_in_sync, migrate))
        finally:
            await engine.dispose()


def _postgres(address: str | None, within: float | None = _COMMAND_SECONDS) -> AsyncEngine:
    # asyncpg reads the URL itself: SQLAlchemy's dialect doesn't know libpq's options, such as sslmode.
    connect = partial(asyncpg.connect, address, timeout=_CONNECT_SECONDS, command_timeout=within)
    if within is None:
        return create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        # Each holds up to a page in memory. Who waits longer for one is told that the database doesn't answer.
        pool_size=_CONNECTIONS,
        max_overflow=0,
        pool_timeout=_COMMAND_SECONDS,
    )


def _sqlite(address: str | None) -> AsyncEngine:
    path = ":memory:" if address is None else address.removeprefix(_FILE)
    logging.getLogger("aiosqlite").setLevel(logging.INFO)  # it tells each statement, with all of its data
    engine = create_async_engine(
        URL.create("sqlite+aiosqlite", database=path),
        poolclass=StaticPool,
        connect_args={"isolation_level": None},
    )

    # Python's sqlite3 doesn't begin a transaction for changes of the schema; and whoever begins to read and goes on
    # to write may find that another process wrote meanwhile. https://docs.sqlalchemy.org/en/20/dialects/sqlite.html
    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


async def _at_once(engine: AsyncEngine, work: Work[T]) -> T:
    # A statement alone is a transaction: to begin one and to end it would be two more ways to the server and back.
    alone = engine.execution_options(isolation_level="AUTOCOMMIT")
    with _translated():
        try:
            async with alone.connect() as connection:
                return await work(connection)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
        # The connection had been lost in the pool, and now all that are as old are gone from it.
        async with alone.connect() as connection:
            return await work(connection)


async def _transact(engine: AsyncEngine, work: Work[T]) -> T:
    with _translated():
        async with engine.begin() as connection:
            return await work(connection)


async def _in_sync(work: Callable[[Connection], T], connection: AsyncConnection) -> T:
    return await connection.run_sync(work)


async def _ask(connection: AsyncConnection) -> None:
    await connection.execute(text("SELECT 1"))


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        # The dialect's own error says no more than the driver's, whose text is for people.
        found = error.orig.__cause__ or error.orig if error.orig is not None else error
        if str(getattr(found, "sqlstate", "")).startswith(_DATA_EXCEPTION):
            raise Unstorable(_first_line(found)) from error
        raise DatabaseUnavailable(_first_line(found)) from error
    except TimeoutError as error:
        if being_cancelled():
            raise asyncio.CancelledError from error
        raise DatabaseUnavailable("the database doesn't answer in time") from error
    except (*FAILURES, SQLAlchemyError) as error:
        raise DatabaseUnavailable(_first_line(error)) from error


def _first_line(error: BaseException) -> str:
    """What the error says without the details below, which can be data."""
    return str(error).partition("\n")[0] or type(error).__name__
