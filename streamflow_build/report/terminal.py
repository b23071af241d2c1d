"""The table for a terminal, by Rich: cells fold to the terminal's width. Imported only when needed."""

from __future__ import annotations

from io import StringIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from streamflow_build.model.report import ImagesReport
from streamflow_build.report.table import HEADER, NUMBERS, rows

_STYLES = {"built": "green", "unchanged": "dim", "failed": "red", "cancelled": "yellow", "skipped": "yellow"}


def terminal_table(report: ImagesReport, width: int) -> str:
    """The table in at most ``width`` columns, coloured where the terminal and NO_COLOR allow it."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in HEADER:
        right = name in NUMBERS
        table.add_column(name, justify="right" if right else "left", no_wrap=right, overflow="fold")
    for row in rows(report):
        style = _STYLES[row.what.partition(":")[0].partition(",")[0].partition(" ")[0]]
        table.add_row(
            row.service,
            "\n".join(row.tags) or "-",
            Text(row.size, "red" if row.size.startswith("over") else ""),
            row.cached,
            row.seconds,
            Text(row.what, style),
        )
    console = Console(
        file=StringIO(), force_terminal=True, width=width, markup=False, highlight=False, emoji=False
    )
    with console.capture() as captured:
        console.print(table)
    return "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())
