"""Measures pushes to registries on this machine, beside `docker push`, and writes bench/pushes.md.

make bench-pushes           the whole run, some minutes
bench/pushes.py --quick     each case once, to see that all works; prints the tables, writes nothing
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from document import machine, table
from measure import CommandError, is_quick, measure
from ways import PROGRAM, ROOT, surroundings

from streamflow_build.config import load
from streamflow_build.model.tags import tags_of
from streamflow_build.model.version import Version

DOCUMENT = Path(__file__).with_name("pushes.md")
VERSION, NEXT = "v1.0.0", "v1.1.0"
FIRST, AGAIN, PROMOTE = "first push", "again, nothing new", "promote"
SEQUENCE, PARALLEL, ALL_TAGS, TOOL = WAYS = (
    "docker push, in sequence",
    "docker push, in parallel",
    "docker push --all-tags, in sequence",
    "streamflow-build",
)
TURNS = 9
NO_LAYER = 100_000
"""Bytes that a configuration or a manifest has at most."""

INTRODUCTION = """# Measurements of pushes

Written by `make bench-pushes`; edits are lost. Compare ratios, which hold from machine to machine; seconds don't.

{machine}

The five images, built before, go to docker-registry on the loopback address, an empty one for each turn. The ways take
turns, forwards and backwards.

- **first push**: five images to an empty registry; by `docker push` one tag of each, unless it says `--all-tags`, by
  streamflow-build all {tags}, which it reads back.
- **again, nothing new**: the same once more; by `docker push` all {references} references, one after the other.
- **promote**: `streamflow-build promote {version} {next}` in the same registry.

A figure is the median of {turns} turns, with the fastest and the slowest in brackets.
"""


def main() -> int:
    """Measure, then write the document."""
    quick = is_quick(__doc__)
    try:
        text = _run(1 if quick else TURNS)
    except CommandError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 4
    except KeyboardInterrupt:
        return 130
    if quick:
        print(text)
    else:
        DOCUMENT.write_text(text)
        print(f"wrote {DOCUMENT.relative_to(ROOT)}")
    return 0


class _Bench:
    """What one run measures: seconds by case and way, and the bytes of layers that promoting stored."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = folder / "command.log"
        project = load(ROOT / "streamflow.yaml")
        self.images = tuple(service.image for service in project.services)
        tags = tags_of(project.tags, Version.parse(VERSION))
        self.tags = (*tags.full, *tags.floating)
        self.seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
        self.promoted: list[int] = []

    def build(self) -> None:
        """Have the images."""
        self._measure(PROGRAM, "images", VERSION, "--quiet")

    def turn(self, way: str) -> None:
        """One way's turn, on a registry of its own."""
        with _registry(self._folder) as (host, data):
            names = [f"{host}/bench/{image}" for image in self.images]
            if way == TOOL:
                push = (PROGRAM, "push", f"{host}/bench", VERSION, "--quiet", "--output", f"{data}.json")
                self._note(FIRST, way, *push)
                self._note(AGAIN, way, *push)
                before = _stored(data)
                self._note(
                    PROMOTE, way, PROGRAM, "promote", VERSION, NEXT, f"{host}/bench", "--quiet", "--output",
                    f"{data}.json",
                )  # fmt: skip
                anew = (size for file, size in _stored(data).items() if file not in before)
                self.promoted.append(sum(size for size in anew if size > NO_LAYER))
                return
            with _tagged(self.images, names, self.tags):
                what = [f"--all-tags {name}" if way == ALL_TAGS else f"{name}:{VERSION}" for name in names]
                once = [f"docker push --quiet {each}" for each in what]
                self._note(FIRST, way, "sh", "-ec", _at_once(once) if way == PARALLEL else "\n".join(once))
                if way == SEQUENCE:
                    every = [f"docker push --quiet {name}:{tag}" for name in names for tag in self.tags]
                    self._note(AGAIN, way, "sh", "-ec", "\n".join(every))

    def ratio(self, case: str, way: str, other: str) -> float:
        """One way's median time to another's."""
        return self.median(case, way) / self.median(case, other)

    def median(self, case: str, way: str) -> float:
        """Seconds."""
        return statistics.median(self.seconds[case, way])

    def _note(self, case: str, way: str, *command: str) -> None:
        seconds = self._measure(*command)
        self.seconds[case, way].append(seconds)
        print(f"{case}: {way}: {seconds:.2f} s", file=sys.stderr)

    def _measure(self, *command: str) -> float:
        # What was written before would otherwise reach the disk during this.
        os.sync()
        return measure(command, ROOT, self._log, surroundings()).seconds


def _run(turns: int) -> str:
    with tempfile.TemporaryDirectory(prefix="streamflow-bench-") as folder:
        bench = _Bench(Path(folder))
        bench.build()
        for turn in range(turns):
            for way in WAYS[::-1] if turn % 2 else WAYS:
                bench.turn(way)
    return _document(bench, turns)


def _document(bench: _Bench, turns: int) -> str:
    references = len(bench.images) * len(bench.tags)
    introduction = INTRODUCTION.format(
        machine=machine(), tags=f"{len(bench.tags)} tags", references=references, turns=turns, version=VERSION,
        next=NEXT,
    )  # fmt: skip
    rows = [
        (case, way, f"{statistics.median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f})")
        for (case, way), seconds in sorted(bench.seconds.items())
    ]
    return "\n".join(
        [
            introduction,
            "## Targets\n",
            *table("| target | at most | reached | met |", _targets(bench)),
            "\n## Times\n",
            *table("| case | way | seconds |", rows),
            "",
        ]
    )


def _targets(bench: _Bench) -> Iterator[Sequence[str]]:
    moved = max(bench.promoted)
    for what, most, reached, unit in (
        ("first push, to docker push in sequence", 0.7, bench.ratio(FIRST, TOOL, SEQUENCE), ""),
        ("first push, to docker push in parallel", 1.1, bench.ratio(FIRST, TOOL, PARALLEL), ""),
        ("again", 0.5, bench.median(AGAIN, TOOL), " s"),
        ("again, to docker push of the same references", 0.25, bench.ratio(AGAIN, TOOL, SEQUENCE), ""),
        ("promote", 1.0, bench.median(PROMOTE, TOOL), " s"),
        ("promote, bytes of layers that are stored anew", 0, moved, " bytes"),
    ):
        met = "yes" if reached <= most else "**no**"
        yield (
            what,
            f"{most}{unit}",
            f"{reached:.3f}{unit}" if isinstance(reached, float) else f"{reached}{unit}",
            met,
        )


def _at_once(commands: Sequence[str]) -> str:
    """A shell's script that runs commands side by side, and fails where one does."""
    begun = "".join(f'{command} & pids="$pids $!"\n' for command in commands)
    return f"{begun}for pid in $pids; do wait $pid; done"


@contextmanager
def _registry(folder: Path) -> Iterator[tuple[str, Path]]:
    """An empty registry: its host, and where it keeps its blobs."""
    programs = subprocess.run(
        [ROOT / "scripts/registry"], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    with socket.create_server(("127.0.0.1", 0)) as found:
        host = f"127.0.0.1:{found.getsockname()[1]}"
    data = folder / host.replace(":", "-")
    settings = folder / "registry.json"  # YAML holds JSON
    settings.write_text(
        json.dumps(
            {
                "version": 0.1,
                "log": {"level": "error", "accesslog": {"disabled": True}},
                "storage": {"filesystem": {"rootdirectory": str(data)}},
                "http": {"addr": host},
            }
        )
    )
    program = Path(programs.strip()) / "docker-registry"
    process = subprocess.Popen(
        [program, "serve", settings], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _until_it_listens(host)
        yield host, data
    finally:
        process.kill()
        process.wait()


def _until_it_listens(host: str) -> None:
    name, _, port = host.partition(":")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            socket.create_connection((name, int(port)), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise CommandError(f"docker-registry does not listen at {host}")


@contextmanager
def _tagged(images: Sequence[str], names: Sequence[str], tags: Sequence[str]) -> Iterator[None]:
    """The images under the names that `docker push` wants."""
    references = [f"{name}:{tag}" for name in names for tag in tags]
    for image, name in zip(images, names, strict=True):
        for tag in tags:
            _docker("tag", f"{image}:{VERSION}", f"{name}:{tag}")
    try:
        yield
    finally:
        _docker("rmi", *references)


def _docker(*arguments: str) -> None:
    subprocess.run(["docker", *arguments], stdout=subprocess.DEVNULL, check=True)


def _stored(data: Path) -> dict[Path, int]:
    """The blobs in a registry, with their sizes in bytes."""
    return {file: file.stat().st_size for file in data.rglob("blobs/sha256/*/*/data")}


if __name__ == "__main__":
    sys.exit(main())
