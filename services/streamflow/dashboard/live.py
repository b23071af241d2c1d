"""The live figures: what the bus tells of the windows, put together for everybody who watches."""

import asyncio
import logging
import time
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from pydantic import ValidationError

from streamflow.dashboard.figures import Realtime
from streamflow.shared.bus import Message
from streamflow.shared.windows import Windows, WindowsUnavailable
from streamflow.shared.windows.kinds import WINDOWS, Span, WindowName
from streamflow.shared.windows.snapshot import WindowSnapshot, snapshot

_log = logging.getLogger(__name__)
_RATE_SECONDS = 5.0
_RATED: WindowName = "1m"
"""The kind of window whose growth is the rate: each event is in one of them."""
_GAP_SECONDS = 0.1
"""Between two tellings, however much happens."""
_HEARTBEAT_SECONDS = 1.0
"""Between two tellings while nothing happens: rates fall and windows begin by themselves."""
_REFRESH_SECONDS = 5.0
"""Between two looks at the windows themselves: what is published while the broker is away is lost."""
_KNOWN = 60
"""How many of the latest windows are known before any growth is told."""


class Live:
    """The newest snapshot of each running window, and how fast events come."""

    def __init__(self) -> None:
        self._known_from: datetime | None = None
        self._newest: dict[Span, WindowSnapshot] = {}
        self._growth: deque[tuple[float, int]] = deque()
        self._changed = asyncio.Event()
        self._told = asyncio.Event()
        self._text = ""

    async def take(self, message: Message) -> None:
        """Take a window in as analytics publishes it."""
        try:
            window = WindowSnapshot.model_validate_json(message.body)
        except ValidationError as error:
            _log.warning("not a window: %s", error.errors(include_url=False)[0]["msg"])
            return
        self.learn(window)
        self._changed.set()

    def learn(self, window: WindowSnapshot) -> None:
        """Take a window in, unless a newer snapshot of it is known."""
        before = self._newest.get(window.span)
        if before is not None and before.revision >= window.revision:
            return
        self._newest[window.span] = window
        if window.window == _RATED:
            self._growth.append((time.monotonic(), window.count - self._counted(window, before)))

    async def refresh(self, windows: Windows) -> None:
        """Look the running windows up, again and again. Has no end."""
        while True:
            with suppress(WindowsUnavailable):
                at = datetime.now(UTC)
                found = await windows.of(tuple(kind.containing(at) for kind in WINDOWS.values()))
                for window in (*found, *await windows.latest(_RATED, _KNOWN)):
                    self.learn(window)
                self._known_from = self._known_from or at - _KNOWN * WINDOWS[_RATED].length
            await asyncio.sleep(_REFRESH_SECONDS)

    def now(self) -> Realtime:
        """The figures of this moment; a window of which nothing was told is empty."""
        at = datetime.now(UTC)
        self._forget(at)
        running = [window.containing(at) for window in WINDOWS.values()]
        return Realtime(
            at=at,
            events_per_second=sum(growth for _, growth in self._growth) / _RATE_SECONDS,
            windows={span.window: self._newest.get(span) or snapshot(span) for span in running},
        )

    async def tell(self) -> None:
        """Make the text that watchers are sent, again and again: once for all of them. Has no end."""
        while True:
            self._changed.clear()
            self._text = self.now().model_dump_json()
            told, self._told = self._told, asyncio.Event()
            told.set()
            await asyncio.sleep(_GAP_SECONDS)
            try:
                async with asyncio.timeout(_HEARTBEAT_SECONDS - _GAP_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def next(self) -> str:
        """The next telling, as JSON. Who comes late for one gets a later one, and misses nothing that still holds."""
        await self._told.wait()
        return self._text

    def _counted(self, window: WindowSnapshot, before: WindowSnapshot | None) -> int:
        """How much of a window is no growth, because it was counted before this process watched."""
        if before is not None:
            return before.count
        return 0 if self._known_from is not None and window.start >= self._known_from else window.count

    def _forget(self, at: datetime) -> None:
        oldest = time.monotonic() - _RATE_SECONDS
        while self._growth and self._growth[0][0] < oldest:
            self._growth.popleft()
        # Events may come late, and grow a window that has ended.
        kept = at - timedelta(hours=6)
        for span in [each for each in self._newest if each.end < kept]:
            del self._newest[span]
