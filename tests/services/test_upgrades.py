"""What becomes of requests that ask for another protocol, with each of the parsers that images have."""

from __future__ import annotations

import json
import os
import socket
import time
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.sync.client import connect

from .asgi import AUTHORIZED
from .conftest import DEADLINE_SECONDS, Running

TOKEN = f"Authorization: {AUTHORIZED['Authorization']}"
EVENT = json.dumps({"type": "custom", "source": "shop", "data": {"padding": "x" * 100}})
H2C = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")
WEBSOCKET = ("Connection: Upgrade", "Upgrade: websocket")


@pytest.fixture(params=["httptools", "h11"])
def running(request: pytest.FixtureRequest, start: Any, tmp_path: Path) -> Running:
    """Ingestion, with the parser that its image has, and with the one that others have."""
    if request.param == "h11":
        for name in ("httptools", "uvloop"):
            (tmp_path / f"{name}.py").write_text("raise ImportError('hidden')\n")
    above = os.environ.get("PYTHONPATH")
    service: Running = start(
        "ingestion", PYTHONPATH=os.pathsep.join([str(tmp_path), *([above] if above else [])])
    )
    return service


def opened(running: Running) -> socket.socket:
    parts = urlsplit(running.url)
    assert parts.hostname is not None
    assert parts.port is not None
    return socket.create_connection((parts.hostname, parts.port), timeout=DEADLINE_SECONDS)


def head(method: str, path: str, *headers: str) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode()


def post(*headers: str, body: str = EVENT) -> bytes:
    about = ("Content-Type: application/json", f"Content-Length: {len(body)}", TOKEN)
    return head("POST", "/events", *headers, *about) + body.encode()


def answer(connection: socket.socket) -> tuple[int, bytes]:
    """Status and body of the next answer, which says its length."""
    with connection.makefile("rb", buffering=0) as told:
        status = int(told.readline().split()[1])
        length = 0
        while line := told.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        body = b""
        while len(body) < length:
            body += told.read(length - len(body)) or pytest.fail("the answer broke off")
        return status, body


def test_an_offer_of_http2_is_ignored_and_the_body_is_read(running: Running) -> None:
    with closing(opened(running)) as connection:
        # At once, with the next request behind it; then in pieces.
        connection.sendall(post(*H2C) + head("GET", "/health"))
        assert answer(connection)[0] == 202
        assert answer(connection)[0] == 200
        for piece in (post(*H2C)[:40], post(*H2C)[40:-50], post(*H2C)[-50:]):
            connection.sendall(piece)
            time.sleep(0.05)
        assert answer(connection)[0] == 202
        in_chunks = ("Transfer-Encoding: chunked", "Content-Type: application/json", TOKEN)
        connection.sendall(
            head("POST", "/events", *H2C, *in_chunks) + f"{len(EVENT):x}\r\n{EVENT}\r\n0\r\n\r\n".encode()
        )
        assert answer(connection)[0] == 202
        connection.sendall(head("GET", "/health", "Connection: close, Upgrade", "Upgrade: h2c"))
        assert answer(connection)[0] == 200
        assert connection.recv(1) == b""


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (head("POST", "/health", *WEBSOCKET, "Content-Length: 2") + b"hi", 405),
        (head("GET", "/health", *WEBSOCKET, "Content-Length: 2") + b"hi", 200),
        (head("GET", "/ws", *WEBSOCKET), 400),
        (head("GET", "/ws", *WEBSOCKET, f"X-Long: {'x' * 9000}"), 431),
        (post(*WEBSOCKET), 202),
    ],
    ids=["post", "get-with-body", "no-key", "long-header", "event"],
)
def test_an_odd_upgrade_is_answered_and_spoils_no_end(running: Running, request_: bytes, status: int) -> None:
    with closing(opened(running)) as odd, closing(opened(running)) as late:
        odd.sendall(request_)
        assert answer(odd)[0] == status
        late.sendall(post()[:-10])
        time.sleep(0.3)
        running.process.terminate()
        time.sleep(0.5)
        late.sendall(post()[-10:])
        assert answer(late)[0] == 202
        assert running.wait() == 0
    assert running.errors() == ""
    assert [record["message"] for record in running.records() if record["level"] == "error"] == []


def test_a_websocket_is_still_one(running: Running) -> None:
    with connect(f"{running.url.replace('http', 'ws')}/ws", additional_headers=AUTHORIZED) as client:
        client.send(EVENT)
        assert json.loads(client.recv())["status"] == "accepted"
