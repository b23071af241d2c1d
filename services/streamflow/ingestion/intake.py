"""What becomes of events that a client sends, by whatever way: counted against its rate, named, published."""

from prometheus_client import CollectorRegistry, Counter

from streamflow.ingestion.limits import Limiter
from streamflow.ingestion.outbox import Outbox
from streamflow.shared import correlation
from streamflow.shared.auth import Caller
from streamflow.shared.bus import BusUnavailable
from streamflow.shared.events import Event

_BUS_SECONDS = 2.0


class Refusal(Exception):  # noqa: N818  # an answer, not a mistake
    """The events were not accepted: an HTTP status, why, and the seconds after which to try again."""

    def __init__(self, status: int, message: str, seconds: float) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.seconds = seconds


class Intake:
    """Takes events in, all of a call or none."""

    def __init__(self, limiter: Limiter, outbox: Outbox, registry: CollectorRegistry) -> None:
        self._limiter = limiter
        self._outbox = outbox
        self._limited = Counter("events_limited", "Events over their client's rate.", registry=registry)

    async def take(self, caller: Caller, events: tuple[Event, ...]) -> tuple[Event, ...]:
        """The events as they were accepted: those without a correlation id have the request's. Raises Refusal."""
        if (wait := await self._limiter.wait(caller.subject, len(events))) > 0:
            self._limited.inc(len(events))
            raise Refusal(429, "the rate limit is reached", wait)
        current = correlation.current()
        named = tuple(
            event if event.correlation_id else event.model_copy(update={"correlation_id": current})
            for event in events
        )
        try:
            await self._outbox.send(named)
        except BusUnavailable as error:
            raise Refusal(503, f"not accepted: {error}", _BUS_SECONDS) from error
        return named
