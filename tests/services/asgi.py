"""Asking an app: without a server, or by the one that services run on."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr

from streamflow.shared.auth import mint
from streamflow.shared.settings import DEVELOPMENT_KEY

from .servers import free_port

_START_SECONDS = 30.0

AUTHORIZED = {"Authorization": f"Bearer {mint(SecretStr(DEVELOPMENT_KEY), 'tester', 'write', 24 * 3600)}"}
"""What a client sends that may do everything, where the key is the one for development."""


def ask(app: FastAPI, method: str, path: str, **request: Any) -> httpx.Response:
    """The app's answer, as a server would send it."""

    async def answer() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.request(method, path, **request)

    return asyncio.run(answer())


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """The app on a port of this host, by the server that the services run on; its address."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + _START_SECONDS
    try:
        while not server.started:
            assert time.monotonic() < deadline, "the server does not start"
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
