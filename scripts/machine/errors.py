"""The one error of the set-up scripts: its text says what failed and what to do next."""

from __future__ import annotations


class SetupError(Exception):
    """Something that the person at the keyboard has to mend; printed as it is, exit code 3."""
