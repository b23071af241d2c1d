"""What is tried again: what is transient, after growing waits, with a bound."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import TypeVar

from streamflow_build.errors import Interrupted, RegistryError

ATTEMPTS = 5
"""How often anything is tried, the first time included."""
LONGEST_WAIT = 60.0
"""The most seconds between two attempts; a registry that asks for more is not waited for."""

T = TypeVar("T")


class Transient(Exception):  # noqa: N818 - it is what happened, and never leaves the registry package's callers
    """A failure worth another attempt; ``after`` is how many seconds the registry asks to wait, None where it doesn't.

    ``hint`` is shown to the user when all attempts failed.
    """

    def __init__(self, reason: str, *, after: float | None = None, hint: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after = after
        self.hint = hint


class Patience:
    """Tries again, tells of each time, and ends its waits when the run is over."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._over = threading.Event()

    def end(self) -> None:
        """Wait for nothing any more: who waits raises Interrupted."""
        self._over.set()

    def check(self) -> None:
        """Raises Interrupted where the run is over."""
        if self._over.is_set():
            raise Interrupted("Interrupted.")

    def run(self, what: str, attempt: Callable[[], T]) -> T:
        """The attempt's result. ``what`` it is stands before each line, such as ``streamflow-storage``.

        Raises RegistryError where it stays transient, and whatever else the attempt raises at once.
        """
        for number in range(1, ATTEMPTS + 1):
            self.check()
            try:
                return attempt()
            except Transient as trouble:
                seconds = _wait(number) if trouble.after is None else trouble.after
                if number == ATTEMPTS or seconds > LONGEST_WAIT:
                    raise _given_up(what, trouble, number, seconds) from trouble
                self._tell(f"{what}: {trouble.reason}; attempt {number + 1} of {ATTEMPTS} in {seconds:.1f} s")
                self._over.wait(seconds)
        raise AssertionError


def _given_up(what: str, trouble: Transient, number: int, seconds: float) -> RegistryError:
    asked = f", and the registry asks to wait {seconds:.0f} s" if seconds > LONGEST_WAIT else ""
    tried = f" ({number} attempts)" if number > 1 else ""
    return RegistryError(
        f"{what}: {trouble.reason}{tried}{asked}.",
        hint=trouble.hint or "Run the command again later: it sends only what is missing.",
    )


def _wait(number: int) -> float:
    """Seconds after so many attempts: about 1, 2, 4, 8, never alike for two who failed together."""
    return min(LONGEST_WAIT, 2.0 ** (number - 1)) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
