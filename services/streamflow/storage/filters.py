"""Which events are asked for: what a request says, and what that means in SQL, always by bound parameters."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, exists, func, select, type_coerce
from sqlalchemy.dialects.postgresql import JSONB

from streamflow.shared.events import EventType, Moment, Severity
from streamflow.storage.cursors import CursorText
from streamflow.storage.tables import EVENTS

MOST = 1000
"""Events on a page, and groups of an aggregation."""

# PostgreSQL's text has no U+0000.
Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]


class Filters(BaseModel):
    """What an event must have to be in the answer; what isn't given doesn't matter."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: EventType | None = None
    source: Text | None = None
    severity: Severity | None = None
    user_id: Text | None = None
    session_id: Text | None = None
    correlation_id: Text | None = None
    tag: Text | None = Field(default=None, description="one of the event's tags")
    since: Moment | None = Field(default=None, description="no older than this; with an offset or Z")
    until: Moment | None = Field(default=None, description="older than this; with an offset or Z")


class PageFilters(Filters):
    """Which events, and which page of them."""

    limit: int = Field(default=100, ge=1, le=MOST)
    cursor: CursorText | None = Field(default=None, description="`next` of the page before")


class GroupFilters(Filters):
    """Which events, and what they are counted by."""

    by: Literal["type", "source", "severity", "hour"]
    limit: int = Field(default=MOST, ge=1, le=MOST)


_EQUAL = ("type", "source", "severity", "user_id", "session_id", "correlation_id")


def conditions(filters: Filters, *, sqlite: bool) -> list[ColumnElement[bool]]:
    """What holds for each event that passes the filters."""
    found = [EVENTS.c[name] == str(value) for name in _EQUAL if (value := getattr(filters, name)) is not None]
    if filters.since is not None:
        found.append(EVENTS.c.timestamp >= filters.since)
    if filters.until is not None:
        found.append(EVENTS.c.timestamp < filters.until)
    if filters.tag is not None:
        found.append(_sqlite_tagged(filters.tag) if sqlite else _postgres_tagged(filters.tag))
    return found


def _postgres_tagged(tag: str) -> ColumnElement[bool]:
    return type_coerce(EVENTS.c.tags, JSONB).contains([tag])


def _sqlite_tagged(tag: str) -> ColumnElement[bool]:
    each = func.json_each(EVENTS.c.tags).table_valued("value")
    return exists(select(each.c.value).where(each.c.value == tag))
