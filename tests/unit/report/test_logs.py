from __future__ import annotations

import errno
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from streamflow_build.engine.interface import StepOutput
from streamflow_build.report.logs import Logs, log_path


def ticking() -> Callable[[], datetime]:
    """A clock that moves on by a quarter of a second with each look."""
    moments = iter(
        datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC) + timedelta(milliseconds=250 * n) for n in range(1000)
    )
    return lambda: next(moments)


def quiet(text: str) -> None:
    raise AssertionError(text)


def test_a_log_per_image(tmp_path: Path, sample: SimpleNamespace, golden: Callable[[str, str], None]) -> None:
    sample.tell(Logs(tmp_path, quiet, ticking()))
    folder = tmp_path / ".streamflow/logs"
    assert sorted(path.name for path in folder.iterdir()) == ["alerting.log", "ingestion.log"]
    golden("ingestion.log", (folder / "ingestion.log").read_text())
    golden("alerting.log", (folder / "alerting.log").read_text())


def test_a_line_is_there_once_it_is_told(tmp_path: Path) -> None:
    logs = Logs(tmp_path, quiet, ticking())
    logs.service_started("ingestion", "no image yet")
    logs.event("ingestion", StepOutput("d1", "half way"))
    text = (tmp_path / log_path("ingestion")).read_text()
    logs.close()
    assert text == (
        "2026-01-02T03:04:05.000Z build of ingestion: no image yet\n2026-01-02T03:04:05.250Z d1 | half way\n"
    )


def test_a_new_run_replaces_the_old_log(tmp_path: Path, sample: SimpleNamespace) -> None:
    path = tmp_path / log_path("ingestion")
    path.parent.mkdir(parents=True)
    path.write_text("the last run\n")
    with path.open() as reader:
        logs = Logs(tmp_path, quiet, ticking())
        logs.service_started("ingestion", "--no-cache")
        logs.service_finished(sample.built())
        assert reader.read() == "the last run\n"
    assert path.read_text().splitlines()[0] == "2026-01-02T03:04:05.000Z build of ingestion: --no-cache"
    assert [p.name for p in path.parent.iterdir()] == ["ingestion.log"]


def test_text_that_no_encoding_holds(tmp_path: Path) -> None:
    logs = Logs(tmp_path, quiet, ticking())
    logs.service_started("ingestion", "changed: \udcff")
    logs.close()
    assert (tmp_path / log_path("ingestion")).read_text().endswith("changed: \\udcff\n")


def test_a_folder_that_takes_no_log_is_told_once(tmp_path: Path, sample: SimpleNamespace) -> None:
    (tmp_path / ".streamflow").write_text("a file")
    complaints: list[str] = []
    sample.tell(Logs(tmp_path, complaints.append, ticking()))
    assert complaints == [
        "The log .streamflow/logs/ingestion.log can't be written: Not a directory. The build goes on."
    ]


def test_a_disk_that_fills_up_is_told_once(
    tmp_path: Path, sample: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.StringIO):
        def writelines(self, _lines: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "open", lambda path, *_args, **_options: path.touch() or Full())
    complaints: list[str] = []
    sample.tell(Logs(tmp_path, complaints.append, ticking()))
    assert complaints == [
        "The log .streamflow/logs/ingestion.log can't be written: No space left on device. The build goes on."
    ]
