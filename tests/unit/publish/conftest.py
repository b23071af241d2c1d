"""Spools leave nothing to the tests that follow."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from typing import IO

import pytest

from streamflow_build.publish import spool as module

SECONDS = 10


@pytest.fixture(autouse=True)
def _files_end_with_the_test(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A spool's file ends with the process."""
    made: list[IO[bytes]] = []
    original = tempfile.TemporaryFile

    def make() -> IO[bytes]:
        made.append(original())
        return made[-1]

    monkeypatch.setattr(module.tempfile, "TemporaryFile", make)
    yield
    for thread in threading.enumerate():
        if thread.name == "export":
            thread.join(SECONDS)
    for file in made:
        file.close()
