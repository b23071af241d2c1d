"""The table for a terminal, coloured and folded. Imports Rich: import it only when needed."""

from __future__ import annotations

from io import StringIO

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from streamflow_build.model.report import ImagesReport
from streamflow_build.report.table import HEADER, NUMBERS, Row, rows

WIDE = 100
"""From this many columns on the cells stand side by side; on less, each image's stand below one another."""
_STYLES = {"built": "green", "unchanged": "dim", "failed": "red", "cancelled": "yellow", "skipped": "yellow"}


def terminal_table(report: ImagesReport, width: int) -> str:
    """The table in at most ``width`` columns, coloured where TERM and NO_COLOR allow it."""
    console = Console(
        file=StringIO(), force_terminal=True, width=width, markup=False, highlight=False, emoji=False
    )
    with console.capture() as captured:
        if width >= WIDE:
            console.print(_side_by_side(rows(report)))
        else:
            for row in rows(report):
                for part in _stacked(row):
                    console.print(part)
    return "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def _side_by_side(shown: tuple[Row, ...]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in HEADER:
        right = name in NUMBERS
        table.add_column(name, justify="right" if right else "left", no_wrap=right, overflow="fold")
    for row in shown:
        tags = Text("\n".join(row.tags) or "-")
        table.add_row(row.service, tags, row.size, row.cached, row.seconds, Text(row.what, _style(row)))
    return table


def _stacked(row: Row) -> list[RenderableType]:
    facts = [row.size, f"{row.cached} cached", f"{row.seconds} s"]
    known = ", ".join(fact for fact in facts if not fact.startswith("-"))
    head = Text.assemble((row.service, "bold"), "  ", (row.what, _style(row)))
    return [head, *(Padding(Text(text), (0, 0, 0, 2)) for text in (known, *row.tags) if text)]


def _style(row: Row) -> str:
    if row.what.endswith("over its budget"):
        return "red"
    return next(style for kind, style in _STYLES.items() if row.what.startswith(kind))
