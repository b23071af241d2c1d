"""Storage's settings, and how its parts go together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from pydantic import Field

from streamflow.shared import settings as shared
from streamflow.shared.auth import Guard
from streamflow.shared.background import at_work
from streamflow.shared.bus import Bus
from streamflow.shared.bus.choice import bus_for
from streamflow.shared.observation import process_registry
from streamflow.shared.service import service_app
from streamflow.storage import routes
from streamflow.storage.archive import Archive
from streamflow.storage.database import Database
from streamflow.storage.intake import Intake
from streamflow.storage.retention import Retention

SERVICE = "storage"


class Settings(shared.Settings):
    """What storage reads from its environment."""

    database_url: shared.DatabaseUrl | None = None
    retention_days: int = Field(default=90, ge=1, le=36_500, description="days that an event is kept")


def create_app(settings: Settings | None = None, bus: Bus | None = None) -> FastAPI:
    """Storage's app; without settings they are read from the environment, or SettingsError is raised.

    `bus` is given where several services share a process.
    """
    settings = settings or shared.read(Settings)
    bus = bus or bus_for(settings.rabbitmq_url)
    registry = process_registry()
    database = Database(settings.database_url)
    archive = Archive(database)
    intake = Intake(archive, registry)
    retention = Retention(archive, settings.retention_days, registry)

    async def take_events() -> None:
        await database.prepare()
        await intake.consume(bus)

    async def forget_old_ones() -> None:
        await database.prepare()
        await retention.run_hourly()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await bus.start()
        if database.in_memory:  # nothing to wait for: the first request finds it prepared
            await database.prepare()
        async with at_work(take_events, forget_old_ones):
            yield
        await bus.close()
        await database.close()

    app = service_app(
        SERVICE,
        "Keeps events and answers questions about them.",
        registry=registry,
        checks=(database.check(), bus.check()),
        lifespan=lifespan,
    )
    routes.install(app, archive, retention, Guard(settings.jwt_secret_key))
    return app
