"""Request bodies: how large they may be, and how long they may take."""

import asyncio
from typing import Any

from fastapi import FastAPI, HTTPException
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streamflow.shared.errors import ErrorAnswer

SECONDS = 30.0
"""How long a body may be on its way, from the moment it is asked for; uvicorn has no such limit of its own."""
TOO_LARGE: dict[int | str, dict[str, Any]] = {
    413: {"model": ErrorAnswer, "description": "The body is too large"}
}
"""What a route that takes a body declares beside its own answer."""
_DIGITS = 20


def limit_bodies(app: FastAPI, most: int) -> None:
    """Refuse requests whose body has more bytes or comes too slowly, within what sees every request."""
    app.user_middleware.append(Middleware(BodyLimit, most=most))


class BodyLimit:
    """ASGI middleware that refuses a body longer than so many bytes where it is read, whatever its head says."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared, read, whole = self._declared(scope), 0, False
        deadline: float | None = None

        async def receive_limited() -> Message:
            nonlocal read, whole, deadline
            if whole:  # what comes now is that the client went away, whenever that is
                return await receive()
            if declared > self._most:
                raise HTTPException(413, f"a body may have {self._most} bytes")
            deadline = deadline or asyncio.get_running_loop().time() + SECONDS
            try:
                async with asyncio.timeout_at(deadline):
                    part = await receive()
            except TimeoutError:
                raise HTTPException(408, f"the body was not there within {SECONDS:g} s") from None
            read += len(part.get("body", b""))
            if read > self._most:
                raise HTTPException(413, f"a body may have {self._most} bytes")
            whole = not part.get("more_body")
            return part

        await self._app(scope, receive_limited, send)

    @staticmethod
    def _declared(scope: Scope) -> int:
        told = dict(scope["headers"]).get(b"content-length", b"0").lstrip(b"0")
        # Of more digits Python makes no number, and no body has so many bytes.
        return int(told[:_DIGITS]) if told.isdigit() else 0
