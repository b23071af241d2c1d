"""What stands around an engine in these tests: a proxy that can be cut, and a private registry."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from .shop import forever, shop, shop_here, short_folder

__all__ = ["forever", "shop", "shop_here", "short_folder"]

CHUNK = 65536


class Proxy:
    """Passes connections on to an engine's socket, until it is cut."""

    def __init__(self, listener: socket.socket, engine: str, tls: ssl.SSLContext | None = None) -> None:
        self._listener, self._engine, self._tls = listener, engine, tls
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def cut(self) -> None:
        """What an engine looks like that was killed: nothing listens, every connection breaks off."""
        for each in [self._listener, *self._open]:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(each, socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join()
        for each in [self._listener, *self._open]:
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(self._engine)
            self._open += [near, far]
            if self._tls:
                near = self._tls.wrap_socket(near, server_side=True)
                self._open.append(near)
            for source, sink in ((near, far), (far, near)):
                thread = threading.Thread(target=self._pass_on, args=(source, sink))
                self._threads.append(thread)
                thread.start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            socket.socket.shutdown(sink, socket.SHUT_RDWR)


@pytest.fixture
def proxied(default_store: Any, tmp_path: Path) -> Iterator[tuple[Proxy, dict[str, str]]]:
    """A way to the default engine that can be cut, and the environment that leads over it."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "docker.sock"))
    listener.listen()
    proxy = Proxy(listener, default_store.address.removeprefix("unix://"))
    yield proxy, {**default_store.environ, "DOCKER_HOST": f"unix://{tmp_path}/docker.sock"}
    proxy.cut()


@pytest.fixture(params=["tcp", "tls"])
def over_tcp(request: pytest.FixtureRequest, default_store: Any, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment that leads to the default engine over TCP, plain and with certificates."""
    listener = socket.create_server(("127.0.0.1", 0))
    environ = {**default_store.environ, "DOCKER_HOST": f"tcp://127.0.0.1:{listener.getsockname()[1]}"}
    context = None
    if request.param == "tls":
        _certificates(tmp_path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
        context.load_verify_locations(tmp_path / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        environ |= {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)}
    proxy = Proxy(listener, default_store.address.removeprefix("unix://"), context)
    yield environ
    proxy.cut()


def _certificates(folder: Path) -> None:
    """A certificate for 127.0.0.1 that is its own authority, for server and client alike."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        check=True,
        capture_output=True,
    )  # fmt: skip
    (folder / "ca.pem").write_bytes((folder / "cert.pem").read_bytes())


@pytest.fixture
def http_server() -> Iterator[Callable[[type[BaseHTTPRequestHandler]], int]]:
    """Serves on the loopback address until the test ends; gives the port."""
    servers: list[tuple[ThreadingHTTPServer, threading.Thread]] = []

    def serve(handler: type[BaseHTTPRequestHandler]) -> int:
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        servers.append((server, thread))
        return server.server_address[1]

    yield serve
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def private_registry(http_server: Callable[[type[BaseHTTPRequestHandler]], int], token: str) -> str:
    """The host of a registry which has one image under every name, and lets in `me` with `s3cret`."""
    layer = bytes(10240)
    packed = gzip.compress(layer, mtime=0)
    config = json.dumps({
        "architecture": "amd64", "os": "linux", "config": {"Labels": {"org.streamflow.test": token}},
        "rootfs": {"type": "layers", "diff_ids": [digest(layer)]}, "history": [{"created_by": "ADD nothing"}],
    }).encode()  # fmt: skip
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": described("config.v1+json", config), "layers": [described("layer.v1.tar+gzip", packed)],
    }).encode()  # fmt: skip
    blobs = {digest(content): content for content in (packed, config, manifest)}
    allowed = "Basic " + base64.b64encode(b"me:s3cret").decode()

    class Registry(BaseHTTPRequestHandler):
        # So that an engine which tries TLS first is answered in HTTP, which makes it try again without.
        default_request_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body, kind = b"{}", "application/json"
            if self.headers.get("Authorization") != allowed:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="private"')
            elif "/manifests/" in self.path:
                self.send_response(200)
                body, kind = manifest, "application/vnd.oci.image.manifest.v1+json"
                self.send_header("Docker-Content-Digest", digest(manifest))
            elif "/blobs/" in self.path:
                self.send_response(200)
                body, kind = blobs[self.path.rpartition("/")[2]], "application/octet-stream"
            else:
                self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return f"localhost:{http_server(Registry)}"


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def described(kind: str, content: bytes) -> dict[str, object]:
    return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": digest(content), "size": len(content)}
