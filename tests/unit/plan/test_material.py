"""What a service's image is made of, from a project's folder on the disk."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from streamflow_build.errors import ConfigError
from streamflow_build.plan.images import Material
from streamflow_build.plan.material import materials

from .conftest import project, service

RENDERED = {
    ".dockerignore": "**/*.pyc\n",
    "docker/web/Dockerfile": "FROM x\n",
    "docker/api/Dockerfile": "FROM y\n",
}
NOWHERE = {"PIP_CONFIG_FILE": "/dev/null"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path in ("src/shared/a.py", "src/shared/a.pyc", "src/web/b.py"):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(path)
    (tmp_path / "docker/web").mkdir(parents=True)
    return tmp_path


def found(root: Path) -> dict[str, Material]:
    services = (service(), service(name="api", sources=("src/shared",)))
    return materials(msgspec.structs.replace(project(*services), root=root), services, RENDERED, NOWHERE)


def test_services_hold_what_they_share_once(root: Path) -> None:
    made = found(root)
    assert {name: [file.path for file in each.context] for name, each in made.items()} == {
        "web": ["docker/web/Dockerfile", "src/shared/a.py", "src/web/b.py"],
        "api": ["docker/api/Dockerfile", "src/shared/a.py"],
    }
    assert made["web"].context[1] is made["api"].context[1]


def test_a_services_own_rules_replace_the_projects(root: Path) -> None:
    (root / "docker/web/Dockerfile.dockerignore").write_text("src/web\n")
    made = found(root)
    assert [file.path for file in made["web"].context] == [
        "docker/web/Dockerfile",
        "src/shared/a.py",
        "src/shared/a.pyc",
    ]


def test_a_pattern_that_docker_refuses_is_named_with_the_file_that_holds_it(root: Path) -> None:
    (root / "docker/web/Dockerfile.dockerignore").write_text("[\n")
    with pytest.raises(ConfigError) as error:
        found(root)
    assert str(error.value) == ("docker/web/Dockerfile.dockerignore:1: '[' is no pattern that Docker takes.")


def test_rules_in_a_pipe_are_not_waited_for(root: Path) -> None:
    os.mkfifo(root / "docker/web/Dockerfile.dockerignore")
    with pytest.raises(
        ConfigError, match=r"^docker/web/Dockerfile.dockerignore can't be read: it is no file[.]$"
    ):
        found(root)


def test_a_user_without_a_home_has_no_configuration_in_it(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)
    with pytest.raises(RuntimeError):
        Path.home()
    assert {name: set(each.secrets) - {"ca"} for name, each in found(root).items()} == {
        "web": set(),
        "api": set(),
    }
