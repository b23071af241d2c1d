"""A build context: the declared files, read from the disk, without what .dockerignore leaves out."""

from __future__ import annotations

import posixpath
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from streamflow_build.errors import ConfigError
from streamflow_build.model.image import ContextFile
from streamflow_build.plan.dockerignore import DockerIgnore, Matched

_PROGRAM, _DATA = 0o755, 0o644


def collect(root: Path, paths: Iterable[str], ignore: str | None) -> tuple[ContextFile, ...]:
    """The files at and below the paths, sorted by path.

    The paths are relative to the root; ``ignore`` is the text of a .dockerignore file. Modes are 0755 for
    what its owner may execute and 0644 for all else, whatever the umask of a checkout was. A symbolic link
    stays one. Raises ConfigError for what can't be read, for what is no file, folder or link, and for a link
    that leads out of the paths.
    """
    declared = tuple(posixpath.normpath(path) for path in paths)
    rules = DockerIgnore(ignore or "")
    found = {file.path: file for path in declared for file in _walk(root, path, _above(path, rules), rules)}
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


def _walk(root: Path, path: str, above: Matched | None, rules: DockerIgnore) -> Iterator[ContextFile]:
    excluded, matched = rules.excludes(path, above)
    place = root / path
    try:
        mode = place.lstat().st_mode
        if stat.S_ISDIR(mode):
            if not excluded or rules.exceptions:
                for name in sorted(entry.name for entry in place.iterdir()):
                    yield from _walk(root, posixpath.join(path, name), matched, rules)
        elif excluded:
            return
        elif stat.S_ISLNK(mode):
            yield ContextFile(path, _PROGRAM, b"", target=str(place.readlink()))
        elif stat.S_ISREG(mode):
            yield ContextFile(path, _PROGRAM if mode & stat.S_IXUSR else _DATA, place.read_bytes())
        else:
            raise ConfigError(f"{path} is neither a file nor a folder nor a link: no image can hold it.")
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}.") from error


def _leads_into(link: ContextFile, declared: tuple[str, ...]) -> bool:
    target = link.target or ""
    if target.startswith("/"):
        return False
    reached = posixpath.normpath(posixpath.join(posixpath.dirname(link.path), target))
    return any(reached == path or reached.startswith(f"{path}/") for path in declared)
