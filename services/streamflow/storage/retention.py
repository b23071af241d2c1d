"""Retention: events are kept for so many days and then deleted, by the hour or when asked to."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry, Counter
from pydantic import BaseModel

from streamflow.storage.archive import Archive
from streamflow.storage.database import DatabaseUnavailable

_log = logging.getLogger(__name__)
_EVERY_SECONDS = 3600.0


class Policy(BaseModel):
    """How long events are kept; those older than `before` are due to go."""

    days: int
    before: datetime


class Run(BaseModel):
    """What one run deleted: events older than `before`."""

    deleted: int
    before: datetime


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
        while True:
            try:
                done = await self.run()
            except DatabaseUnavailable as error:
                _log.warning("retention waits for its next hour: %s", error)
            else:
                _log.info("retention deleted %d events", done.deleted)
            await asyncio.sleep(_EVERY_SECONDS)
