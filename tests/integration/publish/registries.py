"""Real registries of these tests' own: open, with passwords over TLS, and behind a token server; and what breaks them.

Each is Debian's docker-registry on the loopback address, with its data in a temporary folder.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt

USER, PASSWORD = "me", "s3cret-of-the-registry"
# Of that password, by bcrypt.
HTPASSWD = "me:$2b$05$VyRBAYFnnqtHgCNSKFGNCu0sjSNQYACq.6Wi6gXUGMZI.Oj0x6mNC\n"
Act = Callable[[socket.socket, socket.socket, bytes], bool]
"""What befalls a request: see Fault."""
TLS_HELLO = b"\x16"
ISSUER, SERVICE = "streamflow-tests", "registry-of-the-tests"


def free_ports(count: int) -> list[int]:
    """So many ports that nothing listens on, each another one."""
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [int(each.getsockname()[1]) for each in found]


def free_port() -> int:
    return free_ports(1)[0]


class Process:
    """A docker-registry that runs, and can be ended and started again with what it holds."""

    def __init__(
        self, program: Path, folder: Path, port: int, settings: dict[str, Any], tls: Path | None
    ) -> None:
        self.port = port
        self.data = folder / "data"
        self._tls = tls
        self._program = program
        self._log = folder / "registry.log"
        self._settings = folder / "config.json"  # YAML holds JSON
        http: dict[str, Any] = {"addr": f"127.0.0.1:{port}", "relativeurls": True}
        if tls is not None:
            http["tls"] = {"certificate": str(tls / "cert.pem"), "key": str(tls / "key.pem")}
        storage = {"filesystem": {"rootdirectory": str(self.data)}, "delete": {"enabled": True}}
        document = {"version": 0.1, "log": {"level": "warn"}, "storage": storage, "http": http, **settings}
        self._settings.write_text(json.dumps(document))
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([self._program, "serve", self._settings], stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while not self._listens():
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, "the registry does not listen"
            time.sleep(0.02)

    def stop(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False


def certificate(folder: Path) -> None:
    """An authority of its own, and a certificate for the loopback address by it."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=folder)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=tests' authority",
            "-keyout", "ca.key", "-out", "ca.pem")  # fmt: skip
    openssl(
        "req",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=127.0.0.1",
        "-keyout",
        "key.pem",
        "-out",
        "csr.pem",
    )
    (folder / "extensions").write_text(
        "subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:FALSE\n"
    )
    openssl("x509", "-req", "-in", "csr.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", "extensions", "-out", "cert.pem")  # fmt: skip


@dataclass
class TokenServer:
    """Gives tokens to who has the password, for what was asked, and counts them."""

    folder: Path
    lifetime: int = 300
    """Seconds until the registry refuses a token, which forgives a minute."""
    grants: Callable[[str], list[str]] = lambda scope: scope.rpartition(":")[2].split(",")
    tokens: int = 0
    port: int = 0
    _server: ThreadingHTTPServer = field(init=False)

    def __post_init__(self) -> None:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=tokens",
             "-keyout", self.folder / "token.key", "-out", self.folder / "token.pem"],
            check=True, capture_output=True,
        )  # fmt: skip
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self, parse_qs(urlsplit(self.path).query))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                outer.answer(self, parse_qs(body))

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def settings(self) -> dict[str, Any]:
        """What a registry is told of it."""
        return {
            "auth": {
                "token": {
                    "realm": f"http://127.0.0.1:{self.port}/token",
                    "service": SERVICE,
                    "issuer": ISSUER,
                    "rootcertbundle": str(self.folder / "token.pem"),
                }
            }
        }

    def answer(self, request: BaseHTTPRequestHandler, asked: dict[str, list[str]]) -> None:
        login = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        allowed = request.headers.get("Authorization") == login or asked.get("refresh_token") == [PASSWORD]
        found: dict[str, Any] = {"details": "wrong"}
        if allowed:
            token = self.token(asked.get("scope", []))
            found = {"token": token, "access_token": token, "expires_in": self.lifetime}
        body = json.dumps(found).encode()
        request.send_response(200 if allowed else 401)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def token(self, scopes: list[str]) -> str:
        self.tokens += 1
        now = int(time.time())  # a token's times are whole seconds
        access = [
            {"type": "repository", "name": scope.split(":")[1], "actions": self.grants(scope)}
            for each in scopes
            for scope in each.split(" ")
        ]
        claims = {
            "iss": ISSUER, "sub": USER, "aud": SERVICE, "jti": str(self.tokens), "iat": now - 120, "nbf": now - 120,
            "exp": now + self.lifetime - 60, "access": access,
        }  # fmt: skip
        pem = (self.folder / "token.pem").read_text()
        der = "".join(re.sub(r"-----[A-Z ]+-----", "", pem).split())
        return jwt.encode(
            claims, (self.folder / "token.key").read_text(), algorithm="RS256", headers={"x5c": [der]}
        )

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@dataclass
class Fault:
    """What befalls a request: of those that match, ``times`` ones after the first ``after``.

    ``act`` gets the client's socket, the registry's and the request's head; where it returns False the request goes
    on as if nothing had been.
    """

    match: str
    act: Act
    times: int = 1
    after: int = 0
    seen: int = 0
    befallen: int = 0


class Gate:
    """Stands before a registry, passes each request on, and lets faults befall some. One request a connection."""

    def __init__(self, registry: Process) -> None:
        self.faults: list[Fault] = []
        self.heads: list[str] = []
        self._registry = registry
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        for each in [self._listener, *self._open]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self._open.add(near)
            thread = threading.Thread(target=self._serve, args=(near,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError):
            if near.recv(1, socket.MSG_PEEK) == TLS_HELLO:
                near.sendall(
                    b"HTTP/1.0 400 Bad Request\r\n\r\n"
                )  # so that the engine tries without TLS at once
                return
            head, rest = read_head(near)
            if not head:
                return
            first = head.split(b"\r\n", 1)[0].decode()
            with self._lock:
                self.heads.append(first)
                fault = self._fault(first)
            with socket.create_connection(("127.0.0.1", self._registry.port)) as far:
                self._open.add(far)
                if fault is not None and fault.act(near, far, head + rest):
                    return
                lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
                far.sendall(b"\r\n".join([lines[0], b"Connection: close", *lines[1:]]) + rest)
                thread = threading.Thread(target=pipe, args=(near, far))
                thread.start()
                pipe(far, near)
                thread.join()

    def _fault(self, first: str) -> Fault | None:
        for fault in self.faults:
            if re.search(fault.match, first):
                fault.seen += 1
                if fault.seen > fault.after and fault.befallen < fault.times:
                    fault.befallen += 1
                    return fault
        return None


def read_head(source: socket.socket) -> tuple[bytes, bytes]:
    """A request's head with its empty line, and what came of the body with it."""
    read = b""
    while b"\r\n\r\n" not in read:
        data = source.recv(65536)
        if not data:
            return b"", b""
        read += data
    head, _, rest = read.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n", rest


def pipe(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def answers(status: str, *headers: str, body: bytes = b"") -> Act:
    """The registry isn't asked; this is the answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]

    def act(near: socket.socket, _far: socket.socket, _head: bytes) -> bool:
        near.sendall("\r\n".join(lines).encode() + body)
        near.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            while near.recv(65536):  # what the client still sends, or it would see a reset and no answer
                pass
        return True

    return act


def cuts(near: socket.socket, far: socket.socket, head: bytes) -> bool:
    """The connection breaks off once some of the body has passed."""
    far.sendall(head)
    near.settimeout(0.2)  # there may be no body, or no more of it
    with contextlib.suppress(OSError):
        far.sendall(near.recv(20_000))
    near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    return True


def stalls(seconds: float) -> Act:
    """Nothing comes for so long, and then the end."""

    def act(near: socket.socket, _far: socket.socket, _head: bytes) -> bool:
        near.settimeout(seconds)
        deadline = time.monotonic() + seconds
        with contextlib.suppress(OSError):
            while time.monotonic() < deadline and near.recv(65536):
                pass
        return True

    return act


def comes_late(seconds: float) -> Act:
    """The registry gets the request so much later."""

    def act(_near: socket.socket, _far: socket.socket, _head: bytes) -> bool:
        time.sleep(seconds)
        return False

    return act


def changes(pattern: bytes, by: bytes) -> Act:
    """The registry's answer comes with something in its head changed."""

    def act(near: socket.socket, far: socket.socket, head: bytes) -> bool:
        first, _, rest = head.partition(b"\r\n")
        far.sendall(b"\r\n".join([first, b"Connection: close", rest]))
        answer, body = read_head(far)
        near.sendall(re.sub(pattern, by, answer) + body)
        pipe(far, near)
        return True

    return act


def asks_instead(pattern: bytes, by: bytes) -> Act:
    """The registry is asked for something else, by a request without a body."""

    def act(near: socket.socket, far: socket.socket, head: bytes) -> bool:
        first, _, rest = head.partition(b"\r\n")
        far.sendall(b"\r\n".join([re.sub(pattern, by, first), b"Connection: close", rest]))
        pipe(far, near)
        return True

    return act
