"""The platform's own five images, built from this checkout under names of their own."""

from __future__ import annotations

import http.client
import itertools
import json
import shutil
import subprocess
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ..shop import PROJECT, Shop, until

SERVICES = ("ingestion", "analytics", "alerting", "dashboard", "storage")
BASE = "python:3.11-slim"
LABEL = "org.streamflow.test"
MB = 1_000_000
HEALTH_SECONDS = 5.0
GRACE_SECONDS = 10
OUTSIDE = {
    "app",
    "opt/venv",
    "etc/passwd-",
    "etc/group-",
    "etc/shadow-",
    "etc/gshadow-",
    "etc/subuid-",
    "etc/subgid-",
}
"""What an image has beside its sources and its environment: what making a user leaves."""


@pytest.fixture(scope="module")
def platform(default_store: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The platform as ``images v1.0.0`` builds it."""
    folder = tmp_path_factory.mktemp("platform")
    for part in ("services", "templates"):
        shutil.copytree(PROJECT / part, folder / part)
    config = yaml.safe_load((PROJECT / "streamflow.yaml").read_text())
    name = f"sfit-{uuid.uuid4().hex[:12]}"
    (folder / "streamflow.yaml").write_text(yaml.safe_dump(config | {"project": name}, sort_keys=False))
    (folder / ".git").mkdir()
    (folder / "secret.env").write_text("PASSWORD=hunter2\n")
    bases = subprocess.run(
        [PROJECT / "scripts/bases", "--config", PROJECT / "streamflow.yaml"],
        env=default_store.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert bases.returncode == 0, bases.stderr
    made = Shop(folder, name, default_store)
    try:
        done = made.images("v1.0.0", "--strict-sizes")
        assert done.returncode == 0, done.stdout + done.stderr
        yield made
    finally:
        for container in default_store.api.containers(all=True, filters={"label": f"{LABEL}={name}"}):
            default_store.api.remove_container(container["Id"], force=True)
        made.clean()


@pytest.fixture(scope="module")
def base(default_store: Any, platform: Shop) -> Any:
    return default_store.api.inspect_image(BASE)


@pytest.fixture(scope="module")
def files_of_the_base(platform: Shop) -> set[str]:
    return files(platform, BASE)


class Container:
    """A container of a service's image, run as a user would: ``docker run --publish 8000``."""

    def __init__(self, platform: Shop, service: str) -> None:
        self.api = platform.live.api
        made = self.api.create_container(
            f"{platform.name}-{service}:v1.0.0",
            ports=[8000],
            labels={LABEL: platform.name},
            host_config=self.api.create_host_config(port_bindings={8000: ("127.0.0.1", None)}),
        )
        self.id = made["Id"]
        self.api.start(self.id)

    @property
    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = self.api.inspect_container(self.id)["State"]
        return found

    def answer(self, path: str) -> int | None:
        """The status of an answer, None where nothing answers."""
        ports = self.api.inspect_container(self.id)["NetworkSettings"]["Ports"]["8000/tcp"]
        connection = http.client.HTTPConnection("127.0.0.1", int(ports[0]["HostPort"]), timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()


@pytest.mark.parametrize("service", SERVICES)
def test_it_has_every_tag_on_one_image(platform: Shop, service: str) -> None:
    tags = platform.tags(service)
    assert tuple(tags) == ("1", "1.0", "1.0.0", "latest", "v1.0.0")
    assert len(set(tags.values())) == 1


@pytest.mark.parametrize("service", SERVICES)
def test_its_settings(platform: Shop, base: Any, service: str) -> None:
    config = platform.inspected(service)["Config"]

    uid, _, gid = config["User"].partition(":")
    assert (int(uid), int(gid)) == (10001, 10001)
    assert config["Cmd"] == ["python", "-m", f"streamflow.{service}"]
    assert config.get("Entrypoint") is None
    assert list(config["ExposedPorts"]) == ["8000/tcp"]
    assert config["Healthcheck"]["Test"][:2] == ["CMD", "python"]
    assert not any("sh" in Path(word).name.split() for word in config["Healthcheck"]["Test"])


@pytest.mark.parametrize("service", SERVICES)
def test_its_labels(platform: Shop, base: Any, service: str) -> None:
    oci = "org.opencontainers.image."
    labels = platform.inspected(service)["Config"]["Labels"]
    description = yaml.safe_load((PROJECT / "streamflow.yaml").read_text())["services"][service][
        "description"
    ]

    assert {name: labels[oci + name] for name in ("title", "description", "version", "licenses", "url")} == {
        "title": f"{platform.name}-{service}",
        "description": description,
        "version": "1.0.0",
        "licenses": "MIT",
        "url": "https://github.com/org/streamflow",
    }
    assert labels[f"{oci}source"] == "https://github.com/org/streamflow"
    assert labels[f"{oci}base.name"] == "docker.io/library/python:3.11-slim"
    assert labels[f"{oci}base.digest"] in {base["Id"], *(d.partition("@")[2] for d in base["RepoDigests"])}
    assert labels[f"{oci}created"].endswith("Z")
    assert len(labels["org.streamflow.fingerprint"]) == 64
    assert f"services/streamflow/{service}" in json.loads(labels["org.streamflow.inputs"])


def test_the_revision_is_the_commit(platform: Shop, default_store: Any) -> None:
    labels = platform.inspected("storage")["Config"]["Labels"]
    assert "org.opencontainers.image.revision" not in labels  # the copy is no repository


def test_they_share_their_first_layers(platform: Shop, base: Any) -> None:
    """Base, user, dependencies: beyond them each has its own."""
    layers = [platform.inspected(service)["RootFS"]["Layers"] for service in SERVICES]
    shared = list(itertools.takewhile(lambda same: len(set(same)) == 1, zip(*layers, strict=False)))

    below = len(base["RootFS"]["Layers"])
    assert layers[0][:below] == base["RootFS"]["Layers"]
    assert len(shared) >= below + 3


def test_sizes(platform: Shop, base: Any) -> None:
    below = list(reversed(platform.live.api.history(BASE)))
    unique: dict[str, int] = {}
    for service in SERVICES:
        entries = list(reversed(platform.live.api.history(f"{platform.name}-{service}:latest")))[len(below) :]
        sizes = [e["Size"] for e in entries if e["CreatedBy"].split()[0] in {"RUN", "COPY", "WORKDIR"}]
        layers = platform.inspected(service)["RootFS"]["Layers"][len(base["RootFS"]["Layers"]) :]
        unique |= dict(zip(layers, sizes, strict=True))
        assert sum(sizes) <= 90 * MB, service
    assert 0 < sum(unique.values()) <= 110 * MB


@pytest.mark.parametrize("service", SERVICES)
def test_nothing_is_in_it_that_only_the_build_needs(
    platform: Shop, files_of_the_base: set[str], service: str
) -> None:
    added = files(platform, f"{platform.name}-{service}:latest") - files_of_the_base

    assert f"app/streamflow/{service}/__main__.py" in added
    assert {name for name in added if not name.startswith(("app/", "opt/venv/"))} <= OUTSIDE
    packages = {name.split("/")[2] for name in added if name.count("/") > 1 and name.startswith("app/")}
    assert packages == {"__init__.py", "shared", service}
    left = {
        "__pycache__",
        ".git",
        ".cache",
        "tests.py",
        "secret.env",
        "requirements.txt",
        "Dockerfile",
        "wheels",
    }
    assert not [name for name in added if left & {*Path(name).parts} or name.endswith(".pyc")]
    programs = {Path(name).name for name in added if Path(name).parent.name == "bin"}
    assert not programs & {"pip", "pip3", "uv", "uvx", "gcc", "cc", "make"}
    site = {Path(name).name for name in added if Path(name).parent.name == "site-packages"}
    assert not site & {"pip", "uv", "setuptools", "wheel"}


def files(platform: Shop, image: str) -> set[str]:
    """The names of an image's files and folders, without slashes at their ends."""
    api = platform.live.api
    container = api.create_container(image, ["nothing"], labels={LABEL: platform.name})
    try:
        stream = Stream(api.export(container["Id"]))
        with tarfile.open(fileobj=stream, mode="r|") as tar:  # type: ignore[call-overload]
            return {member.name for member in tar}
    finally:
        api.remove_container(container["Id"], force=True)


class Stream:
    """Chunks, to be read as a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = iter(chunks)
        self._held = b""

    def read(self, size: int) -> bytes:
        parts, length = [self._held], len(self._held)
        while length < size and (chunk := next(self._chunks, b"")):
            parts.append(chunk)
            length += len(chunk)
        data = b"".join(parts)
        self._held = data[size:]
        return data[:size]


def test_each_runs_answers_and_stops(platform: Shop) -> None:
    """All five at once, as on a user's machine."""
    containers = {service: Container(platform, service) for service in SERVICES}

    for service, container in containers.items():
        until(lambda c=container: c.answer("/health") == 200, f"{service} answers")  # type: ignore[misc]
    for service, container in containers.items():
        assert container.answer("/metrics") == 200, service
        top = container.api.top(container.id, ps_args="-o pid,uid,args")
        assert {row[1] for row in top["Processes"]} == {"10001"}, service
    for service, container in containers.items():
        until(lambda c=container: c.state["Health"]["Status"] == "healthy", f"{service} is healthy")  # type: ignore[misc]
    for container in containers.values():
        container.api.kill(container.id, signal="SIGTERM")
    for service, container in containers.items():
        until(lambda c=container: not c.state["Running"], f"{service} stops", GRACE_SECONDS)  # type: ignore[misc]
        assert container.state["ExitCode"] == 0, service


@pytest.mark.parametrize("service", SERVICES)
def test_it_answers_within_five_seconds(platform: Shop, service: str) -> None:
    container = Container(platform, service)
    until(lambda: container.answer("/health") == 200, f"{service} answers", HEALTH_SECONDS)
    container.api.remove_container(container.id, force=True)


def test_again_nothing_is_built(platform: Shop) -> None:
    before = {service: platform.tags(service) for service in SERVICES}

    assert platform.outcomes("v1.0.0") == dict.fromkeys(SERVICES, "unchanged")
    assert {service: platform.tags(service) for service in SERVICES} == before
