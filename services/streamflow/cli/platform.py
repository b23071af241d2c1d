"""All five services in one process, below the paths that the reverse proxy gives them."""

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
from fastapi import FastAPI
from pydantic import SecretStr

from streamflow.alerting import app as alerting
from streamflow.analytics import app as analytics
from streamflow.dashboard import app as dashboard
from streamflow.ingestion import app as ingestion
from streamflow.shared import logs
from streamflow.shared.bus.choice import bus_for
from streamflow.shared.peers import peer_client
from streamflow.shared.server import on_signals, serve, try_port
from streamflow.shared.settings import Settings, read
from streamflow.storage import app as storage

_DRAIN_SECONDS = 5.0  # for what was taken in to be stored and counted, at the end


class PlatformSettings(Settings):
    """What the process itself reads from its environment; each service reads its own besides."""

    host: str = "127.0.0.1"


def run() -> int:
    """Serve until SIGTERM or SIGINT; the exit code. Raises SettingsError."""
    on_signals()
    settings = read(PlatformSettings)
    logs.configure("platform", settings)
    app = create_app()
    try_port(settings)
    print(f"streamflow: http://{settings.host}:{settings.port}", file=sys.stderr)  # noqa: T201
    serve(app, settings)
    return 0


def create_app() -> FastAPI:
    """The platform's app. Services that are told of no server share a bus, and speak to each other directly.

    Raises SettingsError.
    """
    bus = bus_for(read(ingestion.Settings).rabbitmq_url)
    counting = read(analytics.Settings)
    windows = analytics.windows_of(counting)
    stored = storage.create_app(bus=bus)
    taking = ingestion.create_app(
        read(ingestion.Settings).model_copy(update={"storage_url": SecretStr("http://storage")}),
        bus=bus,
        client=peer_client({"http://storage": _inside(stored)}),
    )
    counted = analytics.create_app(counting, bus=bus, windows=windows)
    alerted = alerting.create_app(bus=bus)
    showing = dashboard.create_app(
        read(dashboard.Settings).model_copy(
            update={"storage_url": SecretStr("http://storage"), "alerting_url": SecretStr("http://alerting")}
        ),
        bus=bus,
        windows=windows,
        client=peer_client({"http://storage": _inside(stored), "http://alerting": _inside(alerted)}),
    )
    services = {
        "/api/ingest": taking,
        "/api/analytics": counted,
        "/api/alerts": alerted,
        "/api/storage": stored,
    }

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as running:
            # What takes events in comes last, and ends first; the others handle what it took before they end.
            for service in (showing, stored, alerted, counted):
                await running.enter_async_context(service.router.lifespan_context(service))
            running.push_async_callback(bus.drain, _DRAIN_SECONDS)
            await running.enter_async_context(taking.router.lifespan_context(taking))
            yield

    app = FastAPI(lifespan=lifespan, openapi_url=None)
    for path, service in services.items():
        app.mount(path, service)
    # Not mounted at `/`, which doesn't match a path with a line break in it.
    app.router.default = showing
    return app


def _inside(app: FastAPI) -> httpx.ASGITransport:
    """The way to a service in this process; what it didn't foresee is its answer, and not the caller's error."""
    return httpx.ASGITransport(app, raise_app_exceptions=False)
