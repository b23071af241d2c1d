"""Alerts over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.exceptions import RequestValidationError

from streamflow.alerting import ledger, query
from streamflow.alerting.alerts import Alert, AlertInFull, Alerts, State, Statistics
from streamflow.alerting.changes import Changes
from streamflow.alerting.routes.errors import ABSENT, ILLEGAL, LATER
from streamflow.alerting.rules import Level
from streamflow.alerting.store import Store
from streamflow.alerting.text import clean
from streamflow.shared.auth import REFUSED, Caller, Guard
from streamflow.shared.errors import INVALID

_MOST = 500


def alert_routes(store: Store, changes: Changes, guard: Guard) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["alerts"])

    @routes.get("/alerts", responses={**INVALID, **REFUSED, **LATER}, dependencies=[guard.reads])
    async def list_alerts(
        state: State | None = None,
        level: Level | None = None,
        rule: UUID | None = None,
        after: Annotated[str | None, Query(max_length=200, description="`next` of the page before")] = None,
        limit: Annotated[int, Query(ge=1, le=_MOST)] = 50,
    ) -> Alerts:
        """Alerts, the latest first, a page at a time."""
        return await query.page(store, query.Filter(state, level, rule), _place(after), limit)

    @routes.get(
        "/alerts/{alert_id}", responses={**INVALID, **REFUSED, **ABSENT, **LATER}, dependencies=[guard.reads]
    )
    async def get_alert(alert_id: UUID) -> AlertInFull:
        """One alert, with what was sent because of it and what wasn't."""
        return await query.in_full(store, alert_id)

    @routes.post(
        "/alerts/{alert_id}/acknowledge", responses={**INVALID, **REFUSED, **ABSENT, **ILLEGAL, **LATER}
    )
    async def acknowledge(alert_id: UUID, caller: Annotated[Caller, guard.writes]) -> Alert:
        """The caller looks after a firing alert; it is not escalated any more."""
        async with store.transaction() as session:
            alert = await ledger.acknowledge(session, alert_id, clean(caller.subject) or "unknown")
        changes.note("acknowledged")
        return alert

    @routes.post("/alerts/{alert_id}/resolve", responses={**INVALID, **REFUSED, **ABSENT, **ILLEGAL, **LATER})
    async def resolve(alert_id: UUID, caller: Annotated[Caller, guard.writes]) -> Alert:
        """An alert's cause is gone. If it isn't, the rule fires again when it isn't suppressed any more."""
        async with store.transaction() as session:
            alert = await ledger.resolve(session, alert_id, clean(caller.subject) or "unknown")
        changes.note("resolved")
        return alert

    @routes.get("/statistics", responses={**REFUSED, **LATER}, dependencies=[guard.reads])
    async def statistics() -> Statistics:
        """The alerts that are kept, in figures; those that retention has deleted don't count any more."""
        return await query.statistics(store)

    return routes


def _place(after: str | None) -> query.Place | None:
    if after is None:
        return None
    try:
        return query.place(after)
    except ValueError as error:
        found = {"type": "value_error", "loc": ("query", "after"), "msg": str(error), "input": after}
        raise RequestValidationError([found]) from error
