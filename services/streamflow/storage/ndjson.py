"""Answers of a JSON document a line, of any length, for clients that read them: https://github.com/ndjson/ndjson-spec."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from fastapi.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

_log = logging.getLogger(__name__)
SECONDS = 30.0
"""How long a client may take for a piece."""
_PIECE = 1 << 16  # bytes


class Ndjson(StreamingResponse):
    """It breaks off where its client takes too long: what it is made of, as a connection, is others' again."""

    media_type = "application/x-ndjson"

    def __init__(self, lines: AsyncGenerator[bytes], status_code: int = 200) -> None:
        super().__init__(lines, status_code)
        self._lines = lines

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        now = asyncio.get_running_loop().time
        async with aclosing(self._lines):
            try:
                async with asyncio.timeout(None) as limit:

                    async def send_in_time(message: Message) -> None:
                        limit.reschedule(now() + SECONDS)
                        await send(message)
                        limit.reschedule(None)

                    await super().__call__(scope, receive, send_in_time)
            except TimeoutError:
                _log.warning("an answer breaks off: its client took no more of it within %g s", SECONDS)


async def chain(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """These lines and the rest, in pieces."""
    async with aclosing(rest):
        for piece in _pieces(first):
            yield piece
        async for lines in rest:
            for piece in _pieces(lines):
                yield piece


def _pieces(lines: bytes) -> tuple[bytes, ...]:
    return tuple(lines[at : at + _PIECE] for at in range(0, len(lines), _PIECE))
