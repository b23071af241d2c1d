"""Publishing windows that have changed or closed to the exchange `analytics`, as JSON of a WindowSnapshot.

Of all replicas only one publishes a snapshot, unless it ends before it has told so: then another one does it again,
with the same revision. So a closing is published once, or again under that rare condition; it is never left out.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress

from prometheus_client import CollectorRegistry, Counter

from streamflow.shared.bus import ANALYTICS, Bus, BusUnavailable, Message
from streamflow.shared.windows import Windows, WindowsUnavailable
from streamflow.shared.windows.snapshot import WindowSnapshot

_log = logging.getLogger(__name__)
_TICK_SECONDS = 0.05
_AWAY_SECONDS = 1.0
_TOLD_AT = 3  # attempts in a row: at a start the first connection takes a moment
_LAST_SECONDS = 2.0  # to finish what is being published, at the end


class Publishing:
    """Publishes windows from `start` until `close`."""

    def __init__(
        self,
        windows: Windows,
        bus: Bus,
        registry: CollectorRegistry,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._windows = windows
        self._bus = bus
        self._clock = clock
        self._ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._count = Counter("windows_published", "Snapshots published.", registry=registry)

    async def start(self) -> None:
        """Begin, whether or not what it needs is there yet."""
        self._ending.clear()
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """End after what is being published now."""
        if self._task is None:
            return
        self._ending.set()
        with suppress(TimeoutError, asyncio.CancelledError):
            await asyncio.wait_for(self._task, _LAST_SECONDS)

    async def once(self) -> int:
        """Publish what is due now; how many snapshots that were. Raises BusUnavailable, WindowsUnavailable."""
        due = await self._windows.due(self._clock())
        if not due:
            return 0
        results = await asyncio.gather(*map(self._publish, due), return_exceptions=True)
        done = tuple(one for one, result in zip(due, results, strict=True) if result is None)
        await self._windows.published(done, self._clock())
        self._count.inc(len(done))
        for result in results:
            if result is not None:
                raise result
        return len(done)

    async def _publish(self, snapshot: WindowSnapshot) -> None:
        await self._bus.publish(ANALYTICS, Message(snapshot.model_dump_json().encode()))

    async def _run(self) -> None:
        failed = 0
        while not self._ending.is_set():
            pause = _TICK_SECONDS
            try:
                await self.once()
                failed = 0
            except Exception as error:  # noqa: BLE001  # whatever it is, later windows are to be published
                expected = isinstance(error, BusUnavailable | WindowsUnavailable)
                failed, pause = failed + 1, _AWAY_SECONDS
                if failed == (_TOLD_AT if expected else 1):
                    _log.warning("windows are not published: %s", error, exc_info=not expected)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._ending.wait()
