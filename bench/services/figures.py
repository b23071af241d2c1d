"""What a run found, and what is asked of it."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from load import Outcome, percentile

BATCH = 500
BATCHES, STEADY, SINGLES, DELAYS = CASES = ("batches", "steady batches", "single posts", "paced")
BATCHES_PER_SECOND = 10_000
STEADY_PACE = 11_000
STORED_SHARE = 0.8
SINGLES_PER_SECOND = 1_500
PACE = 1_000
DELAY_MS = 500
MEMORY_MB = 120
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Extent:
    """How many turns each case has, how many seconds each sends, and how many rows are copied."""

    turns: int = 3
    warm: float = 5
    batches: float = 15
    singles: float = 10
    delays: float = 20
    limit: float = 4
    rows: int = 200_000


QUICK = Extent(1, 1, 3, 2, 3, 0.5, 10_000)


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a case: what the generator tells, when all was stored, and the processor time of each process."""

    sent: Outcome
    stored_seconds: float
    """From the first request to the last row."""
    behind: int
    """Events that were not stored yet when the last one was accepted."""
    processor: Mapping[str, float]
    """Seconds by process, from the first request until everything is stored and counted."""
    load: float
    """The machine's load average before."""

    @property
    def accepted_rate(self) -> float:
        return self.sent.accepted / self.sent.seconds

    @property
    def stored_rate(self) -> float:
        return self.sent.accepted / self.stored_seconds


@dataclass(slots=True)
class Figures:
    """All turns by case, the servers' own limits, in events a second, and each service's peak memory in bytes."""

    turns: dict[str, list[Turn]] = field(default_factory=dict)
    limits: dict[str, list[float]] = field(default_factory=dict)
    memory: dict[str, int] = field(default_factory=dict)

    def accepted(self, case: str) -> list[float]:
        """Events accepted a second, by turn."""
        return [turn.accepted_rate for turn in self.turns[case]]

    def stored(self, case: str) -> list[float]:
        """Events stored a second, by turn."""
        return [turn.stored_rate for turn in self.turns[case]]

    def delays(self, percent: int) -> list[float]:
        """A percentile of the delays, in milliseconds, by turn."""
        return [percentile(turn.sent.delays, percent) * 1000 for turn in self.turns[DELAYS]]

    def answers(self, case: str, percent: int) -> list[float]:
        """A percentile of the times to an answer, in milliseconds, by turn."""
        return [percentile(turn.sent.answers, percent) * 1000 for turn in self.turns[case]]

    def processor(self, case: str) -> dict[str, float]:
        """Microseconds of processor time that each process took for an event."""
        turns = self.turns[case]
        events = sum(turn.sent.accepted for turn in turns)
        return {
            name: sum(turn.processor[name] for turn in turns) / events * 1e6 for name in turns[0].processor
        }


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be reached, and what was."""

    what: str
    wanted: str
    reached: str
    met: bool


def targets(figures: Figures) -> list[Target]:
    """Each target against the medians of the run."""
    batches = statistics.median(figures.accepted(BATCHES))
    share = statistics.median(
        stored / accepted
        for stored, accepted in zip(figures.stored(STEADY), figures.accepted(STEADY), strict=True)
    )
    singles = statistics.median(figures.accepted(SINGLES))
    delay = statistics.median(figures.delays(99))
    largest = max(figures.memory, key=lambda name: figures.memory[name])
    memory = figures.memory[largest] / _MILLION
    return [
        _at_least(f"events accepted a second, in batches of {BATCH}", BATCHES_PER_SECOND, batches),
        Target(
            f"of {STEADY_PACE:,} a second in batches, stored a second until the last one is",
            f"at least {STORED_SHARE:.0%}",
            f"{share:.1%}",
            share >= STORED_SHARE,
        ),
        _at_least("events accepted a second, one a request", SINGLES_PER_SECOND, singles),
        Target(
            f"from POST to the dashboard's WebSocket at {PACE:,} events a second, p99",
            f"at most {DELAY_MS} ms",
            f"{delay:.0f} ms",
            delay <= DELAY_MS,
        ),
        Target(
            "memory of each service",
            f"at most {MEMORY_MB} MB",
            f"at most {memory:.1f} MB ({largest})",
            memory <= MEMORY_MB,
        ),
    ]


def spread(values: Sequence[float]) -> str:
    """The median, with the least and the most."""
    return f"{statistics.median(values):,.0f} ({min(values):,.0f} to {max(values):,.0f})"


def _at_least(what: str, wanted: int, reached: float) -> Target:
    return Target(what, f"at least {wanted:,}", f"{reached:,.0f}", reached >= wanted)
