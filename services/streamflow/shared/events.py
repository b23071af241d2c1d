"""The event: what clients send and every service understands."""

import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID, uuid4

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

DEEPEST = 100
"""How deeply objects and arrays may lie in each other: the readers on the way stop at twice that."""


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("U+0000 can't be stored")
    return text


Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_without_nul)]


class EventType(StrEnum):
    """What happened."""

    WEB_CLICK = "web.click"
    WEB_PAGEVIEW = "web.pageview"
    API_REQUEST = "api.request"
    API_RESPONSE = "api.response"
    USER_LOGIN = "user.login"
    USER_LOGOUT = "user.logout"
    ERROR = "error"
    METRIC = "metric"
    CUSTOM = "custom"


class Severity(StrEnum):
    """How much it matters, from least to most."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


def _utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("the year must be within 1 to 9999 in UTC") from error


def _encodable(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    # Python's JSON reader also takes NaN, Infinity and half a surrogate pair, which no JSON writer may write.
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()
    except ValueError as error:
        raise ValueError("numbers must be finite and text must be valid Unicode") from error
    except RecursionError:
        raise ValueError(f"at most {DEEPEST} levels may lie in each other") from None
    if text.count("{") + text.count("[") > DEEPEST and _depth(value) > DEEPEST:
        raise ValueError(f"at most {DEEPEST} levels may lie in each other")
    # A backslash of the text itself is doubled, and no escape.
    if "\\u0000" in text.replace("\\\\", ""):
        raise ValueError("U+0000 can't be stored")
    return value


def _depth(value: JsonValue) -> int:
    """How many levels of objects and arrays there are."""
    level: list[JsonValue] = [value]
    depth = 0
    while level := [each for each in level if isinstance(each, dict | list)]:
        depth += 1
        level = [inner for each in level for inner in (each.values() if isinstance(each, dict) else each)]
    return depth


Moment = Annotated[AwareDatetime, AfterValidator(_utc)]
"""A moment with an offset, in UTC."""
JsonObject = Annotated[dict[str, JsonValue], AfterValidator(_encodable)]


def _now() -> datetime:
    return datetime.now(UTC)


class Event(BaseModel):
    """One thing that happened at a source. Timestamps without an offset are refused; all become UTC."""

    # What a page to try it begins with: without an id, for the same one again changes nothing.
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"examples": [{"type": "web.click", "source": "shop", "data": {"page": "/"}}]},
    )

    id: UUID = Field(default_factory=uuid4)
    type: EventType
    source: Name
    timestamp: Moment = Field(default_factory=_now)
    severity: Severity = Severity.LOW
    data: JsonObject = Field(default_factory=dict)
    metadata: JsonObject = Field(default_factory=dict)
    correlation_id: Name | None = None
    session_id: Name | None = None
    user_id: Name | None = None
    tags: tuple[Name, ...] = Field(default=(), max_length=50)
