"""How alerting's own errors are answered."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from streamflow.alerting.alerts import Illegal, NoSuch
from streamflow.alerting.store import StoreUnavailable
from streamflow.shared.errors import ErrorAnswer, error_answer

ABSENT: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorAnswer, "description": "There is none of this id"}
}
ILLEGAL: dict[int | str, dict[str, Any]] = {
    409: {"model": ErrorAnswer, "description": "The alert's state doesn't allow this"}
}
LATER: dict[int | str, dict[str, Any]] = {
    503: {"model": ErrorAnswer, "description": "The database is away; Retry-After says when to try again"}
}


async def _absent(_: Request, error: Exception) -> JSONResponse:
    return error_answer(404, str(error))


async def _illegal(_: Request, error: Exception) -> JSONResponse:
    return error_answer(409, str(error))


async def _later(_: Request, error: Exception) -> JSONResponse:
    return error_answer(503, str(error), headers={"Retry-After": "1"})


def install(app: FastAPI) -> None:
    """Give these errors their answers."""
    app.add_exception_handler(NoSuch, _absent)
    app.add_exception_handler(Illegal, _illegal)
    app.add_exception_handler(StoreUnavailable, _later)
