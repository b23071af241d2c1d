"""The command line of docker compose."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from streamflow_build.deploy.compose import Compose, starts_something
from streamflow_build.errors import UsageError


def test_the_files_in_their_order(tmp_path: Path) -> None:
    files = ("docker-compose.yml", "docker-compose.prod.yml", ".streamflow/compose.prod.yml")
    assert Compose(tmp_path, "shop-prod", "prod", files).line == (
        "docker",
        "compose",
        "--project-name",
        "shop-prod",
        "--project-directory",
        str(tmp_path),
        "--file",
        f"{tmp_path}/docker-compose.yml",
        "--file",
        f"{tmp_path}/docker-compose.prod.yml",
        "--file",
        f"{tmp_path}/.streamflow/compose.prod.yml",
    )


def test_an_environments_own_variables_count(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\n")
    (tmp_path / ".env.staging").write_text("A=2\n")
    (tmp_path / ".env.dev").mkdir()
    (tmp_path / ".env.gone").symlink_to("/run/secrets/none")
    before = ("docker", "compose", "--project-name", "shop", "--project-directory", str(tmp_path))
    assert Compose(tmp_path, "shop", "prod", ()).line == before
    assert Compose(tmp_path, "shop", "test", ()).line == before
    for name in ("staging", "dev", "gone"):
        assert Compose(tmp_path, "shop", name, ()).line == (
            *before,
            "--env-file",
            f"{tmp_path}/.env.{name}",
        )


@pytest.mark.parametrize("name", [".env", ".env.prod"])
def test_a_pipe_in_place_of_an_env_file(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(UsageError) as caught:
        _ = Compose(tmp_path, "shop", "prod", ()).line
    assert (
        str(caught.value)
        == f"{tmp_path / name} is no file that can hold secrets.\nPut a file there, or set environment variables."
    )


@pytest.mark.parametrize(
    ("words", "starts"),
    [
        ("", True),
        ("up", True),
        ("up --detach --wait", True),
        ("run web sh", True),
        ("pull", True),
        ("config", True),
        ("create", True),
        ("--dry-run up", True),
        ("--help", False),
        ("-h", False),
        ("help", False),
        ("help up", False),
        ("something-new", True),
        ("--profile ps up", True),
        ("--profile=ps up", True),
        ("--project-name stop up", True),
        ("--all-resources ps", False),
        ("--ansi never ps", False),
        ("down --volumes", False),
        ("--dry-run down", False),
        ("logs --follow web", False),
        ("ps", False),
        ("exec web up", False),
        ("port web 8000", False),
        ("--progress=plain stop", False),
        ("-- stop", False),
    ],
)
def test_what_concerns_only_containers_that_are_there(words: str, starts: bool) -> None:
    assert starts_something(tuple(words.split())) is starts
