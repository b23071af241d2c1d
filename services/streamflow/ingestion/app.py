"""Ingestion's settings and routes."""

from fastapi import FastAPI

from streamflow.shared import settings as shared
from streamflow.shared.errors import INVALID
from streamflow.shared.events import Event
from streamflow.shared.rabbitmq import rabbitmq_check
from streamflow.shared.readiness import configured
from streamflow.shared.redis import redis_check
from streamflow.shared.service import service_app

SERVICE = "ingestion"


class Settings(shared.Settings):
    """What ingestion reads from its environment."""

    rabbitmq_url: shared.BrokerUrl | None = None
    redis_url: shared.RedisUrl | None = None


def create_app(settings: Settings | None = None) -> FastAPI:
    """Ingestion's app; without settings they are read from the environment, or SettingsError is raised."""
    settings = settings or shared.read(Settings)
    checks = configured((rabbitmq_check, settings.rabbitmq_url), (redis_check, settings.redis_url))
    app = service_app(SERVICE, "Takes events in.", checks)

    @app.post("/events/validate", responses=INVALID)
    async def validate(event: Event) -> Event:
        """The event as it would be taken in: checked, completed, in UTC. Nothing is kept."""
        return event

    return app
