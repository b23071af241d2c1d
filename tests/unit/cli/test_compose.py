"""`streamflow-build compose`: what it writes, prints and refuses before docker compose is asked anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streamflow_build.__main__ import main
from streamflow_build.model.release import Published, PublishReport
from streamflow_build.publish import release_file

PROJECT = """\
project: shop
bases: {small: "small:1"}
registries: {near: {url: "localhost:5000/team"}}
defaults:
  base: small
  port: 8000
  user: {name: shop, uid: 10001}
  health: /health
  ready: /ready
  metrics: /metrics
  requirements: lock.txt
services:
  ingestion: {module: ingestion, sources: [ingestion], publish: 8001}
  storage: {module: storage, sources: [storage], needs: [ingestion]}
"""
ENVIRONMENTS = """\
environments:
  dev: {images: built}
  staging: {}
  prod: {registry: near, read_only: true}
"""
DIGESTS = {"ingestion": f"sha256:{'1' * 64}", "storage": f"sha256:{'2' * 64}"}
COMMIT = "c0ffee" + "0" * 34


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    project = tmp_path / "project"
    for name in ("ingestion", "storage"):
        (project / name).mkdir(parents=True)
        (project / name / "a.py").write_text("")
    (project / "lock.txt").write_text("")
    (project / "streamflow.yaml").write_text(PROJECT + ENVIRONMENTS)
    monkeypatch.chdir(project)
    monkeypatch.setenv("COLUMNS", "100")
    # Git would be a process.
    monkeypatch.setattr("streamflow_build.plan.origin.revision", lambda _: COMMIT)
    return project


def push(
    registry: str = "localhost:5000/team",
    *services: str,
    revision: str = COMMIT,
    file: Path = release_file.FILE,
) -> None:
    images = tuple(
        Published(
            service=name,
            repository=f"{registry}/shop-{name}",
            digest=DIGESTS[name],
            size=1,
            fingerprint="f",
            revision=revision,
            sent=True,
            tags=("v1.2.0", "1.2.0", "latest"),
            set=(),
            seconds=0.1,
        )
        for name in services or DIGESTS
    )
    release_file.write(file, PublishReport("1.2.0", registry, images, (), 0.1, ()))


def files(root: Path) -> dict[str, int]:
    return {
        str(path.relative_to(root)): path.stat().st_mtime_ns
        for path in root.rglob("*")
        if path.is_file() and path.name not in {"a.py", "lock.txt", "streamflow.yaml", "release.json"}
    }


def refused(capsys: pytest.CaptureFixture[str], folder: Path, *arguments: str, message: str) -> None:
    assert main(["compose", *arguments]) == 2
    assert capsys.readouterr() == ("", f"streamflow-build: {message}\n")
    assert files(folder) == {}


def test_a_development_environment(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compose", "--env", "dev"]) == 0
    assert capsys.readouterr() == (
        (
            "service    image\n"
            "ingestion  shop-ingestion:latest\n"
            "storage    shop-storage:latest\n"
            "dev would run what was built here last\n"
        ),
        "wrote docker-compose.yml\n",
    )
    assert list(files(folder)) == ["docker-compose.yml"]


def test_an_environment_of_a_release(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    push()
    assert main(["compose", "--env", "prod"]) == 0
    assert capsys.readouterr() == (
        (
            "service    image\n"
            f"ingestion  localhost:5000/team/shop-ingestion:v1.2.0@{DIGESTS['ingestion']}\n"
            f"storage    localhost:5000/team/shop-storage:v1.2.0@{DIGESTS['storage']}\n"
            "prod would run 1.2.0 of localhost:5000/team\n"
        ),
        "wrote docker-compose.yml\nwrote docker-compose.prod.yml\nwrote .streamflow/compose.prod.yml\n",
    )
    assert set(files(folder)) == {
        "docker-compose.yml",
        "docker-compose.prod.yml",
        ".streamflow/compose.prod.yml",
    }
    assert Path(".streamflow/compose.prod.yml").read_text() == (
        "# Rendered by `streamflow-build compose`; edits are lost.\n"
        "# 1.2.0 of localhost:5000/team\n"
        "services:\n"
        f'  ingestion: {{image: "localhost:5000/team/shop-ingestion:v1.2.0@{DIGESTS["ingestion"]}"}}\n'
        f'  storage: {{image: "localhost:5000/team/shop-storage:v1.2.0@{DIGESTS["storage"]}"}}\n'
    )


def test_what_it_writes_is_what_render_writes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    push()
    for name in ("dev", "staging", "prod"):
        assert main(["compose", "--env", name]) == 0
    before = files(folder)
    assert main(["render"]) == 0
    after = files(folder)
    assert {name: after[name] for name in before} == before
    assert "compose" not in capsys.readouterr().out.partition("prod runs")[2]


def test_a_second_time_nothing_is_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    push()
    assert main(["compose", "--env", "prod"]) == 0
    said, before = capsys.readouterr().out, files(folder)
    assert main(["compose", "--env", "prod"]) == 0
    assert capsys.readouterr() == (said, "")
    assert files(folder) == before


def test_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    push()
    (folder / ".env.prod").write_text("")
    assert main(["compose", "--env", "prod", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "deployment": {
            "environment": "prod",
            "version": "1.2.0",
            "commit": COMMIT,
            "registry": "localhost:5000/team",
            "images": [
                {
                    "service": name,
                    "reference": f"localhost:5000/team/shop-{name}:v1.2.0@{DIGESTS[name]}",
                }
                for name in ("ingestion", "storage")
            ],
        },
        "files": ["docker-compose.yml", "docker-compose.prod.yml", ".streamflow/compose.prod.yml"],
        "command": [
            "docker",
            "compose",
            "--project-name",
            "shop-prod",
            "--project-directory",
            str(folder),
            "--env-file",
            f"{folder}/.env.prod",
            "--file",
            f"{folder}/docker-compose.yml",
            "--file",
            f"{folder}/docker-compose.prod.yml",
            "--file",
            f"{folder}/.streamflow/compose.prod.yml",
        ],
    }


def test_json_of_a_development_environment(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compose", "--env", "dev", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["deployment"] == {
        "environment": "dev",
        "version": None,
        "commit": None,
        "registry": None,
        "images": [
            {"service": "ingestion", "reference": "shop-ingestion:latest"},
            {"service": "storage", "reference": "shop-storage:latest"},
        ],
    }
    assert told["files"] == ["docker-compose.yml"]
    assert told["command"] == [
        "docker",
        "compose",
        "--project-name",
        "shop",
        "--project-directory",
        str(folder),
        "--file",
        f"{folder}/docker-compose.yml",
    ]


def test_the_project_is_where_its_file_is(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    push()
    monkeypatch.chdir(tmp_path)
    assert main(["--config", "project/streamflow.yaml", "compose", "--env", "staging"]) == 0
    assert capsys.readouterr().out.endswith("\nstaging would run 1.2.0 of localhost:5000/team\n")
    assert (folder / ".streamflow/compose.staging.yml").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["project"]


@pytest.mark.parametrize(
    ("arguments", "registry"),
    [
        (["--env", "prod"], "localhost:5000/team"),
        (["--env", "prod", "--registry", "ghcr.io/org"], "ghcr.io/org"),
        (["--env", "staging", "--registry", "near"], "localhost:5000/team"),
        (["--env", "staging", "--registry", "GHCR.io/org/"], "ghcr.io/org"),
    ],
    ids=" ".join,
)
def test_the_registry(arguments: list[str], registry: str, capsys: pytest.CaptureFixture[str]) -> None:
    push()
    push("ghcr.io/org")
    assert main(["compose", *arguments]) == 0
    assert capsys.readouterr().out.endswith(f" would run 1.2.0 of {registry}\n")


def test_another_release_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    push(file=Path("dist/release.json"))
    assert main(["compose", "--env", "prod", "--release", "dist/release.json"]) == 0
    assert capsys.readouterr().out.endswith("prod would run 1.2.0 of localhost:5000/team\n")
    assert not Path(".streamflow/release.json").exists()


@pytest.mark.parametrize("revision", ["beef" * 10, f"{COMMIT}-dirty"])
def test_images_of_another_commit(revision: str, capsys: pytest.CaptureFixture[str]) -> None:
    push(revision=revision)
    assert main(["compose", "--env", "prod"]) == 0
    assert capsys.readouterr().err.partition("wrote")[0] == (
        f"note: the images are of commit {revision}, and streamflow.yaml, which says their ports, "
        f"paths and variables, is of {COMMIT}\n"
    )


@pytest.mark.parametrize(("here", "images"), [(None, COMMIT), (COMMIT, ""), (COMMIT, COMMIT)])
def test_nothing_is_noted_of_commits_that_are_alike_or_unknown(
    here: str | None, images: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("streamflow_build.plan.origin.revision", lambda _: here)
    push(revision=images)
    assert main(["compose", "--env", "prod"]) == 0
    assert "note:" not in capsys.readouterr().err


class TestRefused:
    def test_no_environments(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (folder / "streamflow.yaml").write_text(PROJECT)
        refused(
            capsys,
            folder,
            "--env",
            "prod",
            message=(
                "streamflow.yaml has no environments.\n"
                "Add one, such as: environments: {prod: {images: built}}"
            ),
        )

    def test_an_unknown_environment(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        refused(
            capsys,
            folder,
            "--env",
            "stagin",
            message=(
                "There is no environment 'stagin' in streamflow.yaml; did you mean 'staging'?\n"
                "The environments are: dev, staging, prod."
            ),
        )
        refused(
            capsys,
            folder,
            "-e",
            "../x",
            message=(
                "There is no environment '../x' in streamflow.yaml.\n"
                "The environments are: dev, staging, prod."
            ),
        )

    def test_json_of_what_runs(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        refused(
            capsys,
            folder,
            *("--env", "dev", "--json", "--", "up", "--detach"),
            message="--json prints what would run, and ARGS run it.\nLeave out one of the two.",
        )

    @pytest.mark.parametrize("option", ["--registry", "--release"])
    def test_a_release_for_what_is_built_here(
        self, option: str, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        push()
        refused(
            capsys,
            folder,
            *("--env", "dev", option, "near"),
            message=(
                "dev runs images that are built here, and none of a release.\n"
                "Leave out --registry and --release, or deploy another environment than dev."
            ),
        )

    def test_no_release_file(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        hint = "A push writes it, such as: streamflow-build push ghcr.io/org. Or name one: --release FILE"
        refused(
            capsys,
            folder,
            *("--env", "prod"),
            message=f"There is no release in {folder}/.streamflow/release.json.\n{hint}",
        )
        refused(
            capsys,
            folder,
            *("--env", "prod", "--release", "x.json", "--", "up"),
            message=f"There is no release in x.json.\n{hint}",
        )

    def test_a_damaged_release_file(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        push()
        text = release_file.FILE.read_text()
        release_file.FILE.write_text(text[:-20])
        refused(
            capsys,
            folder,
            *("--env", "prod"),
            message=(
                f"{folder}/.streamflow/release.json is no release file, or a damaged one: Input data was truncated.\n"
                "Name another file, or remove this one: a push writes it anew."
            ),
        )
        release_file.FILE.write_text(text.replace("sha256:1", "sha256:x"))
        refused(
            capsys,
            folder,
            *("--env", "prod"),
            message=(
                ".streamflow/release.json is damaged: "
                f"'localhost:5000/team/shop-ingestion:v1.2.0@sha256:x{'1' * 63}' is not the name of an image: "
                f"'sha256:x{'1' * 63}' is no digest, such as sha256: and 64 hexadecimal digits.\n"
                "Push the version again, which writes it anew."
            ),
        )

    def test_a_release_without_a_service(self, capsys: pytest.CaptureFixture[str]) -> None:
        push("localhost:5000/team", "storage", file=Path("dist/r.json"))
        assert main(["compose", "--env", "prod", "--release", "dist/r.json"]) == 2
        assert capsys.readouterr().err == (
            "streamflow-build: dist/r.json has no image of ingestion for 1.2.0 in localhost:5000/team.\n"
            "Push all of them: streamflow-build push localhost:5000/team 1.2.0\n"
        )

    def test_an_unknown_registry(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        push()
        refused(
            capsys,
            folder,
            *("--env", "prod", "--registry", "naer"),
            message=(
                "There is no registry 'naer' in streamflow.yaml; did you mean 'near'?\n"
                "The registries are: near. An address is like ghcr.io/org."
            ),
        )

    def test_a_file_in_the_way(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (folder / "docker-compose.yml").mkdir()
        refused(
            capsys,
            folder,
            *("--env", "dev"),
            message=(
                "docker-compose.yml can't be written: Is a directory.\n"
                "Make room or fix the permissions, and render again."
            ),
        )

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ([], "Missing option '--env' / '-e'."),
            (["--env", "dev", "--detach"], "No such option: --detach"),
        ],
        ids=lambda value: " ".join(value) or "nothing" if isinstance(value, list) else "",
    )
    def test_usage(
        self, arguments: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["compose", *arguments]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("Usage: streamflow-build compose [OPTIONS] [-- ARGS]\n")
        assert err.endswith(f"\n\nError: {message}\n")
        assert files(folder) == {}
