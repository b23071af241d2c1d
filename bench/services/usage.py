"""What Linux tells of processes: processor time and memory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def peak_memory(pid: int) -> int:
    """The most bytes that the process ever held at once: VmHWM, what it shares with others included."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(f"process {pid} has no memory any more")


def processor_seconds(processes: Mapping[str, int]) -> dict[str, float]:
    """Processor time of each process so far, with all that it has begun; none where the engine is elsewhere."""
    facts = dict(_facts())
    below: dict[int, list[int]] = {}
    for pid, (parent, _) in facts.items():
        below.setdefault(parent, []).append(pid)

    def together(pid: int) -> float:
        return facts[pid][1] + sum(together(child) for child in below.get(pid, ()))

    return {name: together(pid) for name, pid in processes.items() if pid in facts}


def _facts() -> Iterator[tuple[int, tuple[int, float]]]:
    """Each process: its parent, and its own seconds with those of its children that have ended."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            told = (folder / "stat").read_text()
        except OSError:  # it has just ended
            continue
        # What stands before is the program's name in brackets, which may hold anything.
        fields = told.rpartition(")")[2].split()
        yield int(folder.name), (int(fields[1]), sum(map(int, fields[11:15])) / _TICKS)
