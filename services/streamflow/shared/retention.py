"""Retention: what is kept for so many days, and what a run deletes of it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

from pydantic import BaseModel

_log = logging.getLogger(__name__)
_HOUR_SECONDS = 3600.0
_AGAIN_SECONDS = 1.0
_TOLD_AT = 3  # attempts in a row: at a start the first connection takes a moment


class Policy(BaseModel):
    """How long it is kept; what is older than `before` is due to go."""

    days: int
    before: datetime


class Run(BaseModel):
    """What one run deleted: all that was older than `before`."""

    deleted: int
    before: datetime


async def hourly(run: Callable[[], Awaitable[Run]], away: type[Exception]) -> None:
    """Delete what is due, every hour until cancelled; sooner again while the database is away."""
    failed = 0
    while True:
        wait = _HOUR_SECONDS
        try:
            done = await run()
        except away as error:
            failed, wait = failed + 1, _AGAIN_SECONDS
            if failed == _TOLD_AT:
                _log.warning("retention waits for the database: %s", error)
        else:
            failed = 0
            _log.info("retention deleted %d", done.deleted)
        await asyncio.sleep(wait)
