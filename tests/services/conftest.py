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

SERVICES = ("ingestion", "analytics", "alerting", "dashboard", "storage")
DEADLINE_SECONDS = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


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

    def wait_until_serving(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if "Uvicorn running on" in line:
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
        assert self.process.stdout is not None
        self.lines.extend(self.process.stdout)
        return self.process.wait()

    def records(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.lines]


@pytest.fixture
def start() -> Iterator[Callable[..., Running]]:
    """Start a service with settings; it serves when this returns, and is gone when the test ends."""
    started: list[tuple[subprocess.Popen[str], threading.Timer]] = []

    def begin(service: str, **settings: str) -> Running:
        port = free_port()
        process = subprocess.Popen(
            [sys.executable, "-m", f"streamflow.{service}"],
            env=environment(HOST="127.0.0.1", PORT=str(port)) | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        # A service that hangs ends here, so that no test waits for its output for ever.
        watchdog = threading.Timer(DEADLINE_SECONDS, process.kill)
        watchdog.start()
        started.append((process, watchdog))
        running = Running(process, f"http://127.0.0.1:{port}")
        running.wait_until_serving()
        return running

    yield begin
    for process, watchdog in started:
        watchdog.cancel()
        process.kill()
        process.communicate()


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A listening socket that takes connections when asked to and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(DEADLINE_SECONDS)
        yield listener
