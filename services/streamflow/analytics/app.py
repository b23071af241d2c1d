"""Analytics' settings and routes."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import FastAPI, HTTPException, Query
from pydantic import AwareDatetime

from streamflow.analytics.windows import WINDOWS, Span
from streamflow.shared import settings as shared
from streamflow.shared.errors import INVALID
from streamflow.shared.rabbitmq import rabbitmq_check
from streamflow.shared.readiness import configured
from streamflow.shared.redis import redis_check
from streamflow.shared.service import service_app

SERVICE = "analytics"


class Settings(shared.Settings):
    """What analytics reads from its environment."""

    rabbitmq_url: shared.BrokerUrl | None = None
    redis_url: shared.RedisUrl | None = None


def create_app(settings: Settings | None = None) -> FastAPI:
    """Analytics' app; without settings they are read from the environment, or SettingsError is raised."""
    settings = settings or shared.read(Settings)
    checks = configured((rabbitmq_check, settings.rabbitmq_url), (redis_check, settings.redis_url))
    app = service_app(SERVICE, "Counts events in windows of time.", checks)

    @app.get("/windows", responses=INVALID)
    async def windows(at: Annotated[AwareDatetime | None, Query()] = None) -> tuple[Span, ...]:
        """The window of each kind that a moment falls into; now, unless one is given."""
        moment = at or datetime.now(UTC)
        try:
            return tuple(window.containing(moment) for window in WINDOWS.values())
        except OverflowError as error:
            raise HTTPException(400, "at is outside of the years that windows cover") from error

    return app
