"""What a service reads from its environment: types, what all have in common, the refusal of what is wrong."""

from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, ValidationInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from streamflow.shared import urls
from streamflow.shared.urls import server_url


class SettingsError(Exception):
    """The environment holds a setting that the service can't run with; the text names each, on one line."""


def _lowered(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


# Secret, because a URL may hold a password: it shows in no log, message or repr.
DatabaseUrl = Annotated[
    SecretStr, server_url({"postgresql": urls.POSTGRES, "postgres": urls.POSTGRES}, file="sqlite")
]
BrokerUrl = Annotated[SecretStr, server_url({"amqp": urls.RABBITMQ, "amqps": urls.RABBITMQ})]
RedisUrl = Annotated[SecretStr, server_url({"redis": urls.REDIS, "rediss": urls.REDIS_ENCRYPTED})]
ServiceUrl = Annotated[SecretStr, server_url({"http": urls.NONE, "https": urls.NONE})]


DEVELOPMENT_KEY = "streamflow-development-key-for-nobody-else"
_SHORTEST_KEY = 32  # bytes; RFC 7518, 3.2: a key of HS256 is no shorter than its hash


def _signing_key(key: SecretStr, info: ValidationInfo) -> SecretStr:
    value = key.get_secret_value()
    environment = info.data.get("environment")
    if value == DEVELOPMENT_KEY and environment not in ("development", None):
        raise ValueError(f"a key of your own is needed where ENVIRONMENT is {environment}")
    if len(value.encode()) < _SHORTEST_KEY:
        raise ValueError(f"at least {_SHORTEST_KEY} bytes are needed")
    return key


class Settings(BaseSettings):
    """The settings of every service. An empty variable counts as unset, as compose files pass it on."""

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True, extra="ignore")

    host: str = Field(default="0.0.0.0", description="address to listen on")  # noqa: S104  # a container's own
    port: int = Field(default=8000, ge=1, le=65535)
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lowered)] = "info"
    environment: Annotated[Literal["development", "staging", "production"], BeforeValidator(_lowered)] = (
        "development"
    )
    jwt_secret_key: Annotated[SecretStr, AfterValidator(_signing_key)] = Field(
        default=SecretStr(DEVELOPMENT_KEY),
        validate_default=True,
        description="signs and checks tokens (HS256); the default is refused outside of development",
    )
    rabbitmq_url: BrokerUrl | None = None
    shutdown_timeout: int = Field(
        default=8,
        ge=1,
        le=3600,
        description="seconds that running requests get to finish; below the stop timeout",
    )


S = TypeVar("S", bound=Settings)


def read(settings: type[S]) -> S:
    """The service's settings from the environment. Raises SettingsError."""
    try:
        return settings()
    except ValidationError as error:
        wrong = []
        for problem in error.errors(include_url=False):
            name = str(problem["loc"][0])
            if problem["type"] == "missing":
                wrong.append(f"{name.upper()}: it is not set")
                continue
            message = problem["msg"].removeprefix("Value error, ")
            shown = "" if _is_secret(settings, name) else f" {str(problem['input'])!r}"
            wrong.append(f"{name.upper()}{shown}: {message[0].lower()}{message[1:]}")
        raise SettingsError("; ".join(wrong)) from error


def _is_secret(settings: type[Settings], name: str) -> bool:
    return "SecretStr" in str(settings.model_fields[name].annotation)
