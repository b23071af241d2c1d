"""Questions about alerts: pages, one in full, figures."""

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from streamflow.alerting import ledger, outbox
from streamflow.alerting.alerts import STATES, AlertInFull, Alerts, RuleCount, State, Statistics
from streamflow.alerting.rules import Level
from streamflow.alerting.store import Store

_PAGE = f"""
SELECT {ledger.COLUMNS} FROM alerting_alerts
WHERE (CAST($1 AS TEXT) IS NULL OR state = $1)
    AND (CAST($2 AS TEXT) IS NULL OR level = $2)
    AND (CAST($3 AS UUID) IS NULL OR rule_id = $3)
    AND (CAST($4 AS TIMESTAMPTZ) IS NULL OR (fired_at, id) < ($4, $5))
ORDER BY fired_at DESC, id DESC LIMIT $6
"""  # noqa: S608  # columns, a constant
_BY_STATE = "SELECT state, count(*) AS count FROM alerting_alerts GROUP BY state"
_BY_LEVEL = "SELECT level, count(*) AS count FROM alerting_alerts GROUP BY level"
_BY_RULE = """
SELECT rule_id, max(rule_name) AS rule_name, count(*) AS count FROM alerting_alerts
GROUP BY rule_id ORDER BY count(*) DESC, rule_id
"""
_MEANS = (
    "SELECT avg(acknowledged_after) AS acknowledged, avg(resolved_after) AS resolved FROM alerting_alerts"
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of alerts begins: after the alert of this moment and id."""

    fired_at: datetime
    id: UUID

    def text(self) -> str:
        """As it stands in a URL."""
        plain = f"{self.fired_at.astimezone(UTC).isoformat()} {self.id}"
        return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def place(text: str) -> Place:
    """The place that `Place.text` wrote. Raises ValueError."""
    try:
        plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
        moment, _, alert_id = plain.partition(" ")
        return Place(datetime.fromisoformat(moment).astimezone(UTC), UUID(alert_id))
    except (ValueError, OverflowError, binascii.Error) as error:
        raise ValueError("this is no `next` of a page") from error


@dataclass(frozen=True, slots=True)
class Filter:
    """Which alerts; None stands for all."""

    state: State | None = None
    level: Level | None = None
    rule: UUID | None = None


async def page(store: Store, chosen: Filter, after: Place | None, limit: int) -> Alerts:
    """Alerts, the latest first."""
    async with store.transaction() as session:
        rows = await session.rows(
            _PAGE,
            chosen.state,
            None if chosen.level is None else chosen.level.value,
            chosen.rule,
            None if after is None else after.fired_at,
            None if after is None else after.id,
            limit + 1,
        )
    alerts = tuple(map(ledger.read, rows[:limit]))
    more = len(rows) > limit
    return Alerts(alerts=alerts, next=Place(alerts[-1].fired_at, alerts[-1].id).text() if more else None)


async def in_full(store: Store, alert_id: UUID) -> AlertInFull:
    """One alert with its notifications. Raises NoSuch."""
    async with store.transaction() as session:
        alert = await ledger.one(session, alert_id)
        told = await outbox.notifications(session, alert_id)
    return AlertInFull(**alert.model_dump(), notifications=told)


async def statistics(store: Store) -> Statistics:
    """The alerts that are kept, in figures."""
    async with store.transaction() as session:
        states = {row["state"]: row["count"] for row in await session.rows(_BY_STATE)}
        levels = {row["level"]: row["count"] for row in await session.rows(_BY_LEVEL)}
        rules = await session.rows(_BY_RULE)
        (means,) = await session.rows(_MEANS)
    return Statistics(
        total=sum(states.values()),
        by_state={state: states.get(state, 0) for state in STATES},
        by_level={level: levels.get(level.value, 0) for level in Level},
        by_rule=tuple(map(RuleCount.model_validate, rules)),
        mean_seconds_to_acknowledge=means["acknowledged"],
        mean_seconds_to_resolve=means["resolved"],
    )
