"""What tests with a real Docker Engine share: the engines, a small base image on each, and the cleaning up.

Nothing here skips. Where no engine answers and none can be made, the test that needs it fails.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import tarfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import docker
import pytest
from docker.errors import APIError, ImageNotFound

from streamflow_build.engine.docker_engine import DockerEngine, connect
from streamflow_build.model.image import BuildRequest, ContextFile

ROOT = Path(__file__).parent.parent
BASE = f"streamflow-test-base:{os.getpid()}"
"""The base image of this run: runs on one engine at a time don't take it from each other."""
PROGRAMS = ("sh", "cat", "sleep", "ls", "stat", "true", "false", "env", "mkdir", "dd")
LABEL = "org.streamflow.test"


class Live(NamedTuple):
    """A running engine: how programs are told of it, its address, and docker-py's own client of it."""

    environ: dict[str, str]
    address: str
    api: docker.APIClient


def _engine_script(verb: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [ROOT / "scripts/engine", verb, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _started(store: str | None) -> Iterator[Live]:
    store_arguments = ["--store", store] if store else []
    ran_before = _engine_script("status", *store_arguments).returncode == 0
    started = _engine_script("start", *store_arguments)
    if started.returncode != 0:
        pytest.fail(f"These tests need a Docker Engine.\n{started.stderr}")
    told = _engine_script("env", *store_arguments).stdout
    environ = dict(os.environ)
    if host := re.search(r"export DOCKER_HOST=(\S+)", told):
        environ["DOCKER_HOST"] = host[1]
    if path := re.search(r'export PATH=(\S+):"\$PATH"', told):
        environ["PATH"] = f"{path[1]}:{environ['PATH']}"
    client = docker.from_env(environment=environ).api
    client.import_image_from_data(_base(), *BASE.split(":"))
    yield Live(environ, environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"), client)
    client.remove_image(BASE, force=True)
    client.close()
    if not ran_before:
        _engine_script("stop", "--store", store or "overlay2")


def _base() -> bytes:
    """A base image made of this machine's own shell and a few programs: small, and from no registry."""
    files: dict[str, Path] = {}
    for program in PROGRAMS:
        found = shutil.which(program)
        assert found, f"{program} is not on the PATH"
        real = Path(found).resolve()
        files[f"bin/{program}"] = real
        needed = subprocess.run(["ldd", real], capture_output=True, text=True, check=True).stdout
        for library in re.findall(r"(/\S+) \(0x", needed):
            files[library.lstrip("/")] = Path(library).resolve()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, path in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.mode, entry.size = 0o755, path.stat().st_size
            with path.open("rb") as content:
                tar.addfile(entry, content)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def default_store() -> Iterator[Live]:
    """The engine that `make test` names, or else the private one with the classic image store."""
    yield from _started(None)


@pytest.fixture(scope="session")
def containerd_store() -> Iterator[Live]:
    """An engine with the containerd image store."""
    yield from _started("containerd")


@pytest.fixture(params=["default_store", "containerd_store"])
def live(request: pytest.FixtureRequest) -> Live:
    """Both engines, one after the other."""
    found: Live = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def token() -> str:
    """What makes a test's names and build steps its own."""
    return uuid.uuid4().hex[:12]


@pytest.fixture
def tidy(token: str) -> Iterator[Callable[[Live], None]]:
    """Told of an engine, removes from it at the end every image that the test made or tagged."""
    engines: list[Live] = []
    yield engines.append
    for engine in engines:
        made = {image["Id"] for image in engine.api.images(filters={"label": f"{LABEL}={token}"}, all=True)}
        named = [tag for image in engine.api.images() for tag in image["RepoTags"] or () if token in tag]
        for image in [*named, *made]:
            try:
                engine.api.remove_image(image, force=True)
            except ImageNotFound:
                continue
            except APIError as error:
                raise AssertionError(f"{image} was left behind: {error}") from error


@pytest.fixture
def engine(live: Live, tidy: Callable[[Live], None]) -> Iterator[DockerEngine]:
    """The tool's own engine, on both stores; what the test makes is removed."""
    tidy(live)
    made = connect(live.environ)
    yield made
    made.close()


RequestOf = Callable[..., BuildRequest]


@pytest.fixture
def request_of(token: str) -> RequestOf:
    """Makes a build request of a Dockerfile's text; `{token}` in it stands for the test's token."""

    def make(dockerfile: str, *files: ContextFile, **changed: object) -> BuildRequest:
        text = f"FROM {BASE}\n{dockerfile}".replace("{token}", token)
        context = (*files, ContextFile("docker/x/Dockerfile", 0o644, text.encode()))
        fields = {
            "service": "x",
            "dockerfile": "docker/x/Dockerfile",
            "context": tuple(sorted(context, key=lambda file: file.path)),
            "labels": {LABEL: token},
            "build_args": {},
            "tags": (f"streamflow-{token}:1.0", f"streamflow-{token}:latest"),
            "no_cache": False,
            "secrets": {},
        }
        return BuildRequest(**{**fields, **changed})

    return make
