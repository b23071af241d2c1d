"""Sends what lies in the outbox, with growing waits between attempts that fail."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

from streamflow.alerting import outbox
from streamflow.alerting.notify import Deliver, Undelivered
from streamflow.alerting.outbox import Item
from streamflow.alerting.store import Store, StoreUnavailable
from streamflow.alerting.text import clean
from streamflow.shared import correlation

_log = logging.getLogger(__name__)
_LOOK_SECONDS = 1.0  # how often it is looked for what others left, and for what is due again
_END_SECONDS = 1.5  # for what is on its way when the service ends


@dataclass(frozen=True, slots=True)
class Terms:
    """How to send; in seconds where it is time."""

    parallel: int
    """So many at once."""
    attempts: int | None
    """So many of each before it is given up; None: it never is."""
    first_wait: float
    """After the first attempt; then it doubles."""
    longest_wait: float
    lease: float
    """For how long what is claimed is left alone by others; an attempt that takes half of it claims it again."""

    def wait(self, attempts: int) -> timedelta | None:
        """How long to wait after so many attempts; None when they were the last."""
        if self.attempts is not None and attempts >= self.attempts:
            return None
        return timedelta(seconds=min(self.longest_wait, self.first_wait * 2.0 ** min(attempts - 1, 60)))


class Outcomes:
    """What is told of each attempt's end; does nothing itself."""

    def sent(self, item: Item) -> None:
        """It arrived."""

    def failed(self, item: Item) -> None:
        """It will not be tried again."""


class Sender:
    """Claims and sends. `run` goes on until it is cancelled."""

    def __init__(  # noqa: PLR0913  # what is sent, by what, on which terms, when, and who hears of it
        self,
        store: Store,
        deliver: Deliver,
        terms: Terms,
        alarm: asyncio.Event,
        outcomes: Outcomes,
        *,
        bus: bool,
    ) -> None:
        self._store = store
        self._deliver = deliver
        self._terms = terms
        self._alarm = alarm
        self._outcomes = outcomes
        self._bus = bus
        self._under_way: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Send what is due, again and again. When cancelled it gives what is under way a moment to arrive."""
        try:
            while True:
                self._alarm.clear()
                if not await self._claim():
                    with suppress(TimeoutError):
                        # Not wait_for, which before Python 3.12 may take a cancellation for an alarm.
                        async with asyncio.timeout(_LOOK_SECONDS):
                            await self._alarm.wait()
        finally:
            await self._end()

    async def _claim(self) -> bool:
        """Begin to send what is due and finds room; whether there may be more at once."""
        room = self._terms.parallel - len(self._under_way)
        if room == 0:
            await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
            return True
        lease = timedelta(seconds=self._terms.lease)
        try:
            claimed = await outbox.claim(self._store, bus=self._bus, most=room, lease=lease)
        except StoreUnavailable:
            return False
        except Exception:  # noqa: BLE001  # whatever it is, alerts go on being told later
            _log.exception("the outbox can't be read")
            return False
        for item in claimed:
            task = asyncio.create_task(self._send(item))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        return len(claimed) == room

    async def _send(self, item: Item) -> None:
        correlation.resume(item.correlation_id)
        try:
            async with self._claimed(item):
                await self._deliver(item)
        except Undelivered as error:
            await self._missed(item, str(error), final=error.final)
        except Exception as error:  # noqa: BLE001  # the others are sent all the same
            _log.exception("%s %s can't be sent", item.kind, item.id)
            await self._missed(item, type(error).__name__, final=False)
        else:
            self._outcomes.sent(item)
            await self._note(lambda: outbox.sent(self._store, item))

    @asynccontextmanager
    async def _claimed(self, item: Item) -> AsyncIterator[None]:
        """While this lasts the item is left alone by others."""
        lease = timedelta(seconds=self._terms.lease)

        async def claim_again() -> None:
            while True:
                await asyncio.sleep(self._terms.lease / 2)
                await self._note(lambda: outbox.keep(self._store, item, lease))

        claiming = asyncio.create_task(claim_again())
        try:
            yield
        finally:
            claiming.cancel()

    async def _missed(self, item: Item, error: str, *, final: bool) -> None:
        wait = None if final else self._terms.wait(item.attempts)
        reason = clean(error) or "unknown"
        if wait is None:
            self._outcomes.failed(item)
            _log.error("%s %s is given up after %d attempts: %s", item.kind, item.id, item.attempts, reason)
        else:
            _log.warning("%s %s waits %g s: %s", item.kind, item.id, wait.total_seconds(), reason)
        await self._note(lambda: outbox.missed(self._store, item, reason, wait))

    async def _note(self, note: Callable[[], Awaitable[None]]) -> None:
        # When it can't be noted the lease ends, and it is sent again.
        try:
            await note()
        except StoreUnavailable as error:
            _log.warning("what became of a notification can't be noted: %s", error)

    async def _end(self) -> None:
        if not self._under_way:
            return
        _, late = await asyncio.wait(self._under_way, timeout=_END_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
