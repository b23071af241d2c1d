"""What is seen of every request: its correlation id, its metrics and its line in the access log."""

import logging
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streamflow.shared import correlation

_access = logging.getLogger("streamflow.access")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_HEADER = correlation.HEADER.lower().encode()
# Asked every few seconds by machines: their lines would drown the others.
PROBES = frozenset({"/health", "/ready", "/metrics"})


def process_registry() -> CollectorRegistry:
    """A registry with what is known of the process; each app has its own, for several can share a process."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


class RequestMetrics:
    """Counts and times requests."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "http_requests",
            "Requests answered, by route template.",
            ("method", "route", "status"),
            registry=registry,
        )
        self._seconds = Histogram(
            "http_request_duration_seconds",
            "Seconds from a request's head to the end of its answer.",
            ("method", "route"),
            registry=registry,
        )
        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def record(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        key = method, route, status
        if (known := self._known.get(key)) is None:
            known = self._known[key] = self._requests.labels(*key), self._seconds.labels(method, route)
        known[0].inc()
        known[1].observe(seconds)


class Observation:
    """ASGI middleware around everything that a service answers."""

    def __init__(self, app: ASGIApp, metrics: RequestMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        correlation_id = correlation.begin(scope["headers"])
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        status = 500  # unless an answer begins: an exception passes through here unanswered
        started = perf_counter()

        async def send_named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (_HEADER, correlation_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, send_named)
        finally:
            self._record(scope, status, perf_counter() - started)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        # Labels come from closed sets, never from what a client makes up.
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        route = getattr(scope.get("route"), "path", "unmatched")
        self._metrics.record(method, route, status, seconds)
        level = logging.DEBUG if route in PROBES and status < 400 else logging.INFO  # noqa: PLR2004
        fields = {
            "method": scope["method"],
            "path": scope["path"],
            "route": route,
            "status": status,
            "duration_ms": round(seconds * 1000, 2),
        }
        _access.log(level, "%s %s %d", scope["method"], scope["path"], status, extra={"fields": fields})
