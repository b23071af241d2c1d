"""The samples of a run, and what is asked of them."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from measure import Sample
from sizes import Sizes

COLD, NOTHING, CHANGED, REQUIREMENT = (
    "cold",
    "nothing changed",
    "one source file changed",
    "one requirement added",
)
CASES = (COLD, NOTHING, CHANGED, REQUIREMENT)
LOOP, COMPOSE, BAKE, TOOL = WAYS = ("shell loop", "compose", "bake", "streamflow-build")
"""What the old script did, what its user could have done instead, the closest peer, and this project."""


HELP_SECONDS = 0.15
MEMORY_MB = 120


@dataclass(slots=True)
class Results:
    """What a run found: times by case and way, sizes by way, seconds of `--help` and of an idle Python."""

    samples: dict[tuple[str, str], list[Sample]] = field(default_factory=dict)
    held: dict[str, Sizes] = field(default_factory=dict)
    help: list[float] = field(default_factory=list)
    python: list[float] = field(default_factory=list)
    failures: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, case: str, way: str, sample: Sample) -> None:
        """Note one more run."""
        self.samples.setdefault((case, way), []).append(sample)

    def seconds(self, case: str, way: str) -> float:
        """The median."""
        return statistics.median(sample.seconds for sample in self.samples[case, way])

    def cpu(self, case: str, way: str) -> float:
        """The median of the client's processor seconds."""
        return statistics.median(sample.cpu for sample in self.samples[case, way])

    def memory(self, way: str, cases: Sequence[str] = CASES) -> int:
        """The most that one of the client's processes held, in bytes."""
        return max(sample.memory for case in cases for sample in self.samples[case, way])

    def ratio(self, case: str, way: str, other: str) -> float:
        """One way's median time to another's."""
        return self.seconds(case, way) / self.seconds(case, other)


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be reached, and what was."""

    what: str
    at_most: str
    reached: str
    met: bool


def targets(results: Results, limits: Mapping[str, int]) -> list[Target]:
    """Each target against the run; ``limits`` holds the most bytes of each image."""
    ours, million = results.held[TOOL], 1_000_000
    over = [image for image, size in ours.total.items() if size > limits[image]]
    started, idle = statistics.median(results.help), statistics.median(results.python)
    largest = max(ours.total[image] - ours.base for image in ours.total) / million
    memory = results.memory(TOOL) / million
    return [
        _ratio("cold, to the old script's way", results.ratio(COLD, TOOL, LOOP), 0.25),
        _ratio("cold, to bake of the same Dockerfiles", results.ratio(COLD, TOOL, BAKE), 1.05),
        _ratio("nothing changed, to bake", results.ratio(NOTHING, TOOL, BAKE), 1.0),
        _ratio(
            "one requirement added, to the old script's way", results.ratio(REQUIREMENT, TOOL, LOOP), 0.15
        ),
        Target(
            "five images, unique bytes beyond the base",
            "110 MB",
            f"{ours.unique / million:.1f} MB",
            ours.unique <= 110 * million,
        ),
        Target(
            "every image",
            "base + 90 MB, on a stand-in base" if ours.stand_in else "its budget",
            f"over it: {', '.join(over)}" if over else f"at most base + {largest:.1f} MB",
            not over,
        ),
        Target(
            "`streamflow-build --help`",
            f"{HELP_SECONDS} s where `python -c pass` takes 0.02 s",
            f"{started:.3f} s where it takes {idle:.3f} s",
            started <= HELP_SECONDS,
        ),
        Target("the tool's own memory", f"{MEMORY_MB} MB", f"{memory:.0f} MB", memory <= MEMORY_MB),
    ]


def _ratio(what: str, ratio: float, at_most: float) -> Target:
    return Target(what, f"{at_most:.2f}", f"{ratio:.3f}", ratio <= at_most)
