"""A build's context as the engine fetches it: the files of one tree, by the protocol of ``fsutil``.

The engine is told of every folder and file, asks for the content of those that it doesn't have, and says when it
has all (https://github.com/tonistiigi/fsutil, ``send.go``). So a context travels while the first steps run.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import unquote_plus

from grpclib.const import Status
from grpclib.exceptions import GRPCError
from grpclib.server import Stream

from streamflow_build.engine.messages import Packet, Stat
from streamflow_build.model.image import ContextFile

PART = 32 * 1024
"""The most bytes of a file that one packet holds; fsutil's own figure."""
MTIME = 315_532_800_000_000_000
"""1980-01-01 in nanoseconds: the oldest time that a ZIP archive, and so a wheel, can hold."""
_STAT, _REQUEST, _DATA, _END, _ERROR = range(5)
# Bits of Go's os.FileMode.
_FOLDER, _LINK = 1 << 31, 1 << 27
_WILD = frozenset("*?[\\")


async def send(stream: Stream[Any, Any], files: Sequence[ContextFile]) -> None:
    """Answer one call of ``FileSync/DiffCopy``. Raises GRPCError where the engine tells of an error."""
    contents: list[bytes] = []
    for stat, content in _entries(_wanted(files, _followed(stream.metadata))):
        contents.append(content)
        await stream.send_message(Packet(type=_STAT, stat=stat))
    await stream.send_message(Packet(type=_STAT))
    async for packet in stream:
        if packet.type == _REQUEST:
            await _send_content(stream, packet.ID, contents[packet.ID])
        elif packet.type == _END:
            await stream.send_message(Packet(type=_END))
            return
        elif packet.type == _ERROR:
            raise GRPCError(Status.ABORTED, packet.data.decode(errors="replace"))


async def _send_content(stream: Stream[Any, Any], number: int, content: bytes) -> None:
    for start in range(0, len(content), PART):
        await stream.send_message(Packet(type=_DATA, ID=number, data=content[start : start + PART]))
    await stream.send_message(Packet(type=_DATA, ID=number))


def _followed(metadata: Any) -> set[str]:
    """The paths that the engine says it needs; none where it needs all, as of the root.

    Where one isn't ASCII, all are encoded as in a URL's query (BuildKit's ``session/filesync/filesync.go``).
    """
    paths: list[str] = metadata.getall("followpaths", [])
    if "followpaths-encoded" in metadata:
        paths = [unquote_plus(path) for path in paths]
    followed = {posixpath.normpath(f"/{path}").strip("/") for path in paths}
    return set() if "" in followed else followed


def _wanted(files: Sequence[ContextFile], followed: set[str]) -> Sequence[ContextFile]:
    """The files that the engine needs: all of them where it asks for a pattern, or by way of a link."""
    links = {file.path for file in files if file.target is not None}
    if not followed or any(_WILD & set(path) or links & {path, *_above(path)} for path in followed):
        return files
    return [file for file in files if followed & {file.path, *_above(file.path)}]


def _entries(files: Iterable[ContextFile]) -> Iterator[tuple[Any, bytes]]:
    """Each file's metadata and content, its folders before it, in the order of the paths' parts."""
    told: set[str] = set()
    for file in sorted(files, key=lambda file: file.path.encode().split(b"/")):
        for folder in _above(file.path):
            if folder not in told:
                told.add(folder)
                yield Stat(path=folder, mode=_FOLDER | 0o755, modtime=MTIME), b""
        stat = Stat(path=file.path, mode=file.mode, size=len(file.content), modtime=MTIME)
        if file.target is not None:
            stat.mode, stat.linkname = _LINK | 0o777, file.target
        yield stat, file.content


def _above(path: str) -> list[str]:
    """The folders that a path leads through, the first one first."""
    return [path[:end] for end, character in enumerate(path) if character == "/"]
