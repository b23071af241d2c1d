"""What is sent over WebSockets as it happens: the live figures, and the changes of alerts."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

from fastapi import WebSocket, WebSocketDisconnect, status

from streamflow.shared.auth import dismiss
from streamflow.shared.bus import Message

_WAITING = 100
"""Changes that wait for one reader. Who is slower has to begin anew."""


class TooSlow(Exception):  # noqa: N818  # a state of the reader, not a mistake
    """A reader didn't take what happened as fast as it did."""


class Feed:
    """Hands what comes from the bus on to every reader there is."""

    def __init__(self) -> None:
        self._readers: set[asyncio.Queue[str]] = set()
        self._slow: set[asyncio.Queue[str]] = set()

    async def take(self, message: Message) -> None:
        """Hand a message on."""
        text = message.body.decode(errors="replace")
        for reader in self._readers:
            try:
                reader.put_nowait(text)
            except asyncio.QueueFull:
                self._slow.add(reader)

    @contextmanager
    def reading(self) -> Iterator[Callable[[], Awaitable[str]]]:
        """What gives the next message from now on; it raises TooSlow for one that missed some."""
        queue: asyncio.Queue[str] = asyncio.Queue(_WAITING)
        self._readers.add(queue)

        async def following() -> str:
            if queue in self._slow:
                raise TooSlow
            return await queue.get()

        try:
            yield following
        finally:
            self._readers.discard(queue)
            self._slow.discard(queue)


async def send_all(socket: WebSocket, following: Callable[[], Awaitable[str]], deadline: float) -> None:
    """Send each text that follows until the client ends the connection, or its token's end, by the event loop's clock.

    What the client says itself is not heeded.
    """
    await socket.accept()
    sending = asyncio.create_task(_send(socket, following))
    try:
        with suppress(WebSocketDisconnect):
            async with asyncio.timeout_at(deadline):
                while (await socket.receive())["type"] != "websocket.disconnect":
                    pass
    except TimeoutError:
        await dismiss(socket)
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def _send(socket: WebSocket, following: Callable[[], Awaitable[str]]) -> None:
    try:
        while True:
            await socket.send_text(await following())
    except TooSlow:
        await socket.close(status.WS_1013_TRY_AGAIN_LATER, "too slow: some changes were missed")
    except (WebSocketDisconnect, RuntimeError):  # starlette's for a socket that has just been closed
        return
