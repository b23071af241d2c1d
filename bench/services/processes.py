"""The five services, a process each, started as their images start them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from servers import Servers, free_port

SERVICES = ("ingestion", "analytics", "alerting", "dashboard", "storage")
_START_SECONDS = 60.0
_STOP_SECONDS = 15.0
# uvicorn takes these two where they are installed, and only ingestion's image has them.
_FAST = ("uvloop", "httptools")


class ServiceError(Exception):
    """A service didn't do what it has to; the message holds the end of its log."""


@dataclass(frozen=True, slots=True)
class Service:
    """A running service."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def url(self, path: str = "", scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.port}{path}"

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of an answer. Raises OSError or HTTPException."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        with closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def metric(self, name: str) -> int:
        """What its metric says now; 0 while it has none of that name."""
        _, text = self.get("/metrics")
        found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
        return int(float(found[1])) if found else 0

    def failed(self, what: str) -> ServiceError:
        tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])
        return ServiceError(f"{self.name} {what}; its log ends with\n{tail}")


@contextmanager
def running_services(servers: Servers, key: str, folder: Path) -> Iterator[dict[str, Service]]:
    """Start the services; they are ready when this returns, and gone when the context ends. Raises ServiceError."""
    absent = _absent(folder)
    ports = {name: free_port() for name in SERVICES}
    settings = {
        "HOST": "127.0.0.1",
        "DATABASE_URL": servers.database,
        "RABBITMQ_URL": servers.broker(),
        "REDIS_URL": servers.redis,
        "JWT_SECRET_KEY": key,
        # One client sends all there is.
        "RATE_LIMIT": "10000000",
        **{f"{name.upper()}_URL": f"http://127.0.0.1:{port}" for name, port in ports.items()},
        "PYTHONUNBUFFERED": "1",
    }
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME"}}
    started: dict[str, Service] = {}
    try:
        for name, port in ports.items():
            environ = kept | settings | {"PORT": str(port)}
            if name != "ingestion":
                environ["PYTHONPATH"] = str(absent)
            started[name] = _start(name, port, environ, folder / f"{name}.log")
        for service in started.values():
            _until_ready(service)
        yield started
    finally:
        _stop(service.process for service in started.values())


def until(check: Callable[[], bool], seconds: float, pause: float = 0.1) -> bool:
    """Ask until it is so, for so many seconds; whether it came to be."""
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


def _absent(folder: Path) -> Path:
    """Modules that can't be imported, as if they were not installed."""
    absent = folder / "absent"
    absent.mkdir()
    for name in _FAST:
        (absent / f"{name}.py").write_text('raise ImportError("this image doesn\'t have it")\n')
    return absent


def _start(name: str, port: int, environ: dict[str, str], log: Path) -> Service:
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", f"streamflow.{name}"], env=environ, stdout=output, stderr=output
        )
    return Service(name, port, process, log)


def _until_ready(service: Service) -> None:
    def ready() -> bool:
        if service.process.poll() is not None:
            raise service.failed(f"ended with {service.process.returncode}")
        try:
            status, _ = service.get("/ready")
        except (OSError, HTTPException):
            return False
        return status == HTTPStatus.OK

    if not until(ready, _START_SECONDS):
        raise service.failed(f"is not ready after {_START_SECONDS:g} s")


def _stop(processes: Iterator[subprocess.Popen[bytes]]) -> None:
    ending = list(processes)
    for process in ending:
        process.terminate()
    for process in ending:
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
