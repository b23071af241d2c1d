"""Events over a WebSocket: each text frame is an event, each is answered by a frame of its own, in order.

`{"number": 1, "status": "accepted", "id": …}` where it was accepted, and where not `"status": "refused"` with the
`error` that a POST would have been answered with. `number` counts the frames of the connection from 1.
"""

import asyncio
from collections.abc import Awaitable, Callable

from fastapi import WebSocket, WebSocketDisconnect, status
from pydantic import ValidationError

from streamflow.ingestion.intake import Refusal
from streamflow.shared.auth import dismiss
from streamflow.shared.errors import invalid, problem
from streamflow.shared.events import Event

Take = Callable[[tuple[Event, ...]], Awaitable[tuple[Event, ...]]]


async def converse(socket: WebSocket, take: Take, deadline: float) -> None:
    """Take events in until the client ends the connection, or its token's end, by the event loop's clock."""
    await socket.accept()
    now = asyncio.get_running_loop().time
    number = 0
    try:
        while True:
            async with asyncio.timeout_at(deadline):
                frame = await socket.receive_text()
            if now() >= deadline:  # a frame that was there already is not waited for
                raise TimeoutError  # noqa: TRY301
            number += 1
            await socket.send_json({"number": number, **await _answer(frame, take)})
    except WebSocketDisconnect:
        return
    except TimeoutError:
        await dismiss(socket)
    except KeyError:  # a frame of bytes
        await socket.close(status.WS_1003_UNSUPPORTED_DATA, "a text frame is needed")


async def _answer(frame: str, take: Take) -> dict[str, object]:
    try:
        (event,) = await take((Event.model_validate_json(frame),))
    except ValidationError as error:
        found = invalid("the event is not valid", error.errors())
    except Refusal as refusal:
        found = problem(refusal.status, refusal.message)
    else:
        return {"status": "accepted", "id": str(event.id)}
    return {"status": "refused", "error": found.model_dump(mode="json")}
