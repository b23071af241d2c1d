"""One command's time, processor time and memory."""

from __future__ import annotations

import argparse
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


class CommandError(Exception):
    """A measured command ended with an error; the message holds the end of its output."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Seconds it took, seconds of processor time of it and its children, and bytes of the largest of them."""

    seconds: float
    cpu: float
    memory: int


def is_quick(description: str | None) -> bool:
    """Whether the command line asks for each case once, and for no document."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="measure each case once and write nothing")
    return bool(parser.parse_args().quick)


def measure(command: Sequence[str], folder: Path, log: Path, environ: Mapping[str, str]) -> Sample:
    """Run a command to its end; its output goes to ``log``. Raises CommandError."""
    with log.open("wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-30:])
        raise CommandError(f"{' '.join(command)} in {folder} ended with {process.returncode}:\n{tail}")
    return Sample(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)
