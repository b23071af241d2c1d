"""Lines on a terminal, redrawn in place. Imports Rich: import it only when needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, cast

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from streamflow_build.report.writer import Writer

FRAMES_PER_SECOND = 8


class Screen:
    """Draws, several times a second, the lines that ``lines`` gives for a width; until ``close``.

    ``lines`` is called from a thread of its own.
    """

    def __init__(self, writer: Writer, lines: Callable[[int], list[Text]]) -> None:
        self._lines = lines
        # Three dots stand for an ellipsis where the encoding has none.
        self._spare = 0 if writer.spelt("…") == "…" else 2
        self._console = Console(
            file=cast("IO[str]", writer), force_terminal=True, highlight=False, markup=False, emoji=False
        )
        self._live = Live(
            self,
            console=self._console,
            refresh_per_second=FRAMES_PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def above(self, text: str) -> None:
        """Print a text that stays, above the lines. Not for who holds a lock that ``lines`` takes."""
        # Drawing takes Rich's lock first and then that of the lines.
        # A long line is left to the terminal to wrap: it stays one line for whoever copies it.
        self._console.print(Text(text), soft_wrap=True)

    def close(self) -> None:
        """Take the lines away and give the cursor back; may be called again."""
        self._live.stop()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self._lines(options.max_width - self._spare):
            line.truncate(options.max_width)
            line.no_wrap = True
            yield line
