"""Storage's database: SQLAlchemy over asyncpg, one pool for the life of the process."""

from functools import partial

import asyncpg
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

from streamflow.shared.postgres import FAILURES
from streamflow.shared.readiness import Check, Unavailable


class Database:
    """The pool of connections; it connects when first used, so that a start needs no database."""

    def __init__(self, url: SecretStr) -> None:
        # asyncpg reads the URL itself: SQLAlchemy's dialect doesn't know libpq's options, such as sslmode.
        connect = partial(asyncpg.connect, url.get_secret_value())
        self._engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, pool_pre_ping=True)

    def check(self) -> Check:
        """Whether the pool has a connection that answers a query."""

        async def probe() -> None:
            try:
                async with self._engine.connect() as connection:
                    await connection.execute(text("SELECT 1"))
            except (*FAILURES, SQLAlchemyError) as error:
                raise Unavailable(str(error)) from error

        return Check("postgres", probe)

    async def close(self) -> None:
        """End every connection."""
        await self._engine.dispose()
