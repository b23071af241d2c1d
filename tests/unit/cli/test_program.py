"""The program itself: its help, its version, and what its exit codes mean."""

from __future__ import annotations

import signal
import threading

import pytest

from streamflow_build import __version__, errors
from streamflow_build.__main__ import main


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help(option: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main([option]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(
        "Usage: streamflow-build [OPTIONS] COMMAND [ARGS]...\n\n"
        "  Builds, publishes and deploys the images of the services in streamflow.yaml.\n"
    )
    assert "..." not in out.partition("\n")[2]
    assert "\n  Exit codes: 0 done, 2 usage " in out
    assert err == ""


@pytest.mark.parametrize("command", ["images", "push", "promote", "compose", "render", "schema"])
def test_help_of_a_command(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: streamflow-build {command} ")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr() == (f"streamflow-build {__version__}\n", "")


def test_nothing_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert "Commands:\n  images " in out + err


def test_each_error_has_its_exit_code() -> None:
    classes = errors.StreamflowError.__subclasses__()
    ours = {each.__name__: each.exit_code for each in classes if each.__module__ == errors.__name__}
    ours["Interrupted"] = errors.Interrupted.exit_code
    assert ours == {
        "ConfigError": 2,
        "UsageError": 2,
        "EngineError": 3,
        "BuildError": 4,
        "CheckError": 5,
        "RegistryError": 6,
        "DriftError": 7,
        "Interrupted": 130,
    }


def test_no_library_hides_an_interruption() -> None:
    assert not issubclass(errors.Interrupted, Exception)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interruption_before_anything_began(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests themselves may run under nohup

    def interrupted(*_: object, **__: object) -> None:
        signal.raise_signal(number)

    monkeypatch.setattr("streamflow_build.config.load", interrupted)

    assert main(["images"]) == 130
    assert capsys.readouterr() == ("", "streamflow-build: Interrupted.\n")


def test_a_closed_terminal_is_told_of_twice(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

    def closed(*_: object, **__: object) -> None:
        try:
            signal.raise_signal(signal.SIGHUP)
        finally:
            signal.raise_signal(signal.SIGHUP)

    monkeypatch.setattr("streamflow_build.config.load", closed)

    assert main(["images"]) == 130
    assert capsys.readouterr() == ("", "streamflow-build: Interrupted.\n")


def test_a_run_that_is_to_outlive_its_terminal_does(monkeypatch: pytest.MonkeyPatch) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    monkeypatch.setattr(
        "streamflow_build.config.schema.json_schema", lambda: f"{signal.raise_signal(signal.SIGHUP)}"
    )

    assert main(["schema"]) == 0


def test_nothing_is_interrupted_once_the_command_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    assert main(["--version"]) == 0
    assert capsys.readouterr().err == ""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        assert signal.getsignal(number) is signal.SIG_DFL


def test_too_little_memory(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("streamflow_build.config.load", lambda _: bytearray(2**62))

    assert main(["images"]) == 2
    assert capsys.readouterr().err == (
        "streamflow-build: There is not enough memory, or there are too many processes and threads.\n"
        "Raise the limit (ulimit -v, ulimit -u, the container's), or ask for less: --jobs 1\n"
    )


def test_too_many_threads(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def started(_: object) -> None:
        # A stack of this size is refused as a thread beyond a limit is.
        before = threading.stack_size(2**46)
        try:
            threading.Thread(target=int).start()
        finally:
            threading.stack_size(before)

    monkeypatch.setattr("streamflow_build.config.load", started)

    assert main(["images"]) == 2
    assert capsys.readouterr().err.startswith("streamflow-build: There is not enough memory, or ")
