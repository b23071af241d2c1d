"""bench/services/README.md: what was measured, as tables."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from figures import BATCH, BATCHES, CASES, DELAYS, SINGLES, STEADY, Extent, Figures, spread, targets

CONFIRMS, CONFIRMS_SINGLE, COPY = ("confirms", "confirms of single events", "copy")
_INTRODUCTION = Path(__file__).with_name("introduction.md")


def document(figures: Figures, extent: Extent) -> str:
    """The whole README."""
    return "\n".join(
        [
            _INTRODUCTION.read_text().format(surroundings=_surroundings(figures), extent=extent),
            "## Targets\n",
            *_table("| target | wanted | reached | met |", _target_rows(figures)),
            "\n## Rates\n",
            "Events a second.\n",
            *_table("| what | turns | reached | the servers' own limit | ratio |", _rate_rows(figures)),
            "",
            *_behind(figures),
            "\n## Times\n",
            "Milliseconds.\n",
            *_table("| what | p50 | p95 | p99 |", _time_rows(figures)),
            "\n## Memory\n",
            *_table("| service | peak, MB |", _memory_rows(figures)),
            "\n## Processor\n",
            "Microseconds of processor time for each event; of servers, in their containers.\n",
            *_table(f"| process | {' | '.join(CASES)} |", _processor_rows(figures)),
            "",
        ]
    )


def _target_rows(figures: Figures) -> Iterator[Sequence[str]]:
    for target in targets(figures):
        yield target.what, target.wanted, target.reached, "yes" if target.met else "**no**"


def _rate_rows(figures: Figures) -> Iterator[Sequence[str]]:
    yield _rate(f"batches of {BATCH}, accepted", figures.accepted(BATCHES), figures.limits[CONFIRMS])
    yield _rate(f"batches of {BATCH}, stored", figures.stored(BATCHES), figures.limits[COPY])
    yield _rate("steady batches, accepted", figures.accepted(STEADY), figures.limits[CONFIRMS])
    yield _rate("steady batches, stored", figures.stored(STEADY), figures.limits[COPY])
    yield _rate("single posts, accepted", figures.accepted(SINGLES), figures.limits[CONFIRMS_SINGLE])
    yield _rate("single posts, stored", figures.stored(SINGLES), figures.limits[COPY])


def _rate(what: str, rates: Sequence[float], limits: Sequence[float]) -> Sequence[str]:
    ratio = statistics.median(rates) / statistics.median(limits)
    return what, str(len(rates)), spread(rates), spread(limits), f"{ratio:.2f}"


def _behind(figures: Figures) -> Iterator[str]:
    for case in (BATCHES, STEADY, SINGLES):
        counts = ", ".join(f"{turn.behind:,} of {turn.sent.accepted:,}" for turn in figures.turns[case])
        yield f"Not stored yet when the last of the {case} was accepted: {counts}."
    refused = sum(sum(turn.sent.refused.values()) for case in CASES for turn in figures.turns[case])
    yield f"Requests that were refused: {refused}."


def _time_rows(figures: Figures) -> Iterator[Sequence[str]]:
    shown = (50, 95, 99)
    for case in CASES:
        yield f"{case}: to the answer", *(spread(figures.answers(case, percent)) for percent in shown)
    yield f"{DELAYS}: to the dashboard's WebSocket", *(spread(figures.delays(percent)) for percent in shown)


def _memory_rows(figures: Figures) -> Iterator[Sequence[str]]:
    for name, held in figures.memory.items():
        yield name, f"{held / 1e6:.1f}"


def _processor_rows(figures: Figures) -> Iterator[Sequence[str]]:
    taken = {case: figures.processor(case) for case in CASES}
    for name in taken[BATCHES]:
        yield name, *(f"{taken[case][name]:,.1f}" for case in CASES)
    yield "together", *(f"{sum(taken[case].values()):,.1f}" for case in CASES)
    shares = (taken[case]["generator"] / sum(taken[case].values()) for case in CASES)
    yield "the generator's share", *(f"{share:.1%}" for share in shares)


def _table(head: str, rows: Iterable[Sequence[str]]) -> list[str]:
    rule = "|" + " --- |" * (head.count("|") - 1)
    return [head, rule, *(f"| {' | '.join(row)} |" for row in rows)]


def _surroundings(figures: Figures) -> str:
    engine = json.loads(_output("docker", "info", "--format", "{{json .}}"))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    loads = [turn.load for case in CASES for turn in figures.turns[case]]
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, commit {_commit()}. {os.cpu_count()} cores ({_processor()}), "
        f"{memory:.0f} GB of memory, {platform.system()}; Docker Engine {engine['ServerVersion']} "
        f"({engine['Driver']}); Python {platform.python_version()}, uvicorn {version('uvicorn')}, "
        f"pydantic {version('pydantic')}, aio-pika {version('aio-pika')}, asyncpg {version('asyncpg')}. "
        f"{_load(loads)}"
    )


def _load(loads: Sequence[float]) -> str:
    return f"The load average before the turns, which are a load themselves: {min(loads):.1f} to {max(loads):.1f}."


def _commit() -> str:
    here = Path(__file__).parent
    return _output("git", "-C", str(here), "describe", "--always", "--dirty", "--exclude=*").strip()


def _processor() -> str:
    """The processor's name where the system tells it, else its architecture."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _output(*command: str) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
