"""Ingestion's settings, and how its parts go together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI
from pydantic import Field
from starlette.middleware import Middleware

from streamflow.ingestion.direct import Shortcut
from streamflow.ingestion.intake import Intake
from streamflow.ingestion.limits import limiter_for
from streamflow.ingestion.outbox import Outbox
from streamflow.ingestion.routes import routes
from streamflow.shared import settings as shared
from streamflow.shared.auth import Guard
from streamflow.shared.bodies import limit_bodies
from streamflow.shared.bus import Bus
from streamflow.shared.bus.choice import bus_for
from streamflow.shared.observation import process_registry
from streamflow.shared.peers import peer_check, peer_client
from streamflow.shared.service import service_app

SERVICE = "ingestion"


class Settings(shared.Settings):
    """What ingestion reads from its environment."""

    redis_url: shared.RedisUrl | None = None
    storage_url: shared.ServiceUrl | None = None
    rate_limit: int = Field(default=20_000, ge=100, description="events a second of one client")
    max_body_bytes: int = Field(default=8 << 20, ge=1024, description="the largest body of a request")


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
    limit_bodies(app, settings.max_body_bytes)
    router = routes(intake, Guard(settings.jwt_secret_key), storage, client)
    app.include_router(router)
    # Innermost, so that what is around every request is around these, too.
    app.user_middleware.append(Middleware(Shortcut, routes=router.routes))
    return app
