"""Analytics' routes."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from pydantic import AwareDatetime

from streamflow.analytics import answers
from streamflow.shared.auth import REFUSED, Guard
from streamflow.shared.errors import INVALID, ErrorAnswer
from streamflow.shared.windows import Windows
from streamflow.shared.windows.kinds import WINDOWS, Span, WindowName
from streamflow.shared.windows.snapshot import WindowSnapshot

RETRY_SECONDS = 2
_AWAY: dict[int | str, dict[str, Any]] = {
    503: {"model": ErrorAnswer, "description": "Redis doesn't answer; Retry-After says when to try again"},
}
_OUTSIDE: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorAnswer, "description": "Outside of the years that windows cover"},
}
_READ = {**INVALID, **REFUSED, **_AWAY}

Limit = Annotated[int, Query(ge=1, le=100, description="how many, at most")]
Kind = Annotated[WindowName, Query(description="which kind of windows")]
Periods = Annotated[int, Query(ge=1, le=100, description="how many windows, the running one included")]
FewPeriods = Annotated[int, Query(ge=1, le=24, description="how many windows, the running one included")]


def routes(windows: Windows, guard: Guard) -> APIRouter:
    """The routes that ask these windows, for callers that may read."""
    router = APIRouter(dependencies=[guard.reads])

    @router.get("/windows", responses={**INVALID, **REFUSED, **_OUTSIDE})
    async def window_spans(at: Annotated[AwareDatetime | None, Query()] = None) -> tuple[Span, ...]:
        """The window of each kind that a moment falls into; now, unless one is given."""
        moment = at or datetime.now(UTC)
        try:
            return tuple(window.containing(moment) for window in WINDOWS.values())
        except OverflowError as error:
            raise HTTPException(400, "at is outside of the years that windows cover") from error

    @router.get("/windows/{name}", responses=_READ)
    async def latest_windows(name: WindowName, limit: Limit = 10) -> tuple[WindowSnapshot, ...]:
        """The latest windows of a kind in which something was counted, newest first."""
        return await windows.latest(name, limit)

    @router.get("/trends", responses=_READ)
    async def trends(window: Kind = "5m", periods: Periods = 12) -> answers.Trends:
        """Counts and error rates of the last windows, oldest first, each against the one before it."""
        return answers.trends(window, await windows.of(_last(window, periods + 1)))

    @router.get("/sources", responses=_READ)
    async def sources(window: Kind = "1h", periods: FewPeriods = 2, limit: Limit = 20) -> answers.Shares:
        """The sources with the most events in the last windows together."""
        spans = _last(window, periods)
        top = await windows.sources(spans, limit)
        # After the sources, so that all events are no fewer than one source's.
        return answers.shares(window, await windows.of(spans), top)

    @router.get("/types", responses=_READ)
    async def types(window: Kind = "1h", periods: FewPeriods = 2) -> answers.Shares:
        """The events of each type in the last windows together."""
        found = await windows.of(_last(window, periods))
        return answers.shares(window, found, answers.by_type(found))

    @router.get("/users", responses=_READ)
    async def users(window: Kind = "1h", periods: FewPeriods = 2) -> answers.Users:
        """How many different users there were in the last windows, together and in each; estimated."""
        spans = _last(window, periods)
        return answers.users(window, await windows.of(spans), await windows.users(spans))

    return router


def _last(name: WindowName, count: int) -> tuple[Span, ...]:
    return WINDOWS[name].last(count, datetime.now(UTC))
