"""Versions, as semver.org 2.0.0 defines them, with or without a leading ``v``."""

from __future__ import annotations

import functools

import semver

from streamflow_build.errors import UsageError


@functools.total_ordering
class Version:
    """A semantic version, ordered by precedence. ``typed`` is what the user wrote, such as ``v1.0.0``."""

    def __init__(self, typed: str, number: semver.Version) -> None:
        self.typed = typed
        self._number = number

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read ``v1.2.3`` or ``1.2.3``. Raises UsageError that says what is wrong and names a version that is right."""
        try:
            return cls(text, semver.Version.parse(text.removeprefix("v")))
        except ValueError:
            raise UsageError(f"{text!r} is not a semantic version.", hint=_advice(text)) from None

    def __str__(self) -> str:
        return str(self._number)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._number == other._number

    def __lt__(self, other: Version) -> bool:
        return self._number < other._number

    def __hash__(self) -> int:
        return hash(self._number)

    @property
    def major(self) -> int:
        return self._number.major

    @property
    def minor(self) -> int:
        return self._number.minor

    @property
    def patch(self) -> int:
        return self._number.patch

    @property
    def is_prerelease(self) -> bool:
        return self._number.prerelease is not None

    @property
    def build(self) -> str | None:
        """The build metadata: what stands behind a plus."""
        return self._number.build


def _advice(text: str) -> str:
    numbers = text.removeprefix("v").split(".")
    if all(part.isascii() and part.isdigit() for part in numbers):
        padded = ".".join(str(int(part)) for part in [*numbers, "0", "0"][:3])
        return f"It has three numbers without leading zeros, perhaps {'v' * text.startswith('v')}{padded}."
    return "Write it like v1.2.3, or v1.2.3-rc.1 before a release; see https://semver.org."
