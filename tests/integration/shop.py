"""A small project of its own for each test, whose images the tool builds on a real engine, seen from outside.

Its templates are its own, too, on the small base of tests/conftest.py, so that builds take little time.
"""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from docker.errors import APIError, ImageNotFound

PROJECT = Path(__file__).resolve().parents[2]
TOOL = Path(sys.executable).parent / "streamflow-build"
BASE = f"streamflow-test-base:{os.getpid()}"
DEADLINE = 60.0
"""Seconds until something that should happen is taken for not happening."""

DOCKERFILE = """\
FROM {{ service.base.image }}
LABEL org.streamflow.test={{ project.name }}
{% for source in service.sources %}
COPY {{ source }} /app/{{ source }}
{% endfor %}
{% include ["steps/" ~ service.name ~ ".j2"] ignore missing %}
CMD ["cat", "/app/shared/said.txt"]
"""


def until(condition: Callable[[], bool], what: str, seconds: float = DEADLINE) -> None:
    """Wait for a condition; fail where it doesn't come."""
    pause, deadline = threading.Event(), time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"after {seconds} s still not: {what}"
        pause.wait(0.05)


def processes(argument: str) -> list[int]:
    """The processes of this machine with that text among their arguments, those of containers too."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if argument.encode() in command and int(process.name) != os.getpid():
            found.append(int(process.name))
    return found


@dataclass(frozen=True)
class Running:
    """A run of the tool that goes on."""

    process: subprocess.Popen[str]
    stdin: str = ""

    def ended(self, seconds: float = DEADLINE) -> subprocess.CompletedProcess[str]:
        """What it did, once it ended by itself."""
        stdout, stderr = self.process.communicate(self.stdin, timeout=seconds)
        return subprocess.CompletedProcess(self.process.args, self.process.returncode, stdout, stderr)


class OnTerminal:
    """A run of the tool on a terminal of its own, which goes on; ``screen`` is all that was written there."""

    def __init__(self, arguments: tuple[str, ...], folder: Path, environ: Mapping[str, str]) -> None:
        self.screen = bytearray()
        self._keys, terminal = pty.openpty()
        # setsid and TIOCSCTTY make it the controlling terminal, which turns ^C into SIGINT.
        self._process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", TOOL, *arguments],
            cwd=folder,
            env={**environ, "TERM": "xterm", "COLUMNS": "100"},
            stdin=terminal, stdout=terminal, stderr=terminal,
        )  # fmt: skip
        os.close(terminal)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def press(self, key: bytes) -> None:
        os.write(self._keys, key)

    def ended(self, seconds: float = DEADLINE) -> int:
        """The exit code, once it ended by itself."""
        return self._process.wait(seconds)

    def close(self) -> None:
        """End it where it still runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._reader.join(DEADLINE)
        os.close(self._keys)

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # a terminal's end, once nobody has it open
            while chunk := os.read(self._keys, 65536):
                self.screen.extend(chunk)


@dataclass(frozen=True)
class Shop:
    """The project: services ``alpha`` and ``beta``, which share the folder ``shared``."""

    folder: Path
    name: str
    live: Any
    runs: list[Running] = field(default_factory=list)

    @property
    def base(self) -> str:
        """The base of this project alone: another run of tests may make the shared one anew."""
        return f"{self.name}-base:1"

    def write(self, path: str, text: str) -> None:
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def configure(self, **services: str) -> None:
        """Write streamflow.yaml; each value is the rest of its service, in flow style."""
        more = {"alpha": "", "beta": ""} | services
        lines = [
            f"  {name}: {{module: {name}, sources: [{name}], requirements: {name}.txt{rest}}}\n"
            for name, rest in more.items()
        ]
        for name in more:
            self.write(f"{name}/said.txt", f"{name} of {self.name}\n")
            self.write(f"{name}.txt", "")
        self.write("streamflow.yaml", HEAD.format(name=self.name, base=self.base) + "".join(lines))

    def step(self, service: str, text: str) -> None:
        """Add steps to a service's Dockerfile."""
        self.write(f"templates/steps/{service}.j2", text)

    def environ(self, changes: Mapping[str, str | None]) -> dict[str, str]:
        merged = {**self.live.environ, **changes}
        return {name: value for name, value in merged.items() if value is not None}

    def start(self, *arguments: str, stdin: str = "", **changes: str | None) -> Running:
        """Begin a run of the tool."""
        process = subprocess.Popen(
            [TOOL, *arguments],
            cwd=self.folder,
            env=self.environ(changes),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        run = Running(process, stdin)
        self.runs.append(run)
        return run

    @contextlib.contextmanager
    def on_terminal(self, *arguments: str) -> Iterator[OnTerminal]:
        """A run of the tool on a terminal of its own; what is on the screen is complete after the block."""
        run = OnTerminal(arguments, self.folder, self.live.environ)
        try:
            yield run
        finally:
            run.close()

    def run(
        self, *arguments: str, stdin: str = "", **changes: str | None
    ) -> subprocess.CompletedProcess[str]:
        """What the tool does with these arguments and changes of the environment."""
        return self.start(*arguments, stdin=stdin, **changes).ended(240)

    def images(self, *arguments: str, **changes: str | None) -> subprocess.CompletedProcess[str]:
        """What ``streamflow-build images`` does with them."""
        return self.run("images", *arguments, **changes)

    def report(self, *arguments: str, code: int = 0, **changes: str | None) -> dict[str, Any]:
        """The JSON of such a run, which ends with that exit code."""
        done = self.images("--json", *arguments, **changes)
        assert done.returncode == code, done.stdout + done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def outcomes(self, *arguments: str, code: int = 0, **changes: str | None) -> dict[str, str]:
        """What became of each service in such a run; of one that was built, also why."""
        images = self.report(*arguments, code=code, **changes)["images"]
        return {i["service"]: ": ".join(filter(None, [i["outcome"], i.get("reason")])) for i in images}

    def tags(self, service: str) -> dict[str, str]:
        """The service's tags on the engine and the images behind them; a registry's stand with its name."""
        own = f"{self.name}-{service}"
        found = {
            tag.removeprefix(f"{own}:"): str(image["Id"])
            for image in self.live.api.images()
            for tag in image["RepoTags"] or ()
            if tag.rpartition(":")[0].rpartition("/")[2] == own
        }
        return dict(sorted(found.items()))

    def inspected(self, service: str, tag: str = "latest") -> dict[str, Any]:
        found: dict[str, Any] = self.live.api.inspect_image(f"{self.name}-{service}:{tag}")
        return found

    def log(self, service: str) -> str:
        return (self.folder / ".streamflow/logs" / f"{service}.log").read_text()

    def clean(self) -> None:
        """End what still runs, and take this project's images from the engine."""
        for run in self.runs:
            if run.process.poll() is None:
                run.process.kill()
            run.process.communicate()
        remove_images(self.live, self.name)


def remove_images(live: Any, name: str) -> None:
    """Take every image from the engine that has that text in a tag or a label."""
    for image in live.api.images(all=True):
        tags = [tag for tag in image["RepoTags"] or () if name in tag]
        labelled = any(name in value for value in (image["Labels"] or {}).values())
        for reference in [*tags, *([image["Id"]] if labelled else [])]:
            try:
                live.api.remove_image(reference, force=True)
            except ImageNotFound:
                continue
            except APIError as error:
                raise AssertionError(f"{reference} was left behind: {error}") from error


HEAD = """\
project: {name}
source: https://example.org/{name}
licenses: MIT
bases: {{small: "{base}"}}
registries: {{team: {{url: registry.example/team}}}}
defaults:
  base: small
  port: 8000
  user: {{name: shop, uid: 10001}}
  health: /health
  ready: /ready
  metrics: /metrics
  sources: [shared]
services:
"""


@pytest.fixture
def shop(live: Any, token: str, tmp_path: Path) -> Iterator[Shop]:
    """The project on either image store."""
    yield from _made(live, token, tmp_path)


@pytest.fixture
def shop_here(default_store: Any, token: str, tmp_path: Path) -> Iterator[Shop]:
    """The project on one engine, for what an image store can't matter to."""
    yield from _made(default_store, token, tmp_path)


def _made(live: Any, token: str, folder: Path) -> Iterator[Shop]:
    made = Shop(folder / "shop", f"sfit-{token}", live)
    live.api.tag(BASE, *made.base.split(":"))
    made.write("shared/said.txt", f"shared of {made.name}\n")
    made.write("templates/docker/Dockerfile.j2", DOCKERFILE)
    made.configure()
    yield made
    made.clean()


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder with a short path, as sockets need."""
    folder = Path(tempfile.mkdtemp(prefix="sfit-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def forever(token: str) -> str:
    """A command that lasts, with an argument that no other process has: ``sleep 86400.<number>``."""
    return f"sleep 86400.{int(token, 16)}"


def seconds_hidden(text: str) -> str:
    """The text with durations replaced, which no test can foretell."""
    return re.sub(r"\d+\.\d s|\d+ min \d\d s", "N s", text)
