"""Dashboard's settings, and how its parts go together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI, Request, Response
from httpx import AsyncClient
from pydantic import BaseModel, SecretStr

from streamflow.dashboard import page
from streamflow.dashboard.forwarding import Peer
from streamflow.dashboard.live import Live
from streamflow.dashboard.routes import board_routes, figure_routes, forwarded_routes, socket_routes
from streamflow.dashboard.shelf import Shelf, ShelfUnavailable
from streamflow.dashboard.shelf.choice import shelf_for
from streamflow.dashboard.sockets import Feed
from streamflow.shared import settings as shared
from streamflow.shared.auth import REFUSED, Guard
from streamflow.shared.background import at_work
from streamflow.shared.bodies import limit_bodies
from streamflow.shared.bus import ALERTS, ANALYTICS, Bus
from streamflow.shared.bus.choice import bus_for
from streamflow.shared.errors import error_answer
from streamflow.shared.observation import process_registry
from streamflow.shared.peers import health, peer_check, peer_client
from streamflow.shared.readiness import Unavailable, configured
from streamflow.shared.service import service_app
from streamflow.shared.windows import Windows, WindowsUnavailable
from streamflow.shared.windows.choice import windows_for

SERVICE = "dashboard"
_BODY_BYTES = 64 << 10
_RETRY_SECONDS = 2


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


def create_app(
    settings: Settings | None = None,
    bus: Bus | None = None,
    windows: Windows | None = None,
    client: AsyncClient | None = None,
) -> FastAPI:
    """Dashboard's app; without settings they are read from the environment, or SettingsError is raised.

    `bus`, `windows` and `client`, the way to other services, are given where several services share a process.
    """
    settings = settings or shared.read(Settings)
    bus = bus or bus_for(settings.rabbitmq_url)
    windows = windows or windows_for(settings.redis_url)
    client = client or peer_client()
    shelf: Shelf = shelf_for(settings.redis_url)
    live, alerts = Live(), Feed()
    guard = Guard(settings.jwt_secret_key)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with client:
            await bus.start()
            async with at_work(
                partial(bus.watch, ANALYTICS, live.take),
                partial(bus.watch, ALERTS, alerts.take),
                partial(live.refresh, windows),
                live.tell,
            ):
                yield
            await bus.close()
            await windows.close()
            await shelf.close()

    app = service_app(
        SERVICE,
        "Shows the live figures and open alerts.",
        registry=process_registry(),
        checks=(
            bus.check(),
            shelf.check(),
            *configured(
                (partial(peer_check, "storage", client), settings.storage_url),
                (partial(peer_check, "alerting", client), settings.alerting_url),
            ),
        ),
        lifespan=lifespan,
    )
    limit_bodies(app, _BODY_BYTES)
    storage = Peer("storage", settings.storage_url, client)
    alerting = Peer("alerting", settings.alerting_url, client)
    app.include_router(figure_routes(live, windows, guard))
    app.include_router(board_routes(shelf, guard))
    app.include_router(forwarded_routes(storage, alerting, guard))
    app.include_router(socket_routes(live, alerts, guard))
    page.install(app, settings.jwt_secret_key)

    shown = [(peer.name, peer.url) for peer in (storage, alerting) if peer.url is not None]

    @app.get("/services", responses=REFUSED, dependencies=[guard.reads])
    async def services() -> list[ServiceState]:
        """How the services do that this one draws from, as far as their URLs are configured."""
        return list(await asyncio.gather(*(_state(client, name, url) for name, url in shown)))

    @app.exception_handler(WindowsUnavailable)
    @app.exception_handler(ShelfUnavailable)
    async def away(_: Request, error: Exception) -> Response:
        return error_answer(503, str(error), headers={"Retry-After": str(_RETRY_SECONDS)})

    return app


async def _state(client: AsyncClient, name: str, url: SecretStr) -> ServiceState:
    try:
        answer = await health(client, url)
    except Unavailable as error:
        return ServiceState(service=name, status="unavailable", reason=str(error))
    return ServiceState(service=name, status=answer.status, version=answer.version)
