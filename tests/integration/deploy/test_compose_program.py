"""`streamflow-build compose` and a program of the test's own that is called docker."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from streamflow_build.deploy import compose
from streamflow_build.errors import EngineError
from streamflow_build.model.release import Published, PublishReport
from streamflow_build.publish import release_file

TOOL = Path(sys.executable).parent / "streamflow-build"
NO_VERSION = "it says nothing of a version."
OBTAIN = "Install the Compose plugin, 2.24.4 or newer: https://docs.docker.com/compose/install/"
PROJECT = """\
project: shop
bases: {small: "small:1"}
services:
  web:
    base: small
    port: 8000
    user: {name: shop, uid: 10001}
    health: /health
    ready: /ready
    metrics: /metrics
    module: web
    sources: [web]
    requirements: lock.txt
environments:
  dev: {images: built}
  prod: {}
"""
DOCKER = """\
#!/bin/sh
if [ "$*" = "compose version --short" ]; then echo 2.24.4; exit; fi
printf '%s\\0' "$@" > called
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, which is also the working folder, and a folder of programs that is the whole PATH."""
    project = tmp_path / "a project"
    (project / "web").mkdir(parents=True)
    (project / "web/a.py").touch()
    (project / "lock.txt").touch()
    (project / "streamflow.yaml").write_text(PROJECT)
    (tmp_path / "bin").mkdir()
    monkeypatch.chdir(project)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return project


def docker(folder: Path, text: str = DOCKER) -> None:
    program = folder.parent / "bin/docker"
    program.write_text(text)
    program.chmod(0o755)


def run(*arguments: str, said: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [TOOL, "compose", *arguments], input=said, capture_output=True, text=True, check=False, timeout=60
    )


def called(folder: Path) -> list[str]:
    return (folder / "called").read_text().split("\0")[:-1]


def push(revision: str = "") -> None:
    image = Published(
        "web", "ghcr.io/org/shop-web", f"sha256:{'1' * 64}", 1, "f", revision, True, ("1.2.0",), (), 0.1
    )
    release_file.write(release_file.FILE, PublishReport("1.2.0", "ghcr.io/org", (image,), (), 0.1, ()))


def refusal() -> str:
    with pytest.raises(EngineError) as caught:
        compose.check()
    return str(caught.value)


class TestCheck:
    @pytest.mark.parametrize(
        "version", ["2.24.4", "v2.24.4", "2.24.10", "2.100.0", "2.40.3-3", "v2.27.0-desktop.2", "5.0.0"]
    )
    def test_new_enough(self, version: str, folder: Path) -> None:
        docker(folder, f"#!/bin/sh\necho {version}\n")
        compose.check()

    @pytest.mark.parametrize("version", ["2.24.3", "v2.9.11", "2.4.24", "1.29.2", "2.23.3-desktop.2"])
    def test_too_old(self, version: str, folder: Path) -> None:
        docker(folder, f"#!/bin/sh\necho {version}\n")
        assert refusal() == f"Docker Compose {version.partition('-')[0]} is too old.\n{OBTAIN}"

    @pytest.mark.parametrize(
        ("script", "said"),
        [
            (
                "printf \"docker: unknown command: docker compose\\n\\nRun 'docker --help'\" >&2; exit 1",
                "docker: unknown command: docker compose",
            ),
            ("echo 2.24.4; exit 1", NO_VERSION),
            ("echo Docker version 27.0.0", NO_VERSION),
            (f"echo {'9' * 5000}.0.0", NO_VERSION),
            ("printf '\\377'", NO_VERSION),
            ("", NO_VERSION),
        ],
    )
    def test_no_plugin(self, script: str, said: str, folder: Path) -> None:
        docker(folder, f"#!/bin/sh\n{script}\n")
        assert refusal() == f"docker has no Compose plugin: `docker compose version` fails: {said}\n{OBTAIN}"

    def test_a_docker_that_does_not_answer(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(compose, "_ANSWER_SECONDS", 0.2)
        docker(folder, "#!/bin/sh\nwhile :; do :; done\n")
        assert refusal() == (
            "`docker compose version` gave no answer within 0.2 seconds.\n"
            "Run it by itself, and see what it waits for."
        )

    def test_a_docker_that_says_much(self, folder: Path) -> None:
        docker(folder, f"#!/bin/sh\necho {'x' * 1000} >&2\nexit 1\n")
        assert refusal() == (
            f"docker has no Compose plugin: `docker compose version` fails: {'x' * 300}\n{OBTAIN}"
        )

    @pytest.mark.usefixtures("folder")
    def test_no_docker(self) -> None:
        assert refusal() == f"docker can't be run: No such file or directory.\n{OBTAIN}"

    def test_a_docker_that_is_no_program(self, folder: Path) -> None:
        docker(folder, "\0")
        assert refusal() == f"docker can't be run: Exec format error.\n{OBTAIN}"


def test_no_docker_has_its_exit_code_and_leaves_the_files(folder: Path) -> None:
    done = run("--env", "dev", "--", "up")
    assert (done.returncode, done.stdout, done.stderr) == (
        3,
        "",
        (
            "wrote docker-compose.yml\n"
            f"streamflow-build: docker can't be run: No such file or directory.\n{OBTAIN}\n"
        ),
    )
    assert (folder / "docker-compose.yml").is_file()


def test_without_arguments_docker_is_not_needed(folder: Path) -> None:
    assert run("--env", "dev").returncode == 0


@pytest.mark.parametrize(
    "words",
    [
        ["up", "--detach", "--wait"],
        ["run", "web", "sh", "-c", "echo 'a  b' \"$HOME\" *", "", " c "],
        ["--dry-run", "up"],
        ["exec", "web", "streamflow-build", "--env", "prod", "--json"],
        ["exec", "web", "sh", "--", "-x", "é\n\\"],
    ],
    ids=" ".join,
)
def test_words_are_passed_on_as_they_are(words: list[str], folder: Path) -> None:
    docker(folder)
    assert run("--env", "dev", "--", *words).returncode == 0
    assert called(folder) == [
        "compose",
        "--project-name",
        "shop",
        "--project-directory",
        str(folder),
        "--file",
        f"{folder}/docker-compose.yml",
        *words,
    ]


def test_options_after_the_first_word_are_dockers(folder: Path) -> None:
    docker(folder)
    assert run("--env", "dev", "logs", "--follow", "--help").returncode == 0
    assert called(folder)[-3:] == ["logs", "--follow", "--help"]


@pytest.mark.parametrize("code", [0, 1, 2, 3, 17, 130, 255])
def test_the_exit_code_is_dockers(code: int, folder: Path) -> None:
    docker(folder, f"{DOCKER}exit {code}\n")
    assert run("--env", "dev", "--", "up").returncode == code


def test_a_signal_that_ends_docker_ends_the_run(folder: Path) -> None:
    docker(folder, f"{DOCKER}kill -TERM $$\n")
    assert run("--env", "dev", "--", "up").returncode == -15


def test_the_streams_are_dockers(folder: Path) -> None:
    docker(folder, f'{DOCKER}read line; echo "out $line"; echo "err $line" >&2\n')
    done = run("--env", "dev", "--", "exec", "web", "cat", said="hello\n")
    assert (done.stdout, done.stderr) == ("out hello\n", "wrote docker-compose.yml\nerr hello\n")


def test_docker_ends_when_its_reader_goes_away(folder: Path) -> None:
    docker(
        folder,
        f"{DOCKER}while read name mask; do [ $name = SigIgn: ] && echo $mask; done < /proc/self/status\n",
    )
    (mask,) = run("--env", "dev", "--", "logs").stdout.split()
    assert int(mask, 16) & 1 << 12 == 0


def test_docker_is_looked_at_before_it_is_run(folder: Path) -> None:
    docker(folder, DOCKER.replace("2.24.4", "2.24.3"))
    done = run("--env", "dev", "--", "up")
    assert (done.returncode, done.stderr) == (
        3,
        f"wrote docker-compose.yml\nstreamflow-build: Docker Compose 2.24.3 is too old.\n{OBTAIN}\n",
    )
    assert not (folder / "called").exists()


class TestRelease:
    def test_up_runs_the_images_of_the_release(self, folder: Path) -> None:
        docker(folder)
        push()
        (folder / ".env.prod").touch()
        done = run("--env", "prod", "--", "up")
        assert (done.returncode, done.stderr) == (
            0,
            (
                "wrote docker-compose.yml\nwrote docker-compose.prod.yml\nwrote .streamflow/compose.prod.yml\n"
                "prod: 1.2.0 of ghcr.io/org\n"
            ),
        )
        assert called(folder) == [
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
            "up",
        ]

    def test_without_a_release_nothing_comes_up(self, folder: Path) -> None:
        docker(folder)
        done = run("--env", "prod", "--", "up")
        assert done.returncode == 2
        assert done.stderr.startswith("streamflow-build: There is no release in ")
        assert not (folder / "called").exists()

    def test_what_runs_is_taken_down_without_a_release(self, folder: Path) -> None:
        docker(folder)
        assert run("--env", "prod", "--", "down").returncode == 0
        assert [Path(word).name for word in called(folder)[6:]] == [
            "docker-compose.yml",
            "--file",
            "docker-compose.prod.yml",
            "down",
        ]

    def test_what_runs_is_taken_down_with_the_images_that_it_runs(self, folder: Path) -> None:
        docker(folder)
        push()
        assert run("--env", "prod", "--", "up").returncode == 0
        images = (folder / ".streamflow/compose.prod.yml").read_text()
        (folder / release_file.FILE).unlink()
        done = run("--env", "prod", "--", "down")
        assert (done.returncode, done.stderr) == (0, "")
        assert called(folder)[-3:] == ["--file", f"{folder}/.streamflow/compose.prod.yml", "down"]
        assert (folder / ".streamflow/compose.prod.yml").read_text() == images

    def test_an_environment_that_is_built_here_now_leaves_a_release_behind(self, folder: Path) -> None:
        docker(folder)
        push()
        assert run("--env", "prod", "--", "up").returncode == 0
        (folder / "streamflow.yaml").write_text(PROJECT.replace("prod: {}", "prod: {images: built}"))
        assert run("--env", "prod", "--", "up").returncode == 0
        assert called(folder)[-2:] == [f"{folder}/docker-compose.prod.yml", "up"]

    def test_the_commit_that_is_checked_out_is_compared(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.undo()
        git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b"]
        for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "x"]):
            subprocess.run([*git, *words], check=True)
        here = subprocess.run(
            [*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True
        ).stdout.strip()
        monkeypatch.chdir(folder)
        push(here)
        assert "note:" not in run("--env", "prod").stderr
        push("beef" * 10)
        assert run("--env", "prod").stderr == (
            f"note: the images are of commit {'beef' * 10}, and streamflow.yaml, which says their ports, "
            f"paths and variables, is of {here}\n"
        )


def test_git_is_not_needed(folder: Path) -> None:
    assert shutil.which("git") is None
    push("beef" * 10)
    assert run("--env", "prod").returncode == 0
