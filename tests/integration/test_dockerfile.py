"""The derived Dockerfiles, built by hand with `docker build`, on the base that the platform has."""

from __future__ import annotations

import json
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streamflow_build.__main__ import main

BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
SERVER = """\
import http.server, os, signal, sys

class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
server = http.server.HTTPServer(("0.0.0.0", int(os.environ["PORT"])), Health)
print("ready", flush=True)
server.serve_forever()
"""
IDNA = """\
idna==3.10 \\
    --hash=sha256:12f65c9b470abda6dc35cf8e63cc574b1c52b11df2c86030af0ac09b01b13ea9 \\
    --hash=sha256:946d195a0d259cbba61165e88e65941f16e9b36ea6ddb97f00452bae8b1287d3
"""
# It was never published as a wheel.
DOCOPT = """\
docopt==0.6.2 \\
    --hash=sha256:49b3a825280bd66b3aa83585ef59c4a8c82f2c8a522dbe754a8bc8d08c85c491
"""
CONFIG = """\
project: {name}
bases: {{python: python:3.11-slim}}
defaults:
  base: python
  port: 8000
  user: {{name: demo, uid: 10001}}
  health: /health
  ready: /ready
  metrics: /metrics
  source_root: src
  build_packages: [make]
services:
  wheels: {{module: demo, sources: [src/demo], requirements: wheels.txt}}
  source: {{module: demo, sources: [src/demo], requirements: source.txt}}
  packed: {{module: demo, install: package, package: {{name: demo, wheels: wheels}}}}
"""


class Project:
    """The project's folder, and docker on it."""

    def __init__(self, folder: Path, name: str, live: Any) -> None:
        self.folder, self.name, self._live = folder, name, live

    def docker(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker", *arguments],
            cwd=self.folder,
            env=self._live.environ,
            capture_output=True,
            text=True,
            check=False,
        )

    def build(self, service: str, *arguments: str) -> str:
        """Build an image; what docker printed."""
        done = self.try_build(service, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def try_build(self, service: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        bundle = ["--secret", f"id=ca,src={BUNDLE}"] if BUNDLE.exists() else []
        label = ["--label", f"org.streamflow.test={self.name}", "--progress", "plain"]
        names = ["-f", f"docker/{service}/Dockerfile", "-t", f"{self.name}-{service}"]
        return self.docker("build", *bundle, *label, *names, *arguments, ".")

    def inspected(self, service: str) -> Any:
        return json.loads(self.docker("inspect", f"{self.name}-{service}").stdout)[0]

    def run(self, service: str, *command: str) -> str:
        done = self.docker("run", "--rm", f"{self.name}-{service}", *command)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def first_line(self, container: str) -> str:
        """What the container prints first; waits for it, or for the container's end."""
        command = ["docker", "logs", "--follow", container]
        with subprocess.Popen(command, env=self._live.environ, stdout=subprocess.PIPE, text=True) as logs:
            assert logs.stdout is not None
            line = logs.stdout.readline()
            logs.kill()
        return line


@pytest.fixture
def project(
    default_store: Any, token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Project]:
    made = Project(tmp_path, f"sfdf-{token}", default_store)
    (tmp_path / "src/demo").mkdir(parents=True)
    (tmp_path / "src/demo/__main__.py").write_text(SERVER)
    (tmp_path / "wheels").mkdir()
    wheel(tmp_path / "wheels/demo-1.0.0rc1-py3-none-any.whl")
    # One lock says that all it needs has wheels; the other says nothing.
    (tmp_path / "wheels.txt").write_text(f"--only-binary :all:\n{IDNA}")
    (tmp_path / "source.txt").write_text(IDNA + DOCOPT)
    (tmp_path / "streamflow.yaml").write_text(CONFIG.format(name=made.name))
    monkeypatch.chdir(tmp_path)
    assert main(["render"]) == 0
    yield made
    for service in ("wheels", "source", "packed"):
        made.docker("rmi", "--force", f"{made.name}-{service}")


def wheel(path: Path) -> None:
    """A distribution `demo` with the module demo, whose extra `packed` needs idna."""
    info = "demo-1.0.0rc1.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("demo.py", "print('packed')\n")
        archive.writestr(
            f"{info}/METADATA",
            "Metadata-Version: 2.1\nName: demo\nVersion: 1.0.0rc1\nProvides-Extra: packed\n"
            "Requires-Dist: idna==3.10; extra == 'packed'\n",
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", f"demo.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")


def test_build_packages_come_only_for_what_has_no_wheel(project: Project) -> None:
    # Steps from the cache of an earlier run print nothing.
    without = project.build("wheels", "--no-cache-filter", "built")
    with_source = project.build("source", "--no-cache-filter", "added")
    assert "A requirement has no wheel: it is built from source.\n" not in without
    assert "A requirement has no wheel: it is built from source.\n" in with_source
    assert (
        project.run("source", "python", "-c", "import docopt, idna; print(docopt.__version__)") == "0.6.2\n"
    )
    for program in ("make", "uv"):
        assert project.run("source", "sh", "-c", f"command -v {program} || echo none") == "none\n"
    shared = [project.inspected(service)["RootFS"]["Layers"] for service in ("wheels", "source")]
    base = len(json.loads(project.docker("inspect", "python:3.11-slim").stdout)[0]["RootFS"]["Layers"])
    # The user, the folder and what the locks have in common.
    assert shared[0][: base + 3] == shared[1][: base + 3]


def test_the_image_as_it_runs(project: Project) -> None:
    project.build("wheels")
    config = project.inspected("wheels")["Config"]
    assert (config["User"], config["Cmd"]) == ("10001:10001", ["python", "-m", "demo"])
    started = project.docker("run", "--detach", "--read-only", "--env", "PORT=8123", f"{project.name}-wheels")
    container = started.stdout.strip()
    try:
        assert project.first_line(container) == "ready\n"
        check = config["Healthcheck"]["Test"]
        assert check[0] == "CMD"
        assert project.docker("exec", container, *check[1:]).returncode == 0
        assert project.docker("exec", "--env", "PORT=8124", container, *check[1:]).returncode == 1
        assert project.docker("exec", container, "id", "-un").stdout == "demo\n"
        project.docker("stop", container)
        state = json.loads(project.docker("inspect", container).stdout)[0]["State"]
        assert state["ExitCode"] == 0
    finally:
        project.docker("rm", "--force", "--volumes", container)


def test_a_package_from_a_folder_of_wheels(project: Project) -> None:
    project.build("packed", "--build-arg", "VERSION=1.0.0-rc.1")
    assert project.run("packed") == "packed\n"
    assert project.run("packed", "python", "-c", "import idna; print(idna.__version__)") == "3.10\n"


def test_a_package_without_a_version(project: Project) -> None:
    done = project.try_build("packed")
    assert done.returncode == 1
    assert "VERSION: is not set" in done.stderr
