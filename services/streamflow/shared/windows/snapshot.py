"""What a window says at one moment, as it is published and answered."""

from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from streamflow.shared.events import Moment
from streamflow.shared.windows import latency
from streamflow.shared.windows.kinds import Span, WindowName

TOP_SOURCES = 20
Count = Annotated[int, Field(ge=0, le=2**63 - 1)]
"""How often something happened, within what a database's bigint holds."""
_Finite = Annotated[float, Field(allow_inf_nan=False)]


class Latency(BaseModel):
    """Percentiles of the latencies in milliseconds, within 1%; none where no event told its latency."""

    model_config = ConfigDict(frozen=True)

    p50: _Finite | None = None
    p95: _Finite | None = None
    p99: _Finite | None = None


class WindowSnapshot(BaseModel):
    """What was counted in a window up to a moment. Of two, the one with the greater revision is the newer."""

    model_config = ConfigDict(frozen=True)

    window: WindowName
    start: Moment
    end: Moment = Field(description="the first moment that is not in the window")
    revision: Count = Field(
        description="grows with each change of the window, from the milliseconds of its beginning on"
    )
    closed: bool = Field(description="whether its time is over; only late events change it any more")
    count: Count
    by_type: dict[str, int]
    by_source: dict[str, int] = Field(description="the 20 sources with the most events, most first")
    by_severity: dict[str, int]
    unique_users: Count = Field(description="estimated, within about 2%")
    errors: Count = Field(
        description="events of type error, and of type api.response with data.status >= 500"
    )
    error_rate: float = Field(ge=0, le=1, description="the share of errors in the events")
    latency: Latency

    @property
    def span(self) -> Span:
        return Span(self.window, self.start, self.end)


def snapshot(
    span: Span,
    fields: Mapping[str, int] | None = None,
    sources: Iterable[tuple[str, int]] = (),
    users: int = 0,
) -> WindowSnapshot:
    """A window's snapshot: its fields as a Cell counts them, with `revision` and `closed`; empty without any."""
    fields = fields or {}
    count, errors = fields.get("count", 0), fields.get("errors", 0)
    buckets = {int(number): events for number, events in _part(fields, "latency:").items()}
    return WindowSnapshot(
        window=span.window,
        start=span.start,
        end=span.end,
        revision=fields.get("revision", 0),
        closed=bool(fields.get("closed", 0)),
        count=count,
        by_type=_part(fields, "type:"),
        by_source=dict(sources),
        by_severity=_part(fields, "severity:"),
        unique_users=users,
        errors=errors,
        error_rate=errors / count if count else 0.0,
        latency=Latency(
            p50=latency.percentile(buckets, 50),
            p95=latency.percentile(buckets, 95),
            p99=latency.percentile(buckets, 99),
        ),
    )


def _part(fields: Mapping[str, int], prefix: str) -> dict[str, int]:
    return {name.removeprefix(prefix): fields[name] for name in sorted(fields) if name.startswith(prefix)}
