"""The four ways to build the five images, each in a work copy of the project of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from results import BAKE, COMPOSE, LOOP, TOOL

from streamflow_build.config import load
from streamflow_build.model.project import Project, Service
from streamflow_build.model.tags import tags_of
from streamflow_build.model.version import Version
from streamflow_build.plan.secrets import build_secrets

ROOT = Path(__file__).resolve().parent.parent
OLD = ROOT / "bench/old"
VERSION = "v1.0.0"
PROGRAM = str(Path(sys.executable).with_name("streamflow-build"))


@dataclass(frozen=True, slots=True)
class Way:
    """A way to build: what it is called, its work copy, the command and its environment, the images it makes.

    ``rendered`` tells whether it builds what streamflow-build renders, or Dockerfiles in the old shape.
    """

    name: str
    folder: Path
    command: tuple[str, ...]
    environ: dict[str, str]
    images: tuple[str, ...]
    rendered: bool

    def change(self, path: str, addition: str) -> None:
        """Let a file of the work copy differ from the project's by what is added at its end."""
        (self.folder / path).write_text((ROOT / path).read_text() + addition)
        if self.rendered:
            subprocess.run([PROGRAM, "render"], cwd=self.folder, stdout=subprocess.DEVNULL, check=True)

    def remove_images(self) -> None:
        """Remove its images, under all their tags."""
        listed = ("docker", "image", "ls", "--quiet", *(f"--filter=reference={i}" for i in self.images))
        ids = subprocess.run(listed, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
        if ids:
            removal = ("docker", "image", "rm", "--force", *dict.fromkeys(ids))
            subprocess.run(removal, stdout=subprocess.DEVNULL, check=True)


def prepare(work: Path) -> tuple[Way, ...]:
    """The ways, in the order of ``results.WAYS``."""
    return (_loop(work), _compose(work), _bake(work), _tool(work))


def _loop(work: Path) -> Way:
    project, secrets = _old(work / "loop")
    environ = {
        "IMAGE_PREFIX": _prefix("loop"),
        "SECRETS": " ".join(f"--secret id={name},src={path}" for name, path in secrets.items()),
    }
    return _way(project, LOOP, (str(OLD / "build_docker_images.sh"), VERSION), environ)


def _compose(work: Path) -> Way:
    project, secrets = _old(work / "compose")
    services = {
        service.name: {
            "image": f"{service.image}:{VERSION}",
            "build": {
                "context": ".",
                "dockerfile": f"docker/{service.name}/Dockerfile",
                "tags": [f"{service.image}:latest"],
                "secrets": list(secrets),
            },
        }
        for service in project.services
    }
    files = {name: {"file": path} for name, path in secrets.items()}
    _write_json(project.root / "compose.yaml", {"name": "bench", "services": services, "secrets": files})
    return _way(project, COMPOSE, ("docker", "compose", "build"))


def _bake(work: Path) -> Way:
    project, secrets = _copy(work / "bake")
    tags = tags_of(project.tags, Version.parse(VERSION))
    targets = {
        service.name: {
            "context": ".",
            "dockerfile": f"docker/{service.name}/Dockerfile",
            "tags": [f"{service.image}:{tag}" for tag in (*tags.full, *tags.floating)],
            "secret": [f"id={name},src={path}" for name, path in secrets.items()],
        }
        for service in project.services
    }
    bake = {"group": {"default": {"targets": list(targets)}}, "target": targets}
    _write_json(project.root / "docker-bake.json", bake)
    return _way(project, BAKE, ("docker", "buildx", "bake"), rendered=True)


def _tool(work: Path) -> Way:
    project, _ = _copy(work / "tool")
    return _way(project, TOOL, (PROGRAM, "images", VERSION), rendered=True)


def _way(
    project: Project,
    name: str,
    command: tuple[str, ...],
    environ: dict[str, str] | None = None,
    *,
    rendered: bool = False,
) -> Way:
    _git(project.root, "add", "--all")
    _git(
        project.root, "-c", "user.name=bench", "-c", "user.email=bench@localhost", "commit", "--message=bench"
    )
    images = tuple(service.image for service in project.services)
    return Way(name, project.root, command, {**surroundings(), **(environ or {})}, images, rendered)


def surroundings() -> dict[str, str]:
    """The environment of each command: Python keeps what it has compiled, as it does where nobody forbids it."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _copy(folder: Path) -> tuple[Project, dict[str, str]]:
    """A repository of its own with the project's files, and the files of the secrets for its builds."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True,
    ).stdout  # fmt: skip
    for path in filter(None, listed.split("\0")):
        if (ROOT / path).is_file():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, folder / path)
    _git(folder, "init")
    config = folder / "streamflow.yaml"
    named = f'image: "{_prefix(folder.name)}-{{service}}"'
    text, count = re.subn(r"^image:.*$", named, config.read_text(), flags=re.MULTILINE)
    assert count == 1, "streamflow.yaml has one line that names the images"
    config.write_text(text)
    project = load(config)
    return project, _write_secrets(project.services[0], folder)


def _old(folder: Path) -> tuple[Project, dict[str, str]]:
    """A copy with Dockerfiles in the old shape."""
    project, secrets = _copy(folder)
    (folder / ".dockerignore").unlink()
    shape = (OLD / "Dockerfile").read_text()
    for service in project.services:
        (folder / f"docker/{service.name}/Dockerfile").write_text(shape.replace("SERVICE", service.name))
    return project, secrets


def _write_secrets(service: Service, folder: Path) -> dict[str, str]:
    """Write what streamflow-build would give to a build; inside the copy, since bake reads nowhere else."""
    (folder / ".secrets").mkdir()
    (folder / ".secrets/.gitignore").write_text("*\n")
    secrets = {}
    for name, value in build_secrets(service, os.environ, Path.home(), ROOT).items():
        secrets[name] = f".secrets/{name}"
        (folder / secrets[name]).write_bytes(value)
    return secrets


def _prefix(way: str) -> str:
    return f"streamflow-bench-{way}"


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2))


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run(
        ["git", *arguments], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True
    )
