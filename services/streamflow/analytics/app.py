"""Analytics' settings and app."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from pydantic import Field

from streamflow.analytics.counting import Counting
from streamflow.analytics.publishing import Publishing
from streamflow.analytics.routes import RETRY_SECONDS, routes
from streamflow.analytics.tally import Bounds
from streamflow.shared import settings as shared
from streamflow.shared.auth import Guard
from streamflow.shared.background import at_work
from streamflow.shared.bus import ANALYTICS_EVENTS, Bus
from streamflow.shared.bus.choice import bus_for
from streamflow.shared.errors import error_answer
from streamflow.shared.observation import process_registry
from streamflow.shared.readiness import answering
from streamflow.shared.service import service_app
from streamflow.shared.windows import Terms, Windows, WindowsUnavailable
from streamflow.shared.windows.choice import windows_for

SERVICE = "analytics"
# Messages of up to 1,000 events, of which the bus fetches twice as many ahead: they must fit into memory.
_MOST = 32
_LINGER_SECONDS = 0.02


class Settings(shared.Settings):
    """What analytics reads from its environment."""

    redis_url: shared.RedisUrl | None = None
    allowed_lateness: int = Field(
        default=3600,
        ge=0,
        le=18_000,  # the shortest windows are kept for six hours
        description="seconds that an event may be older than now and still be counted",
    )
    deduplication_seconds: int = Field(
        default=900,
        ge=60,
        le=86_400,
        description="how long an event is known to have been counted, which takes 130 bytes of Redis each; "
        "with 300 more than the allowed lateness no outage, however long, makes it count twice",
    )
    window_grace_seconds: float = Field(
        default=10.0, ge=0, le=600, description="seconds from a window's end to its closing"
    )


def windows_of(settings: Settings) -> Windows:
    """The windows that analytics counts into."""
    terms = Terms(remember=settings.deduplication_seconds, grace=settings.window_grace_seconds)
    return windows_for(settings.redis_url, terms)


def create_app(
    settings: Settings | None = None, bus: Bus | None = None, windows: Windows | None = None
) -> FastAPI:
    """Analytics' app; without settings they are read from the environment, or SettingsError is raised.

    `bus` and `windows` are given where several services share a process.
    """
    settings = settings or shared.read(Settings)
    bus = bus or bus_for(settings.rabbitmq_url)
    windows = windows or windows_of(settings)
    registry = process_registry()
    counting = Counting(windows, Bounds(settings.allowed_lateness), registry)
    publishing = Publishing(windows, bus, registry)

    async def count() -> None:
        # What a consumer was given and couldn't count was delivered once more, and that often a message is not.
        await answering(windows.check())
        await bus.consume(ANALYTICS_EVENTS, counting.handle, most=_MOST, linger=_LINGER_SECONDS)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await bus.start()
        await publishing.start()
        async with at_work(count):
            yield
        await publishing.close()
        await bus.close()
        await windows.close()

    app = service_app(
        SERVICE,
        "Counts events in windows of time.",
        registry=registry,
        checks=(bus.check(), windows.check()),
        lifespan=lifespan,
    )
    app.include_router(routes(windows, Guard(settings.jwt_secret_key)))

    @app.exception_handler(WindowsUnavailable)
    async def away(_: Request, error: WindowsUnavailable) -> Response:
        return error_answer(503, str(error), headers={"Retry-After": str(RETRY_SECONDS)})

    return app
