"""PostgreSQL by asyncpg: connecting, and whether it answers."""

import asyncpg
from pydantic import SecretStr

from streamflow.shared.readiness import Check, Unavailable

FAILURES = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""What connecting or a query raises when the server is away or refuses."""


def postgres_check(url: SecretStr) -> Check:
    """Whether the database takes a connection of its own and a query."""

    async def probe() -> None:
        try:
            connection = await asyncpg.connect(url.get_secret_value())
            try:
                await connection.execute("SELECT 1")
            finally:
                await connection.close()
        except FAILURES as error:
            raise Unavailable(str(error)) from error

    return Check("postgres", probe)
