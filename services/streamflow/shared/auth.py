"""Who may call: JWT bearer tokens (RFC 7519, RFC 6750), signed with HS256 by the platform's one key.

A token names its subject and one role. `read` may ask; `write` may also change what is asked about.
"""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

import jwt
from fastapi import Depends, HTTPException, WebSocket, WebSocketDisconnect, status
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import SecretStr
from starlette.responses import JSONResponse

from streamflow.shared.errors import ErrorAnswer, error_answer

Role = Literal["read", "write"]
ROLES: tuple[Role, ...] = get_args(Role)
_ALGORITHM = "HS256"
_LEEWAY_SECONDS = 5
_LONGEST_SECONDS = 365 * 24 * 3600.0  # that a loop is told to wait: of more it may make no sense
_EXPIRED = "the token has expired"
_CHALLENGE = {"WWW-Authenticate": "Bearer"}

REFUSED: dict[int | str, dict[str, Any]] = {
    401: {"model": ErrorAnswer, "description": "No token, or none that is valid"},
    403: {"model": ErrorAnswer, "description": "The token's role may not do this"},
}
"""What a route that needs a token declares beside its own answer."""

_scheme = HTTPBearer(auto_error=False, description="A token of `streamflow token`.")


class Forbidden(Exception):  # noqa: N818  # an answer, not a mistake
    """The caller may not do this; `status` is 401 without a valid token, 403 with a role that is too low."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, with the token that said so."""

    subject: str
    role: Role
    token: str
    until: float
    """From when on the token is refused, in seconds since the Unix epoch."""

    def deadline(self) -> float:
        """The same moment by the clock of the running event loop."""
        left = min(self.until - time.time(), _LONGEST_SECONDS)
        return asyncio.get_running_loop().time() + left


def mint(key: SecretStr, subject: str, role: Role, seconds: int) -> str:
    """A token for the subject that is good for so many seconds."""
    now = int(time.time())
    claims = {"sub": subject, "role": role, "iat": now, "exp": now + seconds}
    return jwt.encode(claims, key.get_secret_value(), _ALGORITHM)


class Guard:
    """Lets callers in whose token is signed with the key. `reads` and `writes` are FastAPI dependencies."""

    def __init__(self, key: SecretStr) -> None:
        self._key = key
        self.reads = self._dependency("read")
        self.writes = self._dependency("write")

    def caller(self, token: str | None, needed: Role) -> Caller:
        """Who the token stands for. Raises Forbidden."""
        if not token:
            raise Forbidden(401, "a bearer token is needed; `streamflow token` makes one")
        try:
            claims = jwt.decode(
                token,
                self._key.get_secret_value(),
                algorithms=[_ALGORITHM],
                leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "sub"]},
            )
        except jwt.ExpiredSignatureError:
            raise Forbidden(401, _EXPIRED) from None
        except jwt.InvalidTokenError:
            raise Forbidden(401, "the token is not valid") from None
        role = claims.get("role")
        if role not in ROLES:
            raise Forbidden(401, "the token names no role")
        if ROLES.index(role) < ROLES.index(needed):
            raise Forbidden(403, f"the token's role is {role}, and this needs {needed}")
        return Caller(claims["sub"], role, token, int(claims["exp"]) + _LEEWAY_SECONDS)

    async def admit(self, socket: WebSocket, needed: Role) -> Caller | None:
        """Who opens the WebSocket; None where it was refused, with an HTTP answer.

        Browsers can't give a WebSocket headers: `access_token` in the query does, too (RFC 6750, 2.3).
        """
        kind, _, token = socket.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer":
            token = socket.query_params.get("access_token", "")
        try:
            return self.caller(token.strip(), needed)
        except Forbidden as refusal:
            answer: JSONResponse = error_answer(refusal.status, refusal.message, headers=_challenge(refusal))
            await socket.send_denial_response(answer)
            return None

    def writer(self, authorization: str) -> Caller:
        """Who may write with this header. Raises HTTPException, as the dependency `writes` does."""
        kind, _, token = authorization.partition(" ")
        return self._admitted(token.strip() if kind.lower() == "bearer" else None, "write")

    def _dependency(self, needed: Role) -> Any:
        async def admitted(
            credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_scheme)],
        ) -> Caller:
            return self._admitted(credentials.credentials if credentials else None, needed)

        return Depends(admitted)

    def _admitted(self, token: str | None, needed: Role) -> Caller:
        try:
            return self.caller(token, needed)
        except Forbidden as refusal:
            raise HTTPException(refusal.status, refusal.message, _challenge(refusal)) from None


async def dismiss(socket: WebSocket) -> None:
    """End the WebSocket of a caller whose token has expired; one that has ended is left alone."""
    with suppress(WebSocketDisconnect, RuntimeError):  # RuntimeError: starlette's for one that was closed
        await socket.close(status.WS_1008_POLICY_VIOLATION, _EXPIRED)


def _challenge(refusal: Forbidden) -> dict[str, str] | None:
    return _CHALLENGE if refusal.status == 401 else None  # noqa: PLR2004
