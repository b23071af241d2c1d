"""Ingestion's settings and routes."""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import httpx
from fastapi import FastAPI, HTTPException, WebSocket
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from streamflow.ingestion.intake import Intake, Refusal
from streamflow.ingestion.limits import limiter_for
from streamflow.ingestion.outbox import MOST, Outbox
from streamflow.ingestion.stream import converse
from streamflow.shared import settings as shared
from streamflow.shared.auth import REFUSED, Caller, Guard
from streamflow.shared.bodies import TOO_LARGE, BodyLimit
from streamflow.shared.bus import Bus
from streamflow.shared.bus.choice import bus_for
from streamflow.shared.errors import INVALID, ErrorAnswer
from streamflow.shared.events import Event
from streamflow.shared.observation import process_registry
from streamflow.shared.peers import peer_check, peer_client
from streamflow.shared.service import service_app

SERVICE = "ingestion"
LATER: dict[int | str, dict[str, Any]] = {
    429: {"model": ErrorAnswer, "description": "Over the client's rate; Retry-After says when to go on"},
    503: {"model": ErrorAnswer, "description": "Not accepted for now; Retry-After says when to try again"},
}

_FETCHED: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorAnswer, "description": "No such event"},
    503: {"model": ErrorAnswer, "description": "Storage doesn't answer"},
}


class Settings(shared.Settings):
    """What ingestion reads from its environment."""

    rabbitmq_url: shared.BrokerUrl | None = None
    redis_url: shared.RedisUrl | None = None
    storage_url: shared.ServiceUrl | None = None
    rate_limit: int = Field(default=20_000, ge=100, description="events a second of one client")
    max_body_bytes: int = Field(default=8 << 20, ge=1024, description="the largest body of a request")


class Batch(BaseModel):
    """Events that are accepted together or not at all."""

    model_config = ConfigDict(extra="forbid")

    events: tuple[Event, ...] = Field(min_length=1, max_length=MOST)


class Accepted(BaseModel):
    """Events that will be stored and counted, whatever fails from now on."""

    accepted: int
    ids: tuple[UUID, ...]


def create_app(
    settings: Settings | None = None, bus: Bus | None = None, client: httpx.AsyncClient | None = None
) -> FastAPI:
    """Ingestion's app; without settings they are read from the environment, or SettingsError is raised.

    `bus` and `client`, the way to other services, are given where several services share a process.
    """
    settings = settings or shared.read(Settings)
    bus = bus or bus_for(settings.rabbitmq_url)
    client = client or peer_client()
    limiter = limiter_for(settings.redis_url, settings.rate_limit)
    registry = process_registry()
    intake = Intake(limiter, Outbox(bus, registry), registry)
    guard = Guard(settings.jwt_secret_key)
    storage = settings.storage_url

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with client:
            await bus.start()
            yield
            await bus.close()
            await limiter.close()

    app = service_app(
        SERVICE,
        "Takes events in.",
        registry=registry,
        checks=(
            bus.check(),
            limiter.check(),
            None if storage is None else peer_check("storage", client, storage),
        ),
        lifespan=lifespan,
    )
    app.add_middleware(BodyLimit, most=settings.max_body_bytes)

    async def accept(caller: Caller, events: tuple[Event, ...]) -> Accepted:
        try:
            taken = await intake.take(caller, events)
        except Refusal as refusal:
            wait = {"Retry-After": str(math.ceil(refusal.seconds))}
            raise HTTPException(refusal.status, refusal.message, wait) from None
        return Accepted(accepted=len(taken), ids=tuple(event.id for event in taken))

    @app.post("/events", status_code=202, responses={**INVALID, **REFUSED, **TOO_LARGE, **LATER})
    async def post_event(event: Event, caller: Annotated[Caller, guard.writes]) -> Accepted:
        """Take one event in. An event that is sent again under the same id is stored and counted once."""
        return await accept(caller, (event,))

    @app.post("/events/batch", status_code=202, responses={**INVALID, **REFUSED, **TOO_LARGE, **LATER})
    async def post_events(batch: Batch, caller: Annotated[Caller, guard.writes]) -> Accepted:
        """Take up to 1,000 events in, all or none."""
        return await accept(caller, batch.events)

    @app.post("/events/validate", responses={**INVALID, **REFUSED, **TOO_LARGE}, dependencies=[guard.reads])
    async def validate(event: Event) -> Event:
        """The event as it would be taken in: checked, completed, in UTC. Nothing is kept."""
        return event

    @app.get("/events/{event_id}", responses={**INVALID, **REFUSED, **_FETCHED})
    async def get_event(event_id: UUID, caller: Annotated[Caller, guard.reads]) -> Event:
        """An event as storage has it, which is a moment after it was accepted."""
        return await _fetch(client, storage, event_id, caller)

    @app.websocket("/ws")
    async def stream(socket: WebSocket) -> None:
        """Events as they come, one a text frame; each is acknowledged by a frame of its own."""
        caller = await guard.admit(socket, "write")
        if caller is not None:
            await converse(socket, partial(intake.take, caller))

    return app


async def _fetch(
    client: httpx.AsyncClient, storage: SecretStr | None, event_id: UUID, caller: Caller
) -> Event:
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
    return Event.model_validate_json(answer.content)
