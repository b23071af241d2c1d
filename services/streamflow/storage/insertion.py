"""Inserting events, those that are there already left alone; how many were new."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pydantic_core import to_json
from sqlalchemy import text
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from streamflow.shared.events import Event
from streamflow.storage.tables import EVENTS


def _json(value: object) -> str:
    return to_json(value).decode()


# Column, type of its array, and what goes into it.
_ARRAYS: tuple[tuple[str, str, Callable[[Event], object]], ...] = (
    ("id", "uuid", lambda event: event.id),
    ("type", "text", lambda event: event.type.value),
    ("source", "text", lambda event: event.source),
    ("timestamp", "timestamptz", lambda event: event.timestamp),
    ("severity", "text", lambda event: event.severity.value),
    ("data", "text", lambda event: _json(event.data)),
    ("metadata", "text", lambda event: _json(event.metadata)),
    ("correlation_id", "text", lambda event: event.correlation_id),
    ("session_id", "text", lambda event: event.session_id),
    ("user_id", "text", lambda event: event.user_id),
    ("tags", "text", lambda event: _json(event.tags)),
)
_DOCUMENTS = {"data", "metadata", "tags"}

# One statement whatever the number of events: its plan is made once, and its parameters are few. In the order of
# ids, so that two replicas with the same events wait for one another instead of each for the other.
_POSTGRES = text(
    f"INSERT INTO events ({', '.join(name for name, _, _ in _ARRAYS)}, received_at) "  # noqa: S608  # constants
    f"SELECT {', '.join(f'CAST({n} AS jsonb)' if n in _DOCUMENTS else n for n, _, _ in _ARRAYS)}, "
    "CAST(:received_at AS timestamptz) "
    f"FROM unnest({', '.join(f'CAST(:{name} AS {kind}[])' for name, kind, _ in _ARRAYS)}) "
    f"AS given ({', '.join(name for name, _, _ in _ARRAYS)}) "
    "ORDER BY id ON CONFLICT (id) DO NOTHING"
).execution_options(preserve_rowcount=True)
_SQLITE = (
    insert(EVENTS).on_conflict_do_nothing(index_elements=["id"]).execution_options(preserve_rowcount=True)
)


async def postgres(events: tuple[Event, ...], connection: AsyncConnection) -> int:
    """Insert into PostgreSQL."""
    arrays: dict[str, Any] = {name: [take(event) for event in events] for name, _, take in _ARRAYS}
    return (await connection.execute(_POSTGRES, arrays | {"received_at": datetime.now(UTC)})).rowcount


async def sqlite(events: tuple[Event, ...], connection: AsyncConnection) -> int:
    """Insert into SQLite."""
    received_at = datetime.now(UTC)
    rows = [event.model_dump() | {"received_at": received_at} for event in events]
    return (await connection.execute(_SQLITE, rows)).rowcount
