"""An engine that gives out an archive of a test's own."""

from __future__ import annotations

import hashlib
import io

from streamflow_build.engine.fake import FakeEngine
from streamflow_build.engine.interface import TakeFile
from streamflow_build.errors import EngineError


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def path(content: bytes) -> str:
    """Where Engine 25 and later have it in the archive."""
    return f"blobs/sha256/{digest(content).partition(':')[2]}"


class Giving(FakeEngine):
    """An engine whose archive has those files, and ends with an error where one is given.

    Like the real one it takes an OSError for its own end, wherever it comes from.
    """

    def __init__(self, *files: tuple[str, bytes], end: BaseException | None = None) -> None:
        super().__init__()
        self._files = files
        self._end = end
        self.asked: list[tuple[str, ...]] = []
        self.given: list[str] = []

    def export(self, images: tuple[str, ...], take: TakeFile) -> None:
        self.asked.append(images)
        try:
            for name, content in self._files:
                self.given.append(name)
                if not take(name, io.BytesIO(content)):
                    return
        except OSError as error:
            raise EngineError(f"The engine went away: {error.strerror}.") from error
        if self._end is not None:
            raise self._end
