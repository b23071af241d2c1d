"""A version as the user types it: a semantic version (https://semver.org), with or without a ``v`` first."""

from __future__ import annotations

import functools
import re

import semver

from streamflow_build.errors import UsageError
from streamflow_build.model.reference import LONGEST_TAG

_FORM = "A version has three numbers and may have a prerelease: v1.0.0, 1.0.0, v1.0.0-rc.1."
_PARTS = re.compile(r"\s*[vV]?(?P<numbers>\d+(?:\.\d+)*)(?P<rest>.*?)\s*", re.DOTALL | re.ASCII)
_NUMBERS = 3
_COUNTED = {1: "one number", 2: "two numbers"}


@functools.total_ordering
class Version:
    """A semantic version, ordered by precedence: ``1.0.0-rc.1 < 1.0.0``; build metadata counts for nothing.

    ``typed`` is the user's own spelling; ``str()`` gives the version without ``v``.
    """

    __slots__ = ("_number", "typed")

    def __init__(self, typed: str, number: semver.Version) -> None:
        self.typed = typed
        self._number = number

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read ``v1.2.3`` or ``1.2.3``; raises UsageError, which says what is wrong and what may be meant."""
        number = _semantic(text.removeprefix("v"))
        if number is not None:
            return cls(text, number)
        if not text.strip():
            raise UsageError("The version is empty.", hint=_FORM)
        if len(text) > LONGEST_TAG:
            raise UsageError(
                f"The version has {len(text)} characters, and a tag holds at most {LONGEST_TAG}.", hint=_FORM
            )
        nearest = _nearest(text)
        raise UsageError(
            f"{text!r} is not a semantic version: {_reason(text)}.",
            hint=_FORM if nearest is None else f"Did you mean {nearest}?",
        )

    @property
    def major(self) -> int:
        return int(self._number.major)

    @property
    def minor(self) -> int:
        return int(self._number.minor)

    @property
    def patch(self) -> int:
        return int(self._number.patch)

    @property
    def is_prerelease(self) -> bool:
        return self._number.prerelease is not None

    @property
    def build(self) -> str | None:
        """The build metadata: what follows the plus."""
        return self._number.build

    def __str__(self) -> str:
        return str(self._number)

    def __repr__(self) -> str:
        return f"Version({self.typed!r})"

    def __eq__(self, other: object) -> bool:
        return bool(self._number == other._number) if isinstance(other, Version) else NotImplemented

    def __lt__(self, other: Version) -> bool:
        return bool(self._number < other._number)

    def __hash__(self) -> int:
        return hash((self.major, self.minor, self.patch, self._number.prerelease))


def _semantic(text: str) -> semver.Version | None:
    # semver's pattern also takes a line end, other scripts' digits, and numbers that int() then refuses.
    if len(text) > LONGEST_TAG or not text.isascii() or any(c.isspace() for c in text):
        return None
    return semver.Version.parse(text) if semver.Version.is_valid(text) else None


def _reason(text: str) -> str:
    parts = _PARTS.fullmatch(text)
    if any(c.isspace() for c in text):
        return "it has a space in it"
    if parts is None:
        return "it doesn't begin with a number"
    if text.startswith("V"):
        return "the letter before it is a small v"
    return _numbers_reason(parts["numbers"].split(".")) or _rest_reason(parts["rest"])


def _numbers_reason(numbers: list[str]) -> str | None:
    if any(len(n) > 1 and n.startswith("0") for n in numbers):
        return "a number has a zero before it"
    if len(numbers) < _NUMBERS:
        return f"it has {_COUNTED[len(numbers)]} where three are needed"
    if len(numbers) > _NUMBERS:
        return f"it has {len(numbers)} numbers where three are needed"
    return None


def _rest_reason(rest: str) -> str:
    if rest[0] not in "-+":
        return f"after the three numbers comes '-' or '+', not {rest[0]!r}"
    return (
        "what follows '-' and '+' is made of letters, digits and dashes, in parts with a dot between them, "
        "and a number before the '+' has no zero before it"
    )


def _nearest(text: str) -> str | None:
    """The valid spelling that is closest to what was typed, if there is one."""
    parts = _PARTS.fullmatch(text)
    if parts is None:
        return None
    numbers = [*(str(int(n)) for n in parts["numbers"].split(".")), "0", "0"][:_NUMBERS]
    rest = parts["rest"]
    if not any(c.isalnum() for c in rest):
        rest = ""
    elif rest[0].isalpha():
        rest = f"-{rest}"
    candidate = ".".join(numbers) + rest
    letter = "v" if text.strip()[0] in "vV" else ""
    return None if _semantic(candidate) is None else letter + candidate
