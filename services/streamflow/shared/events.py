"""The event: what clients send and every service understands."""

import json
import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID, uuid4

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

DEEPEST = 100
"""How deeply objects and arrays may lie in each other: the readers on the way stop at twice that."""
LARGEST = 128 << 10
"""Bytes of `data`, and of `metadata`, as JSON text in which each number is written without an exponent."""
_STRETCH = 55
"""No JSON text grows more than so many times by that: `5e-324` is 326 digits."""
_LONGEST = 330
"""No number of it grows by more than so many characters."""
# Strings first: what looks like a number in one is text.
_PARTS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|\d(?:\.(?P<decimals>\d+))?e(?P<exponent>[+-]\d+)')


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


def _utc(value: object, read: ValidatorFunctionWrapHandler) -> datetime:
    # Of a number, also as text, pydantic guesses from its size whether it counts seconds or milliseconds.
    if not isinstance(value, datetime) and not (isinstance(value, str) and value[4:5] == "-"):
        raise ValueError("text like 2026-03-01T10:00:00Z is needed")
    moment: datetime = read(value)
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("the year must be within 1 to 9999 in UTC") from error


def _encodable(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    # Python's JSON reader also takes NaN, Infinity and half a surrogate pair, which no JSON writer may write.
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        size = len(text.encode())
    except ValueError as error:
        raise ValueError("numbers must be finite and text must be valid Unicode") from error
    except RecursionError:
        raise ValueError(f"at most {DEEPEST} levels may lie in each other") from None
    if size * _STRETCH > LARGEST and (size > LARGEST or size + _growth(text, LARGEST - size) > LARGEST):
        raise ValueError(f"its JSON may have {LARGEST >> 10} KiB, with numbers written without exponents")
    if text.count("{") + text.count("[") > DEEPEST and _depth(value) > DEEPEST:
        raise ValueError(f"at most {DEEPEST} levels may lie in each other")
    # A backslash of the text itself is doubled, and no escape.
    if "\\u0000" in text.replace("\\\\", ""):
        raise ValueError("U+0000 can't be stored")
    return value


def _growth(text: str, allowed: int) -> int:
    """How many characters longer a JSON text is in PostgreSQL, which writes each number without an exponent.

    The exact count takes long, and isn't made where an upper bound of it is `allowed`: then it is that bound.
    """
    bound = _LONGEST * (text.count("e+") + text.count("e-"))
    if bound <= allowed:
        return bound
    return sum(_digits(part) - len(part[0]) for part in _PARTS.finditer(text) if part["exponent"])


def _digits(number: re.Match[str]) -> int:
    """How long a number is without its exponent; Python's JSON has one from 1e16 on, and below 1e-4."""
    exponent = int(number["exponent"])
    return exponent + 1 if exponent > 0 else len("0.") - exponent + len(number["decimals"] or "")


def _depth(value: JsonValue) -> int:
    """How many levels of objects and arrays there are."""
    level: list[JsonValue] = [value]
    depth = 0
    while level := [each for each in level if isinstance(each, dict | list)]:
        depth += 1
        level = [inner for each in level for inner in (each.values() if isinstance(each, dict) else each)]
    return depth


Moment = Annotated[AwareDatetime, WrapValidator(_utc)]
"""A moment with an offset, in UTC; as text or as a datetime, never as a number."""
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
