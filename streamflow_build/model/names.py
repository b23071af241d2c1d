"""Names that people type, and what they may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def suggestion(word: str, known: Iterable[str]) -> str:
    """``"; did you mean 'ingestion'?"``-like text without the question mark, or nothing where no name is close."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}" if close else ""
