from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from streamflow_build.plan.origin import Origin, origin, revision


@pytest.mark.parametrize("path", ["{root}/file", "{root}"], ids=["no folder", "not executable"])
def test_without_a_git_that_runs_there_is_no_revision(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "git").touch(0o644)
    monkeypatch.setenv("PATH", path.format(root=tmp_path))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    assert origin(tmp_path, ()) == Origin(None, "1970-01-01T00:00:00Z")


def test_an_empty_time_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "")
    before = datetime.now(UTC).replace(microsecond=0)
    assert before <= datetime.fromisoformat(origin(tmp_path, ()).created) <= datetime.now(UTC)


def test_what_the_commit_does_not_know_makes_it_another(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        me = ("-c", "user.name=me", "-c", "user.email=me@example.org")
        done = subprocess.run(["git", *me, *words], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    for name in ("src/app.py", "src/more/it.py", "notes.txt", ".gitignore"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("*.pyc\n")
    git("init")
    git("add", "src/app.py", ".gitignore")
    git("commit", "--message=one")
    commit = git("rev-parse", "HEAD")

    assert revision(tmp_path) == commit
    assert revision(tmp_path, ("src/app.py",)) == commit
    assert revision(tmp_path, ("src/app.py", "src")) == f"{commit}-dirty"
    (tmp_path / "src/more/it.py").rename(tmp_path / "src/more/it.pyc")
    assert revision(tmp_path, ("src", ":odd")) == commit
    (tmp_path / "src/app.py").write_text("changed\n")
    assert revision(tmp_path) == f"{commit}-dirty"
