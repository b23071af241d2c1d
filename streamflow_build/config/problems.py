"""What is wrong with streamflow.yaml, collected with positions, so that all of it is said in one go."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from streamflow_build.errors import ConfigError

Keys = tuple[str | int, ...]
"""The way to a value: keys of mappings and indexes of lists, from the top."""

_LONGEST_QUOTE = 60
_MOST = 20
_CREDENTIALS = re.compile(r"[^/@\s]*:[^/@\s]*@(?!sha[0-9]+:)")


class Mark(msgspec.Struct, frozen=True):
    """A position in the file: line and column, both from 1."""

    line: int
    column: int


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong, where it is, and what to do about it."""

    mark: Mark
    keys: Keys
    what: str
    hint: str


class Wrong(Exception):  # noqa: N818 - a value is wrong; Problems.place turns it into a problem with a position
    """A value can't be used; what is wrong with it and what to do about it."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


class Problems:
    """The problems found so far in one file.

    ``marks`` are the positions of its values and ``names`` those of the keys before them; the reader fills
    them in.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        # A default that several services take over, and an anchor's value, are wrong once.
        self._found: dict[tuple[Mark, str], Problem] = {}
        self.marks: dict[Keys, Mark] = {}
        self.names: dict[Keys, Mark] = {}

    def at(self, mark: Mark, keys: Keys, what: str, hint: str) -> None:
        """Note a problem at a position."""
        self._found.setdefault((mark, what), Problem(mark, keys, what, hint))

    def about(self, keys: Keys, what: str, hint: str) -> None:
        """Note a problem with the value at ``keys``, or, where it isn't written, with what would hold it."""
        self.at(self.mark(keys), keys, what, hint)

    def missing(self, keys: Keys, name: str, hint: str) -> None:
        """Note that the mapping at ``keys`` lacks a key."""
        self.at(self.names.get(keys, self.mark(keys)), keys, f"{name!r} is missing", hint)

    def mark(self, keys: Keys) -> Mark:
        """Where the value at ``keys`` stands, or the name of what would hold it."""
        if keys in self.marks:
            return self.marks[keys]
        while keys and keys not in self.names:
            keys = keys[:-1]
        return self.names.get(keys, Mark(1, 1))

    @contextmanager
    def place(self, keys: Keys) -> Iterator[None]:
        """Take a Wrong that the block raises for a problem with the value at ``keys``, and go on."""
        try:
            yield
        except Wrong as wrong:
            self.about(keys, wrong.what, wrong.hint)

    def check(self) -> None:
        """Raise ConfigError with all problems in the order of the file, if there are any."""
        found = sorted(self._found.values(), key=lambda p: (p.mark.line, p.mark.column))
        if not found:
            return
        if len(found) == 1:
            raise ConfigError(self._text(found[0]), hint=found[0].hint)
        lines = [f"{self._file} has {len(found)} problems:"]
        lines += [f"{self._text(problem)}\n  {problem.hint}" for problem in found[:_MOST]]
        if len(found) > _MOST:
            lines.append(f"and {len(found) - _MOST} more; the first ones may be their cause.")
        raise ConfigError("\n".join(lines))

    def _text(self, problem: Problem) -> str:
        path = f"{dotted(problem.keys)}: " if problem.keys else ""
        return f"{self._file}:{problem.mark.line}:{problem.mark.column}: {path}{problem.what}"


def dotted(keys: Keys) -> str:
    """``services.ingestion.needs[0]``; a key that holds a dot or anything odd is quoted."""
    text = ""
    for key in keys:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            plain = key.replace("_", "").replace("-", "").isalnum()
            text += f"{'.' if text else ''}{key if plain and len(key) <= _LONGEST_QUOTE else quoted(key)}"
    return text


def quoted(text: str) -> str:
    """The text in quotes, without credentials, what can't be printed escaped, and cut where it is long."""
    text = _CREDENTIALS.sub("…@", text)
    return repr(text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}…")
