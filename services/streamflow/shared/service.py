"""What every service answers: `/health`, `/ready` and `/metrics`, with its errors, metrics and logs."""

from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Literal

from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from pydantic import BaseModel

from streamflow import __version__
from streamflow.shared import documentation, errors
from streamflow.shared.observation import Observation, RequestMetrics
from streamflow.shared.readiness import Check, Readiness, readiness


class Health(BaseModel):
    """The answer of `/health`: the process serves requests."""

    status: Literal["healthy"] = "healthy"
    service: str
    version: str = __version__


def service_app(
    name: str,
    description: str,
    *,
    registry: CollectorRegistry,
    checks: Iterable[Check | None] = (),
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None,
) -> FastAPI:
    """A service's app with what all services answer; the service adds its own routes.

    `registry` holds its metrics. A check that is None belongs to a dependency that is not configured.
    """
    needed = tuple(check for check in checks if check is not None)
    app = FastAPI(
        title=f"StreamFlow {name}",
        description=description,
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        # Observation is what sees requests; FastAPI's own would look for providers at each of them.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.add_middleware(Observation, metrics=RequestMetrics(registry))
    errors.install(app)
    documentation.install(app)

    @app.get("/health", tags=["operation"])
    async def health() -> Health:
        """Alive."""
        return Health(service=name)

    @app.get("/ready", tags=["operation"], responses={503: {"model": Readiness, "description": "Not ready"}})
    async def ready(response: Response) -> Readiness:
        """Whether each configured dependency answers."""
        found = await readiness(needed)
        if found.status != "ready":
            response.status_code = 503
        return found

    @app.get("/metrics", tags=["operation"], response_class=Response)
    async def metrics_text() -> Response:
        """Metrics in Prometheus' text format."""
        return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return app
