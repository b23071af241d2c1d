"""Asking an app without a server."""

import asyncio
from typing import Any

import httpx
from fastapi import FastAPI
from pydantic import SecretStr

from streamflow.shared.auth import mint
from streamflow.shared.settings import DEVELOPMENT_KEY

AUTHORIZED = {"Authorization": f"Bearer {mint(SecretStr(DEVELOPMENT_KEY), 'tester', 'write', 24 * 3600)}"}
"""What a client sends that may do everything, where the key is the one for development."""


def ask(app: FastAPI, method: str, path: str, **request: Any) -> httpx.Response:
    """The app's answer, as a server would send it."""

    async def answer() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.request(method, path, **request)

    return asyncio.run(answer())
