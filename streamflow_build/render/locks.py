"""Locked requirements: what the services' locks have in common, and what each adds.

A lock is a requirements file in pip's hash-checking mode
(https://pip.pypa.io/en/stable/topics/secure-installs/#hash-checking-mode), as ``uv pip compile --generate-hashes``
writes it. ``--only-binary :all:`` in it says that every requirement has a wheel, but for those that ``--no-binary``
names (https://pip.pypa.io/en/stable/cli/pip_install/#cmdoption-only-binary); installers hold the lock to that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as Specification
from packaging.utils import canonicalize_name

from streamflow_build.errors import ConfigError
from streamflow_build.model.project import Project, Service

_HASH = re.compile(r"\s--hash[= ](\S+)")
_COMMENT = re.compile(r"(^|\s)#.*$")


class Pinned(msgspec.Struct, frozen=True):
    """One locked requirement: its canonical name, what pins it (with extras and marker), and its hashes, sorted."""

    name: str
    specification: str
    hashes: tuple[str, ...]

    def __str__(self) -> str:
        return " \\\n".join((self.specification, *(f"    --hash={value}" for value in self.hashes)))


class Lock(msgspec.Struct, frozen=True):
    """A locked set of requirements.

    ``wheels_only`` is false where the lock doesn't say that its requirements have wheels; ``no_binary`` names those
    that have none.
    """

    pinned: tuple[Pinned, ...]
    wheels_only: bool
    no_binary: tuple[str, ...]

    @property
    def needs_compiler(self) -> bool:
        """Whether installing it may compile something."""
        return bool(self.pinned) and (not self.wheels_only or bool(self.no_binary))

    def __str__(self) -> str:
        options = ["--only-binary :all:"] if self.wheels_only else []
        options += [f"--no-binary {name}" for name in self.no_binary]
        return "".join(f"{line}\n" for line in (*options, *map(str, self.pinned)))


class Locks(msgspec.Struct, frozen=True):
    """The locks of all services that are installed from source, split in two.

    ``common`` is what all of them have, to the letter; ``added`` has the rest, by the service's name.
    """

    common: Lock
    added: dict[str, Lock]


def split(project: Project) -> Locks:
    """Read the locks of a project and split them. Raises ConfigError that names the file and the line."""
    locks = {
        service.name: read(project, service, service.requirements)
        for service in project.services
        if service.install == "source" and service.requirements is not None
    }
    compiled = {name for lock in locks.values() for name in lock.no_binary}
    shared = set[Pinned].intersection(*(set(lock.pinned) for lock in locks.values())) if locks else set()
    shared = {pinned for pinned in shared if pinned.name not in compiled}
    common = Lock(_sorted(shared), all(lock.wheels_only for lock in locks.values()), ())
    added = {
        name: Lock(_sorted(set(lock.pinned) - shared), lock.wheels_only, lock.no_binary)
        for name, lock in locks.items()
    }
    return Locks(common, added)


def read(project: Project, service: Service, path: str) -> Lock:
    """Read one lock. Raises ConfigError that names the file and the line."""
    try:
        text = (project.root / path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path}: the requirements of {service.name!r} can't be read: {error}.", hint="Write the lock anew."
        ) from error
    pinned: dict[tuple[str, str], Pinned] = {}
    wheels_only, no_binary = False, []
    for number, line in _logical(text):
        if not line.startswith("-"):
            found = _pinned(path, number, line)
            pinned[found.name, found.specification] = found
            continue
        option, _, value = line.replace("=", " ", 1).partition(" ")
        names = value.replace(",", " ").split()
        if option == "--only-binary" and names == [":all:"]:
            wheels_only = True
        elif option == "--no-binary" and names and ":all:" not in names:
            no_binary += map(canonicalize_name, names)
        else:
            raise _wrong(path, number, f"a lock can't hold {line!r}", _OPTIONS)
    return Lock(_sorted(set(pinned.values())), wheels_only, tuple(sorted(no_binary)))


_OPTIONS = "It may hold --only-binary :all: and --no-binary NAME; an index is set in pip's own configuration."


def _logical(text: str) -> Iterator[tuple[int, str]]:
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
    hashes = tuple(sorted(set(_HASH.findall(line))))
    words = _HASH.sub("", line).strip()
    try:
        said = Specification(words)
    except InvalidRequirement as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise _wrong(path, number, f"{words!r} is no requirement: {reason}", _RELOCK) from None
    exact = [s for s in said.specifier if s.operator in {"==", "==="} and not s.version.endswith(".*")]
    if said.url is not None or len(exact) != 1 or len(said.specifier) != 1:
        raise _wrong(path, number, f"{words!r} is not pinned to one version with ==", _RELOCK)
    if not hashes:
        raise _wrong(path, number, f"{words!r} has no --hash", _RELOCK)
    return Pinned(canonicalize_name(said.name), str(said), hashes)


_RELOCK = "Write the lock anew, such as with: uv pip compile --generate-hashes --only-binary :all: --emit-build-options"


def _wrong(path: str, number: int, what: str, hint: str) -> ConfigError:
    return ConfigError(f"{path}:{number}: {what}.", hint=hint)


def _sorted(pinned: set[Pinned]) -> tuple[Pinned, ...]:
    return tuple(sorted(pinned, key=lambda entry: (entry.name, entry.specification)))
