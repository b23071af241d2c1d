"""Dashboards that users keep: which panels they show, over which windows, of which events."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from streamflow.shared.events import EventType, Severity
from streamflow.shared.windows.kinds import WindowName

Panel = Literal["rate", "errors", "latency", "sources", "types", "alerts", "events"]
MOST = 500
"""Dashboards there may be."""

_Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]*$")
]


class EventFilter(BaseModel):
    """Which of the recent events are shown; what isn't given doesn't matter."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: EventType | None = None
    severity: Severity | None = None
    source: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$")] | None = None


class View(BaseModel):
    """What a dashboard shows, as a user chooses it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: _Line
    panels: tuple[Panel, ...] = Field(min_length=1, max_length=7, description="in the order they are shown")
    window: WindowName = "1m"
    filter: EventFilter = EventFilter()

    @field_validator("panels")
    @classmethod
    def _once(cls, panels: tuple[Panel, ...]) -> tuple[Panel, ...]:
        if len(set(panels)) < len(panels):
            raise ValueError("each panel is shown once")
        return panels


class ChangedView(View):
    """A new view for a dashboard, made from the version of it that the user saw."""

    version: int = Field(ge=1, le=2**53, description="of the dashboard that this view replaces")


class Dashboard(View):
    """A dashboard that is kept."""

    id: UUID
    version: int = Field(description="counts the changes from 1")
    created_at: datetime
    updated_at: datetime


class Dashboards(BaseModel):
    """All dashboards, by name."""

    dashboards: tuple[Dashboard, ...]
