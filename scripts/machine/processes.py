"""Processes of a private engine that outlived what started them: found with certainty, ended."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

END_SECONDS = 40


def living(pid_file: Path, program: str, argument: str) -> int | None:
    """The process a pid file names, if it lives, is this program and was given this argument."""
    try:
        pid = int(pid_file.read_text())
    except (OSError, ValueError):
        return None
    return pid if _runs(Path("/proc", str(pid)), program, argument) else None


def end(pid: int) -> None:
    """Ask it to end, and kill it when it doesn't within END_SECONDS."""
    os.kill(pid, signal.SIGTERM)
    if not wait(lambda: not _alive(pid), END_SECONDS):
        _kill(pid)


def end_containers(data: Path, containerd_socket: Path) -> None:
    """Kill what runs in containers and build steps of the dead engine with this data, and their shims."""
    shims = [
        int(process.name)
        for process in _all()
        if _runs(process, "containerd-shim-runc-v2", str(containerd_socket))
    ]
    for pid in shims:
        _kill(pid)
    folders = (*data.glob("data/containers/*"), *data.glob("data/buildkit/executor/*"))
    ids = {folder.name for folder in folders if folder.is_dir()}
    for process in _all():
        if ids & _containers_of(process):
            _kill(int(process.name))


def wait(check: Callable[[], T], seconds: float, until_dead: subprocess.Popen[bytes] | None = None) -> T:
    """What `check` gives as soon as that is true, or else when time is up or the process is dead."""
    deadline = time.monotonic() + seconds
    while True:
        found = check()
        if found or time.monotonic() > deadline or (until_dead and until_dead.poll() is not None):
            return found
        time.sleep(0.1)


def _all() -> Iterator[Path]:
    return Path("/proc").glob("[0-9]*")


def _runs(process: Path, program: str, argument: str) -> bool:
    try:
        command = (process / "cmdline").read_text(errors="replace").split("\0")
    except OSError:
        return False
    return Path(command[0]).name == program and argument in command


def _containers_of(process: Path) -> set[str]:
    """Ids in its control groups' names: random, so none is in the name of another engine's."""
    try:
        return set(re.findall(r"[0-9a-z]{25,}", (process / "cgroup").read_text()))
    except OSError:
        return set()


def _alive(pid: int) -> bool:
    try:
        state = Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    wait(lambda: not _alive(pid), END_SECONDS)
