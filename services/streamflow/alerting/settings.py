"""What alerting reads from its environment."""

from email.utils import parseaddr
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from streamflow.shared import settings as shared


def _lowered(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _with_address(sender: str) -> str:
    name, _, domain = parseaddr(sender)[1].rpartition("@")
    if not name or not domain:
        raise ValueError("an address like streamflow@example.com is needed")
    return sender


class Settings(shared.Settings):
    """What alerting reads from its environment."""

    database_url: shared.DatabaseUrl | None = None
    analytics_url: shared.ServiceUrl | None = None
    alert_retention_days: int = Field(
        default=90, ge=1, le=36_500, description="days that an alert is kept after it was resolved"
    )
    webhook_secret: SecretStr | None = Field(default=None, description="signs webhooks (HMAC with SHA-256)")
    allow_private_webhooks: bool | None = Field(
        default=None,
        description="whether webhooks may lead to private addresses; only in development, unless it is set",
    )
    notification_attempts: int = Field(
        default=8, ge=1, le=100, description="how often a notification is tried before it is given up"
    )
    notification_wait_seconds: float = Field(
        default=2.0, ge=0.05, le=3600, description="the wait after the first failed attempt; then it doubles"
    )
    notification_timeout_seconds: float = Field(
        default=10.0, ge=0.1, le=300, description="how long one attempt to notify may take"
    )
    smtp_host: str | None = Field(
        default=None, min_length=1, description="the mail server; without it no mail"
    )
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_user: str | None = Field(default=None, description="who logs in to the mail server, if anybody must")
    smtp_password: SecretStr | None = None
    smtp_from: Annotated[str, AfterValidator(_with_address)] = Field(
        default="streamflow@localhost", pattern=r"^[^\r\n]+$"
    )
    smtp_tls: Annotated[Literal["starttls", "implicit", "none"], BeforeValidator(_lowered)] = Field(
        default="starttls", description="how mail is encrypted on its way to the server"
    )

    @property
    def private_webhooks(self) -> bool:
        """Whether webhooks may lead to private addresses."""
        if self.allow_private_webhooks is None:
            return self.environment == "development"
        return self.allow_private_webhooks
