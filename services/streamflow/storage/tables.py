"""The table of events, for both databases. The migrations make it; a test holds the two together."""

from datetime import UTC, datetime

from sqlalchemy import JSON, Column, DateTime, Dialect, Index, MetaData, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator


class Moment(TypeDecorator[datetime]):
    """A moment in UTC; SQLite, which knows no time zones, keeps it without one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        # asyncpg has none for the first and the last moment there are, either: they are infinite to it.
        return value if value is None or value.tzinfo else value.replace(tzinfo=UTC)


Json = JSON().with_variant(JSONB(), "postgresql")

METADATA = MetaData()

EVENTS = Table(
    "events",
    METADATA,
    # A second event with the same id is no event: this is what makes storing one twice harmless.
    Column("id", Uuid, primary_key=True),
    Column("type", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("timestamp", Moment, nullable=False),
    Column("severity", Text, nullable=False),
    Column("data", Json, nullable=False),
    Column("metadata", Json, nullable=False),
    Column("correlation_id", Text),
    Column("session_id", Text),
    Column("user_id", Text),
    Column("tags", Json, nullable=False),
    Column("received_at", Moment, nullable=False),
)

# Newest first, a page after another; time ranges; the oldest, which retention deletes. Filters of few values (type,
# source, severity) and tags walk along it: an index on each would cost every insert more than it gives a page.
Index("events_timestamp", EVENTS.c.timestamp, EVENTS.c.id)
# What one user, session or request did is a needle in that haystack. Pages come out in order here, too, and events
# without the field cost nothing.
for _name in ("user_id", "session_id", "correlation_id"):
    Index(
        f"events_{_name}",
        EVENTS.c[_name],
        EVENTS.c.timestamp,
        EVENTS.c.id,
        postgresql_where=EVENTS.c[_name].is_not(None),
        sqlite_where=EVENTS.c[_name].is_not(None),
    )
