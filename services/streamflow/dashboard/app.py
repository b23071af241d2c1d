"""Dashboard's settings and routes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI
from httpx import AsyncClient
from pydantic import BaseModel, SecretStr

from streamflow.shared import settings as shared
from streamflow.shared.auth import REFUSED, Guard
from streamflow.shared.observation import process_registry
from streamflow.shared.peers import health, peer_check, peer_client
from streamflow.shared.readiness import Unavailable, configured
from streamflow.shared.redis import redis_check
from streamflow.shared.service import service_app

SERVICE = "dashboard"


class Settings(shared.Settings):
    """What dashboard reads from its environment."""

    redis_url: shared.RedisUrl | None = None
    storage_url: shared.ServiceUrl | None = None
    alerting_url: shared.ServiceUrl | None = None


class ServiceState(BaseModel):
    """How one of the platform's services does; a reason stands for the version when it doesn't answer."""

    service: str
    status: str
    version: str | None = None
    reason: str | None = None


def create_app(settings: Settings | None = None) -> FastAPI:
    """Dashboard's app; without settings they are read from the environment, or SettingsError is raised."""
    settings = settings or shared.read(Settings)
    client = peer_client()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with client:
            yield

    checks = configured(
        (redis_check, settings.redis_url),
        (partial(peer_check, "storage", client), settings.storage_url),
        (partial(peer_check, "alerting", client), settings.alerting_url),
    )
    app = service_app(
        SERVICE,
        "Shows the live figures and open alerts.",
        registry=process_registry(),
        checks=checks,
        lifespan=lifespan,
    )
    guard = Guard(settings.jwt_secret_key)
    shown = {"storage": settings.storage_url, "alerting": settings.alerting_url}
    states = [partial(_state, client, name, url) for name, url in shown.items() if url is not None]

    @app.get("/services", responses=REFUSED, dependencies=[guard.reads])
    async def services() -> list[ServiceState]:
        """How the services do that this one draws from, as far as their URLs are configured."""
        return list(await asyncio.gather(*(state() for state in states)))

    return app


async def _state(client: AsyncClient, name: str, url: SecretStr) -> ServiceState:
    try:
        answer = await health(client, url)
    except Unavailable as error:
        return ServiceState(service=name, status="unavailable", reason=str(error))
    return ServiceState(service=name, status=answer.status, version=answer.version)
