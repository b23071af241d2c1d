"""The real servers that tests of the services use: PostgreSQL, RabbitMQ and Redis in containers, by pytest-docker.

One of each serves a whole run; a test gets a database, a virtual host and a key space of its own, which go with it.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

COMPOSE = Path(__file__).with_name("compose.yaml")
PORTS = ("POSTGRES_PORT", "RABBITMQ_PORT", "MANAGEMENT_PORT", "REDIS_PORT")
_DATABASES = itertools.cycle(range(1, 16))


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True)
class Servers:
    """The running servers: compose on them, and their ports on 127.0.0.1."""

    compose: tuple[str, ...]
    environ: dict[str, str]

    def port(self, server: str) -> int:
        return int(self.environ[f"{server.upper()}_PORT"])

    def run(self, *arguments: str) -> str:
        """What docker compose prints."""
        done = subprocess.run(
            [*self.compose, *arguments], env=self.environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def execute(self, server: str, *command: str) -> str:
        """What a command prints in the server's container."""
        return self.run("exec", "-T", server, *command)

    def kill(self, server: str) -> None:
        """End it as a crash does."""
        self.run("kill", "--signal", "SIGKILL", server)

    @contextlib.contextmanager
    def paused(self, server: str) -> Iterator[None]:
        """Let it hang meanwhile: connections to it stay, and nothing answers."""
        self.run("pause", server)
        try:
            yield
        finally:
            self.run("unpause", server)

    def start(self, server: str) -> None:
        """Start it again, with its data, and wait until it serves."""
        command = ("up", "--detach", "--wait", "--no-recreate", server)
        # One that was paused or slow counts as unhealthy until it is asked again.
        for _ in range(4):
            with contextlib.suppress(AssertionError):
                self.run(*command)
                return
            time.sleep(2)
        self.run(*command)


@pytest.fixture(scope="session")
def docker_compose_file() -> str:
    return str(COMPOSE)


@pytest.fixture(scope="session")
def docker_compose_project_name() -> str:
    return f"streamflow-test-{os.getpid()}"


@pytest.fixture(scope="session")
def docker_compose_command(default_store: Any) -> str:
    """Compose of the engine that the tests use."""
    os.environ.update({name: str(free_port()) for name in PORTS})
    told = {
        name: default_store.environ[name] for name in ("DOCKER_HOST", "PATH") if name in default_store.environ
    }
    return " ".join(["env", *(f"{name}={value}" for name, value in told.items()), "docker compose"])


@pytest.fixture(scope="session")
def docker_setup() -> list[str]:
    return ["up --detach --wait"]


@pytest.fixture(scope="session")
def docker_cleanup() -> list[str]:
    return ["down --volumes --timeout 1"]


@pytest.fixture(scope="session")
def servers(docker_services: Any, default_store: Any, docker_compose_project_name: str) -> Servers:
    environ = default_store.environ | {name: os.environ[name] for name in PORTS}
    compose = ("docker", "compose", "--file", str(COMPOSE), "--project-name", docker_compose_project_name)
    return Servers(compose, environ)


@pytest.fixture
def postgres_url(servers: Servers, token: str) -> Iterator[str]:
    """An empty database of the test's own."""
    name = f"test_{token}"
    psql = ("psql", "--username", "streamflow", "--quiet", "--command")
    servers.execute("postgres", *psql, f"CREATE DATABASE {name}")
    yield f"postgresql://streamflow:streamflow@127.0.0.1:{servers.port('postgres')}/{name}"
    servers.start("postgres")
    servers.execute("postgres", *psql, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def rabbitmq_url(servers: Servers, token: str) -> Iterator[str]:
    """A virtual host of the test's own."""
    name = f"test-{token}"
    api = f"http://127.0.0.1:{servers.port('management')}/api"
    with httpx.Client(base_url=api, auth=("streamflow", "streamflow"), timeout=60) as management:
        management.put(f"/vhosts/{name}").raise_for_status()
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        management.put(f"/permissions/{name}/streamflow", json=everything).raise_for_status()
        yield f"amqp://streamflow:streamflow@127.0.0.1:{servers.port('rabbitmq')}/{name}"
        servers.start("rabbitmq")
        management.delete(f"/vhosts/{name}").raise_for_status()


@pytest.fixture
def redis_url(servers: Servers) -> Iterator[str]:
    """An empty key space of the test's own."""
    url = f"redis://127.0.0.1:{servers.port('redis')}/{next(_DATABASES)}"
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    yield url
    servers.start("redis")
    with redis.Redis.from_url(url) as client:
        client.flushdb()
