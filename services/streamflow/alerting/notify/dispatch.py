"""All senders of the service: one for the bus, one for the channels."""

import asyncio

from prometheus_client import CollectorRegistry, Counter

from streamflow.alerting.changes import Changes
from streamflow.alerting.notify import Deliver, Undelivered
from streamflow.alerting.notify.mail import Mail
from streamflow.alerting.notify.sender import Outcomes, Sender, Terms
from streamflow.alerting.notify.web import Web
from streamflow.alerting.outbox import Item
from streamflow.alerting.settings import Settings
from streamflow.alerting.store import Store
from streamflow.shared.bus import ALERTS, Bus, BusUnavailable, Message

_LONGEST_WAIT = 300.0
# The bus is told of an alert's changes one after the other, in their order, and never given up.
_BUS_TERMS = Terms(parallel=1, attempts=None, first_wait=0.5, longest_wait=5.0, lease=30.0)
_BUS_SECONDS = 15.0


class _Counted(Outcomes):
    def __init__(self, registry: CollectorRegistry) -> None:
        self._sent = Counter(
            "notifications_sent", "Notifications that arrived.", ("kind",), registry=registry
        )
        self._failed = Counter(
            "notifications_failed", "Notifications that were given up.", ("kind",), registry=registry
        )

    def sent(self, item: Item) -> None:
        self._sent.labels(item.kind).inc()

    def failed(self, item: Item) -> None:
        self._failed.labels(item.kind).inc()


def _within(seconds: float, deliver: Deliver) -> Deliver:
    """The same, cut after so many seconds."""

    async def limited(item: Item) -> None:
        try:
            async with asyncio.timeout(seconds):
                await deliver(item)
        except TimeoutError as error:
            raise Undelivered(f"no answer within {seconds:g} s") from error

    return limited


class Dispatch:
    """Sends what is in the outbox wherever it is to go."""

    def __init__(
        self, settings: Settings, store: Store, bus: Bus, changes: Changes, registry: CollectorRegistry
    ) -> None:
        self._bus = bus
        seconds = settings.notification_timeout_seconds
        self._web = Web(settings.webhook_secret, allow_private=settings.private_webhooks, seconds=seconds)
        mail = Mail(settings, seconds=seconds)
        self._deliver: dict[str, Deliver] = {
            "webhook": _within(seconds, self._web.webhook),
            "slack": _within(seconds, self._web.slack),
            "email": mail.send,  # it knows best when it can be cut
        }
        terms = Terms(
            parallel=16,
            attempts=settings.notification_attempts,
            first_wait=settings.notification_wait_seconds,
            longest_wait=_LONGEST_WAIT,
            lease=2 * seconds,
        )
        self._senders = (
            Sender(
                store, _within(_BUS_SECONDS, self._publish), _BUS_TERMS, changes.alarm(), Outcomes(), bus=True
            ),
            Sender(store, self._notify, terms, changes.alarm(), _Counted(registry), bus=False),
        )

    async def run(self) -> None:
        """Send until cancelled."""
        try:
            await asyncio.gather(*(sender.run() for sender in self._senders))
        finally:
            await self._web.close()

    async def _publish(self, item: Item) -> None:
        try:
            await self._bus.publish(ALERTS, Message(item.payload.encode(), item.correlation_id, item.id.hex))
        except BusUnavailable as error:
            raise Undelivered(str(error)) from error

    async def _notify(self, item: Item) -> None:
        await self._deliver[item.kind](item)
