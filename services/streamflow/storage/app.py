"""Storage's settings and routes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from fastapi import FastAPI
from pydantic import BaseModel, Field

from streamflow.shared import settings as shared
from streamflow.shared.rabbitmq import rabbitmq_check
from streamflow.shared.readiness import configured
from streamflow.shared.service import service_app
from streamflow.storage.database import Database

SERVICE = "storage"


class Settings(shared.Settings):
    """What storage reads from its environment."""

    database_url: shared.DatabaseUrl | None = None
    rabbitmq_url: shared.BrokerUrl | None = None
    retention_days: int = Field(default=90, ge=1, le=36_500, description="days that an event is kept")


class Retention(BaseModel):
    """How long events are kept; those older than `before` are due to go."""

    days: int
    before: datetime


def create_app(settings: Settings | None = None) -> FastAPI:
    """Storage's app; without settings they are read from the environment, or SettingsError is raised."""
    settings = settings or shared.read(Settings)
    database = None if settings.database_url is None else Database(settings.database_url)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        if database is not None:
            await database.close()

    checks = configured((rabbitmq_check, settings.rabbitmq_url))
    if database is not None:
        checks = (database.check(), *checks)
    app = service_app(SERVICE, "Keeps events and answers questions about them.", checks, lifespan)

    @app.get("/retention")
    async def retention() -> Retention:
        """The retention policy, as of now."""
        days = settings.retention_days
        return Retention(days=days, before=datetime.now(UTC) - timedelta(days=days))

    return app
