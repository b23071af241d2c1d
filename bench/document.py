"""bench/README.md: what was measured, as tables."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from results import BAKE, CASES, COMPOSE, LOOP, TOOL, WAYS, Results, Target

INTRODUCTION = Path(__file__).with_name("introduction.md")


def document(results: Results, targets: Sequence[Target]) -> str:
    """The whole README."""
    return "\n".join(
        [
            INTRODUCTION.read_text().format(surroundings=_surroundings(results)),
            "## Targets\n",
            *table("| target | at most | reached | met |", _target_rows(targets)),
            "\n## Times\n",
            *table(
                "| case | way | runs | seconds | to the shell loop | to bake | CPU, s | memory, MB |",
                _time_rows(results),
            ),
            *_failures(results),
            "\n## Images\n",
            "Megabytes (10^6 bytes), unpacked. Unique: each layer beyond the base counted once.\n",
            *table(_image_head(results), _image_rows(results)),
            "",
        ]
    )


def _target_rows(targets: Sequence[Target]) -> Iterator[Sequence[str]]:
    for target in targets:
        yield target.what, target.at_most, target.reached, "yes" if target.met else "**no**"


def _time_rows(results: Results) -> Iterator[Sequence[str]]:
    for case in CASES:
        for way in WAYS:
            seconds = [sample.seconds for sample in results.samples[case, way]]
            yield (
                case,
                way,
                str(len(seconds)),
                f"{results.seconds(case, way):.2f} ({min(seconds):.2f} to {max(seconds):.2f})",
                f"{results.ratio(case, way, LOOP):.3f}",
                f"{results.ratio(case, way, BAKE):.3f}",
                f"{results.cpu(case, way):.2f}",
                f"{results.memory(way, (case,)) / 1e6:.0f}",
            )


def _failures(results: Results) -> Iterator[str]:
    if results.failures:
        told = (f"{way}, {case}: {count}" for (case, way), count in results.failures.items())
        yield f"\nRuns that failed, and were taken again: {'; '.join(told)}."


def _image_head(results: Results) -> str:
    services = [image.rpartition("-")[2] for image in results.held[TOOL].total]
    return f"| way | {' | '.join(services)} | base | five images, unique beyond the base |"


def _image_rows(results: Results) -> Iterator[Sequence[str]]:
    for way in (LOOP, COMPOSE, BAKE, TOOL):
        held = results.held[way]
        figures = (*held.total.values(), held.base, held.unique)
        yield way, *(f"{figure / 1e6:.1f}" for figure in figures)


def table(head: str, rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table."""
    rule = "|" + " --- |" * (head.count("|") - 1)
    return [head, rule, *(f"| {' | '.join(row)} |" for row in rows)]


def _surroundings(results: Results) -> str:
    buildx = _output("docker", "buildx", "version").split()[1]
    compose = _output("docker", "compose", "version", "--short").strip()
    base = "a stand-in made of Debian packages" if results.held[TOOL].stand_in else "from its registry"
    return f"{machine()} buildx {buildx}, compose {compose}. The base is {base}."


def machine() -> str:
    """What a run was made on, and of which commit, in sentences."""
    engine = json.loads(_output("docker", "info", "--format", "{{json .}}"))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, commit {_commit()}. {os.cpu_count()} cores ({_processor()}), "
        f"{memory:.0f} GB of memory, {platform.system()}; Docker Engine {engine['ServerVersion']} "
        f"({engine['Driver']}); Python {platform.python_version()}."
    )


def _commit() -> str:
    here = Path(__file__).parent
    return _output("git", "-C", str(here), "describe", "--always", "--dirty", "--exclude=*").strip()


def _processor() -> str:
    """The processor's name where the system tells it, else its architecture."""
    facts = Path("/proc/cpuinfo")
    for line in facts.read_text().splitlines() if facts.is_file() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _output(*command: str) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
