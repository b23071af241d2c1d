"""Pieces of text that every output shares: what is shown of foreign text, and how steps and amounts read."""

from __future__ import annotations

import re
from collections.abc import Sequence

_ESCAPE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor moves
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC and the other strings: titles, links
    r"|\x1b[ -/]*[0-~]"  # everything else, such as a reset
    r"|\x9b[0-?]*[ -/]*[@-~]"  # CSI as one character
)
_STEP = re.compile(r"\[(?P<label>[^\]]+)\]\s+(?P<what>.*)", re.DOTALL)
_FLAGS = re.compile(r"(?<=[A-Z])(?:\s+--[a-z][a-z-]*(?:=\S+)?)+(?=\s)")


def harmless(text: str) -> str:
    """Foreign text without what a terminal obeys: escape sequences, control and invisible characters.

    Line feeds stay. Of a line that was written over by carriage returns, the last writing stays.
    """
    if text.isprintable():
        return text
    return "\n".join(_harmless_line(line) for line in text.split("\n"))


def _harmless_line(line: str) -> str:
    line = _ESCAPE.sub("", line)
    if "\r" in line:
        line = next((part for part in reversed(line.split("\r")) if part.strip()), "")
    line = line.expandtabs()
    return "".join(" " if c.isspace() else c for c in line if c.isprintable() or c.isspace())


def shorten(text: str, width: int) -> str:
    """The text in one line of at most ``width`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= width else f"{line[: max(width - 1, 0)].rstrip()}…"


def label_and_what(step: str) -> tuple[str, str]:
    """BuildKit's name of a step taken apart, without the instruction's flags.

    ``[common 2/3] RUN --mount=type=cache,… uv`` is ``common 2/3`` and ``RUN uv``. The label is empty where
    the name has none, as ``exporting to image``.
    """
    found = _STEP.match(step)
    # BuildKit pads the numbers of a stage that has ten steps or more.
    label, what = ("", step) if found is None else (" ".join(found["label"].split()), found["what"])
    return label, _FLAGS.sub("", what, count=1)


def is_internal(step: str) -> bool:
    """Whether BuildKit does this for itself, such as ``[internal] load build definition`` or ``[auth] …``."""
    return step.startswith(("[internal]", "[auth]"))


def megabytes(size: int) -> str:
    """``143.2``: bytes as MB (10⁶), without the unit."""
    return f"{size / 1_000_000:.1f}"


def duration(seconds: float) -> str:
    """``3.1 s``, ``2 min 05 s``."""
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def columns(rows: Sequence[tuple[str, ...]], *, right: frozenset[str]) -> str:
    """Rows as aligned columns, the first row being their names; those named in ``right`` stand to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "".join(f"{_aligned(rows[0], row, widths, right)}\n" for row in rows)


def _aligned(names: tuple[str, ...], cells: tuple[str, ...], widths: list[int], right: frozenset[str]) -> str:
    parts = zip(names, cells, widths, strict=True)
    return "  ".join(c.rjust(w) if name in right else c.ljust(w) for name, c, w in parts).rstrip()
