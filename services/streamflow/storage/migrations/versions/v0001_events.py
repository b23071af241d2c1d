"""The table of events and its indexes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# A revision is history: it stands on its own, and doesn't change when the tables of today do.
_JSON = sa.JSON().with_variant(JSONB(), "postgresql")
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """To this revision."""
    op.create_table(
        "events",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("timestamp", _MOMENT, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("data", _JSON, nullable=False),
        sa.Column("metadata", _JSON, nullable=False),
        sa.Column("correlation_id", sa.Text),
        sa.Column("session_id", sa.Text),
        sa.Column("user_id", sa.Text),
        sa.Column("tags", _JSON, nullable=False),
        sa.Column("received_at", _MOMENT, nullable=False),
    )
    op.create_index("events_timestamp", "events", ["timestamp", "id"])
    for name in ("user_id", "session_id", "correlation_id"):
        given = sa.column(name).is_not(None)
        op.create_index(
            f"events_{name}",
            "events",
            [name, "timestamp", "id"],
            postgresql_where=given,
            sqlite_where=given,
        )


def downgrade() -> None:
    """Back to the one before."""
    op.drop_table("events")
