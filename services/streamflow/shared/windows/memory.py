"""Windows kept in this process: gone when it ends."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from streamflow.shared.readiness import Check
from streamflow.shared.windows import LEASE_SECONDS, MOST_DUE, MOST_SOURCES, Cell, Tally, Terms
from streamflow.shared.windows.kinds import WINDOWS, Span, WindowName
from streamflow.shared.windows.loglog import HyperLogLog
from streamflow.shared.windows.snapshot import TOP_SOURCES, WindowSnapshot, snapshot

_SWEEP_SECONDS = 60.0


@dataclass(slots=True)
class _Kept:
    """What is kept of one window."""

    fields: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    users: HyperLogLog = field(default_factory=HyperLogLog)
    taken: int = 0
    """The revision that was taken last to be published."""
    published: float = 0.0

    def add(self, cell: Cell) -> None:
        self.fields.update(cell.counts)
        self.fields["revision"] += 1
        self.users.add(cell.users)
        for source, events in cell.sources.items():
            if source in self.sources or len(self.sources) < MOST_SOURCES:
                self.sources[source] += events


class MemoryWindows:
    """Windows for services that share a process."""

    def __init__(self, terms: Terms | None = None) -> None:
        self._terms = terms or Terms()
        self._kept: dict[Span, _Kept] = {}
        self._open: set[Span] = set()
        self._due: dict[Span, float] = {}
        """From when on a window that has changed may be published."""
        self._seen: dict[UUID, float] = {}
        """Until when an id is remembered, the oldest first."""
        self._swept = 0.0

    async def add(self, tally: Tally, now: float) -> frozenset[UUID]:
        self._forget(now)
        if seen := self._seen.keys() & set(tally.ids):
            return frozenset(seen)
        self._seen.update(dict.fromkeys(tally.ids, now + self._terms.remember))
        for span, cell in tally.cells.items():
            kept = self._begin(span, now)
            kept.add(cell)
            self._due.setdefault(span, max(now, kept.published + self._terms.gap))
        return frozenset()

    async def due(self, now: float) -> tuple[WindowSnapshot, ...]:
        for kind in WINDOWS.values():
            self._begin(kind.containing(datetime.fromtimestamp(now, UTC)), now)
        for span in [each for each in self._open if each.end.timestamp() + self._terms.grace <= now]:
            self._open.discard(span)
            fields = self._kept[span].fields
            fields["closed"] = 1
            fields["revision"] += 1
            self._due.setdefault(span, now)
        taken = sorted(
            (moment, span.end, span.window, span) for span, moment in self._due.items() if moment <= now
        )
        spans = [span for *_, span in taken[:MOST_DUE]]
        for span in spans:
            self._due[span] = now + LEASE_SECONDS
            kept = self._kept[span]
            kept.taken, kept.published = kept.fields["revision"], now
        return tuple(self._snapshot(span) for span in spans)

    async def published(self, snapshots: tuple[WindowSnapshot, ...], now: float) -> None:
        for each in snapshots:
            if (kept := self._kept.get(each.span)) is None:
                continue
            if kept.fields["revision"] == each.revision:
                self._due.pop(each.span, None)
            elif kept.taken == each.revision and each.span in self._due:
                self._due[each.span] = max(now, kept.published + self._terms.gap)

    async def latest(self, name: WindowName, limit: int) -> tuple[WindowSnapshot, ...]:
        counted = (span for span, kept in self._kept.items() if span.window == name and kept.fields["count"])
        spans = sorted(counted, key=lambda each: each.start)
        return tuple(self._snapshot(span) for span in reversed(spans[-limit:]))

    async def of(self, spans: tuple[Span, ...]) -> tuple[WindowSnapshot, ...]:
        return tuple(self._snapshot(span) for span in spans)

    async def sources(self, spans: tuple[Span, ...], limit: int) -> tuple[tuple[str, int], ...]:
        together: Counter[str] = Counter()
        for span in spans:
            if span in self._kept:
                together.update(self._kept[span].sources)
        return _top(together, limit)

    async def users(self, spans: tuple[Span, ...]) -> int:
        together = HyperLogLog()
        for span in spans:
            if span in self._kept:
                together.merge(self._kept[span].users)
        return together.count()

    def check(self) -> Check | None:
        return None

    async def close(self) -> None:
        """Nothing to let go of: others in this process may go on."""

    def _begin(self, span: Span, now: float) -> _Kept:
        if span not in self._kept:
            self._kept[span] = _Kept(Counter(revision=round(now * 1000)))
            self._open.add(span)
        return self._kept[span]

    def _snapshot(self, span: Span) -> WindowSnapshot:
        if (kept := self._kept.get(span)) is None:
            return snapshot(span)
        return snapshot(span, kept.fields, _top(kept.sources, TOP_SOURCES), kept.users.count())

    def _forget(self, now: float) -> None:
        while self._seen and (oldest := next(iter(self._seen))) and self._seen[oldest] <= now:
            del self._seen[oldest]
        if now < self._swept + _SWEEP_SECONDS:
            return
        self._swept = now
        for span in [each for each in self._kept if _gone(each, now)]:
            del self._kept[span]
            self._open.discard(span)
            self._due.pop(span, None)


def _gone(span: Span, now: float) -> bool:
    return (span.end + WINDOWS[span.window].kept).timestamp() <= now


def _top(sources: Counter[str], limit: int) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(sources.items(), key=lambda each: (-each[1], each[0]))[:limit])
