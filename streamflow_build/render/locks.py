"""Locked requirements: what the services' locks have in common, and what each adds.

A lock is a requirements file in pip's hash-checking mode
(https://pip.pypa.io/en/stable/topics/secure-installs/#hash-checking-mode), as ``uv pip compile
--generate-hashes`` writes it. ``--only-binary :all:`` in it says that every requirement has a wheel, but for
those that ``--no-binary`` names (https://pip.pypa.io/en/stable/cli/pip_install/#cmdoption-only-binary);
installers hold the lock to that. ``--emit-build-options`` makes uv write both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

import msgspec
from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as Specification
from packaging.utils import canonicalize_name

from streamflow_build.errors import ConfigError
from streamflow_build.model.project import Project

_HASH = re.compile(r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}")
_COMMENT = re.compile(r"(^|\s)#.*$")
_RELOCK = "Write the lock anew, such as with: uv pip compile --generate-hashes"
_OPTIONS = (
    "A lock may hold --only-binary :all: and --no-binary NAME; an index is set in pip's own configuration."
)

Compiling = Literal["never", "perhaps", "surely"]
"""Whether installing a lock compiles something; ``perhaps`` where the lock doesn't say what has wheels."""


class Pinned(msgspec.Struct, frozen=True, order=True):
    """One locked requirement: its canonical name, what pins it (with extras and marker), sorted hashes."""

    name: str
    specification: str
    hashes: tuple[str, ...]

    def __str__(self) -> str:
        return " \\\n    ".join((self.specification, *self.options))

    @property
    def options(self) -> tuple[str, ...]:
        """Its hashes, as an installer takes them."""
        return tuple(f"--hash={value}" for value in self.hashes)


class Lock(msgspec.Struct, frozen=True):
    """A locked set of requirements, sorted.

    ``wheels_only`` is false where the lock doesn't say that its requirements have wheels; ``no_binary`` names
    those that are built from source whatever there is.
    """

    pinned: tuple[Pinned, ...]
    wheels_only: bool = True
    no_binary: tuple[str, ...] = ()

    @property
    def compiling(self) -> Compiling:
        if any(pinned.name in self.no_binary for pinned in self.pinned):
            return "surely"
        return "perhaps" if self.pinned and not self.wheels_only else "never"

    def __str__(self) -> str:
        return "".join(f"{line}\n" for line in (*self._options, *map(str, self.pinned)))

    @property
    def lines(self) -> tuple[str, ...]:
        """The same with each requirement on a line of its own, however long."""
        return (*self._options, *(" ".join((p.specification, *p.options)) for p in self.pinned))

    @property
    def _options(self) -> tuple[str, ...]:
        wheels = ("--only-binary :all:",) if self.wheels_only else ()
        return (*wheels, *(f"--no-binary {name}" for name in self.no_binary))


class Locks(msgspec.Struct, frozen=True):
    """The locks of all services that are installed from source, split in two.

    ``common`` is what all of them have, to the letter; ``added`` has the rest, by the service's name.
    """

    common: Lock
    added: dict[str, Lock]


def read(project: Project) -> Locks:
    """Read the locks of a project and split them. Raises ConfigError that names the file and the line."""
    return split({s.name: _read(project, s.requirements) for s in project.services if s.requirements})


def split(locks: dict[str, Lock]) -> Locks:
    """What the locks, by the service's name, have in common, and what each has beyond that.

    What one of them builds from source is in no common part, for the build packages come with it.
    """
    compiled = {name for lock in locks.values() for name in lock.no_binary}
    shared = (
        set[Pinned].intersection(*(set(lock.pinned) for lock in locks.values())) if locks else set[Pinned]()
    )
    shared = {pinned for pinned in shared if pinned.name not in compiled}
    common = Lock(tuple(sorted(shared)), all(lock.wheels_only for lock in locks.values()))
    added = {
        name: msgspec.structs.replace(lock, pinned=tuple(sorted(set(lock.pinned) - shared)))
        for name, lock in locks.items()
    }
    return Locks(common, added)


def parse(text: str, path: str) -> Lock:
    """The lock that a text holds; ``path`` is for messages. Raises ConfigError that names it and the line."""
    found: dict[Pinned, int] = {}
    wheels_only, no_binary = False, set[str]()
    for number, line in _logical(text):
        if not line.startswith("-"):
            pinned = _pinned(path, number, line)
            if pinned in found:
                raise _wrong(path, number, f"{line.split()[0]!r} is already on line {found[pinned]}", _RELOCK)
            found[pinned] = number
            continue
        option, _, value = line.replace("=", " ", 1).partition(" ")
        names = value.replace(",", " ").split()
        if option == "--only-binary" and names == [":all:"]:
            wheels_only = True
        elif option == "--no-binary" and names and not {":all:", ":none:"} & set(names):
            no_binary |= set(map(canonicalize_name, names))
        else:
            # An index's address may hold credentials, so no more than the option is repeated.
            raise _wrong(path, number, f"the option {option!r} can't be used like this in a lock", _OPTIONS)
    return Lock(tuple(sorted(found)), wheels_only, tuple(sorted(no_binary)))


def _read(project: Project, path: str) -> Lock:
    try:
        text = (project.root / path).read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: it is not UTF-8 text.", hint=_RELOCK) from None
    except OSError as error:
        raise ConfigError(
            f"{path}: it can't be read: {error.strerror}.", hint="Fix its permissions."
        ) from error
    return parse(text, path)


def _logical(text: str) -> Iterator[tuple[int, str]]:
    """The lines as pip joins them at a backslash, with their numbers, without comments and empty ones."""
    held, start = "", 0
    for number, raw in enumerate(text.splitlines(), start=1):
        line = _COMMENT.sub("", raw).rstrip()
        start = start if held else number
        if line.endswith("\\"):
            held += f"{line[:-1]} "
            continue
        whole, held = (held + line).strip(), ""
        if whole:
            yield start, whole
    if held.strip():
        yield start, held.strip()


def _pinned(path: str, number: int, line: str) -> Pinned:
    words, *options = re.split(r"\s+(?=--)", line)
    hashes = [option.removeprefix("--hash=") for option in options]
    for option, value in zip(options, hashes, strict=True):
        if option == value or not _HASH.fullmatch(value):
            raise _wrong(path, number, f"{option!r} is no --hash=sha256: and 64 hexadecimal digits", _RELOCK)
    try:
        said = Specification(words)
    except InvalidRequirement:
        raise _wrong(path, number, f"{words!r} is no requirement such as name==1.0", _RELOCK) from None
    if said.url is not None:
        hint = "Publish it to a package index of yours, and pin its version."
        raise _wrong(path, number, f"{said.name!r} comes from an address, and a lock pins versions", hint)
    pins = tuple(said.specifier)
    if len(pins) != 1 or pins[0].operator not in {"==", "==="} or pins[0].version.endswith(".*"):
        raise _wrong(path, number, f"{words!r} is not pinned to one version with ==", _RELOCK)
    if not hashes:
        raise _wrong(path, number, f"{words!r} has no --hash", _RELOCK)
    said.name = canonicalize_name(said.name)
    return Pinned(said.name, str(said), tuple(sorted(set(hashes))))


def _wrong(path: str, number: int, what: str, hint: str) -> ConfigError:
    return ConfigError(f"{path}:{number}: {what}.", hint=hint)
