"""What is to be told because of a change of an alert, kept in the transaction that changes it.

So nothing is lost when the process dies, and replicas don't send twice: a row is claimed for a time, the lease, by
moving the moment at which it is due. Whoever dies with a claim leaves the row to the next one; when that happens
between sending and noting that it was sent, it is sent again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from pydantic import SecretStr

from streamflow.alerting.alerts import Alert, AlertChange, Change, Notification
from streamflow.alerting.store import Session, Store

Place = tuple[str, str]
"""A channel's kind and its target."""
BUS = "bus"
"""The kind of what is published on the bus instead of sent to a channel."""
_ADD = """
INSERT INTO alerting_outbox
    (id, alert_id, change, kind, target, payload, correlation_id, state, attempts, due_at, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending', 0, $8, $8)
"""
# Materialized, for as a plain subquery PostgreSQL may run it again and again, and then claim more than the limit. The
# condition is asked once more at the end, of the row as it is when it is changed.
_CLAIM = """
WITH due AS MATERIALIZED (
    SELECT id FROM alerting_outbox
    WHERE state = 'pending' AND due_at <= $1 AND (kind = 'bus') = $3
    ORDER BY due_at, created_at LIMIT $4 FOR UPDATE SKIP LOCKED
)
UPDATE alerting_outbox SET due_at = $2, attempts = attempts + 1
WHERE id IN (SELECT id FROM due) AND state = 'pending' AND due_at <= $1
RETURNING id, alert_id, change, kind, target, payload, correlation_id, attempts
"""
# `attempts` tells claims apart: one whose lease ran out has no say any more.
_SENT = """
UPDATE alerting_outbox SET state = 'sent', sent_at = $3, last_error = NULL
WHERE id = $1 AND attempts = $2 AND state = 'pending'
"""
_PUBLISHED = "DELETE FROM alerting_outbox WHERE id = $1 AND attempts = $2"
_MISSED = """
UPDATE alerting_outbox SET state = $3, due_at = $4, last_error = $5
WHERE id = $1 AND attempts = $2 AND state = 'pending'
"""
_KEEP = "UPDATE alerting_outbox SET due_at = $3 WHERE id = $1 AND attempts = $2 AND state = 'pending'"
_TOLD = "SELECT DISTINCT kind, target FROM alerting_outbox WHERE alert_id = $1 AND kind <> 'bus'"
_OF_ALERT = """
SELECT id, change, kind, target, state, attempts, last_error, created_at, sent_at FROM alerting_outbox
WHERE alert_id = $1 AND kind <> 'bus' ORDER BY created_at, id
"""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to send, claimed."""

    id: UUID
    alert_id: UUID
    change: Change
    kind: str
    target: SecretStr
    payload: str
    correlation_id: str | None
    attempts: int


async def put(
    session: Session, alert: Alert, change: Change, places: Iterable[Place], correlation_id: str | None
) -> None:
    """Tell the bus, and these places, of a change when the transaction is kept."""
    payload = AlertChange(alert=alert, change=change).model_dump_json()
    now = await session.now()
    # A place that is named twice is told once.
    for kind, target in ((BUS, ""), *dict.fromkeys(places)):
        await session.rows(_ADD, uuid4(), alert.id, change, kind, target, payload, correlation_id, now)


async def told(session: Session, alert_id: UUID) -> tuple[Place, ...]:
    """Where an alert was told of, or is to be."""
    rows = await session.rows(_TOLD, alert_id)
    return tuple((str(row["kind"]), str(row["target"])) for row in rows)


async def claim(store: Store, *, bus: bool, most: int, lease: timedelta) -> tuple[Item, ...]:
    """What is due, at most so many: the caller's alone until the lease ends."""
    async with store.transaction() as session:
        now = await session.now()
        rows = await session.rows(_CLAIM, now, now + lease, bus, most)
    return tuple(
        Item(
            **row
            | {"id": _id(row["id"]), "alert_id": _id(row["alert_id"]), "target": SecretStr(row["target"])}
        )
        for row in rows
    )


async def keep(store: Store, item: Item, lease: timedelta) -> None:
    """Claim what is claimed for longer: the lease begins anew."""
    async with store.transaction() as session:
        await session.rows(_KEEP, item.id, item.attempts, await session.now() + lease)


async def sent(store: Store, item: Item) -> None:
    """Note that it was sent."""
    async with store.transaction() as session:
        if item.kind == BUS:
            await session.rows(_PUBLISHED, item.id, item.attempts)
        else:
            await session.rows(_SENT, item.id, item.attempts, await session.now())


async def missed(store: Store, item: Item, error: str, wait: timedelta | None) -> None:
    """Note that it couldn't be sent; it is due again after the wait, or never without one."""
    async with store.transaction() as session:
        due = await session.now() + (wait or timedelta())
        state = "failed" if wait is None else "pending"
        await session.rows(_MISSED, item.id, item.attempts, state, due, error)


async def notifications(session: Session, alert_id: UUID) -> tuple[Notification, ...]:
    """What was sent, or is to be sent, to channels because of an alert."""
    rows = await session.rows(_OF_ALERT, alert_id)
    return tuple(
        Notification.model_validate(row | {"target": shown(row["kind"], row["target"])}) for row in rows
    )


def shown(kind: str, target: str) -> str:
    """A channel's address without what may be a secret: a URL's path and query."""
    if kind == "email":
        return target
    parts = urlsplit(target)
    return f"{parts.scheme}://{parts.netloc}"


def _id(value: UUID | str) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)
