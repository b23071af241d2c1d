"""A small project on the disk, for tests to write its streamflow.yaml."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's folder, which is also the working one: all that small.yaml and everything.yaml name,
    and what it must not name.
    """
    project = tmp_path / "project"
    for name in ("shared", "web", "mail"):
        (project / "src" / name).mkdir(parents=True)
        (project / "src" / name / "__init__.py").touch()
    (project / "src" / "web" / "app.py").touch()
    for name in ("web.txt", "mail.txt"):
        (project / name).touch()
    (project / "wheels").mkdir()
    outside = Path("/usr")
    (project / "src" / "outside").symlink_to(outside)
    (project / "src" / "round").symlink_to("round")
    os.mkfifo(project / "src" / "pipe")
    (project / "src" / "inner").symlink_to("web")
    monkeypatch.chdir(project)
    return project


@pytest.fixture
def file(folder: Path) -> Path:
    """small.yaml, as a user in the project's folder names it."""
    shutil.copy(GOLDEN / "small.yaml", folder / "streamflow.yaml")
    return Path("streamflow.yaml")
