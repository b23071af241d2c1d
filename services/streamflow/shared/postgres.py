"""PostgreSQL by asyncpg: what tells that it is away."""

import asyncpg

FAILURES = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""What connecting or a query raises when the server is away or refuses."""
