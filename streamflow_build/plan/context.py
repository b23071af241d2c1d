"""A build context: the declared files, read from the disk, without what .dockerignore leaves out."""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from streamflow_build.errors import ConfigError
from streamflow_build.model.image import ContextFile
from streamflow_build.plan.dockerignore import DockerIgnore, Matched

LARGEST_FILE = 2 * 2**30
"""The most bytes that one file of a context may have: a context is held in memory, and no service's source is
that large, though a forgotten dump may be.
"""

_PROGRAM, _DATA = 0o755, 0o644


class Sources:
    """The files of a project's folder, each read once, however many services share it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._read: dict[str, ContextFile] = {}

    def walk(self, path: str, above: Matched | None, rules: DockerIgnore) -> Iterator[ContextFile]:
        """The files at and below a path that the rules keep; ``above`` is what they say of its folder."""
        # A stack of its own: folders may lie in one another deeper than Python's calls may.
        waiting = [(path, above)]
        while waiting:
            path, above = waiting.pop()
            excluded, matched = rules.excludes(path, above)
            place = self._root / path
            try:
                status = place.lstat()
                if stat.S_ISDIR(status.st_mode):
                    if not excluded or rules.exceptions:
                        names = sorted((entry.name for entry in place.iterdir()), reverse=True)
                        waiting += [(posixpath.join(path, name), matched) for name in names]
                elif not excluded:
                    if path not in self._read:
                        self._read[path] = _file(place, path, status)
                    yield self._read[path]
            except OSError as error:
                raise ConfigError(f"{path} can't be read: {error.strerror}.") from error


def collect(sources: Sources, paths: Iterable[str], rules: DockerIgnore) -> tuple[ContextFile, ...]:
    """The files at and below the paths that the rules keep, sorted by path.

    The paths are relative to the project's folder. Modes are 0755 for what its owner may execute and 0644
    for all else, whatever the umask of a checkout was. A symbolic link stays one. Raises ConfigError for what
    can't be read, for what is no file, folder or link or is larger than LARGEST_FILE, for a name that can't be
    sent, and for a link that leads out of the paths.
    """
    declared = tuple(posixpath.normpath(path) for path in paths)
    found = {file.path: file for path in declared for file in sources.walk(path, _above(path, rules), rules)}
    for file in found.values():
        if file.target is not None and not _leads_into(file, declared):
            raise ConfigError(
                f"{file.path} is a symbolic link to {file.target}, which is not among the service's sources.",
                hint="Declare what it points to under `sources`, or replace the link by a copy.",
            )
    return tuple(found[path] for path in sorted(found))


def _above(path: str, rules: DockerIgnore) -> Matched | None:
    """What the folders above a path say of it."""
    above: Matched | None = None
    parts = path.split("/")
    for depth in range(1, len(parts)):
        _, above = rules.excludes("/".join(parts[:depth]), above)
    return above


def _file(place: Path, path: str, status: os.stat_result) -> ContextFile:
    mode = status.st_mode
    if stat.S_ISLNK(mode):
        # Path.readlink drops a dot or a slash too many, and the link in the image would be another.
        return ContextFile(_utf8(path), _PROGRAM, b"", target=_utf8(os.readlink(place)))  # noqa: PTH115
    if stat.S_ISREG(mode):
        if status.st_size > LARGEST_FILE:
            raise ConfigError(
                f"{path} has {status.st_size:,} bytes, and a file of a build has {LARGEST_FILE:,} at most.",
                hint="Leave it out under `ignore`, or move it out of the service's sources.",
            )
        return ContextFile(_utf8(path), _PROGRAM if mode & stat.S_IXUSR else _DATA, place.read_bytes())
    raise ConfigError(f"{path} is neither a file nor a folder nor a link: no image can hold it.")


def _utf8(path: str) -> str:
    """The path; raises ConfigError where it isn't Unicode, which is all that BuildKit's protocol can carry."""
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise ConfigError(
            f"{path!a} has a name that is not UTF-8, and no build can be sent it.",
            hint="Rename the file, or leave it out under `ignore`.",
        ) from error
    return path


def _leads_into(link: ContextFile, declared: tuple[str, ...]) -> bool:
    target = link.target or ""
    if target.startswith("/"):
        return False
    reached = posixpath.normpath(posixpath.join(posixpath.dirname(link.path), target))
    return any(reached == path or reached.startswith(f"{path}/") for path in declared)
