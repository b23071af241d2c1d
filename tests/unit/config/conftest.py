"""A small project on the disk, whose streamflow.yaml each test writes."""

from __future__ import annotations

from pathlib import Path

import pytest

GOOD = """\
project: shop
bases: {python: python:3.11-slim}
defaults:
  base: python
  port: 8000
  user: {name: shop, uid: 10001}
  health: /health
  ready: /ready
  metrics: /metrics
  sources: [src/shared]
services:
  web:
    module: shop.web
    sources: [src/web]
    requirements: web.txt
    publish: 8001
    needs: [postgres, mail]
  mail:
    module: shop.mail
    sources: [src/mail]
    requirements: mail.txt
infrastructure:
  postgres: {image: postgres:15}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's folder, which is also the working one: all that GOOD names, and links it must not name."""
    project = tmp_path / "project"
    for name in ("shared", "web", "mail"):
        (project / "src" / name).mkdir(parents=True)
        (project / "src" / name / "__init__.py").touch()
    for name in ("web.txt", "mail.txt"):
        (project / name).touch()
    (project / "wheels").mkdir()
    outside = Path("/usr")
    (project / "src" / "outside").symlink_to(outside)
    (project / "src" / "round").symlink_to("round")
    (project / "src" / "inner").symlink_to("web")
    monkeypatch.chdir(project)
    return project


@pytest.fixture
def file(folder: Path) -> Path:
    """A good streamflow.yaml, as a user in the project's folder names it."""
    (folder / "streamflow.yaml").write_text(GOOD)
    return Path("streamflow.yaml")
