"""Judges windows as they come from the bus: fires alerts, resolves them, and escalates those that wait too long."""

import asyncio
import logging
from contextlib import suppress
from datetime import timedelta

from prometheus_client import CollectorRegistry, Counter

from streamflow.alerting import ledger, rulebook
from streamflow.alerting.alerts import BY_WINDOW, Alert, Illegal
from streamflow.alerting.changes import Changes
from streamflow.alerting.judging import verdict
from streamflow.alerting.rules import Rule
from streamflow.alerting.store import Session, Store, StoreUnavailable
from streamflow.alerting.text import clean
from streamflow.alerting.windows import load, metric
from streamflow.shared import correlation
from streamflow.shared.bus import Dead, Message
from streamflow.shared.windows.snapshot import WindowSnapshot

_log = logging.getLogger(__name__)
ESCALATION_SECONDS = 0.5
"""How often it is looked whether alerts wait too long."""


class Watch:
    """Keeps the alerts in step with the windows."""

    def __init__(self, store: Store, changes: Changes, registry: CollectorRegistry) -> None:
        self._store = store
        self._changes = changes
        self._dead = Counter("windows_dead", "Messages that are no window.", registry=registry)

    async def take(self, batch: tuple[Message, ...]) -> tuple[Dead, ...]:
        """Judge a batch of windows; what is none is dead."""
        dead = []
        for message in batch:
            found = load(message)
            if isinstance(found, Dead):
                self._dead.inc()
                dead.append(found)
                continue
            correlation_id = clean(message.correlation_id)
            correlation.resume(correlation_id)
            await self._judge(found, correlation_id)
        return tuple(dead)

    async def escalate(self) -> None:
        """Escalate what is due, again and again, until cancelled."""
        while True:
            with suppress(StoreUnavailable):
                await self._escalate_due()
            await asyncio.sleep(ESCALATION_SECONDS)

    async def _judge(self, snapshot: WindowSnapshot, correlation_id: str | None) -> None:
        changed: list[Alert] = []
        async with self._store.transaction() as session:
            if snapshot.start > await session.now():
                return  # a client's clock is ahead: what now is decides, and this window when it has begun
            rules = await rulebook.to_judge(session, snapshot)
            verdicts = [(rule, verdict(rule.parsed(), rule.minimum_count, snapshot)) for rule in rules]
            known = tuple(rule for rule, holds in verdicts if holds is not None)
            if not known:
                return
            await rulebook.judged(session, known, snapshot)
            # After the rules are locked, so that it is what the replica before this one left.
            opened = await ledger.open_over(session, snapshot.window)
            for rule, holds in verdicts:
                alert = opened.get(rule.id)
                if holds is True and alert is None:
                    changed += filter(None, [await _fire(session, rule, snapshot, correlation_id)])
                elif holds is False and alert is not None:
                    changed += filter(None, [await _resolve(session, snapshot, alert)])
        for alert in changed:
            self._changes.note("resolved" if alert.state == "resolved" else "fired")
            _log.warning("alert %s is %s: %s, %s", alert.id, alert.state, alert.rule_name, alert.condition)

    async def _escalate_due(self) -> None:
        async with self._store.transaction() as session:
            waiting = await ledger.due(session)
        for alert_id in waiting:
            async with self._store.transaction() as session:
                alert = await ledger.one(session, alert_id)
                rule = await rulebook.one(session, alert.rule_id)
                escalated = await ledger.escalate(
                    session, alert_id, () if rule is None else rule.escalate_channels
                )
            if escalated is not None:
                self._changes.note("escalated")
                _log.warning("alert %s is %s now: nobody acknowledged it", escalated.id, escalated.level)


async def _fire(
    session: Session, rule: Rule, snapshot: WindowSnapshot, correlation_id: str | None
) -> Alert | None:
    before = await ledger.latest(session, rule.id)
    if before is not None:
        quiet_from = before.resolved_at or before.fired_at
        if await session.now() < quiet_from + timedelta(seconds=rule.suppress_seconds):
            return None
    value = metric(snapshot, rule.parsed().metric)
    return await ledger.fire(session, rule, snapshot, value or 0.0, correlation_id)


async def _resolve(session: Session, snapshot: WindowSnapshot, alert: Alert) -> Alert | None:
    # A later revision of the window that it fired for doesn't take it back: the next window decides.
    if snapshot.start <= alert.window_start:
        return None
    try:
        return await ledger.resolve(session, alert.id, BY_WINDOW)
    except Illegal:  # somebody was a moment faster
        return None
