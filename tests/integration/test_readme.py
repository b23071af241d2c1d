"""What the README shows is run, in its order, and printed as it says."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = ("ingestion", "analytics", "alerting", "dashboard", "storage")
OURSELVES = "make test"
"""The command of the README that runs this test."""
END = "--- end of a command ---"


class Shown:
    """A command of the README and the lines it is said to print."""

    def __init__(self, command: str) -> None:
        self.command = command
        self.lines: list[str] = []

    @property
    def unless_it_works(self) -> str:
        """What ends the script when the command fails, which one in the background can't."""
        return "" if self.command.endswith("&") else " || exit"


def shown(document: str) -> list[Shown]:
    found: list[Shown] = []
    text = (ROOT / document).read_text()
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(Shown(line.removeprefix("$ ")))
            else:
                found[-1].lines.append(line)
    return [each for each in found if each.command != OURSELVES]


def shape(line: str) -> str:
    """A line without what differs from run to run: figures, what was cached, what was left to do."""
    line = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", line)
    line = re.sub(r"(built|unchanged)(: .*)?$", "done", line)
    line = re.sub(r"^\d+ (built|unchanged) in .*", "all done", line)
    line = re.sub(r"\d+ of \d+(?= +[\d.]+ +done)|-(?= +[\d.]+ +done)", "cached", line)
    return " ".join(re.sub(r"\d+(\.\d+)* min \d+ s|\d+(\.\d+)*", "N", line).split())


PLATFORMS = ("streamflow", "streamflow-staging")
"""What Compose calls those that the README starts."""


@pytest.fixture
def no_platform(default_store: Any) -> Iterator[None]:
    """Takes the platforms away that the README starts, and its secrets; fails where somebody's own would go, too."""

    def there(name: str) -> list[str]:
        filters = {"label": f"com.docker.compose.project={name}"}
        volumes = default_store.api.volumes(filters=filters)["Volumes"] or []
        containers = default_store.api.containers(all=True, filters=filters)
        return [*(each["Name"] for each in volumes), *(each["Id"] for each in containers)]

    secrets = ROOT / ".env.staging"
    kept = secrets.read_bytes() if secrets.exists() else None
    for name in PLATFORMS:
        assert there(name) == [], f"`docker compose -p {name} down --volumes` first: the README ends with it"
    yield
    for name in PLATFORMS:
        subprocess.run(
            ["docker", "compose", "--project-name", name, "down", "--volumes", "--timeout", "2"],
            env=default_store.environ, cwd="/", check=True, capture_output=True,
        )  # fmt: skip
    if kept is None:
        secrets.unlink(missing_ok=True)
    else:
        secrets.write_bytes(kept)


@pytest.fixture
def left_as_found(default_store: Any, no_platform: None) -> Iterator[None]:
    """Puts every tag of the services' images back to where it was; takes new ones and the container away."""

    def tags() -> dict[str, str]:
        held = default_store.api.images()
        return {
            tag: image["Id"]
            for image in held
            for tag in image["RepoTags"] or ()
            if tag.rpartition(":")[0].rpartition("/")[2] in {f"streamflow-{service}" for service in SERVICES}
        }

    before = tags()
    running = {container["Id"] for container in default_store.api.containers(all=True)}
    yield
    for container in default_store.api.containers(all=True, filters={"name": "^/ingestion$"}):
        if container["Id"] not in running:
            default_store.api.remove_container(container["Id"], force=True)
    for tag, image in tags().items():
        if tag not in before:
            default_store.api.remove_image(tag)
        elif before[tag] != image:
            default_store.api.tag(before[tag], *tag.rsplit(":", 1))


def run(document: str, environ: dict[str, str]) -> None:
    commands = shown(document)
    script = "\n".join(f"{each.command}{each.unless_it_works}\necho '{END}'" for each in commands)
    done = subprocess.run(
        ["bash", "-c", script], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    printed = done.stdout.split(f"{END}\n")
    for each, output in zip(commands, printed, strict=False):
        lines = [shape(line) for line in output.splitlines()]
        assert [shape(line) for line in each.lines if shape(line) not in lines] == [], (
            f"$ {each.command}\n{output}"
        )


def test_the_readme_shows_what_happens(default_store: Any, left_as_found: None) -> None:
    run("README.md", default_store.environ)


def test_the_services_readme_shows_what_happens() -> None:
    kept = {name: os.environ[name] for name in ("PATH", "HOME")}
    run("services/README.md", kept)


def test_the_services_readme_names_every_setting() -> None:
    text = (ROOT / "services/README.md").read_text()
    for service in SERVICES:
        module = import_module(f"streamflow.{service}.app")
        for name in module.Settings.model_fields:
            assert f"`{name.upper()}`" in text, f"{service}: {name.upper()}"


def test_the_readme_names_every_command() -> None:
    text = (ROOT / "README.md").read_text()
    helped = subprocess.run(
        [ROOT / ".venv/bin/streamflow-build", "--help"], capture_output=True, text=True, check=True
    ).stdout
    commands = re.findall(r"^  (\w+) ", helped.partition("Commands:\n")[2].partition("\n\n")[0], re.MULTILINE)
    assert commands
    for command in commands:
        assert f"| `{command}" in text
