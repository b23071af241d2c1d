"""Where dashboards are kept."""

from typing import Literal, Protocol
from uuid import UUID

from streamflow.dashboard.boards import Dashboard
from streamflow.shared.readiness import Check

Outcome = Literal["done", "missing", "changed", "full"]


class ShelfUnavailable(Exception):  # noqa: N818  # a state of the world, not a mistake
    """What the dashboards are kept in is away. What was to be changed may still have been."""


class Shelf(Protocol):
    """A place for dashboards, which several replicas may share. All but `check` and `close` raise ShelfUnavailable."""

    async def all(self) -> tuple[Dashboard, ...]:
        """All dashboards, in no particular order."""

    async def get(self, board_id: UUID) -> Dashboard | None:
        """One dashboard."""

    async def add(self, board: Dashboard) -> Outcome:
        """Keep a new one; `full` where there are as many as there may be."""

    async def replace(self, board: Dashboard) -> Outcome:
        """Keep a new version; `changed` where the kept one's isn't the one before, `missing` where there is none."""

    async def remove(self, board_id: UUID) -> Outcome:
        """Forget one; `missing` where there is none."""

    def check(self) -> Check | None:
        """Whether what they are kept in answers; None where that is this process itself."""

    async def close(self) -> None:
        """Let go of what they are kept in."""
