"""The windows that rules are judged by, as analytics publishes them, and what a rule's metric is in one."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from streamflow.shared.bus import Dead, Message
from streamflow.shared.events import Moment

_LARGEST = 2**63 - 1  # what a database's bigint holds


_Count = Annotated[int, Field(ge=0, le=_LARGEST)]
_Finite = Annotated[float, Field(allow_inf_nan=False)]


class Latency(BaseModel):
    """Percentiles in milliseconds; None where the window holds no response."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    p50: _Finite | None = None
    p95: _Finite | None = None
    p99: _Finite | None = None


class WindowSnapshot(BaseModel):
    """A window as it stood at one of its revisions; `closed` means that no later one is to be expected."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    window: Literal["1m", "5m", "1h"]
    start: Moment
    end: Moment
    revision: _Count
    closed: bool
    count: _Count
    by_type: dict[str, int] = Field(default_factory=dict)
    by_source: dict[str, int] = Field(default_factory=dict)
    by_severity: dict[str, int] = Field(default_factory=dict)
    unique_users: _Count
    error_rate: _Finite
    latency: Latency


def load(message: Message) -> WindowSnapshot | Dead:
    """The window that a message carries, or the message as a dead letter when it carries none."""
    try:
        return WindowSnapshot.model_validate_json(message.body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "it"
        return Dead(message, f"not a window: {place}: {first['msg']}")


def metric(snapshot: WindowSnapshot, name: str) -> float | None:
    """A metric of a condition in this window; None where the window has no figure for it."""
    if name.startswith("latency_"):
        found: float | None = getattr(snapshot.latency, name.removeprefix("latency_"))
        return found
    return {
        "count": snapshot.count,
        "error_rate": snapshot.error_rate,
        "unique_users": snapshot.unique_users,
    }[name]
