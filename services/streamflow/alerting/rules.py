"""A rule: when to raise an alert, how much it matters, and who is told."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Literal
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from streamflow.alerting.conditions import Condition, parse

_MONTH_SECONDS = 31 * 24 * 3600
LONGEST_QUIET = timedelta(seconds=_MONTH_SECONDS)
"""How long a rule may stay quiet after an alert, at most."""


class Level(StrEnum):
    """How much an alert matters, from least to most."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    def raised(self) -> "Level":
        """One level up; critical stays."""
        levels = list(Level)
        return levels[min(levels.index(self) + 1, len(levels) - 1)]


def _printable(text: str) -> str:
    # It ends up in mail headers and in PostgreSQL, which takes no NUL.
    if not text.isprintable() or not text.strip():
        raise ValueError("printable characters on one line are needed")
    return text


def _web_url(text: str) -> str:
    wanted = "a URL like https://HOST/PATH is needed"
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise ValueError(wanted)
    try:
        parts = urlsplit(text)
        complete = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        complete = False
    if not complete:
        raise ValueError(wanted)
    if "@" in parts.netloc:
        raise ValueError("a URL without user and password is needed: it is shown to those who may read")
    return text


def _condition(text: object) -> str:
    parse(text)
    return " ".join(str(text).split())


WebUrl = Annotated[
    str,
    Field(max_length=2000),
    AfterValidator(_web_url),
    WithJsonSchema({"type": "string", "format": "uri", "maxLength": 2000}),
]
ConditionText = Annotated[
    str,
    BeforeValidator(_condition, json_schema_input_type=str),
    WithJsonSchema({"type": "string", "maxLength": 200, "examples": ["error_rate > 0.05 over 5m"]}),
]


class Webhook(BaseModel):
    """POSTs the alert as JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["webhook"]
    url: WebUrl

    @property
    def target(self) -> str:
        return self.url


class Slack(BaseModel):
    """POSTs a line of text as Slack's incoming webhooks take it, and others that are compatible."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["slack"]
    url: WebUrl

    @property
    def target(self) -> str:
        return self.url


class Email(BaseModel):
    """Sends a mail."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["email"]
    address: str = Field(
        max_length=254, pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$"
    )

    @property
    def target(self) -> str:
        return self.address


Channel = Annotated[Webhook | Slack | Email, Field(discriminator="kind")]
Channels = Annotated[tuple[Channel, ...], Field(max_length=10)]


class RuleDraft(BaseModel):
    """What a client says of a rule."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]
    condition: ConditionText
    level: Level = Level.MEDIUM
    channels: Channels = ()
    suppress_seconds: int = Field(
        default=300,
        ge=0,
        le=_MONTH_SECONDS,
        description="how long after an alert fired or was resolved the rule stays quiet",
    )
    escalate_after_seconds: int | None = Field(
        default=None,
        ge=1,
        le=_MONTH_SECONDS,
        description="when an alert that nobody acknowledged goes one level up and to `escalate_channels`, once",
    )
    escalate_channels: Channels = ()
    enabled: bool = True
    minimum_count: int = Field(
        default=0, ge=0, le=2**53, description="with fewer events a window doesn't fulfil the condition"
    )

    def parsed(self) -> Condition:
        """What the condition's text means."""
        return parse(self.condition)


class Rule(RuleDraft):
    """A rule as it is kept."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: UUID
    created_at: datetime
    updated_at: datetime


class Rules(BaseModel):
    """All rules, by name."""

    rules: tuple[Rule, ...]
