"""Where rules, alerts and the outbox are kept, and what a database must do for it.

Statements are plain SQL with `$1` placeholders that PostgreSQL and SQLite both understand; tables begin with
`alerting_`. Moments come from the database's clock, so that replicas need not agree on the time.
"""

from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol

from streamflow.shared.readiness import Check

Row = dict[str, Any]


class StoreUnavailable(Exception):  # noqa: N818  # a state of the world, not a mistake
    """The database is away or asks to try again. What was to be changed may still have been."""


class Session(Protocol):
    """One transaction."""

    async def rows(self, statement: str, *values: object) -> list[Row]:
        """What a statement returns; moments and ids may come as text."""

    async def now(self) -> datetime:
        """The database's clock."""


class Store(Protocol):
    """A database. Use it between `start` and `close`."""

    async def start(self) -> None:
        """Begin; doesn't wait for the database, which may come later."""

    async def close(self) -> None:
        """Let go of the database."""

    def transaction(self) -> AbstractAsyncContextManager[Session]:
        """A transaction: kept when its body ends, undone when it raises. Raises StoreUnavailable."""

    def check(self) -> Check | None:
        """Whether the database answers; None where it is a part of this process."""
