from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from streamflow_build.model.report import ImagesReport
from streamflow_build.report.clean import Mask
from streamflow_build.report.run import Manner, observing

from .terminal import Stream

SERVICES = ("ingestion", "analytics", "alerting", "dashboard", "storage", "gateway")


@pytest.fixture
def told(tmp_path: Path, sample: SimpleNamespace, every_fate: ImagesReport) -> Callable[..., tuple[str, str]]:
    """Runs to the end; returns what is on stdout and on stderr."""

    def tell(
        manner: Manner,
        *,
        terminal: bool = False,
        secrets: tuple[bytes, ...] = (),
        report: ImagesReport = every_fate,
    ) -> tuple[str, str]:
        stdout, stderr = Stream(terminal=terminal), Stream(terminal=terminal)
        with observing(
            SERVICES, root=tmp_path, mask=Mask(secrets), manner=manner, stdout=stdout, stderr=stderr
        ) as observer:
            sample.tell(observer)
            observer.run_finished(report)
        return stdout.getvalue(), stderr.getvalue()

    return tell


def files(*names: str) -> str:
    folder = Path(__file__).parents[2] / "golden" / "report"
    return "".join((folder / name).read_text(encoding="utf-8") for name in names)


# The notes are in the result; on stderr too they would be there twice.
PROGRESS = "".join(line for line in files("plain.txt").splitlines(True) if not line.startswith("note: "))


@pytest.mark.usefixtures("no_rich")
def test_without_a_terminal(told: Callable[..., tuple[str, str]], tmp_path: Path) -> None:
    assert told(Manner()) == (files("table.txt"), PROGRESS + files("failures.txt"))
    assert (tmp_path / ".streamflow/logs/ingestion.log").exists()


@pytest.mark.usefixtures("no_rich")
@pytest.mark.parametrize("terminal", [True, False])
def test_quiet(terminal: bool, told: Callable[..., tuple[str, str]], tmp_path: Path) -> None:
    assert told(Manner(quiet=True), terminal=terminal) == (files("table.txt"), files("failures.txt"))
    assert (tmp_path / ".streamflow/logs/ingestion.log").exists()


@pytest.mark.usefixtures("no_rich")
@pytest.mark.parametrize("terminal", [True, False])
def test_json(
    terminal: bool,
    told: Callable[..., tuple[str, str]],
    every_fate: ImagesReport,
    golden: Callable[[str, str], None],
) -> None:
    stdout, stderr = told(Manner(json=True), terminal=terminal)
    golden("report.json", stdout)
    assert msgspec.json.decode(stdout, type=ImagesReport) == every_fate
    assert stderr == files("plain.txt", "failures.txt")


@pytest.mark.usefixtures("no_rich")
def test_a_dumb_terminal_gets_plain_lines(
    told: Callable[..., tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert told(Manner(), terminal=True) == (files("table.txt"), PROGRESS + files("failures.txt"))


def test_a_terminal_gets_live_lines(
    told: Callable[..., tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    stdout, stderr = told(Manner(), terminal=True)
    assert "\x1b[32mbuilt: changed:" in stdout
    assert "\x1b[?25l" in stderr
    assert stderr.endswith(files("failures.txt"))
    assert " | " not in stderr


def test_a_run_that_breaks_off_leaves_the_terminal_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    stdout, stderr = Stream(terminal=True), Stream(terminal=True)

    def break_off() -> None:
        with observing(
            SERVICES, root=tmp_path, mask=Mask(), manner=Manner(), stdout=stdout, stderr=stderr
        ) as observer:
            observer.service_started("ingestion", "no image yet")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert "\x1b[?25h" in stderr.getvalue()
    assert stderr.getvalue().endswith("\x1b[1A\x1b[2K")
    assert stdout.getvalue() == ""


@pytest.mark.parametrize(
    ("manner", "terminal"),
    [(Manner(), False), (Manner(), True), (Manner(quiet=True), False), (Manner(json=True), False)],
)
def test_a_secret_shows_nowhere(  # noqa: PLR0913, PLR0917 - fixtures
    manner: Manner,
    terminal: bool,
    told: Callable[..., tuple[str, str]],
    sample: SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    report = sample.report(
        sample.failed(message='no "hu\\sh"', hint="hu\\sh", output=("the hu\\sh",)),
        sample.built(reason="hu\\sh"),
    )
    stdout, stderr = told(manner, terminal=terminal, secrets=(b"hu\\sh", b"banana==1"), report=report)
    logs = "".join(path.read_text() for path in (tmp_path / ".streamflow/logs").iterdir())
    for text in (stdout, stderr, logs):
        assert "hu\\" not in text
        assert "banana" not in text
    assert "***" in stderr
    assert "***" in logs


def test_a_log_that_cannot_be_written_is_a_note(told: Callable[..., tuple[str, str]], tmp_path: Path) -> None:
    (tmp_path / ".streamflow").write_text("a file")
    stdout, _ = told(Manner(json=True))
    assert json.loads(stdout)["notes"] == [
        "1 and latest stay on 1.2.0, which is newer than 1.0.0: dashboard",
        "The log .streamflow/logs/ingestion.log can't be written: Not a directory. The build goes on.",
    ]
