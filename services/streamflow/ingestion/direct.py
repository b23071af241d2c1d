"""Routes for what comes more often than all else: FastAPI describes them, and what they are sent is read here.

FastAPI's way from a request to parameters, and from a result to an answer, takes more time than everything else that
becomes of an event. It serves any signature; these have a body and a caller.
"""

import json
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from fastapi import HTTPException
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from streamflow.shared.auth import Caller, Guard
from streamflow.shared.errors import answer_to

_ACCEPTED = 202
_NO_JSON = "JSON is needed, with the header Content-Type: application/json"
_KNOWN_SECONDS = 1.0
"""How long a token that was checked is not checked again; less than its own leeway."""
_KNOWN = 1000

B = TypeVar("B", bound=BaseModel)
Endpoint = Callable[[B, Caller], Awaitable[BaseModel]]


class Direct(APIRoute):
    """A route that reads its requests itself."""


def direct(guard: Guard, body: type[B], endpoint: Endpoint[B]) -> type[Direct]:
    """The class of a route with this endpoint, for callers that may write; it is answered as FastAPI would."""
    reader: TypeAdapter[B] = TypeAdapter(body)
    callers = _Callers(guard)

    class Known(Direct):
        async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
            if scope["method"] != "POST":
                await super().handle(scope, receive, send)
                return
            caller = callers.of(_header(scope, b"authorization"))
            value = _value(reader, await _body(receive), _header(scope, b"content-type"))
            await _answer(send, (await endpoint(value, caller)).model_dump_json().encode())

    return Known


class Shortcut:
    """ASGI middleware that leads straight to these routes, past the router, which asks one route after another."""

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        self._app = app
        self._routes = {route.path: route for route in routes if isinstance(route, Direct)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = None
        if scope["type"] == "http" and scope["method"] == "POST":
            route = self._routes.get(scope["path"].removeprefix(scope.get("root_path", "")))
        if route is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = route
        try:
            await route.handle(scope, receive, send)
        except (HTTPException, RequestValidationError) as error:
            await answer_to(error)(scope, receive, send)


class _Callers:
    """Who calls; a token that comes again and again is checked once a second."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._known: dict[str, tuple[Caller, float]] = {}

    def of(self, authorization: str) -> Caller:
        now = time.monotonic()
        if (known := self._known.get(authorization)) is not None and now < known[1]:
            return known[0]
        caller = self._guard.writer(authorization)
        if len(self._known) >= _KNOWN:
            self._known.clear()
        self._known[authorization] = caller, now + _KNOWN_SECONDS
        return caller


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


async def _body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        part = await receive()
        if part["type"] == "http.disconnect":
            raise HTTPException(400, "nobody waits for an answer")
        parts.append(part.get("body", b""))
        if not part.get("more_body"):
            return b"".join(parts)


def _value(reader: TypeAdapter[B], body: bytes, kind: str) -> B:
    kind = kind.partition(";")[0].strip().lower()
    if not body:
        raise _invalid([{"type": "missing", "loc": (), "msg": "Field required", "input": None}])
    if not (kind.startswith("application/") and kind.endswith(("/json", "+json"))):
        raise _invalid([{"type": "no_json", "loc": (), "msg": _NO_JSON, "input": None}])
    try:
        return reader.validate_json(body)
    except ValidationError:
        # What is wrong is told as FastAPI tells it, which reads JSON by Python's own reader.
        return _checked(reader, _json(body))


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except json.JSONDecodeError as error:
        found = {"type": "json_invalid", "loc": (error.pos,), "msg": "JSON decode error", "input": {}}
        raise _invalid([found]) from None
    except (ValueError, RecursionError) as error:  # no text, or too deep
        raise _invalid(
            [{"type": "unread", "loc": (), "msg": "the body can't be read", "input": None}]
        ) from error


def _checked(reader: TypeAdapter[B], content: Any) -> B:
    try:
        return reader.validate_python(content, from_attributes=True)
    except ValidationError as error:
        raise _invalid(error.errors(include_url=False)) from None


def _invalid(errors: list[Any]) -> RequestValidationError:
    return RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in errors])


async def _answer(send: Send, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": _ACCEPTED, "headers": headers})
    await send({"type": "http.response.body", "body": body})
