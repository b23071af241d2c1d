"""Dashboards in this process, with which they end."""

from uuid import UUID

from streamflow.dashboard.boards import MOST, Dashboard
from streamflow.dashboard.shelf import Outcome
from streamflow.shared.readiness import Check


class MemoryShelf:
    """A Shelf without a server."""

    def __init__(self) -> None:
        self._boards: dict[UUID, Dashboard] = {}

    async def all(self) -> tuple[Dashboard, ...]:
        return tuple(self._boards.values())

    async def get(self, board_id: UUID) -> Dashboard | None:
        return self._boards.get(board_id)

    async def add(self, board: Dashboard) -> Outcome:
        if len(self._boards) >= MOST:
            return "full"
        self._boards[board.id] = board
        return "done"

    async def replace(self, board: Dashboard) -> Outcome:
        kept = self._boards.get(board.id)
        if kept is None:
            return "missing"
        if kept.version != board.version - 1:
            return "changed"
        self._boards[board.id] = board
        return "done"

    async def remove(self, board_id: UUID) -> Outcome:
        return "missing" if self._boards.pop(board_id, None) is None else "done"

    def check(self) -> Check | None:
        return None

    async def close(self) -> None:
        pass
