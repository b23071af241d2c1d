"""Alerting's settings and routes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated

from fastapi import FastAPI
from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

from streamflow.alerting.conditions import Condition, parse
from streamflow.shared import settings as shared
from streamflow.shared.errors import INVALID
from streamflow.shared.peers import peer_check, peer_client
from streamflow.shared.postgres import postgres_check
from streamflow.shared.rabbitmq import rabbitmq_check
from streamflow.shared.readiness import configured
from streamflow.shared.service import service_app

SERVICE = "alerting"


class Settings(shared.Settings):
    """What alerting reads from its environment."""

    database_url: shared.DatabaseUrl | None = None
    rabbitmq_url: shared.BrokerUrl | None = None
    analytics_url: shared.ServiceUrl | None = None


class Draft(BaseModel):
    """A rule in the making; its condition is text as a person writes it."""

    model_config = ConfigDict(extra="forbid")

    condition: Annotated[
        Condition,
        BeforeValidator(parse, json_schema_input_type=str),
        WithJsonSchema({"type": "string", "examples": ["error_rate > 0.05 over 5m"]}),
    ]


def create_app(settings: Settings | None = None) -> FastAPI:
    """Alerting's app; without settings they are read from the environment, or SettingsError is raised."""
    settings = settings or shared.read(Settings)
    client = peer_client()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with client:
            yield

    checks = configured(
        (postgres_check, settings.database_url),
        (rabbitmq_check, settings.rabbitmq_url),
        (partial(peer_check, "analytics", client), settings.analytics_url),
    )
    app = service_app(SERVICE, "Watches the windows and raises alerts.", checks, lifespan)

    @app.post("/conditions/parse", responses=INVALID)
    async def parse_condition(draft: Draft) -> Condition:
        """What a condition means, or what is wrong with it. Nothing is kept."""
        return draft.condition

    return app
