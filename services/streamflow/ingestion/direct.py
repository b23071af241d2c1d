"""Routes for what comes more often than all else: FastAPI describes them, and what they are sent is read here.

FastAPI's way from a request to parameters, and from a result to an answer, takes as much time as everything else that
becomes of an event. It serves any signature; these have a body and a caller.
"""

import json
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.requests import ClientDisconnect

from streamflow.shared.auth import Caller, Guard

_ACCEPTED = 202
_KNOWN_SECONDS = 1.0
"""How long a token that was checked is not checked again; less than its own leeway."""
_KNOWN = 1000
_bearer = HTTPBearer(auto_error=False)

B = TypeVar("B", bound=BaseModel)
Endpoint = Callable[[B, Caller], Awaitable[BaseModel]]


def direct(guard: Guard, body: type[B], endpoint: Endpoint[B]) -> type[APIRoute]:
    """The class of a route with this endpoint, for callers that may write; it is answered as FastAPI would."""
    reader: TypeAdapter[B] = TypeAdapter(body)
    callers = _Callers(guard)

    async def answer(request: Request) -> Response:
        caller = await callers.of(request)
        content = await _content(request)
        try:
            value = reader.validate_python(content, from_attributes=True)
        except ValidationError as error:
            raise _invalid(error.errors(include_url=False)) from None
        told = await endpoint(value, caller)
        return Response(told.model_dump_json(), _ACCEPTED, media_type="application/json")

    class Direct(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            return answer

    return Direct


class _Callers:
    """Who calls; a token that comes again and again is checked once a second."""

    def __init__(self, guard: Guard) -> None:
        self._admitted: Callable[..., Awaitable[Caller]] = guard.writes.dependency
        self._known: dict[str, tuple[Caller, float]] = {}

    async def of(self, request: Request) -> Caller:
        header, now = request.headers.get("Authorization", ""), time.monotonic()
        if (known := self._known.get(header)) is not None and now < known[1]:
            return known[0]
        caller = await self._admitted(await _bearer(request))
        if len(self._known) >= _KNOWN:
            self._known.clear()
        self._known[header] = caller, now + _KNOWN_SECONDS
        return caller


async def _content(request: Request) -> Any:
    """What the body holds: of JSON its value, else the bytes, which are nothing that is asked for."""
    try:
        body = await request.body()
        kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if body and kind.startswith("application/") and kind.endswith(("/json", "+json")):
            return json.loads(body)
    except json.JSONDecodeError as error:
        found = {"type": "json_invalid", "loc": (error.pos,), "msg": "JSON decode error", "input": {}}
        raise _invalid([found]) from None
    except (ValueError, RecursionError, ClientDisconnect) as error:  # no text, too deep, or nobody waits
        raise HTTPException(400, "There was an error parsing the body") from error
    if not body:
        raise _invalid([{"type": "missing", "loc": (), "msg": "Field required", "input": None}])
    return body


def _invalid(errors: list[Any]) -> RequestValidationError:
    return RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in errors])
