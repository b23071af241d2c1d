"""PostgreSQL by asyncpg."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime
from typing import Any

import asyncpg
from pydantic import SecretStr

from streamflow.alerting.store import Row, Session, StoreUnavailable, schema
from streamflow.shared.postgres import FAILURES, being_cancelled
from streamflow.shared.readiness import Check, Unavailable

_log = logging.getLogger(__name__)
_CONNECTIONS = 8
_CONNECT_SECONDS = 5.0
_STATEMENT_SECONDS = 10.0
_CLOSE_SECONDS = 2.0
_RETRY_SECONDS = 0.5
_LOCK = 0x616C657274  # "alert": names the advisory lock under which one replica at a time applies the schema
_AWAY = (
    OSError,  # a TimeoutError is one, too
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,  # a server that became a standby
)


class PostgresStore:
    """A Store on a server, which may be away; the tables are made as soon as it is there."""

    def __init__(self, url: SecretStr) -> None:
        self._url = url
        self._pool: asyncpg.Pool[Any] | None = None
        self._ready = False
        self._starter: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._starter = asyncio.create_task(self._prepare())

    async def close(self) -> None:
        if self._starter is not None:
            self._starter.cancel()
            with suppress(asyncio.CancelledError):
                await self._starter
        if self._pool is not None:
            try:
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await self._pool.close()
            except FAILURES:
                self._pool.terminate()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        if not self._ready or self._pool is None:
            raise StoreUnavailable("the database is away")
        async with _begun(self._pool) as session:
            yield session

    def check(self) -> Check | None:
        async def probe() -> None:
            try:
                async with self.transaction() as session:
                    await session.now()
            except StoreUnavailable as error:
                raise Unavailable(str(error)) from error

        return Check("postgres", probe)

    async def _prepare(self) -> None:
        told = False
        while not self._ready:
            try:
                if self._pool is None:
                    # Without connections of its own accord it can be made while the server is away.
                    self._pool = await asyncpg.create_pool(
                        self._url.get_secret_value(),
                        min_size=0,
                        max_size=_CONNECTIONS,
                        timeout=_CONNECT_SECONDS,
                        command_timeout=_STATEMENT_SECONDS,
                    )
                async with _begun(self._pool) as session:
                    await session.rows("SELECT pg_advisory_xact_lock($1)", _LOCK)
                    await schema.apply(session)
            except (*FAILURES, StoreUnavailable) as error:
                if not told:
                    _log.warning("the database is away: %s", str(error) or type(error).__name__)
                told = True
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                self._ready = True
                _log.info("the database is there")


@asynccontextmanager
async def _begun(pool: "asyncpg.Pool[Any]") -> AsyncIterator[Session]:
    try:
        async with pool.acquire(timeout=_CONNECT_SECONDS) as connection:
            with _given_up(connection):
                async with connection.transaction():
                    with _given_up(connection):
                        yield _Transaction(connection)
    except _AWAY as error:
        if being_cancelled():  # which broke what was under way
            raise asyncio.CancelledError from error
        if isinstance(error, ValueError):  # asyncpg's for a value that fits no column: a mistake of ours
            raise
        raise StoreUnavailable(f"the database is away: {str(error) or type(error).__name__}") from error


@contextmanager
def _given_up(connection: Any) -> Iterator[None]:
    """Whoever is cancelled ends the connection, and with it the transaction.

    To roll it back would be to wait for a server that may not answer at all.
    """
    try:
        yield
    except asyncio.CancelledError:
        connection.terminate()
        raise


class _Transaction:
    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def rows(self, statement: str, *values: object) -> list[Row]:
        return [dict(row) for row in await self._connection.fetch(statement, *values)]

    async def now(self) -> datetime:
        (row,) = await self.rows("SELECT clock_timestamp() AS now")
        now: datetime = row["now"]
        return now
