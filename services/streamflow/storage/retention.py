"""Retention: events are kept for so many days and then deleted, by the hour or when asked to."""

from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry, Counter

from streamflow.shared.retention import Policy, Run, hourly
from streamflow.storage.archive import Archive
from streamflow.storage.database import DatabaseUnavailable


class Retention:
    """Deletes what is older than the policy allows, by the events' own time. Replicas may run it at once."""

    def __init__(self, archive: Archive, days: int, registry: CollectorRegistry) -> None:
        self._archive = archive
        self._days = days
        self._deleted = Counter("events_deleted", "Events that were kept long enough.", registry=registry)

    def policy(self) -> Policy:
        """The policy as of now."""
        return Policy(days=self._days, before=datetime.now(UTC) - timedelta(days=self._days))

    async def run(self) -> Run:
        """Delete what is due. Raises DatabaseUnavailable."""
        before = self.policy().before
        deleted = await self._archive.delete_before(before)
        self._deleted.inc(deleted)
        return Run(deleted=deleted, before=before)

    async def run_hourly(self) -> None:
        """Delete what is due, every hour until cancelled."""
        await hourly(self.run, DatabaseUnavailable)
