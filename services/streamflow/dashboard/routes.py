"""Dashboard's API: figures, alerts and events to show, and the dashboards that users keep."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, HTTPException, Query, Request, Response, WebSocket

from streamflow.dashboard.boards import MOST, ChangedView, Dashboard, Dashboards, View
from streamflow.dashboard.figures import Historical, Realtime, historical
from streamflow.dashboard.forwarding import Peer
from streamflow.dashboard.live import Live
from streamflow.dashboard.shelf import Outcome, Shelf
from streamflow.dashboard.sockets import Feed, send_all
from streamflow.shared.auth import REFUSED, Guard
from streamflow.shared.bodies import TOO_LARGE
from streamflow.shared.errors import INVALID, ErrorAnswer
from streamflow.shared.windows import Windows
from streamflow.shared.windows.kinds import WINDOWS, WindowName

Responses = dict[int | str, dict[str, Any]]
_AWAY: Responses = {
    503: {"model": ErrorAnswer, "description": "Not for now; Retry-After says when to try again"}
}
_ABSENT: Responses = {404: {"model": ErrorAnswer, "description": "There is none of this id"}}
_CONFLICT: Responses = {409: {"model": ErrorAnswer, "description": "What is kept doesn't allow it"}}
_READ = {**INVALID, **REFUSED, **_AWAY}

Periods = Annotated[int, Query(ge=1, le=360, description="how many windows, the running one included")]


def figure_routes(live: Live, windows: Windows, guard: Guard) -> APIRouter:
    """The routes that show figures."""
    routes = APIRouter(prefix="/metrics", tags=["figures"], dependencies=[guard.reads])

    @routes.get("/realtime", responses={**REFUSED, **_AWAY})
    async def realtime() -> Realtime:
        """The running windows and how fast events come."""
        now = datetime.now(UTC)
        for window in await windows.of(tuple(kind.containing(now) for kind in WINDOWS.values())):
            live.learn(window)
        return live.now()

    @routes.get("/historical", responses=_READ)
    async def history(window: WindowName = "1m", periods: Periods = 60) -> Historical:
        """The last windows of a kind, oldest first."""
        now = datetime.now(UTC)
        return historical(window, await windows.of(WINDOWS[window].last(periods, now)), now)

    return routes


def board_routes(shelf: Shelf, guard: Guard) -> APIRouter:
    """The routes for dashboards."""
    routes = APIRouter(prefix="/dashboards", tags=["dashboards"])

    @routes.get("", responses={**REFUSED, **_AWAY}, dependencies=[guard.reads])
    async def list_dashboards() -> Dashboards:
        """All dashboards, by name."""
        boards = sorted(await shelf.all(), key=lambda board: (board.name.casefold(), board.created_at))
        return Dashboards(dashboards=tuple(boards))

    @routes.post(
        "",
        status_code=201,
        responses={**INVALID, **REFUSED, **TOO_LARGE, **_AWAY, **_CONFLICT},
        dependencies=[guard.writes],
    )
    async def create_dashboard(view: View) -> Dashboard:
        """Keep a new dashboard."""
        now = datetime.now(UTC)
        board = Dashboard(**view.model_dump(), id=uuid4(), version=1, created_at=now, updated_at=now)
        _judge(await shelf.add(board))
        return board

    @routes.get("/{board_id}", responses={**_READ, **_ABSENT}, dependencies=[guard.reads])
    async def get_dashboard(board_id: UUID) -> Dashboard:
        """One dashboard."""
        return await _kept(board_id)

    @routes.put(
        "/{board_id}",
        responses={**_READ, **TOO_LARGE, **_ABSENT, **_CONFLICT},
        dependencies=[guard.writes],
    )
    async def replace_dashboard(board_id: UUID, view: ChangedView) -> Dashboard:
        """Change a dashboard, unless somebody else has changed it since the caller saw it."""
        kept = await _kept(board_id)
        board = Dashboard(
            **view.model_dump(exclude={"version"}),
            id=board_id,
            version=view.version + 1,
            created_at=kept.created_at,
            updated_at=datetime.now(UTC),
        )
        _judge(await shelf.replace(board))
        return board

    @routes.delete(
        "/{board_id}", status_code=204, responses={**_READ, **_ABSENT}, dependencies=[guard.writes]
    )
    async def delete_dashboard(board_id: UUID) -> None:
        """Forget a dashboard."""
        _judge(await shelf.remove(board_id))

    async def _kept(board_id: UUID) -> Dashboard:
        board = await shelf.get(board_id)
        if board is None:
            raise _missing()
        return board

    return routes


def forwarded_routes(storage: Peer, alerting: Peer, guard: Guard) -> APIRouter:
    """The routes that storage and alerting answer, so that the page needs no other address than its own."""
    routes = APIRouter(tags=["events and alerts"], responses=_READ)

    @routes.get("/events", dependencies=[guard.reads])
    async def events(request: Request) -> Response:
        """Events, newest first: storage's `GET /events`, with its parameters."""
        return await storage.answer(request, "/events")

    @routes.get("/alerts", dependencies=[guard.reads])
    async def alerts(request: Request) -> Response:
        """Alerts, the latest first: alerting's `GET /alerts`, with its parameters."""
        return await alerting.answer(request, "/alerts")

    @routes.post("/alerts/{alert_id}/acknowledge", responses=_ABSENT | _CONFLICT, dependencies=[guard.writes])
    async def acknowledge(alert_id: UUID, request: Request) -> Response:
        """The caller looks after a firing alert."""
        return await alerting.answer(request, f"/alerts/{alert_id}/acknowledge")

    @routes.post("/alerts/{alert_id}/resolve", responses=_ABSENT | _CONFLICT, dependencies=[guard.writes])
    async def resolve(alert_id: UUID, request: Request) -> Response:
        """An alert's cause is gone."""
        return await alerting.answer(request, f"/alerts/{alert_id}/resolve")

    return routes


def socket_routes(live: Live, alerts: Feed, guard: Guard) -> APIRouter:
    """The WebSockets, for callers that may read."""
    routes = APIRouter(prefix="/ws")

    @routes.websocket("/metrics")
    async def watch_metrics(socket: WebSocket) -> None:
        """What `GET /metrics/realtime` answers, as often as it changes, but at most ten times a second."""
        caller = await guard.admit(socket, "read")
        if caller is not None:
            await send_all(socket, live.next, caller.deadline())

    @routes.websocket("/alerts")
    async def watch_alerts(socket: WebSocket) -> None:
        """Each change of an alert from now on: `{"alert": …, "change": "fired"}`."""
        caller = await guard.admit(socket, "read")
        if caller is not None:
            with alerts.reading() as following:
                await send_all(socket, following, caller.deadline())

    return routes


def _judge(outcome: Outcome) -> None:
    match outcome:
        case "missing":
            raise _missing()
        case "changed":
            raise HTTPException(409, "somebody else has changed this dashboard; get it again")
        case "full":
            raise HTTPException(409, f"there are {MOST} dashboards; delete one that nobody needs")


def _missing() -> HTTPException:
    return HTTPException(404, "there is no such dashboard")
