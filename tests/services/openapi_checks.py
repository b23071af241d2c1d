"""What schemathesis is told beside the document: a check of the platform's own, and ids of what there is."""

from __future__ import annotations

import json
import os
from http import HTTPStatus
from typing import Any
from uuid import UUID

import schemathesis
from schemathesis import Case, CheckContext, HookContext, Response

from streamflow.shared.errors import ErrorAnswer

_EXISTING: dict[str, str] = json.loads(os.environ["EXISTING_IDS"])


@schemathesis.check
def one_error_shape(_: CheckContext, response: Response, case: Case) -> None:
    """Every error has the platform's one shape, and says in it what its head says."""
    if response.status_code < HTTPStatus.BAD_REQUEST:
        return
    body = response.json()
    error = ErrorAnswer.model_validate(body).error
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "correlation_id", "details"}
    assert error.code == HTTPStatus(response.status_code).name.lower()
    assert response.headers["x-correlation-id"] == [error.correlation_id]


@schemathesis.hook
def before_call(_: HookContext, case: Case, kwargs: dict[str, Any]) -> None:
    """Of ids that are made up none exists, so every second one is of something that does."""
    found = {name: _EXISTING[name] for name in case.path_parameters.keys() & _EXISTING if _even(case, name)}
    if found:
        case.path_parameters = {**case.path_parameters, **found}


def _even(case: Case, name: str) -> bool:
    try:
        return UUID(str(case.path_parameters[name])).int % 2 == 0
    except ValueError:
        return False
