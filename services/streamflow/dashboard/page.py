"""The web page at `/`: files of this package, and a token for it in development."""

from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from pydantic import BaseModel, SecretStr
from starlette.staticfiles import StaticFiles

from streamflow.shared.auth import mint
from streamflow.shared.errors import ErrorAnswer
from streamflow.shared.settings import DEVELOPMENT_KEY

_FOLDER = Path(__file__).parent / "page"
_TOKEN_SECONDS = 12 * 3600
_METHODS = ["GET", "HEAD"]
_HEADERS = {
    # The page runs what it is served with, and nothing that came in with an event.
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class Token(BaseModel):
    """A bearer token."""

    token: str


def install(app: FastAPI, key: SecretStr) -> None:
    """Serve the page below the app's own routes."""
    files = _Files(directory=_FOLDER)

    @app.api_route("/", methods=_METHODS, include_in_schema=False)
    async def index(request: Request) -> Response:
        return await files.get_response("index.html", request.scope)

    @app.api_route("/page/{path:path}", methods=_METHODS, include_in_schema=False)
    async def part(path: str, request: Request) -> Response:
        return await files.get_response(path, request.scope)

    @app.get("/token", responses={404: {"model": ErrorAnswer, "description": "Not in development"}})
    async def token() -> Token:
        """A token for the page where the platform's key is the one everybody knows; elsewhere there is none."""
        if key.get_secret_value() != DEVELOPMENT_KEY:
            raise HTTPException(404, "tokens are made by `streamflow token`")
        return Token(token=mint(key, "page", "write", _TOKEN_SECONDS))


class _Files(StaticFiles):
    """Files whose answers tell the browser what the page may do."""

    def file_response(self, *given: Any, **named: Any) -> Response:
        answer = super().file_response(*given, **named)
        answer.headers.update(_HEADERS)
        return answer
