"""The build context as the engine wants it: a tar archive, always the same bytes for the same files."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from pathlib import PurePosixPath

from streamflow_build.model.image import ContextFile

FIXED_MTIME = 315_532_800
"""1980-01-01: the oldest time that a ZIP archive, and so a wheel, can hold."""


def archive(files: Iterable[ContextFile]) -> bytes:
    """Pack the files, with their folders before them, owned by root.

    GNU format and whole seconds: an engine takes an archive that begins with a PAX header for a Dockerfile.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        written: set[PurePosixPath] = set()
        for file in sorted(files, key=lambda file: file.path):
            for folder in reversed(PurePosixPath(file.path).parents[:-1]):
                if folder not in written:
                    written.add(folder)
                    tar.addfile(_entry(str(folder), 0o755, tarfile.DIRTYPE))
            entry = _entry(file.path, file.mode, tarfile.REGTYPE)
            if file.target is not None:
                entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, file.target, 0o777
                tar.addfile(entry)
            else:
                entry.size = len(file.content)
                tar.addfile(entry, io.BytesIO(file.content))
    return buffer.getvalue()


def _entry(name: str, mode: int, kind: bytes) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mode, entry.type, entry.mtime = mode, kind, FIXED_MTIME
    return entry
