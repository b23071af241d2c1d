"""What reaches a build is what Docker itself would have sent, and arrives as it was declared."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from streamflow_build.engine.docker_engine import DockerEngine
from streamflow_build.engine.interface import BuildEvent, StepOutput
from streamflow_build.model.image import BuildRequest, ContextFile
from streamflow_build.plan.context import Sources, collect
from streamflow_build.plan.dockerignore import DockerIgnore

PATHS = (
    "a.py", "a.pyc", "b/a.py", "b/c/a.py", "b/c/d.txt", "b/__pycache__/a.pyc", "c", "x/y/z", "x/y/w", "x/v",
    "#odd", "!odd", "services/shared/m.py", "services/shared/__pycache__/m.pyc", "services/other/n.py",
    "sp ace/f", "a.b", "axb", ".hidden/f", ".env",
)  # fmt: skip
RULES = (
    "",
    "*",
    "**",
    "*\n!services/shared\n**/__pycache__\n**/*.py[cod]",
    "*\n!services/shared/m.py",
    "**/a.py\n!b",
    "**/a.py\n!b/c",
    "b\n!b/c\nb/c/a.py",
    "b/**\n!b/c/d.txt",
    "x/*\n!x/v",
    "x/*/z",
    "!x\nx",
    "x\n!x/y\nx/y/w",
    "# no\n#odd\n!odd",
    "/b/\n./c",
    "*.p?\n!a.py",
    "b/../c",
    "**/*.py\n!**/c",
    "x/**/w",
    "[a-b]",
    "[^abx]*",
    "[[:alpha:]]",
    "a[[:punct:]]*[[:word:]]y",
    "[[b]",
    "a.b\n.*",
    "sp ace",
    "  c  \r\nx\r",
    "**/y\n!x/y/z",
    "services\n!**/m.py",
    r"\#odd",
)


@pytest.mark.parametrize("rules", RULES)
def test_the_same_files_as_docker_sends(rules: str, tmp_path: Path, default_store: object) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    for path in PATHS:
        file = source / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(path)
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    (tmp_path / "Dockerfile.dockerignore").write_text(rules)
    docker = ["docker", "buildx", "build", "--quiet", "--file", tmp_path / "Dockerfile"]
    built = subprocess.run(
        [*docker, "--output", f"type=local,dest={out}", source],
        env=default_store.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    sent = {str(file.relative_to(out)) for file in out.rglob("*") if file.is_file()}

    ours = collect(Sources(source), [path.name for path in source.iterdir()], DockerIgnore(rules))

    assert {file.path for file in ours} == sent


def test_files_arrive_with_their_modes_links_and_owner(
    engine: DockerEngine, request_of: Callable[..., BuildRequest]
) -> None:
    lines: list[str] = []

    def observe(event: BuildEvent) -> None:
        if isinstance(event, StepOutput):
            lines.append(event.line)

    request = request_of(
        "COPY app /app\nRUN cd /app && stat -c '%a %u:%g %n' . data program && cat link && echo {token}\n",
        ContextFile("app/data", 0o644, b"text\n"),
        ContextFile("app/program", 0o755, b"#!/bin/sh\n"),
        ContextFile("app/link", 0o755, b"", target="data"),
    )
    engine.build(request, observe)
    assert lines[:-1] == ["755 0:0 .", "644 0:0 data", "755 0:0 program", "text"]


def seen(engine: DockerEngine, request: BuildRequest) -> list[str]:
    """What a build's steps print."""
    lines: list[str] = []
    engine.build(request, lambda event: lines.append(event.line) if isinstance(event, StepOutput) else None)
    return lines


def test_a_file_that_changed_in_content_only_is_sent_anew(
    engine: DockerEngine, request_of: Callable[..., BuildRequest]
) -> None:
    for content in (b"one\n", b"two\n", b"one\n"):
        request = request_of(
            "COPY said /said\nRUN cat /said && echo {token}\n",
            ContextFile("said", 0o644, content),
            no_cache=True,
        )
        assert seen(engine, request)[0].encode() == content.strip()


def test_files_of_many_sizes_and_names_arrive_whole(
    engine: DockerEngine, request_of: Callable[..., BuildRequest], token: str, live: object
) -> None:
    files = {
        f"app/{size}": bytes(number % 251 for number in range(size))
        for size in (0, 1, 32_767, 32_768, 32_769, 5_000_000)
    }
    names = "grüße", "sp ace", "a-b/c", "a/c", "a.b", "a+b"
    files |= {f"app/{name}": name.encode() for name in names}
    context = (ContextFile(path, 0o644, content) for path, content in files.items())
    seen(engine, request_of("COPY app /app\nCMD true {token}\n", *context))

    def docker(*arguments: str) -> bytes:
        return subprocess.run(
            ["docker", *arguments], env=live.environ, check=True, capture_output=True
        ).stdout

    container = docker("create", f"streamflow-{token}:1.0").decode().strip()
    try:
        archive = docker("cp", f"{container}:/app", "-")
    finally:
        docker("rm", container)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        arrived = {entry.name: tar.extractfile(entry).read() for entry in tar if entry.isfile()}
    assert arrived == files


@pytest.mark.parametrize(
    "copy",
    [
        "app/said",
        "app/*.d",
        "app/s?id",
        "[a]pp/said",
        "way/said",
        "grüße/said",
        "grüße/sp ace+%41",
        "./app/../app/said",
    ],
)
def test_a_file_arrives_however_it_is_asked_for(
    copy: str, engine: DockerEngine, request_of: Callable[..., BuildRequest]
) -> None:
    request = request_of(
        f'COPY ["{copy}", "/said"]\nRUN cat /said && echo {{token}}\n',
        ContextFile("app/said", 0o644, b"said\n"),
        ContextFile("app/said.d", 0o644, b"said\n"),
        ContextFile("grüße/said", 0o644, b"said\n"),
        ContextFile("grüße/sp ace+%41", 0o644, b"said\n"),
        *([ContextFile("way", 0o777, b"", target="app")] if copy.startswith("way") else []),
    )
    assert seen(engine, request)[0] == "said"
