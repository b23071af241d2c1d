"""A blob of the engine's as it goes to a registry, which can be read while the engine still gives it out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import IO

from streamflow_build.registry.blobs import CHUNK
from streamflow_build.registry.manifest import Descriptor

Wait = Callable[[Callable[[], bool]], None]
"""Waits until something is so. Raises what makes that impossible."""


class Blob:
    """A blob in a file, at the end of which one thread writes it; any thread reads it, from its beginning."""

    def __init__(self, file: IO[bytes], wait: Wait) -> None:
        self._file = file
        self._wait = wait
        self._start = self._end = file.tell()
        self._digest: str | None = None

    @property
    def size(self) -> int:
        """How many bytes of it are there."""
        return self._end - self._start

    @property
    def is_whole(self) -> bool:
        """Whether all of it is there."""
        return self._digest is not None

    def grow(self) -> None:
        """The writer wrote more of it."""
        self._end = self._file.tell()

    def finish(self, digest: str) -> None:
        """The writer wrote all of it."""
        self._digest = digest

    def whole(self, media_type: str) -> Descriptor:
        """Wait until all of it is there. Raises what the wait raises."""
        self._wait(lambda: self.is_whole)
        return Descriptor(self._digest or "", self.size, media_type)

    def content(self) -> Iterator[bytes]:
        """Its pieces, as they come, until all of it was there. Raises what the wait raises."""
        start = self._start
        while True:
            self._wait(partial(self._goes_on_or_ended, start))
            if start == self._end:
                return
            piece = os.pread(self._file.fileno(), min(CHUNK, self._end - start), start)
            start += len(piece)
            yield piece

    def read(self) -> bytes:
        """All of it. Raises what the wait raises."""
        return b"".join(self.content())

    def _goes_on_or_ended(self, start: int) -> bool:
        return start < self._end or self.is_whole
