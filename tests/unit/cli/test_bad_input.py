"""What wrong words on the command line are answered with: the whole message, and the exit code."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from streamflow_build.__main__ import main

PROJECT = """\
project: shop
bases: {small: "small:1"}
registries: {team: {url: registry.example/team}}
defaults:
  base: small
  port: 8000
  user: {name: shop, uid: 10001}
  health: /health
  ready: /ready
  metrics: /metrics
services:
  ingestion: {module: ingestion, sources: [ingestion], requirements: lock.txt}
  storage: {module: storage, sources: [storage], requirements: lock.txt}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("ingestion", "storage"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.py").write_text("")
    (tmp_path / "lock.txt").write_text("")
    (tmp_path / "streamflow.yaml").write_text(PROJECT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    return tmp_path


FORM = "A version has three numbers and may have a prerelease: v1.0.0, 1.0.0, v1.0.0-rc.1."
EXAMPLE = "Write host and namespace, such as ghcr.io/org or localhost:5000/team."


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["v1.0"],
            (
                "'v1.0' is not a semantic version: it has two numbers where three are needed.\n"
                "Did you mean v1.0.0?"
            ),
        ),
        (
            ["1.0.0.0"],
            (
                "'1.0.0.0' is not a semantic version: it has 4 numbers where three are needed.\n"
                "Did you mean 1.0.0?"
            ),
        ),
        (["banana"], f"'banana' is not a semantic version: it doesn't begin with a number.\n{FORM}"),
        ([""], f"The version is empty.\n{FORM}"),
        (
            ["V1.0.0"],
            "'V1.0.0' is not a semantic version: the letter before it is a small v.\nDid you mean v1.0.0?",
        ),
        (
            ["1.0.0", "https://ghcr.io/org"],
            (
                "'https://ghcr.io/org' can't be used as a registry: a registry has no scheme.\n"
                "Write it without: ghcr.io/org"
            ),
        ),
        (
            ["1.0.0", "me:hunter2@ghcr.io/org"],
            (
                "The registry holds credentials, which would be seen in every list of processes.\n"
                "Run `docker login ghcr.io`, and write the registry as ghcr.io/org."
            ),
        ),
        (
            ["1.0.0", "ghcr.io/org:1.0"],
            (
                "'ghcr.io/org:1.0' can't be used as a registry: it holds a tag, which the version decides.\n"
                "Write it without: ghcr.io/org"
            ),
        ),
        (["1.0.0", ""], f"The registry is empty.\n{EXAMPLE}"),
        (
            ["ingestion"],
            (
                "'ingestion' is not a semantic version: it doesn't begin with a number.\n"
                "To build only that service: streamflow-build images --only ingestion"
            ),
        ),
        (
            ["team"],
            (
                "'team' is not a semantic version: it doesn't begin with a number.\n"
                "A version comes first: streamflow-build images v1.0.0 team"
            ),
        ),
        (
            ["1.0.0", "taem"],
            (
                "There is no registry 'taem' in streamflow.yaml; did you mean 'team'?\n"
                "The registries are: team. An address is like ghcr.io/org."
            ),
        ),
        (
            ["1.0.0", "TEAM"],
            (
                "There is no registry 'TEAM' in streamflow.yaml; did you mean 'team'?\n"
                "The registries are: team. An address is like ghcr.io/org."
            ),
        ),
        (
            ["1.0.0", "acme"],
            "'acme' can't be used as a registry: 'acme' is no host.\nOn Docker Hub it is docker.io/acme.",
        ),
        (
            ["--only", "ingestoin"],
            (
                "There is no service 'ingestoin' in streamflow.yaml; did you mean 'ingestion'?\n"
                "The services are: ingestion, storage."
            ),
        ),
        (
            ["--only", "storage", "--only", "web"],
            "There is no service 'web' in streamflow.yaml.\nThe services are: ingestion, storage.",
        ),
    ],
    ids=lambda value: " ".join(value) or "empty" if isinstance(value, list) else "",
)
def test_images(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["images", *arguments]) == 2
    assert capsys.readouterr() == ("", f"streamflow-build: {message}\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["imags"], "No such command 'imags'. Did you mean 'images'?"),
        (["images", "--no-cach"], "No such option: --no-cach (Possible options: --no-cache)"),
        (["images", "--jobs", "0"], "Invalid value for '--jobs' / '-j': 0 is not in the range x>=1."),
        (["images", "--jobs", "many"], "Invalid value for '--jobs' / '-j': 'many' is not a valid int range."),
        (["images", "1.0.0", "ghcr.io/org", "more"], "Got unexpected extra argument(s) (more)"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_usage(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Usage: streamflow-build ")
    assert err.endswith(f"\n\nError: {message}\n")


class TestProjectFile:
    def test_missing(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (folder / "streamflow.yaml").unlink()

        assert main(["images"]) == 2
        assert capsys.readouterr().err == (
            f"streamflow-build: streamflow.yaml: there is no such file (looked in {folder}).\n"
            "Run this in the project's folder, or name the file: streamflow-build --config PATH …\n"
        )

    def test_the_folder_is_gone(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        shutil.rmtree(folder)

        assert main(["images"]) == 2
        assert main(["render"]) == 2
        said = "streamflow-build: The current folder is gone.\nChange to one that exists: cd PATH\n"
        assert capsys.readouterr() == ("", said * 2)

    def test_the_folder_is_gone_and_the_file_is_not(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (folder / "gone").mkdir()
        monkeypatch.chdir(folder / "gone")
        (folder / "gone").rmdir()

        assert main(["--config", "../streamflow.yaml", "images"]) == 2
        said = "streamflow-build: The current folder is gone.\nChange to one that exists: cd PATH\n"
        assert capsys.readouterr() == ("", said)

    def test_named_and_missing(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["--config", "other/streamflow.yaml", "images"]) == 2
        assert capsys.readouterr().err.startswith(
            "streamflow-build: other/streamflow.yaml: there is no such file"
        )

    def test_wrong(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (folder / "streamflow.yaml").write_text(PROJECT.replace("port: 8000", "prot: 8000"))

        assert main(["images"]) == 2
        assert capsys.readouterr().err.startswith(
            "streamflow-build: streamflow.yaml:6:3: defaults.prot: unknown key; did you mean 'port'?\n"
        )


def test_a_time_that_is_none(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")

    assert main(["images"]) == 2
    assert capsys.readouterr().err == (
        "streamflow-build: SOURCE_DATE_EPOCH is 'yesterday', which is no number of seconds since 1970.\n"
        "Unset it, or set it to a whole number: SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)\n"
    )
