"""Measures four ways to build the five images, on one engine, in one run, and writes bench/README.md.

    make bench              the whole run, about half an hour
    bench/run.py --quick    each case once, to see that all ways build; prints the tables, writes nothing

It empties the engine's build cache: freely on the private engine of `scripts/engine`, on another only
with BENCH_PRUNE=1.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from document import document
from measure import CommandError, Sample, is_quick, measure
from results import CHANGED, COLD, NOTHING, REQUIREMENT, TOOL, Results, targets
from sizes import Sizes, sizes
from ways import PROGRAM, ROOT, Way, prepare, surroundings

from streamflow_build.config import load
from streamflow_build.model.project import Project, Service
from streamflow_build.model.report import STAND_IN_ALLOWANCE

BEFORE = "before the warm runs"
ATTEMPTS = 5
SETTLE_SECONDS = 3


@dataclass(frozen=True, slots=True)
class Repeats:
    """How often each way takes its turn in each case, and `--help` in its own.

    ``again`` is how many more cold turns those of the rendered Dockerfiles take: what a package index needs to answer
    varies from one to the next by more than they differ.
    """

    cold: int = 4
    again: int = 16
    warm: int = 9
    requirement: int = 5
    start: int = 15


QUICK = Repeats(1, 0, 1, 1, 3)


def main() -> int:
    """Measure, then write the document."""
    quick = is_quick(__doc__)
    if refusal := _refusal():
        print(f"bench: {refusal}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="streamflow-bench-") as folder:
        try:
            text = _run(Path(folder), QUICK if quick else Repeats())
        except CommandError as error:
            print(f"bench: {error}", file=sys.stderr)
            return 4
        except KeyboardInterrupt:
            return 130
    if quick:
        print(text)
    else:
        (ROOT / "bench/README.md").write_text(text)
        print("wrote bench/README.md")
    return 0


def _refusal() -> str | None:
    """Why this engine's build cache isn't ours to empty; None where it is."""
    status = subprocess.run(
        [str(ROOT / "scripts/engine"), "status"], stdout=subprocess.PIPE, text=True, check=False
    )
    host = os.environ.get("DOCKER_HOST", "")
    private = any(
        line.startswith("private engine:") and host and line.endswith(f" {host}")
        for line in status.stdout.splitlines()
    )
    if private or os.environ.get("BENCH_PRUNE") == "1":
        print(
            "bench: emptying the build cache of the engine", host or "of the docker context", file=sys.stderr
        )
        return None
    return (
        "this empties the whole build cache of the engine, which is not one that scripts/engine made. Set "
        "BENCH_PRUNE=1 if that may be."
    )


def _run(work: Path, repeats: Repeats) -> str:
    project = load(ROOT / "streamflow.yaml")
    ways, results = prepare(work), Results()
    try:
        _cold(ways, results, repeats)
        for way in reversed(ways):
            _say(f"{BEFORE}: {way.name}")
            _sample(BEFORE, way, results, lambda: None)
            results.held[way.name] = sizes(project.services[0].base.image, way.images)
        _warm(ways, results, repeats, project.services[0])
    finally:
        for way in ways:
            way.remove_images()
    _start(work, results, repeats)
    return document(results, targets(results, _limits(project, results.held[TOOL])))


def _limits(project: Project, held: Sizes) -> dict[str, int]:
    """The most bytes of each image that the tool makes here."""
    images = dict(zip(held.total, project.services, strict=True))
    if held.stand_in:
        return dict.fromkeys(images, held.base + STAND_IN_ALLOWANCE)
    return {image: service.size_budget or held.total[image] for image, service in images.items()}


def _cold(ways: tuple[Way, ...], results: Results, repeats: Repeats) -> None:
    for turn in range(repeats.cold):
        for way in _in_turn(ways, turn):
            _take(COLD, way, results, lambda way=way: _clear(way))
    rendered = tuple(way for way in ways if way.rendered)
    for turn in range(repeats.again):
        for way in _in_turn(rendered, turn):
            _take(COLD, way, results, lambda way=way: _clear(way))


def _warm(ways: tuple[Way, ...], results: Results, repeats: Repeats, service: Service) -> None:
    source = next(
        path.relative_to(ROOT).as_posix() for path in sorted((ROOT / service.sources[-1]).rglob("*.py"))
    )
    for turn in range(repeats.warm):
        for way in _in_turn(ways, turn):
            _take(NOTHING, way, results, lambda: None)
        for way in _in_turn(ways, turn):
            _take(CHANGED, way, results, lambda way=way: way.change(source, f"# {uuid.uuid4()}\n"))
    releases, lock = _releases(), service.requirements or ""
    for turn in range(repeats.requirement):
        for way in _in_turn(ways, turn):
            _take(REQUIREMENT, way, results, lambda way=way: way.change(lock, next(releases)))


def _in_turn(ways: tuple[Way, ...], turn: int) -> tuple[Way, ...]:
    """Every other time in the opposite order, so that none always follows another."""
    return ways[::-1] if turn % 2 else ways


def _take(case: str, way: Way, results: Results, prepare: Callable[[], None]) -> None:
    sample = _sample(case, way, results, prepare)
    results.add(case, way.name, sample)
    _say(f"{case}: {way.name}: {sample.seconds:.2f} s")


def _sample(case: str, way: Way, results: Results, prepare: Callable[[], None]) -> Sample:
    """One run; another when it fails, since five builds at once ask more than some networks bear."""
    for _ in range(ATTEMPTS - 1):
        prepare()
        try:
            return _build(way)
        except CommandError as error:
            results.failures[case, way.name] += 1
            _say(f"{case}: {way.name} failed: {error}")
    prepare()
    return _build(way)


def _build(way: Way) -> Sample:
    # What an earlier run wrote would otherwise reach the disk during this one.
    os.sync()
    return measure(way.command, way.folder, way.folder.with_suffix(".log"), way.environ)


def _start(work: Path, results: Results, repeats: Repeats) -> None:
    """The tool's `--help`, and Python doing nothing."""
    for _ in range(repeats.start):
        for command, seconds in (
            ((PROGRAM, "--help"), results.help),
            ((sys.executable, "-c", "pass"), results.python),
        ):
            seconds.append(measure(command, work, work / "start.log", surroundings()).seconds)


def _releases() -> Iterator[str]:
    """Requirements to add, locked, each different from all before."""
    lines = (ROOT / "bench/releases.txt").read_text().splitlines(keepends=True)
    block = ""
    for line in (line for line in lines if not line.startswith("#")):
        block += line
        if not line.endswith("\\\n"):
            yield block
            block = ""


def _clear(way: Way) -> None:
    way.remove_images()
    subprocess.run(["docker", "builder", "prune", "--all", "--force"], stdout=subprocess.DEVNULL, check=True)
    os.sync()
    # Gigabytes are given back to the disk for some time yet, which would slow down whoever comes next.
    time.sleep(SETTLE_SECONDS)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
