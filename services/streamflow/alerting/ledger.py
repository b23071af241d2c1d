"""The alerts in the database, and the changes of state they may make, each with what it causes to be told.

Each function works within a transaction of its caller's. Statements that change an alert name the state that it must
be in, so that of two replicas that want the same change one makes it.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from streamflow.alerting import outbox
from streamflow.alerting.alerts import Alert, Illegal, NoSuch
from streamflow.alerting.rules import Channel, Rule
from streamflow.alerting.store import Row, Session
from streamflow.shared import correlation
from streamflow.shared.windows.snapshot import WindowSnapshot

COLUMNS = """id, rule_id, rule_name, condition, level, state, version, value, span, window_start, window_end, fired_at,
    acknowledged_at, acknowledged_by, escalated_at, resolved_at, resolved_by, correlation_id"""
_FIRE = f"""
INSERT INTO alerting_alerts (id, rule_id, rule_name, condition, level, state, version, value, span, window_start,
    window_end, fired_at, escalate_at, correlation_id)
VALUES ($1, $2, $3, $4, $5, 'firing', 1, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (rule_id) WHERE state <> 'resolved' DO NOTHING RETURNING {COLUMNS}
"""  # noqa: S608  # columns, written above
_ONE = f"SELECT {COLUMNS} FROM alerting_alerts WHERE id = $1"  # noqa: S608
_LATEST = f"SELECT {COLUMNS} FROM alerting_alerts WHERE rule_id = $1 ORDER BY fired_at DESC, id DESC LIMIT 1"  # noqa: S608
_OPEN = f"SELECT {COLUMNS} FROM alerting_alerts WHERE span = $1 AND state <> 'resolved'"  # noqa: S608
_ACKNOWLEDGE = f"""
UPDATE alerting_alerts SET state = 'acknowledged', version = version + 1,
    acknowledged_at = $2, acknowledged_by = $3, acknowledged_after = $4
WHERE id = $1 AND state = 'firing' RETURNING {COLUMNS}
"""  # noqa: S608
_RESOLVE = f"""
UPDATE alerting_alerts SET state = 'resolved', version = version + 1,
    resolved_at = $2, resolved_by = $3, resolved_after = $4
WHERE id = $1 AND state <> 'resolved' RETURNING {COLUMNS}
"""  # noqa: S608
_DUE = """
SELECT id FROM alerting_alerts WHERE state = 'firing' AND escalated_at IS NULL AND escalate_at <= $1
ORDER BY escalate_at LIMIT 100
"""
_ESCALATE = f"""
UPDATE alerting_alerts SET level = $2, escalated_at = $3, version = version + 1
WHERE id = $1 AND state = 'firing' AND escalated_at IS NULL RETURNING {COLUMNS}
"""  # noqa: S608


async def fire(
    session: Session, rule: Rule, snapshot: WindowSnapshot, value: float, correlation_id: str | None
) -> Alert | None:
    """A new alert; None where the rule has an open one."""
    now = await session.now()
    wait = rule.escalate_after_seconds
    rows = await session.rows(
        _FIRE,
        uuid4(),
        rule.id,
        rule.name,
        rule.condition,
        rule.level.value,
        float(value),
        snapshot.window,
        snapshot.start,
        snapshot.end,
        now,
        None if wait is None else now + timedelta(seconds=wait),
        correlation_id,
    )
    if not rows:
        return None
    alert = read(rows[0])
    await outbox.put(session, alert, "fired", _places(rule.channels), correlation_id)
    return alert


async def latest(session: Session, rule_id: UUID) -> Alert | None:
    """The rule's latest alert, which is the open one if it has one."""
    rows = await session.rows(_LATEST, rule_id)
    return read(rows[0]) if rows else None


async def open_over(session: Session, window: str) -> dict[UUID, Alert]:
    """The open alerts of rules over windows of this kind, by their rules' ids."""
    alerts = map(read, await session.rows(_OPEN, window))
    return {alert.rule_id: alert for alert in alerts}


async def one(session: Session, alert_id: UUID) -> Alert:
    """The alert of this id. Raises NoSuch."""
    rows = await session.rows(_ONE, alert_id)
    if not rows:
        raise NoSuch(f"there is no alert {alert_id}")
    return read(rows[0])


async def acknowledge(session: Session, alert_id: UUID, by: str) -> Alert:
    """Somebody looks after a firing alert. Raises NoSuch, Illegal."""
    before, now = await one(session, alert_id), await session.now()
    rows = await session.rows(_ACKNOWLEDGE, alert_id, now, by, _seconds(before, now))
    if not rows:
        raise Illegal(
            f"the alert is {(await one(session, alert_id)).state}: only a firing one can be acknowledged"
        )
    alert = read(rows[0])
    await outbox.put(session, alert, "acknowledged", (), correlation.current())
    return alert


async def resolve(session: Session, alert_id: UUID, by: str) -> Alert:
    """An alert's cause is gone; who was told of it is told so. Raises NoSuch, Illegal."""
    before, now = await one(session, alert_id), await session.now()
    rows = await session.rows(_RESOLVE, alert_id, now, by, _seconds(before, now))
    if not rows:
        raise Illegal("the alert is resolved already")
    alert = read(rows[0])
    await outbox.put(session, alert, "resolved", await outbox.told(session, alert_id), correlation.current())
    return alert


async def resolve_of_rule(session: Session, rule_id: UUID, by: str) -> Alert | None:
    """Resolve the rule's open alert, if it has one."""
    found = await latest(session, rule_id)
    if found is None:
        return None
    try:
        return await resolve(session, found.id, by)
    except Illegal:
        return None


async def due(session: Session) -> tuple[UUID, ...]:
    """Alerts that nobody acknowledged in their rule's time."""
    rows = await session.rows(_DUE, await session.now())
    return tuple(UUID(str(row["id"])) for row in rows)


async def escalate(session: Session, alert_id: UUID, channels: tuple[Channel, ...]) -> Alert | None:
    """Raise a firing alert's level and tell these channels; None where it isn't due any more."""
    before = await one(session, alert_id)
    rows = await session.rows(_ESCALATE, alert_id, before.level.raised().value, await session.now())
    if not rows:
        return None
    alert = read(rows[0])
    await outbox.put(session, alert, "escalated", _places(channels), alert.correlation_id)
    return alert


def _places(channels: tuple[Channel, ...]) -> Iterator[outbox.Place]:
    return ((channel.kind, channel.target) for channel in channels)


def read(row: Row) -> Alert:
    """The alert that a row with COLUMNS holds."""
    return Alert.model_validate(row | {"window": row["span"]})


def _seconds(alert: Alert, now: datetime) -> float:
    return max(0.0, (now - alert.fired_at).total_seconds())
