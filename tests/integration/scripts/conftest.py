"""A checkout of its own for each test of the set-up scripts: engines they start end with it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]
NOWHERE = "unix:///nonexistent/docker.sock"


@dataclass(frozen=True)
class Checkout:
    """A folder with the scripts, and with what the project's own checkout has fetched already."""

    folder: Path

    @property
    def state(self) -> Path:
        return self.folder / ".engine"

    def run(
        self, script: str, *arguments: str, host: str = NOWHERE, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """What a script of this checkout does where DOCKER_HOST is `host`."""
        return subprocess.run(
            [str(self.folder / "scripts" / script), *arguments],
            cwd=self.folder,
            env={**os.environ, "DOCKER_HOST": host, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def shell(self, command: str, store: str = "overlay2") -> str:
        """What a command prints in a shell that was told of the private engine."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f'eval "$(scripts/engine env --store {store})"; {command}'],
            cwd=self.folder,
            env={**os.environ, "DOCKER_HOST": NOWHERE},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def make_checkout(folder: Path) -> Checkout:
    state = folder / ".engine"
    state.mkdir(parents=True)
    shutil.copytree(PROJECT / "scripts", folder / "scripts")
    (folder / ".venv").symlink_to(PROJECT / ".venv")
    for fetched in ("root", "mmdebstrap", "stand-ins"):
        if (PROJECT / ".engine" / fetched).is_dir():
            (state / fetched).symlink_to(PROJECT / ".engine" / fetched)
    return Checkout(folder)


def ending(folder: Path) -> Iterator[Checkout]:
    made = make_checkout(folder)
    yield made
    stopped = made.run("engine", "stop")
    assert stopped.returncode == 0, stopped.stderr
    shutil.rmtree(made.state)


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    yield from ending(tmp_path / "checkout")


@pytest.fixture(scope="class")
def shared_checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    yield from ending(tmp_path_factory.mktemp("shared") / "checkout")


@pytest.fixture(scope="session")
def able() -> None:
    """A private engine can be made here. Elsewhere there is nothing to test but the refusal."""
    distribution = platform.freedesktop_os_release()["ID"] if platform.system() == "Linux" else ""
    if distribution not in ("debian", "ubuntu") or os.geteuid() != 0:
        pytest.skip("private engines are made on Debian and Ubuntu, by root")
