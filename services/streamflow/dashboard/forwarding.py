"""Questions that another service answers: they are handed on as they came, and so are the answers."""

from dataclasses import dataclass

import httpx
from fastapi import HTTPException, Request, Response
from pydantic import SecretStr

_AGAIN = {"Retry-After": "1"}
_KEPT = ("content-type", "retry-after")
"""Headers of an answer that are the answer's own, and not those of the connection it came by."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Another service: its name, its URL where one is configured, and the client that reaches it."""

    name: str
    url: SecretStr | None
    client: httpx.AsyncClient

    async def answer(self, request: Request, path: str) -> Response:
        """What it answers to this request at a path of its own, with the caller's token. Raises HTTPException."""
        if self.url is None:
            raise HTTPException(503, f"no {self.name} is configured: {self.name.upper()}_URL names it")
        headers = {"Authorization": request.headers.get("Authorization", "")}
        place = httpx.URL(
            f"{self.url.get_secret_value().rstrip('/')}{path}", query=request.url.query.encode()
        )
        try:
            found = await self.client.request(request.method, place, headers=headers)
        except httpx.HTTPError as error:
            raise HTTPException(503, f"{self.name} doesn't answer", _AGAIN) from error
        kept = {name: value for name in _KEPT if (value := found.headers.get(name)) is not None}
        return Response(found.content, found.status_code, kept)
