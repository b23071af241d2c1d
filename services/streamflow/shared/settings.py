"""What a service reads from its environment: types, what all have in common, the refusal of what is wrong."""

from pathlib import Path
from typing import Annotated, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, ValidationInfo
from pydantic_settings import BaseSettings, SettingsConfigDict


class SettingsError(Exception):
    """The environment holds a setting that the service can't run with; the text names each, on one line."""


def _lowered(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _url(*schemes: str, file: str | None = None) -> AfterValidator:
    """A URL of a server by one of the schemes, or where `file` is a scheme, too, of a file: `sqlite:///PATH`."""
    example = f"{schemes[0]}://HOST:PORT" + ("" if file is None else f" or {file}:///PATH")

    def check(url: SecretStr) -> SecretStr:
        value = url.get_secret_value()
        if file is not None and value.startswith(f"{file}:///") and value != f"{file}:///":
            folder = Path(value.removeprefix(f"{file}:///")).absolute().parent
            if not folder.is_dir():
                raise ValueError(f"there is no folder {folder}")
            return url
        try:
            parts = urlsplit(value)
            complete = parts.scheme in schemes and parts.hostname is not None and parts.port != 0
        except ValueError:
            complete = False
        if not complete:
            raise ValueError(f"a URL like {example} is needed")
        return url

    return AfterValidator(check)


# Secret, because a URL may hold a password: it shows in no log, message or repr.
DatabaseUrl = Annotated[SecretStr, _url("postgresql", "postgres", file="sqlite")]
BrokerUrl = Annotated[SecretStr, _url("amqp", "amqps")]
RedisUrl = Annotated[SecretStr, _url("redis", "rediss")]
ServiceUrl = Annotated[SecretStr, _url("http", "https")]


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
