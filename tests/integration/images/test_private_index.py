"""A package index of one's own, with a password: the build gets in, and the password is nowhere afterwards."""

from __future__ import annotations

import base64
import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import pytest

from ..shop import Shop
from .test_requirements import python_base, stocked
from .test_secrets import everything

__all__ = ["python_base", "stocked"]

USER = "reader"


class Index(NamedTuple):
    """A running index with one package; ``refused`` counts requests without the password."""

    address: str
    package: str
    digest: str
    refused: list[str]


def wheel(name: str) -> bytes:
    buffer = io.BytesIO()
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(f"{name}.py", "print('from the private index')\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return buffer.getvalue()


@pytest.fixture
def password(token: str) -> str:
    return f"hush{token}"


@pytest.fixture
def index(shop_here: Shop, token: str, password: str) -> Iterator[Index]:
    name = f"private{token}"
    content = wheel(name)
    file = f"{name}-1.0-py3-none-any.whl"
    digest = hashlib.sha256(content).hexdigest()
    login = base64.b64encode(f"{USER}:{password}".encode()).decode()
    refused: list[str] = []
    pages = {
        f"/simple/{name}/": ("text/html", f'<a href="/{file}#sha256={digest}">{file}</a>'.encode()),
        f"/{file}": ("application/octet-stream", content),
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.headers.get("Authorization") != f"Basic {login}":
                refused.append(self.path)
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="index"')
                self.end_headers()
            elif self.path not in pages:
                self.send_error(404)
            else:
                kind, page = pages[self.path]
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(page)))
                self.end_headers()
                self.wfile.write(page)

        def do_HEAD(self) -> None:
            self.send_error(405)

        def log_message(self, *_: object) -> None:
            """Nothing: what is asked is not the test's output."""

    gateway = shop_here.live.api.inspect_network("bridge")["IPAM"]["Config"][0]["Gateway"]
    server = ThreadingHTTPServer(("0.0.0.0", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Index(f"{gateway}:{server.server_port}", name, digest, refused)
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_is_used_and_its_password_is_nowhere(stocked: Shop, index: Index, password: str) -> None:
    stocked.write("alpha.txt", f"{index.package}==1.0 \\\n    --hash=sha256:{index.digest}\n")
    url = f"http://{USER}:{password}@{index.address}/simple"

    done = stocked.images("--json", PIP_EXTRA_INDEX_URL=url)

    assert done.returncode == 0, done.stderr
    found = everything(stocked)
    assert b"from the private index" in found
    assert password.encode() not in found
    assert password not in done.stdout + done.stderr + stocked.log("alpha")


def test_a_password_that_is_wrong(stocked: Shop, index: Index, password: str) -> None:
    stocked.write("alpha.txt", f"{index.package}==1.0 \\\n    --hash=sha256:{index.digest}\n")
    url = f"http://{USER}:not{password}@{index.address}/simple"

    done = stocked.images("--only", "alpha", PIP_EXTRA_INDEX_URL=url)

    assert done.returncode == 4
    assert index.refused
    assert password not in done.stdout + done.stderr + stocked.log("alpha")
