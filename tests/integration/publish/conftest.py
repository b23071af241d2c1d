"""A small project with images of a version, and registries to push them to."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ..shop import PROJECT, Shop
from .registries import HTPASSWD, Gate, Process, TokenServer, certificate, free_port

SERVICES = ("alpha", "beta", "gamma")


@pytest.fixture(scope="session")
def programs() -> Path:
    """The folder with docker-registry, crane and skopeo."""
    done = subprocess.run([PROJECT / "scripts/registry"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(f"These tests need a registry.\n{done.stderr}")
    return Path(done.stdout.strip())


@dataclass(frozen=True)
class Clients:
    """Other people's clients of a registry, which see what is there."""

    programs: Path

    def crane(self, *arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [self.programs / "crane", *arguments], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == code, done.stderr
        return done.stdout.strip()

    def skopeo(self, *arguments: str) -> str:
        command = [self.programs / "skopeo", "--insecure-policy", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def digests(self, host: str, shop: Shop, *tags: str) -> dict[str, dict[str, str]]:
        """By tag, what crane says each service's is on; a tag that isn't there is missing."""
        return {
            tag: {
                service: self.crane("digest", f"{host}/team/{shop.name}-{service}:{tag}")
                for service in SERVICES
                if tag in self.tags(host, shop, service)
            }
            for tag in tags
        }

    def tags(self, host: str, shop: Shop, service: str) -> list[str]:
        done = subprocess.run(
            [self.programs / "crane", "ls", f"{host}/team/{shop.name}-{service}"],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        return sorted(done.stdout.split()) if done.returncode == 0 else []


@pytest.fixture
def clients(programs: Path) -> Clients:
    return Clients(programs)


@pytest.fixture
def registry_of(programs: Path, tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Starts a registry, with further settings."""
    running: list[Process] = []

    def start(settings: dict[str, Any] | None = None, tls: Path | None = None) -> Process:
        folder = tmp_path / f"registry-{len(running)}"
        folder.mkdir()
        made = Process(programs / "docker-registry", folder, free_port(), settings or {}, tls)
        running.append(made)
        return made

    yield start
    for each in running:
        each.stop()


@pytest.fixture
def registry(registry_of: Callable[..., Process]) -> Process:
    """One that anybody may read and write."""
    return registry_of()


@pytest.fixture
def gate(registry: Process) -> Iterator[Gate]:
    """The way to the open registry on which faults befall requests."""
    made = Gate(registry)
    yield made
    made.close()


@pytest.fixture
def own_authority(tmp_path: Path) -> Path:
    """A certificate for this machine by an authority that nobody knows."""
    folder = tmp_path / "tls"
    folder.mkdir()
    certificate(folder)
    return folder


@pytest.fixture
def locked_registry(
    registry_of: Callable[..., Process], own_authority: Path, tmp_path: Path
) -> Iterator[Process]:
    """One over TLS, by its own authority, which lets in who has the password."""
    (tmp_path / "htpasswd").write_text(HTPASSWD)
    settings = {"auth": {"htpasswd": {"realm": "tests", "path": str(tmp_path / "htpasswd")}}}
    made = registry_of(settings, own_authority)
    known = Path("/etc/docker/certs.d") / made.host
    known.mkdir(parents=True)
    shutil.copy(own_authority / "ca.pem", known / "ca.crt")
    yield made
    shutil.rmtree(known)
    for folder in (known.parent, known.parent.parent):
        if not any(folder.iterdir()):
            folder.rmdir()


@pytest.fixture
def tokens(tmp_path: Path) -> Iterator[TokenServer]:
    folder = tmp_path / "tokens"
    folder.mkdir()
    made = TokenServer(folder)
    yield made
    made.close()


@pytest.fixture
def token_registry(registry_of: Callable[..., Process], tokens: TokenServer) -> Process:
    """One that lets in who has a token of the token server's."""
    return registry_of(tokens.settings())


@pytest.fixture
def built(shop: Shop) -> Shop:
    """The project on either store, with three services built as v1.0.0."""
    return with_version(shop, "v1.0.0")


@pytest.fixture
def built_here(shop_here: Shop) -> Shop:
    """The same on one engine, for what an image store can't matter to."""
    return with_version(shop_here, "v1.0.0")


def with_version(shop: Shop, version: str) -> Shop:
    shop.configure(gamma="")
    shop.report(version)
    return shop


def pushed(shop: Shop, host: str, *arguments: str, code: int = 0, **changes: str | None) -> dict[str, Any]:
    """The JSON of a push there, which ends with that exit code."""
    done = shop.run("push", f"{host}/team", *arguments, "--json", **changes)
    assert done.returncode == code, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
