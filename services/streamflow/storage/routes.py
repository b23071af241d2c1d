"""Storage's routes: questions about events, and retention."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from pydantic_core import to_json

from streamflow.shared.auth import REFUSED, Guard
from streamflow.shared.errors import INVALID, ErrorAnswer, error_answer
from streamflow.shared.events import Event
from streamflow.shared.retention import Policy, Run
from streamflow.storage import cursors
from streamflow.storage.archive import Archive
from streamflow.storage.database import DatabaseUnavailable
from streamflow.storage.filters import Filters, GroupFilters, PageFilters
from streamflow.storage.ndjson import Ndjson, chain
from streamflow.storage.retention import Retention

_EXPORTS = 2  # each holds a connection for as long as its client reads, or as ndjson.SECONDS say
_ENCODED = 8  # events at a stretch
_AGAIN = {"Retry-After": "2"}

AWAY: dict[int | str, dict[str, Any]] = {
    503: {"model": ErrorAnswer, "description": "Not for now; Retry-After says when to try again"}
}
MISSING: dict[int | str, dict[str, Any]] = {404: {"model": ErrorAnswer, "description": "No such event"}}


class EventPage(BaseModel):
    """Events, newest first; `next` is the cursor of the next page, null on the last one."""

    events: tuple[Event, ...]
    next: str | None


class Group(BaseModel):
    """Events that have something in common, and how many; an hour goes by its beginning."""

    key: str
    count: int


class Aggregation(BaseModel):
    """Groups by their counts, hours newest first; `complete` is false where there are more groups."""

    by: str
    groups: tuple[Group, ...]
    complete: bool


async def _away(_: Request, __: Exception) -> JSONResponse:
    return error_answer(503, "the database doesn't answer", headers=_AGAIN)


def install(app: FastAPI, archive: Archive, retention: Retention, guard: Guard) -> None:
    """Give the app its routes, and its answer while the database is away."""
    app.add_exception_handler(DatabaseUnavailable, _away)
    app.include_router(_events(archive, guard))
    app.include_router(_retention(retention, guard))


def _events(archive: Archive, guard: Guard) -> APIRouter:
    routes = APIRouter(prefix="/events", responses=INVALID | REFUSED | AWAY, dependencies=[guard.reads])
    exports = asyncio.Semaphore(_EXPORTS)

    @routes.get("", response_model=EventPage)
    async def list_events(filters: Annotated[PageFilters, Query()]) -> Response:
        """A page of the events that pass the filters, newest first; it ends before `limit` at 8 MiB of them.

        Following `next` gives each event once, however many are stored meanwhile.
        """
        after = None if filters.cursor is None else cursors.parse(filters.cursor)
        page = await archive.page(filters, after, filters.limit)
        parts = b",".join(await _encoded(page.events)), to_json(None if page.end is None else str(page.end))
        return Response(b'{"events":[%b],"next":%b}' % parts, media_type="application/json")

    @routes.get("/aggregations")
    async def aggregate(filters: Annotated[GroupFilters, Query()]) -> Aggregation:
        """How many events pass the filters, by what they are grouped by."""
        groups, complete = await archive.count(filters)
        counted = tuple(Group(key=key, count=count) for key, count in groups)
        return Aggregation(by=filters.by, groups=counted, complete=complete)

    @routes.get("/export", response_class=Ndjson, responses=_as_json(INVALID | REFUSED | AWAY))
    async def export(filters: Annotated[Filters, Query()]) -> Ndjson:
        """Every event that passes the filters, newest first, one a line.

        An answer that breaks off is not whole: the end of its last chunk is missing. It does for who reads less than
        64 KiB in 30 seconds.
        """
        if exports.locked():
            raise HTTPException(503, f"{_EXPORTS} exports run already", _AGAIN)
        lines = _lines(archive, filters, exports)
        # While nothing is sent there can still be another answer.
        return Ndjson(chain(await anext(lines, b""), lines))

    @routes.get("/{event_id}", responses=MISSING)
    async def get_event(event_id: UUID) -> Event:
        """An event."""
        event = await archive.find(event_id)
        if event is None:
            raise HTTPException(404, f"there is no event {event_id}")
        return event

    return routes


def _retention(retention: Retention, guard: Guard) -> APIRouter:
    routes = APIRouter(prefix="/retention", responses=REFUSED)

    @routes.get("", dependencies=[guard.reads])
    async def policy() -> Policy:
        """The retention policy, as of now."""
        return retention.policy()

    @routes.post("/run", responses=AWAY, dependencies=[guard.writes])
    async def run() -> Run:
        """Delete what is older than the policy allows, now instead of within the hour."""
        return await retention.run()

    return routes


def _as_json(errors: dict[int | str, dict[str, Any]]) -> dict[int | str, dict[str, Any]]:
    """The errors as they are declared by a route whose own answer is no JSON."""
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{ErrorAnswer.__name__}"}}}
    return {
        status: {"description": error["description"], "content": content} for status, error in errors.items()
    }


async def _lines(archive: Archive, filters: Filters, exports: asyncio.Semaphore) -> AsyncGenerator[bytes]:
    async with exports:
        async for events in archive.export(filters):
            yield b"".join(line + b"\n" for line in await _encoded(events))


async def _encoded(events: tuple[Event, ...]) -> list[bytes]:
    """The JSON of each; whatever else waits has its turn now and then."""
    encoded = []
    for number, event in enumerate(events, 1):
        encoded.append(event.model_dump_json().encode())
        if number % _ENCODED == 0:
            await asyncio.sleep(0)
    return encoded
