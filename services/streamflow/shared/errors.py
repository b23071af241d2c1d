"""The one shape of an error answer: `{"error": {code, message, correlation_id, details}}`."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

from streamflow.shared import correlation


class Detail(BaseModel):
    """What is wrong with one field of the request; path as in `body.tags.0`."""

    path: str
    message: str


class Problem(BaseModel):
    """Why a request failed."""

    code: str
    message: str
    correlation_id: str | None
    details: tuple[Detail, ...] = ()


class ErrorAnswer(BaseModel):
    """The body of every answer with a status of 400 or above, except readiness."""

    error: Problem


_DETAILS = 100
_INVALID = "the request is not valid"
INVALID: dict[int | str, dict[str, Any]] = {422: {"model": ErrorAnswer, "description": "Not valid"}}
"""What a route that takes input declares beside its own answer."""


def problem(status: int, message: str | None = None, details: tuple[Detail, ...] = ()) -> Problem:
    """What a status means here, with its phrase unless there is a message."""
    known = HTTPStatus(status)
    return Problem(
        code=known.name.lower(),
        message=message or known.phrase,
        correlation_id=correlation.current(),
        details=details,
    )


def error_answer(
    status: int,
    message: str | None = None,
    details: tuple[Detail, ...] = (),
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """The answer for a status."""
    found = problem(status, message, details)
    return JSONResponse(ErrorAnswer(error=found).model_dump(mode="json"), status, headers)


def answer_to(error: HTTPException | RequestValidationError) -> JSONResponse:
    """The answer that an exception stands for."""
    if isinstance(error, RequestValidationError):
        found = invalid(_INVALID, error.errors())
        return error_answer(HTTPStatus.UNPROCESSABLE_ENTITY, found.message, found.details)
    return error_answer(error.status_code, error.detail, headers=dict(error.headers or {}))


def invalid(message: str, errors: Sequence[Any]) -> Problem:
    """What is wrong with something of which pydantic found these errors; the first are named, however many."""
    more = f"; {_DETAILS} of its {len(errors)} mistakes are named" if len(errors) > _DETAILS else ""
    details = tuple(
        Detail(path=".".join(map(str, each["loc"])), message=each["msg"].removeprefix("Value error, "))
        for each in errors[:_DETAILS]
    )
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, message + more, details)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for nothing else
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return error_answer(error.status_code, headers={"Allow": ", ".join(_allowed(request))})
    if error.status_code == HTTPStatus.BAD_REQUEST and isinstance(
        error.__cause__, ValueError | RecursionError
    ):
        # FastAPI's for a body that is no text, or nested too deeply to be read; other JSON that is none is a 422.
        unread = Detail(path="body", message="the body can't be read")
        return error_answer(HTTPStatus.UNPROCESSABLE_ENTITY, _INVALID, (unread,))
    return answer_to(error)


def _allowed(request: Request) -> list[str]:
    """The methods that the path has: each is a route of its own, and the router names those of one of them."""
    return [
        method
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in request.app.routes
        )
    ]


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # registered for nothing else
    return answer_to(error)


async def _unexpected(_: Request, __: Exception) -> JSONResponse:
    # The server logs the exception itself; the caller gets the id to find it by. This answer is made outside
    # of the middleware that sets the header on every other one.
    header = {correlation.HEADER: correlation.current() or ""}
    return error_answer(
        HTTPStatus.INTERNAL_SERVER_ERROR, "an unexpected error; the logs have it", headers=header
    )


def _answering_sockets(nothing_there: ASGIApp) -> ASGIApp:
    """The same, but a WebSocket gets an answer where starlette closes it without a word."""

    async def nowhere(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and "websocket.http.response" in scope.get("extensions", {}):
            await WebSocket(scope, receive, send).send_denial_response(error_answer(HTTPStatus.NOT_FOUND))
        else:
            await nothing_there(scope, receive, send)

    return nowhere


def install(app: FastAPI) -> None:
    """Give every error of the app its one shape."""
    app.router.default = _answering_sockets(app.router.default)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unexpected)
