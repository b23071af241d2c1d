"""Whether a Docker Engine answers, and what it is."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Answer:
    """An engine that answered: where (None: the current docker context), version, image store."""

    host: str | None
    version: str
    store: str


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def ask_socket(path: str) -> Answer | None:
    """The engine that listens on this unix socket, if one answers within 10 s."""
    connection = _UnixConnection(path)
    try:
        connection.request("GET", "/info")
        response = connection.getresponse()
        facts = json.load(response)
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    if response.status != http.client.OK:
        return None
    return _answer(f"unix://{path}", facts)


def ask_surroundings() -> Answer | None:
    """The engine that DOCKER_HOST, or else the current docker context, names, if it answers."""
    host = os.environ.get("DOCKER_HOST") or None
    if host and host.startswith("unix://"):
        return ask_socket(host.removeprefix("unix://"))
    if shutil.which("docker"):
        facts = _ask_client()
        return _answer(host, facts) if facts else None
    default = "/var/run/docker.sock"
    if host is None and Path(default).exists():
        found = ask_socket(default)
        return Answer(None, found.version, found.store) if found else None
    return None


def _ask_client() -> dict[str, object] | None:
    try:
        done = subprocess.run(
            ["docker", "info", "--format", "{{json .}}"],
            capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None
    facts = json.loads(done.stdout) if done.returncode == 0 else {}
    return facts if facts.get("ServerVersion") else None


def _answer(host: str | None, facts: dict[str, object]) -> Answer:
    status = facts.get("DriverStatus") or []
    containerd = ["driver-type", "io.containerd.snapshotter.v1"] in list(status)  # type: ignore[call-overload]
    return Answer(host, str(facts["ServerVersion"]), "containerd" if containerd else "overlay2")
