"""What reaches a build is what Docker itself would have sent, and arrives as it was declared."""

from __future__ import annotations

import subprocess
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
