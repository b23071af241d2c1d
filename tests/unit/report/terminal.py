"""Terminals for tests, and what is drawn on them."""

from __future__ import annotations

import io
import os
import re
import threading
from collections.abc import Callable

from rich.console import Console

from streamflow_build.report.screen import Screen

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Stream(io.StringIO):
    """A stream that is a terminal if it is told to be."""

    def __init__(self, *, terminal: bool = False) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


class Terminal:
    """A terminal's other end: what is written to it, read by a thread so that the writer never waits."""

    def __init__(self) -> None:
        ours, theirs = os.openpty()
        self.stream = os.fdopen(theirs, "w", encoding="utf-8")
        self._ours = ours
        self._read: list[bytes] = []
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()

    def _drain(self) -> None:
        try:
            while chunk := os.read(self._ours, 65536):
                self._read.append(chunk)
        except OSError:  # a terminal's end, once nobody has it open for writing
            return

    def text(self) -> str:
        """All that was written; the terminal is gone after that."""
        self.stream.close()
        self._reader.join()
        os.close(self._ours)
        return b"".join(self._read).decode()


def at_once(work: Callable[[str], None], services: tuple[str, ...]) -> None:
    """Each service's work in a thread of its own, to the end of all."""
    threads = [threading.Thread(target=work, args=(service,)) for service in services]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def frame(screen: Screen, width: int) -> str:
    """What it would draw now."""
    console = Console(file=io.StringIO(), width=width)
    with console.capture() as captured:
        console.print(screen)
    return captured.get()
