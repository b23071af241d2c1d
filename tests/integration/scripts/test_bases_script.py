"""scripts/bases: on a private engine without images, with registries that are silent or refuse."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from .conftest import NOWHERE, Checkout

CONFIG = """\
project: trial
source: https://example.org/trial
licenses: MIT
bases: {{base: "{image}"}}
mirrors: {mirrors}
infrastructure: {infrastructure}
defaults:
  base: base
  port: 8000
  user: {{name: trial, uid: 10001}}
  health: /health
  ready: /ready
  metrics: /metrics
services:
  one: {{module: one, sources: [one.py], requirements: lock.txt, description: One}}
"""
SILENT = "localhost:1"


def configure(checkout: Checkout, image: str, mirrors: str = "{}", infrastructure: str = "{}") -> None:
    (checkout.folder / "one.py").touch()
    (checkout.folder / "lock.txt").touch()
    (checkout.folder / "streamflow.yaml").write_text(
        CONFIG.format(image=image, mirrors=mirrors, infrastructure=infrastructure)
    )


class Refusing(BaseHTTPRequestHandler):
    """A registry that has nothing."""

    def do_GET(self) -> None:
        found = self.path == "/v2/"
        body = json.dumps(
            {"errors": [] if found else [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}
        )
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body.encode())

    do_HEAD = do_GET  # noqa: N815 - the name is http.server's

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def refusing_registry() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Refusing)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"localhost:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def start(checkout: Checkout) -> str:
    started = checkout.run("engine", "start")
    assert started.returncode == 0, started.stderr
    settings = json.loads((checkout.state / "overlay2/daemon.json").read_text())
    return str(settings["hosts"][0])


@pytest.fixture
def host(checkout: Checkout, able: None) -> str:
    """A private engine without images."""
    return start(checkout)


def test_without_a_virtual_environment(checkout: Checkout) -> None:
    (checkout.folder / ".venv").unlink()
    done = checkout.run("bases")
    assert (done.returncode, done.stderr) == (
        2,
        "scripts/bases: there is no virtual environment yet; 'make .venv' makes it\n",
    )


def test_without_a_configuration(checkout: Checkout) -> None:
    done = checkout.run("bases")
    assert done.returncode == 2
    assert done.stderr.startswith("scripts/bases: streamflow.yaml: there is no such file")
    assert "Traceback" not in done.stderr


def test_without_an_engine(checkout: Checkout) -> None:
    configure(checkout, "python:3.11-slim")
    done = checkout.run("bases")
    assert done.returncode == 3
    assert done.stderr.startswith(f"scripts/bases: No Docker Engine answers at {NOWHERE}")
    assert "scripts/engine start" in done.stderr


def test_an_image_nobody_has(checkout: Checkout, host: str) -> None:
    configure(checkout, f"{SILENT}/trial/base:1")
    done = checkout.run("bases", host=host)
    assert done.returncode == 4
    assert done.stderr == (
        "scripts/bases: localhost:1/trial/base:1 is not on the engine, no registry answers, and there is no "
        "recipe for a stand-in. The image localhost:1/trial/base:1 is not available: "
        'Get "http://localhost:1/v2/": '
        "dial tcp 127.0.0.1:1: connect: connection refused\nOr load it with `docker load`.\n"
    )


def test_an_image_that_the_registry_refuses_has_no_stand_in(
    checkout: Checkout, host: str, refusing_registry: str
) -> None:
    configure(checkout, "python:3.11-slim", mirrors=f'{{docker.io: "{refusing_registry}"}}')
    done = checkout.run("bases", host=host)
    assert done.returncode == 6, done.stderr
    assert done.stderr.startswith("scripts/bases: The image python:3.11-slim is not available")
    assert "manifest unknown" in done.stderr
    assert checkout.shell("docker images --quiet") == ""


@pytest.mark.usefixtures("able")
class TestStandIn:
    @pytest.fixture(scope="class")
    @classmethod
    def checkout(cls, shared_checkout: Checkout) -> Checkout:
        host = start(shared_checkout)
        configure(shared_checkout, "python:3.11-slim", mirrors=f'{{docker.io: "{SILENT}"}}')
        done = shared_checkout.run("bases", host=host)
        assert done.returncode == 0, done.stderr
        assert "python:3.11-slim: no registry answers. " in done.stderr
        assert "python:3.11-slim: a stand-in made of Debian bookworm packages, " in done.stderr
        return shared_checkout

    def test_it_is_labelled_small_and_set_up_like_the_real_one(self, checkout: Checkout) -> None:
        (image,) = json.loads(checkout.shell("docker image inspect python:3.11-slim"))
        config = image["Config"]
        assert config["Labels"]["org.streamflow.stand-in"] == "true"
        assert config["Labels"]["org.opencontainers.image.description"] == (
            "Stand-in for python:3.11-slim, made of Debian bookworm packages"
        )
        assert config["Cmd"] == ["python3"]
        assert "LANG=C.UTF-8" in config["Env"]
        assert any(each.startswith("PYTHON_VERSION=3.11.") for each in config["Env"])
        assert image["Size"] < 130_000_000

    def test_its_python_works(self, checkout: Checkout) -> None:
        script = """
            set -e
            for each in python python3 python3.11 pip; do command -v $each; done
            python -c "import ssl, sqlite3, ctypes; print(ssl.HAS_TLSv1_3)"
            python -c "import zoneinfo; print(zoneinfo.ZoneInfo(\\"Europe/Berlin\\"))"
            python -m venv /tmp/environment
            /tmp/environment/bin/pip --version | cut -d " " -f 1
            find /usr/share/man /usr/share/doc /var/lib/apt/lists -type f ! -name lock
        """
        printed = checkout.shell(f"docker run --rm python:3.11-slim sh -c '{script}'")
        assert printed.splitlines() == [
            "/usr/local/bin/python",
            "/usr/local/bin/python3",
            "/usr/local/bin/python3.11",
            "/usr/local/bin/pip",
            "True",
            "Europe/Berlin",
            "pip",
        ]

    def test_packages_can_be_installed_on_it(self, checkout: Checkout) -> None:
        script = "apt-get update -qq && apt-get install -qq make >/dev/null 2>&1 && make -v"
        assert checkout.shell(f"docker run --rm python:3.11-slim sh -c '{script}'").startswith("GNU Make")

    def test_a_second_run_leaves_it(self, checkout: Checkout, host: str) -> None:
        before = checkout.shell("docker images --quiet")
        again = checkout.run("bases", host=host)
        assert (again.returncode, again.stderr) == (0, "python:3.11-slim is there (a stand-in)\n")
        assert checkout.shell("docker images --quiet") == before

    def test_infrastructure_is_provided_when_asked_for(self, checkout: Checkout, host: str) -> None:
        mirrors = f'{{docker.io: "{SILENT}"}}'
        configure(checkout, "python:3.11-slim", mirrors, infrastructure="{cache: {image: redis:7-alpine}}")
        without = checkout.run("bases", host=host)
        assert (without.returncode, without.stderr) == (0, "python:3.11-slim is there (a stand-in)\n")
        asked = checkout.run("bases", "--infrastructure", host=host)
        assert asked.returncode == 0, asked.stderr
        assert "python:3.11-slim is there (a stand-in)\n" in asked.stderr
        assert "redis:7-alpine: a stand-in made of Debian bookworm packages, " in asked.stderr
        assert checkout.shell("docker run --rm redis:7-alpine redis-server --version").startswith(
            "Redis server v=7."
        )

    def test_what_one_image_lacks_keeps_no_other_away(self, checkout: Checkout, host: str) -> None:
        mirrors = f'{{docker.io: "{SILENT}"}}'
        lacking = f"{{queue: {{image: '{SILENT}/queue:1'}}, store: {{image: redis:7-alpine}}}}"
        configure(checkout, "python:3.11-slim", mirrors, infrastructure=lacking)
        asked = checkout.run("bases", "--infrastructure", host=host)
        assert asked.returncode == 4
        assert f"scripts/bases: {SILENT}/queue:1 is not on the engine" in asked.stderr
        assert checkout.shell("docker image inspect --format {{.Os}} redis:7-alpine") == "linux\n"

    def test_one_of_an_older_recipe_is_renewed(self, checkout: Checkout, host: str) -> None:
        label = '{{index .Config.Labels "org.streamflow.stand-in.recipe"}}'
        inspect = f"docker image inspect --format '{label}' python:3.11-slim"
        recipe = checkout.shell(inspect)
        (checkout.folder / "Dockerfile").write_text(
            "FROM python:3.11-slim\nLABEL org.streamflow.stand-in.recipe=older\n"
        )
        checkout.shell("docker build --quiet --tag python:3.11-slim - < Dockerfile")
        assert checkout.shell(inspect) == "older\n"
        again = checkout.run("bases", host=host)
        assert again.returncode == 0, again.stderr
        assert checkout.shell(inspect) == recipe
