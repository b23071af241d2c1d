"""The tables, as versions that are applied once each and in order. A version that was released is never changed."""

from streamflow.alerting.store import Session

_FIRST = (
    """CREATE TABLE alerting_rules (
        id UUID PRIMARY KEY,
        name TEXT NOT NULL,
        condition TEXT NOT NULL,
        span TEXT NOT NULL,
        level TEXT NOT NULL,
        channels JSONB NOT NULL,
        suppress_seconds BIGINT NOT NULL,
        escalate_after_seconds BIGINT,
        escalate_channels JSONB NOT NULL,
        enabled BOOLEAN NOT NULL,
        minimum_count BIGINT NOT NULL,
        created_at TIMESTAMPTZ NOT NULL,
        updated_at TIMESTAMPTZ NOT NULL,
        judged_start TIMESTAMPTZ,
        judged_revision BIGINT
    )""",
    # No reference to the rule: an alert outlives it.
    """CREATE TABLE alerting_alerts (
        id UUID PRIMARY KEY,
        rule_id UUID NOT NULL,
        rule_name TEXT NOT NULL,
        condition TEXT NOT NULL,
        level TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('firing', 'acknowledged', 'resolved')),
        version BIGINT NOT NULL,
        value DOUBLE PRECISION NOT NULL,
        span TEXT NOT NULL,
        window_start TIMESTAMPTZ NOT NULL,
        window_end TIMESTAMPTZ NOT NULL,
        fired_at TIMESTAMPTZ NOT NULL,
        acknowledged_at TIMESTAMPTZ,
        acknowledged_by TEXT,
        acknowledged_after DOUBLE PRECISION,
        escalate_at TIMESTAMPTZ,
        escalated_at TIMESTAMPTZ,
        resolved_at TIMESTAMPTZ,
        resolved_by TEXT,
        resolved_after DOUBLE PRECISION,
        correlation_id TEXT
    )""",
    # One alert for one cause, whatever the number of replicas.
    "CREATE UNIQUE INDEX alerting_alerts_one_open ON alerting_alerts (rule_id) WHERE state <> 'resolved'",
    "CREATE INDEX alerting_alerts_latest ON alerting_alerts (fired_at DESC, id DESC)",
    "CREATE INDEX alerting_alerts_of_rule ON alerting_alerts (rule_id, fired_at DESC)",
    """CREATE INDEX alerting_alerts_to_escalate ON alerting_alerts (escalate_at)
        WHERE state = 'firing' AND escalated_at IS NULL""",
    """CREATE TABLE alerting_outbox (
        id UUID PRIMARY KEY,
        alert_id UUID NOT NULL,
        change TEXT NOT NULL,
        kind TEXT NOT NULL,
        target TEXT NOT NULL,
        payload TEXT NOT NULL,
        correlation_id TEXT,
        state TEXT NOT NULL CHECK (state IN ('pending', 'sent', 'failed')),
        attempts BIGINT NOT NULL,
        due_at TIMESTAMPTZ NOT NULL,
        created_at TIMESTAMPTZ NOT NULL,
        sent_at TIMESTAMPTZ,
        last_error TEXT
    )""",
    "CREATE INDEX alerting_outbox_due ON alerting_outbox (due_at) WHERE state = 'pending'",
    "CREATE INDEX alerting_outbox_of_alert ON alerting_outbox (alert_id)",
)

# What retention deletes, oldest first.
_SECOND = (
    "CREATE INDEX alerting_alerts_ended ON alerting_alerts (resolved_at, id) WHERE state = 'resolved'",
)

VERSIONS = (_FIRST, _SECOND)


async def apply(session: Session) -> None:
    """Bring the tables to the latest version; replicas must take turns."""
    await session.rows("CREATE TABLE IF NOT EXISTS alerting_schema (version BIGINT PRIMARY KEY)")
    (row,) = await session.rows("SELECT coalesce(max(version), 0) AS version FROM alerting_schema")
    for number, statements in enumerate(VERSIONS, start=1):
        if number <= row["version"]:
            continue
        for statement in statements:
            await session.rows(statement)
        await session.rows("INSERT INTO alerting_schema (version) VALUES ($1)", number)
