"""The build context as the engine wants it: a tar archive, always the same bytes for the same files."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from streamflow_build.model.image import ContextFile

PART = 64 * 1024
"""The longest part of an archive, in bytes."""
FIXED_MTIME = 315_532_800
"""1980-01-01: the oldest time that a ZIP archive, and so a wheel, can hold."""


def archive(files: Iterable[ContextFile]) -> Iterator[bytes | memoryview]:
    """Pack the files, with their folders before them, owned by root; gives the archive's bytes, part by part.

    GNU format and whole seconds: an engine takes an archive that begins with a PAX header for a Dockerfile.
    The parts are no longer than ``PART`` and no copies, so that a large file is held only once.
    """
    written: set[PurePosixPath] = set()
    for file in sorted(files, key=lambda file: file.path):
        for folder in reversed(PurePosixPath(file.path).parents[:-1]):
            if folder not in written:
                written.add(folder)
                yield _header(_entry(str(folder), 0o755, tarfile.DIRTYPE))
        entry = _entry(file.path, file.mode, tarfile.REGTYPE)
        if file.target is not None:
            entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, file.target, 0o777
        entry.size = len(file.content)
        yield _header(entry)
        content = memoryview(file.content)
        yield from (content[start : start + PART] for start in range(0, len(content), PART))
        yield bytes(-len(content) % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _header(entry: tarfile.TarInfo) -> bytes:
    return entry.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def _entry(name: str, mode: int, kind: bytes) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mode, entry.type, entry.mtime = mode, kind, FIXED_MTIME
    return entry
