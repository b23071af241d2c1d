"""What ingestion answers."""

import math
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import httpx
from fastapi import APIRouter, HTTPException, Response, WebSocket
from pydantic import BaseModel, ConfigDict, FailFast, Field, SecretStr

from streamflow.ingestion.direct import direct
from streamflow.ingestion.intake import Intake, Refusal
from streamflow.ingestion.outbox import MOST
from streamflow.ingestion.stream import converse
from streamflow.shared.auth import REFUSED, Caller, Guard
from streamflow.shared.bodies import TOO_LARGE
from streamflow.shared.errors import INVALID, ErrorAnswer
from streamflow.shared.events import Event

_LATER: dict[int | str, dict[str, Any]] = {
    429: {"model": ErrorAnswer, "description": "Over the client's rate; Retry-After says when to go on"},
    503: {"model": ErrorAnswer, "description": "Not accepted for now; Retry-After says when to try again"},
}
_FETCHED: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorAnswer, "description": "No such event"},
    503: {"model": ErrorAnswer, "description": "Storage doesn't answer"},
}


class Batch(BaseModel):
    """Events that are accepted together or not at all."""

    model_config = ConfigDict(extra="forbid")

    # What is wrong is told of the first event only: however many there are, the others are not even looked at.
    events: Annotated[tuple[Event, ...], FailFast()] = Field(min_length=1, max_length=MOST)


class Accepted(BaseModel):
    """Events that will be stored and counted, whatever fails from now on."""

    accepted: int
    ids: tuple[UUID, ...]


def routes(intake: Intake, guard: Guard, storage: SecretStr | None, client: httpx.AsyncClient) -> APIRouter:
    """Its routes; `storage` is the URL of the service that has events, which `client` reaches."""
    router = APIRouter()

    async def accept(caller: Caller, events: tuple[Event, ...]) -> Accepted:
        try:
            taken = await intake.take(caller, events)
        except Refusal as refusal:
            wait = {"Retry-After": str(math.ceil(refusal.seconds))}
            raise HTTPException(refusal.status, refusal.message, wait) from None
        return Accepted(accepted=len(taken), ids=tuple(event.id for event in taken))

    async def post_event(event: Event, caller: Annotated[Caller, guard.writes]) -> Accepted:
        """Take one event in. An event that is sent again under the same id is stored and counted once."""
        return await accept(caller, (event,))

    async def post_events(batch: Batch, caller: Annotated[Caller, guard.writes]) -> Accepted:
        """Take up to 1,000 events in, all or none."""
        return await accept(caller, batch.events)

    taking: dict[str, Any] = {
        "methods": ["POST"],
        "status_code": 202,
        "responses": {**INVALID, **REFUSED, **TOO_LARGE, **_LATER},
    }
    single, together = direct(guard, Event, post_event), direct(guard, Batch, post_events)
    router.add_api_route("/events", post_event, route_class_override=single, **taking)
    router.add_api_route("/events/batch", post_events, route_class_override=together, **taking)

    @router.post(
        "/events/validate", responses={**INVALID, **REFUSED, **TOO_LARGE}, dependencies=[guard.reads]
    )
    async def validate(event: Event) -> Event:
        """The event as it would be taken in: checked, completed, in UTC. Nothing is kept."""
        return event

    # Of this shape only, for else what is posted to /events/batch could be asked for, as the event of that id.
    @router.get("/events/{event_id:uuid}", response_model=Event, responses={**INVALID, **REFUSED, **_FETCHED})
    async def get_event(event_id: UUID, caller: Annotated[Caller, guard.reads]) -> Response:
        """An event as storage has it, which is a moment after it was accepted."""
        return await _fetch(client, storage, event_id, caller)

    @router.websocket("/ws")
    async def stream(socket: WebSocket) -> None:
        """Events as they come, one a text frame; each is acknowledged by a frame of its own."""
        caller = await guard.admit(socket, "write")
        if caller is not None:
            await converse(socket, partial(intake.take, caller), caller.deadline())

    return router


async def _fetch(
    client: httpx.AsyncClient, storage: SecretStr | None, event_id: UUID, caller: Caller
) -> Response:
    if storage is None:
        raise HTTPException(503, "no storage is configured: STORAGE_URL names it")
    place = f"{storage.get_secret_value().rstrip('/')}/events/{event_id}"
    try:
        answer = await client.get(place, headers={"Authorization": f"Bearer {caller.token}"})
    except httpx.HTTPError as error:
        raise HTTPException(503, "storage doesn't answer", {"Retry-After": "1"}) from error
    if answer.status_code == 404:  # noqa: PLR2004
        raise HTTPException(404, f"there is no event {event_id}")
    if answer.status_code != 200:  # noqa: PLR2004
        raise HTTPException(503, f"storage answered {answer.status_code}", {"Retry-After": "1"})
    # As it is: what an earlier version took may break the rules of this one.
    return Response(answer.content, media_type="application/json")
