"""Retention: alerts that were resolved are kept for so many days and then deleted, with what was sent of them.

Open alerts stay however old they are, and so does an alert of which somebody is still to be told.
"""

from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry, Counter

from streamflow.alerting.rules import LONGEST_QUIET
from streamflow.alerting.store import Session, Store, StoreUnavailable
from streamflow.shared.retention import Policy, Run, hourly

_MOST = 200  # alerts in one transaction, which holds their locks
# What another replica deletes at this moment is its work. A rule that is quiet for longer than its alerts are kept
# still asks when the latest one ended. Nothing new is to be told of an alert that is resolved.
_OLDEST = """
SELECT id FROM alerting_alerts
WHERE state = 'resolved' AND resolved_at < $1
    AND NOT EXISTS (SELECT 1 FROM alerting_outbox WHERE alert_id = alerting_alerts.id AND state = 'pending')
    AND (resolved_at < $2 OR NOT EXISTS (
        SELECT 1 FROM alerting_rules WHERE id = alerting_alerts.rule_id AND suppress_seconds > $3
    ))
ORDER BY resolved_at, id LIMIT $4 FOR UPDATE SKIP LOCKED
"""


class Retention:
    """Deletes what is older than the policy allows. Replicas may run it at once."""

    def __init__(self, store: Store, days: int, registry: CollectorRegistry) -> None:
        self._store = store
        self._kept = timedelta(days=days)
        self._deleted = Counter("alerts_deleted", "Alerts that were kept long enough.", registry=registry)

    async def policy(self) -> Policy:
        """The policy as of now. Raises StoreUnavailable."""
        async with self._store.transaction() as session:
            return Policy(days=self._kept.days, before=await session.now() - self._kept)

    async def run(self) -> Run:
        """Delete what is due, oldest first, in transactions of a few. Raises StoreUnavailable."""
        before = (await self.policy()).before
        deleted = 0
        while count := await self._delete_some(before):
            self._deleted.inc(count)
            deleted += count
        return Run(deleted=deleted, before=before)

    async def run_hourly(self) -> None:
        """Delete what is due, every hour until cancelled."""
        await hourly(self.run, StoreUnavailable)

    async def _delete_some(self, before: datetime) -> int:
        quiet = min(before, before + self._kept - LONGEST_QUIET)
        seconds = int(self._kept.total_seconds())
        async with self._store.transaction() as session:
            rows = await session.rows(_OLDEST, before, quiet, seconds, _MOST)
            if rows:
                await _delete(session, tuple(row["id"] for row in rows))
        return len(rows)


async def _delete(session: Session, ids: tuple[object, ...]) -> None:
    # The databases have no list in common.
    listed = ", ".join(f"${number}" for number in range(1, len(ids) + 1))
    await session.rows(f"DELETE FROM alerting_outbox WHERE alert_id IN ({listed})", *ids)  # noqa: S608  # placeholders
    await session.rows(f"DELETE FROM alerting_alerts WHERE id IN ({listed})", *ids)  # noqa: S608
