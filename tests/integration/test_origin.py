from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from streamflow_build.plan.origin import Origin, origin


@pytest.mark.parametrize("path", ["{root}/file", "{root}"], ids=["no folder", "not executable"])
def test_without_a_git_that_runs_there_is_no_revision(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "git").touch(0o644)
    monkeypatch.setenv("PATH", path.format(root=tmp_path))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    assert origin(tmp_path) == Origin(None, "1970-01-01T00:00:00Z")


def test_an_empty_time_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "")
    before = datetime.now(UTC).replace(microsecond=0)
    assert before <= datetime.fromisoformat(origin(tmp_path).created) <= datetime.now(UTC)
