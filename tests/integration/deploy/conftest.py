"""A small project with environments, and its containers, networks and volumes, seen from outside."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ..publish.conftest import clients, programs, registry, registry_of
from ..publish.registries import free_ports
from ..shop import DEADLINE, DOCKERFILE, Running, Shop, remove_images

__all__ = ["clients", "programs", "registry", "registry_of"]

SERVICES = ("alpha", "beta")
# What an image of the shop does: it says something, and stays. Its process would outlast a SIGTERM.
STAYS = 'STOPSIGNAL SIGKILL\nCMD ["sh", "-c", "cat /app/*/said.txt; exec sleep 1000"]\n'
# Nothing answers in it.
NO_PROBE = '{% macro probe(path, seconds) %}["true"]{% endmacro %}\n'
PORT = 8000
"""Where the shop's services listen in their containers."""

ENVIRONMENTS = """\
infrastructure:
  store:
    image: {base}
    command: [sh, -c, "trap 'exit 0' TERM; sleep 1000 & wait"]
    data: /data
environments:
  dev: {{images: built, publish: [alpha]}}
  staging: {{publish: [beta]}}
"""


@dataclass(frozen=True)
class Deployed:
    """A project's environments on an engine, told by the labels that Compose gives what belongs to one.

    ``ports`` has the port of this machine that each service may be published on.
    """

    shop: Shop
    ports: dict[str, int]

    def configure(self, environments: str = ENVIRONMENTS, **services: str) -> None:
        """Write streamflow.yaml: what comes after the services, and the rest of each service in flow style."""
        self.shop.configure(
            **{name: f", publish: {port}{services.get(name, '')}" for name, port in self.ports.items()}
        )
        text = (self.shop.folder / "streamflow.yaml").read_text()
        self.shop.write("streamflow.yaml", text + environments.format(base=self.shop.base))

    def name(self, env: str) -> str:
        """What Compose calls the environment by."""
        return self.shop.name if env == "dev" else f"{self.shop.name}-{env}"

    def compose(
        self, env: str, *arguments: str, code: int = 0, stdin: str = "", **changes: str | None
    ) -> subprocess.CompletedProcess[str]:
        """What ``compose -- ARGUMENTS`` does, which ends with that exit code."""
        done = self.shop.run("compose", "--env", env, "--", *arguments, stdin=stdin, **changes)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def up(self, env: str, *options: str, said: str = "", **changes: str | None) -> dict[str, Any]:
        """Deploy, which tells of it, and give what then runs: each service's container."""
        line = ("compose", "--env", env, *options, "--", "up", "--detach", "--wait")
        done = self.shop.run(*line, **changes)
        assert done.returncode == 0, done.stdout + done.stderr
        assert said in done.stderr
        return self.running(env)

    def containers(self, env: str) -> list[dict[str, Any]]:
        """Those of an environment, as they are inspected; those that ended, too."""
        api = self.shop.live.api
        found = api.containers(all=True, filters={"label": f"com.docker.compose.project={self.name(env)}"})
        return [api.inspect_container(each["Id"]) for each in found]

    def running(self, env: str) -> dict[str, Any]:
        """By service, the one container of it that there is, which runs."""
        found = {
            each["Config"]["Labels"]["com.docker.compose.service"]: each for each in self.containers(env)
        }
        assert len(found) == len(self.containers(env))
        assert {each["State"]["Status"] for each in found.values()} <= {"running"}
        return dict(sorted(found.items()))

    def said(self, env: str, service: str) -> str:
        """What the service's folder in its container says."""
        return self.compose(
            env, "exec", "--no-TTY", service, "cat", f"/app/{service}/said.txt"
        ).stdout.strip()

    def start(self, env: str, *arguments: str) -> Running:
        """Begin a run of docker compose."""
        return self.shop.start("compose", "--env", env, "--", *arguments)

    def docker(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """What ``docker`` does in the project's folder."""
        return subprocess.run(
            ["docker", *arguments],
            cwd=self.shop.folder,
            env=self.shop.live.environ,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )

    def commit(self) -> str:
        """Commit all of the project's folder, changed or not; gives the commit."""
        me = ("-c", "user.name=shop", "-c", "user.email=shop@example.org")
        for words in (("init",), ("add", "."), (*me, "commit", "--allow-empty", "--message=more")):
            subprocess.run(["git", *words], cwd=self.shop.folder, capture_output=True, check=True)
        told = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=self.shop.folder, capture_output=True, text=True, check=True
        )
        return told.stdout.strip()

    def forget(self) -> None:
        """Take the project's images from the engine, so that they can come only from a registry."""
        for service in self.ports:
            remove_images(self.shop.live, f"{self.shop.name}-{service}")
            assert not self.shop.tags(service)

    def left(self) -> list[str]:
        """The containers, networks and volumes of all environments that there still are."""
        api = self.shop.live.api
        every = [
            *((each["Names"][0], each) for each in api.containers(all=True)),
            *((each["Name"], each) for each in api.networks()),
            *((each["Name"], each) for each in api.volumes()["Volumes"] or ()),
        ]
        return [name for name, each in every if self._owns(each)]

    def clean(self) -> None:
        """Take all that from the engine."""
        api = self.shop.live.api
        for run in self.shop.runs:
            if run.process.poll() is None:
                run.process.kill()
                run.process.wait()
        for container in filter(self._owns, api.containers(all=True)):
            api.remove_container(container["Id"], v=True, force=True)
        for network in filter(self._owns, api.networks()):
            api.remove_network(network["Id"])
        for volume in filter(self._owns, api.volumes()["Volumes"] or ()):
            api.remove_volume(volume["Name"])

    def _owns(self, thing: dict[str, Any]) -> bool:
        of = str((thing["Labels"] or {}).get("com.docker.compose.project", ""))
        return of == self.shop.name or of.startswith(f"{self.shop.name}-")


@pytest.fixture
def deployed(shop_here: Shop) -> Iterator[Deployed]:
    """The project with an environment for development and one for releases, and nothing built yet."""
    yield from _made(shop_here)


@pytest.fixture
def built(deployed: Deployed) -> Deployed:
    """The same, built as v1.0.0."""
    deployed.shop.report("v1.0.0")
    return deployed


@pytest.fixture
def built_anywhere(shop: Shop) -> Iterator[Deployed]:
    """The same on either image store."""
    yield from _made(shop, "v1.0.0")


def _made(shop: Shop, version: str | None = None) -> Iterator[Deployed]:
    head, _, _ = DOCKERFILE.rpartition("CMD")
    shop.write("templates/docker/Dockerfile.j2", head + STAYS)
    shop.write("templates/probe.j2", NO_PROBE)
    made = Deployed(shop, dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True)))
    made.configure()
    if version is not None:
        shop.report(version)
    yield made
    made.clean()
