"""Images out of the engine, as ``docker save`` has them: ``GET /images/get``."""

from __future__ import annotations

import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from docker.errors import APIError

from streamflow_build.engine.connection import Connection, disconnect
from streamflow_build.engine.interface import Readable, TakeFile
from streamflow_build.errors import EngineError, Interrupted

SILENCE_SECONDS = 600
"""How long the engine may say nothing: the classic image store packs all layers before it sends the first."""

_CHUNK = 1 << 17


class Exports:
    """All exports of one engine, from any thread."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._running: set[requests.Response] = set()
        self._cancelled = False

    def export(self, images: tuple[str, ...], take: TakeFile) -> None:
        """Hand over each file of the archive as it comes, until no more is wanted.

        Raises EngineError, Interrupted, and what ``take`` raises.
        """
        connection = self._connection
        try:
            with connection.errors(during=" during an export"), self._begun(images) as response:
                for name, content in _files(_Stream(response)):
                    if not take(name, content):
                        break
        except (APIError, EngineError, tarfile.TarError) as error:
            if self._cancelled:
                raise Interrupted("Interrupted.") from error
            if isinstance(error, APIError):
                raise connection.refused("to export images", error) from error
            if isinstance(error, tarfile.TarError):
                raise connection.gone("what it sent is no whole archive", " during an export") from error
            raise

    def cancel(self) -> None:
        """End every export that runs, and refuse later ones."""
        with self._lock:
            self._cancelled = True
            running = tuple(self._running)
        for response in running:
            disconnect(response)

    @contextmanager
    def _begun(self, images: tuple[str, ...]) -> Iterator[requests.Response]:
        response = self._connection.get(
            "/images/get", params=[("names", image) for image in images], stream=True, timeout=SILENCE_SECONDS
        )
        with self._lock:
            self._running.add(response)
        try:
            if self._cancelled:
                raise Interrupted("Interrupted.")
            yield response
        finally:
            with self._lock:
                self._running.discard(response)
            response.close()


class _Stream:
    """An answer as tarfile reads it, forwards only. Each copy counts where there are gigabytes."""

    def __init__(self, response: requests.Response) -> None:
        self._pieces = response.iter_content(_CHUNK)
        self._rest = b""
        self._place = 0

    def tell(self) -> int:
        """How many bytes were read."""
        return self._place

    def seek(self, place: int) -> None:
        """Leave out what comes before a place."""
        while self._place < place and self.read(min(_CHUNK, place - self._place)):
            pass

    def read(self, size: int) -> bytes:
        """So many bytes; fewer at the end only."""
        found = [self._rest]
        missing = size - len(self._rest)
        while missing > 0 and (piece := next(self._pieces, b"")):
            found.append(piece)
            missing -= len(piece)
        last = found.pop()
        end = len(last) + min(missing, 0)
        found.append(last[:end])
        self._rest = last[end:]
        content = b"".join(found)
        self._place += len(content)
        return content


class _File:
    """A file of an archive, as it comes."""

    def __init__(self, stream: _Stream, size: int) -> None:
        self._stream = stream
        self._left = size

    def read(self, size: int, /) -> bytes:
        content = self._stream.read(min(size, self._left))
        if not content and size and self._left:
            raise tarfile.ReadError("unexpected end of data")
        self._left -= len(content)
        return content


def _files(stream: Any) -> Iterator[tuple[str, Readable]]:
    """The regular files of a tar; a link's target comes by itself."""
    with tarfile.TarFile(fileobj=stream, mode="r") as tar:
        for member in tar:
            if member.isreg():
                yield member.name, _File(stream, member.size)
            tar.members.clear()  # type: ignore[attr-defined]  # it would keep every one
