"""Work that a service does besides answering, such as taking messages from the bus."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

_log = logging.getLogger(__name__)
_AGAIN_SECONDS = 1.0
_END_SECONDS = 2.0
_TIMES = 3

Work = Callable[[], Awaitable[None]]


@asynccontextmanager
async def at_work(*works: Work) -> AsyncIterator[None]:
    """Do works that have no end until the context does. One that fails is told of in the log, and begins anew."""
    tasks = [asyncio.create_task(_kept(work)) for work in works]
    try:
        yield
    finally:
        await _end(set(tasks))


async def _end(tasks: set[asyncio.Task[None]]) -> None:
    # A library may lose a cancellation, or go on for long to end in order; then it is told again.
    for _ in range(_TIMES):
        if not tasks:
            return
        for task in tasks:
            task.cancel()
        _, tasks = await asyncio.wait(tasks, timeout=_END_SECONDS)
    if tasks:
        _log.error("work in the background doesn't end: %d of it are left", len(tasks))


async def _kept(work: Work) -> None:
    while True:
        try:
            await work()
        except Exception:  # noqa: BLE001  # work that knows a cause deals with it; to stop would go unnoticed
            _log.exception("work in the background failed, and begins anew")
        await asyncio.sleep(_AGAIN_SECONDS)
