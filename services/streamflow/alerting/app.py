"""Alerting, put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from streamflow.alerting.changes import Changes
from streamflow.alerting.notify.dispatch import Dispatch
from streamflow.alerting.retention import Retention
from streamflow.alerting.routes import errors
from streamflow.alerting.routes.alerts import alert_routes
from streamflow.alerting.routes.retention import retention_routes
from streamflow.alerting.routes.rules import rule_routes
from streamflow.alerting.rulebook import Rulebook
from streamflow.alerting.settings import Settings
from streamflow.alerting.store import Store
from streamflow.alerting.store.choice import store_for
from streamflow.alerting.watch import Watch
from streamflow.shared import settings as shared
from streamflow.shared.auth import Guard
from streamflow.shared.background import at_work
from streamflow.shared.bodies import limit_bodies
from streamflow.shared.bus import ALERTING_WINDOWS, Bus
from streamflow.shared.bus.choice import bus_for
from streamflow.shared.observation import process_registry
from streamflow.shared.peers import peer_check, peer_client
from streamflow.shared.service import service_app

__all__ = ["SERVICE", "Settings", "create_app"]

SERVICE = "alerting"
_BODY_BYTES = 256 << 10
_WINDOWS = 20  # in one batch
_LINGER_SECONDS = 0.05


def create_app(
    settings: Settings | None = None, bus: Bus | None = None, store: Store | None = None
) -> FastAPI:
    """Alerting's app; without settings they are read from the environment, or SettingsError is raised.

    `bus` is given where several services share a process, `store` where somebody else made it.
    """
    settings = settings or shared.read(Settings)
    bus = bus or bus_for(settings.rabbitmq_url)
    store = store or store_for(settings.database_url)
    client = peer_client()
    registry = process_registry()
    changes = Changes(registry)
    watch = Watch(store, changes, registry)
    dispatch = Dispatch(settings, store, bus, changes, registry)
    retention = Retention(store, settings.alert_retention_days, registry)
    guard = Guard(settings.jwt_secret_key)
    analytics = settings.analytics_url

    async def judge() -> None:
        await bus.consume(ALERTING_WINDOWS, watch.take, most=_WINDOWS, linger=_LINGER_SECONDS)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with client:
            await store.start()
            await bus.start()
            try:
                async with at_work(judge, watch.escalate, dispatch.run, retention.run_hourly):
                    yield
            finally:
                await bus.close()
                await store.close()

    app = service_app(
        SERVICE,
        "Watches the windows and raises alerts.",
        registry=registry,
        checks=(
            store.check(),
            bus.check(),
            None if analytics is None else peer_check("analytics", client, analytics),
        ),
        lifespan=lifespan,
    )
    limit_bodies(app, _BODY_BYTES)
    errors.install(app)
    app.include_router(rule_routes(Rulebook(store, changes), guard))
    app.include_router(alert_routes(store, changes, guard))
    app.include_router(retention_routes(retention, guard))
    return app
