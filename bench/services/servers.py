"""PostgreSQL, RabbitMQ and Redis in containers: those of the services' tests, empty and for this run alone."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx

ROOT = Path(__file__).resolve().parents[2]
_COMPOSE = (ROOT / "tests/services/compose.yaml", Path(__file__).with_name("compose.yaml"))
_PORTS = ("POSTGRES_PORT", "RABBITMQ_PORT", "MANAGEMENT_PORT", "REDIS_PORT")
_USER = "streamflow"
_ADDRESS = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
SERVERS = ("postgres", "rabbitmq", "redis")


class ServersError(Exception):
    """The servers didn't start or stop; the message is what docker compose said."""


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True)
class Servers:
    """The running servers: their addresses in the engine's network, and the first process of each, by name."""

    addresses: dict[str, str]
    processes: dict[str, int]

    @property
    def database(self) -> str:
        return f"postgresql://{_USER}:{_USER}@{self.addresses['postgres']}:5432/{_USER}"

    @property
    def redis(self) -> str:
        return f"redis://{self.addresses['redis']}:6379/0"

    def broker(self, host: str = "/") -> str:
        """The URL of a virtual host."""
        return f"amqp://{_USER}:{_USER}@{self.addresses['rabbitmq']}:5672/{quote(host, safe='')}"

    @contextmanager
    def virtual_host(self, name: str) -> Iterator[str]:
        """The URL of a virtual host that goes again, with all that is in it."""
        api = f"http://{self.addresses['rabbitmq']}:15672/api"
        with httpx.Client(base_url=api, auth=(_USER, _USER), timeout=60, trust_env=False) as management:
            management.put(f"/vhosts/{name}").raise_for_status()
            everything = {"configure": ".*", "write": ".*", "read": ".*"}
            management.put(f"/permissions/{name}/{_USER}", json=everything).raise_for_status()
            yield self.broker(name)
            management.delete(f"/vhosts/{name}").raise_for_status()


@contextmanager
def running_servers() -> Iterator[Servers]:
    """Start the servers; they are gone, with their data, when the context ends. Raises ServersError."""
    environ = os.environ | {name: str(free_port()) for name in _PORTS}
    files = [argument for file in _COMPOSE for argument in ("--file", str(file))]
    compose = ("docker", "compose", *files, "--project-name", f"streamflow-bench-{os.getpid()}")
    down = (*compose, "down", "--volumes", "--timeout", "1")
    try:
        _output(environ, *compose, "up", "--detach", "--wait")
        containers = {name: _output(environ, *compose, "ps", "--quiet", name).strip() for name in SERVERS}
        yield Servers(
            {name: _told(environ, one, _ADDRESS) for name, one in containers.items()},
            {name: int(_told(environ, one, "{{.State.Pid}}")) for name, one in containers.items()},
        )
    except BaseException:
        with suppress(ServersError):  # what was first is what is to be told
            _output(environ, *down)
        raise
    _output(environ, *down)


def _told(environ: dict[str, str], container: str, what: str) -> str:
    return _output(environ, "docker", "inspect", "--format", what, container).strip()


def _output(environ: dict[str, str], *command: str) -> str:
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ServersError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout
