"""Request bodies: how large they may be."""

from typing import Any

from fastapi import FastAPI, HTTPException
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streamflow.shared.errors import ErrorAnswer, error_answer

TOO_LARGE: dict[int | str, dict[str, Any]] = {
    413: {"model": ErrorAnswer, "description": "The body is too large"}
}
"""What a route that takes a body declares beside its own answer."""
_DIGITS = 20


def limit_bodies(app: FastAPI, most: int) -> None:
    """Refuse requests whose body has more bytes, within what sees every request."""
    app.user_middleware.append(Middleware(BodyLimit, most=most))


class BodyLimit:
    """ASGI middleware that ends a request whose body is longer than so many bytes, whatever its head says."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        message = f"a body may have {self._most} bytes"
        if self._declared(scope) > self._most:
            await error_answer(413, message)(scope, receive, send)
            return
        read = 0

        async def receive_counted() -> Message:
            nonlocal read
            part = await receive()
            read += len(part.get("body", b""))
            if read > self._most:
                raise HTTPException(413, message)
            return part

        await self._app(scope, receive_counted, send)

    @staticmethod
    def _declared(scope: Scope) -> int:
        told = dict(scope["headers"]).get(b"content-length", b"0").lstrip(b"0")
        # Of more digits Python makes no number, and no body has so many bytes.
        return int(told[:_DIGITS]) if told.isdigit() else 0
