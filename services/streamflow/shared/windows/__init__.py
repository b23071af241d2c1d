"""Windows: what happened in stretches of time, by the events' own time, counted once whoever counts.

Any number of replicas may count into the same windows, and a batch may come twice: what has been counted is known by
the events' ids. Whoever shows windows reads them here.
"""

from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from streamflow.shared.readiness import Check
from streamflow.shared.windows.kinds import Span, WindowName
from streamflow.shared.windows.snapshot import WindowSnapshot

MOST_SOURCES = 10_000
"""How many sources a window tells apart. The events of further ones count in everything but by source."""
_REMEMBER_SECONDS = 900
_GRACE_SECONDS = 10.0
_GAP_SECONDS = 0.2
LEASE_SECONDS = 5.0
"""How long who has taken a snapshot has to publish it, before another one may."""
MOST_DUE = 50
"""How many snapshots are taken to be published at once."""


class WindowsUnavailable(Exception):  # noqa: N818  # a state of the world, not a mistake
    """What the windows are kept in is away. What was to be counted may still have been: count it again."""


@dataclass(slots=True)
class Cell:
    """What a batch adds to one window."""

    counts: dict[str, int] = field(default_factory=dict)
    """By the fields of `snapshot`: `count`, `errors`, `type:error`, `severity:low`, `latency:7`."""
    sources: dict[str, int] = field(default_factory=dict)
    users: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Tally:
    """What a batch adds to all windows, and the ids of its events, each once."""

    ids: tuple[UUID, ...]
    cells: dict[Span, Cell]


@dataclass(frozen=True, slots=True)
class Terms:
    """How long what is counted is remembered by its id, and when windows are published, in seconds."""

    remember: int = _REMEMBER_SECONDS
    grace: float = _GRACE_SECONDS
    """From a window's end to its closing."""
    gap: float = _GAP_SECONDS
    """Between two publications of a window."""


class Windows(Protocol):
    """Where windows are kept. All methods but `check` and `close` raise WindowsUnavailable.

    `now` is in seconds since the Unix epoch.
    """

    async def add(self, tally: Tally, now: float) -> frozenset[UUID]:
        """Count all of a tally; where some of its ids were counted before, count nothing and return those."""

    async def due(self, now: float) -> tuple[WindowSnapshot, ...]:
        """Begin the windows of now, close those that have ended, and take the snapshots that are to be published now.

        So a window is closed, and published, when nothing was counted in it, too: silence is told, which nobody's
        absence looks like.

        For LEASE_SECONDS nobody else is given them.
        """

    async def published(self, snapshots: tuple[WindowSnapshot, ...], now: float) -> None:
        """Tell that these are published: they aren't due again, unless they have changed since."""

    async def latest(self, name: WindowName, limit: int) -> tuple[WindowSnapshot, ...]:
        """The newest windows of a kind in which something was counted, newest first."""

    async def of(self, spans: tuple[Span, ...]) -> tuple[WindowSnapshot, ...]:
        """These windows, in this order; those in which nothing was counted are empty."""

    async def sources(self, spans: tuple[Span, ...], limit: int) -> tuple[tuple[str, int], ...]:
        """The sources with the most events in these windows together; of equal ones the first by name."""

    async def users(self, spans: tuple[Span, ...]) -> int:
        """How many users there were in these windows together; within about 2%."""

    def check(self) -> Check | None:
        """Whether what they are kept in answers; None where that is this process itself."""

    async def close(self) -> None:
        """Let go of what they are kept in."""
