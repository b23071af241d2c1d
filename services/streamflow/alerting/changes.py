"""What happened to alerts in this process: counted, and told to those who send word of it."""

import asyncio

from prometheus_client import CollectorRegistry, Counter

from streamflow.alerting.alerts import Change


class Changes:
    """Counts changes of alerts and wakes the senders."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._counters = {
            "fired": Counter("alerts_fired", "Alerts that fired.", registry=registry),
            "acknowledged": Counter(
                "alerts_acknowledged", "Alerts that somebody took on.", registry=registry
            ),
            "escalated": Counter(
                "alerts_escalated", "Alerts that nobody took on in time.", registry=registry
            ),
            "resolved": Counter("alerts_resolved", "Alerts that were resolved.", registry=registry),
        }
        self._sleeping: list[asyncio.Event] = []

    def alarm(self) -> asyncio.Event:
        """An event that is set at each change from now on; who waits for it clears it."""
        alarm = asyncio.Event()
        self._sleeping.append(alarm)
        return alarm

    def note(self, change: Change) -> None:
        """A change was made, and its transaction is kept."""
        self._counters[change].inc()
        for alarm in self._sleeping:
            alarm.set()
