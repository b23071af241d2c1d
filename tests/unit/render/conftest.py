"""A small project in a folder of the test's own, for tests that write there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[2] / "golden" / "render"


@pytest.fixture
def mixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the golden project `mixed`, with its derived files; also the working folder."""
    copy = tmp_path / "mixed"
    shutil.copytree(GOLDEN / "mixed", copy)
    monkeypatch.chdir(copy)
    return copy
