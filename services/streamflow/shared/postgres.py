"""PostgreSQL by asyncpg: what tells that it is away."""

import asyncio

import asyncpg

FAILURES = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""What connecting or a query raises when the server is away or refuses."""


def being_cancelled() -> bool:
    """Whether what a query raised may stand for a cancellation, of which asyncpg can make an error of its own."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
