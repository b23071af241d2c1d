"""Running services as processes, as an image does."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from .servers import (  # noqa: F401 - these are fixtures, and free_port for the tests
    docker_cleanup,
    docker_compose_command,
    docker_compose_file,
    docker_compose_project_name,
    docker_setup,
    free_port,
    postgres_url,
    rabbitmq_url,
    redis_url,
    servers,
)

SERVICES = ("ingestion", "analytics", "alerting", "dashboard", "storage")
DEADLINE_SECONDS = 60


def environment(**settings: str) -> dict[str, str]:
    """What a service finds in its environment: these settings and no other."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "PYTHONPATH"}}
    return kept | settings


@dataclass
class Running:
    """A service that serves on a port of this host."""

    process: subprocess.Popen[str]
    url: str
    lines: list[str] = field(default_factory=list)
    _reader: threading.Thread | None = None
    """Takes what it logs while it runs, so that it never waits for somebody to read that."""

    def wait_until_serving(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if "Uvicorn running on" in line:
                self._reader = threading.Thread(target=self.lines.extend, args=(self.process.stdout,))
                self._reader.start()
                return
        pytest.fail(f"the service ended before it served:\n{''.join(self.lines)}{self.errors()}")

    def errors(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def stop(self, with_signal: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop; its exit code. From then on `lines` holds all it logged."""
        self.process.send_signal(with_signal)
        return self.wait()

    def wait(self) -> int:
        code = self.process.wait()
        assert self._reader is not None
        self._reader.join()
        return code

    def records(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.lines]


@pytest.fixture
def start() -> Iterator[Callable[..., Running]]:
    """Start a service with settings; it serves when this returns, and is gone when the test ends."""
    started: list[tuple[Running, threading.Timer]] = []

    def begin(service: str, *, within: float = DEADLINE_SECONDS, **settings: str) -> Running:
        port = free_port()
        process = subprocess.Popen(
            [sys.executable, "-m", f"streamflow.{service}"],
            env=environment(HOST="127.0.0.1", PORT=str(port)) | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        # A service that hangs ends after `within` seconds, so that no test waits for its output for ever.
        watchdog = threading.Timer(within, process.kill)
        watchdog.start()
        running = Running(process, f"http://127.0.0.1:{port}")
        started.append((running, watchdog))
        running.wait_until_serving()
        return running

    yield begin
    for running, watchdog in started:
        watchdog.cancel()
        running.process.kill()
        if running._reader is not None:
            running._reader.join()
        running.process.communicate()


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A listening socket that takes connections when asked to and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(DEADLINE_SECONDS)
        yield listener
