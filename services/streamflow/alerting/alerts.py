"""An alert: that a rule's condition held, since when, who looks after it, and who was told."""

from datetime import datetime
from typing import Literal, get_args
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from streamflow.alerting.rules import Level

State = Literal["firing", "acknowledged", "resolved"]
STATES: tuple[State, ...] = get_args(State)
Change = Literal["fired", "acknowledged", "escalated", "resolved"]

BY_WINDOW = "window"
"""Resolved, because the condition didn't hold in a newer window."""
BY_RULE = "rule"
"""Resolved, because the rule was changed, disabled or deleted."""


class NoSuch(Exception):  # noqa: N818  # an answer, not a mistake
    """There is no rule or alert of this id."""


class Illegal(Exception):  # noqa: N818  # an answer, not a mistake
    """The alert's state doesn't allow this."""


class Alert(BaseModel):
    """An alert as it stands. It says itself what its rule and window were, for both go on without it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: UUID
    rule_id: UUID
    rule_name: str
    condition: str
    level: Level
    state: State
    version: int
    """Counts the alert's changes from 1: of two messages about it the one with the higher version is newer."""
    value: float
    window: str
    window_start: datetime
    window_end: datetime
    fired_at: datetime
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    escalated_at: datetime | None = None
    resolved_at: datetime | None = None
    resolved_by: str | None = None
    """Who resolved it; `window` or `rule` where it was resolved by itself."""
    correlation_id: str | None = None


class AlertChange(BaseModel):
    """What is published on the bus, and posted to webhooks, when an alert changes."""

    alert: Alert
    change: Change


class Notification(BaseModel):
    """How far telling one channel has come; `target` leaves a URL's path out, which may be a secret."""

    model_config = ConfigDict(extra="ignore")

    id: UUID
    change: Change
    kind: str
    target: str
    state: Literal["pending", "sent", "failed"]
    attempts: int
    last_error: str | None
    created_at: datetime
    sent_at: datetime | None


class AlertInFull(Alert):
    """An alert and what was sent because of it."""

    notifications: tuple[Notification, ...]


class Alerts(BaseModel):
    """A page of alerts, the latest first; `next` is the `after` of the following page."""

    alerts: tuple[Alert, ...]
    next: str | None


class RuleCount(BaseModel):
    """How often a rule fired, by the alerts that are kept; deleted rules are counted, too."""

    rule_id: UUID
    rule_name: str
    count: int


class Statistics(BaseModel):
    """The alerts that are kept, in figures: those that retention has deleted don't count any more."""

    total: int
    by_state: dict[State, int]
    by_level: dict[Level, int]
    by_rule: tuple[RuleCount, ...]
    mean_seconds_to_acknowledge: float | None
    mean_seconds_to_resolve: float | None
