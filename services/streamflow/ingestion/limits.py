"""The rate limit: each client's events a second, by the generic cell rate algorithm.

A client has a moment at which what it has sent so far will be worked off at its rate; how far that may lie ahead is
its burst. One number a client, exact, and the same for all replicas that share a Redis.
"""

import asyncio
import logging
import math
import time
from dataclasses import dataclass
from typing import Protocol

from pydantic import SecretStr
from redis.asyncio import Redis
from redis.exceptions import RedisError

from streamflow.shared.readiness import Check
from streamflow.shared.redis import redis_check

_log = logging.getLogger(__name__)
BURST_SECONDS = 10.0
"""How much of its rate a client may send at once."""
# The clock is Redis' own, so that replicas need not agree on the time. Gives the seconds to wait; 0 lets in.
_SCRIPT = """
local now = redis.call('TIME')
now = tonumber(now[1]) + tonumber(now[2]) / 1000000
local done = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now) + tonumber(ARGV[1])
local wait = done - now - tonumber(ARGV[2])
if wait > 0 then return tostring(wait) end
redis.call('SET', KEYS[1], string.format('%.6f', done), 'PX', math.ceil((done - now) * 1000))
return '0'
"""


class Limiter(Protocol):
    """Says how long a client has to wait."""

    async def wait(self, client: str, events: int) -> float:
        """Seconds until the client may send so many events; 0 means now, and counts them."""

    def check(self) -> Check | None:
        """Whether what it counts in answers."""

    async def close(self) -> None:
        """Let go of what it counts in."""


def limiter_for(url: SecretStr | None, rate: int) -> Limiter:
    """Counts in Redis where there is a URL, else in this process; `rate` is in events a second."""
    return MemoryLimiter(rate) if url is None else RedisLimiter(url, rate)


class MemoryLimiter:
    """Counts in this process."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._done: dict[str, float] = {}

    async def wait(self, client: str, events: int) -> float:
        now = time.monotonic()
        done = max(self._done.get(client, 0.0), now) + events / self._rate
        wait = done - now - BURST_SECONDS
        if wait > 0:
            return wait
        if len(self._done) > 10_000:  # noqa: PLR2004  # clients that are done with are as good as new ones
            self._done = {each: moment for each, moment in self._done.items() if moment > now}
        self._done[client] = done
        return 0.0

    def check(self) -> Check | None:
        return None

    async def close(self) -> None:
        self._done.clear()


@dataclass(slots=True)
class _Round:
    """Calls of one client that ask together, and their answer."""

    calls: int = 0
    events: int = 0
    answer: asyncio.Task[float] | None = None


class RedisLimiter:
    """Counts in Redis. While that is away everyone is let in: the limit protects, it isn't what clients come for.

    A client's calls that come while Redis is asked for others of its calls ask together next, as one that sends all
    of their events; where that is too much, each asks alone.
    """

    def __init__(self, url: SecretStr, rate: int) -> None:
        self._url = url
        self._rate = rate
        self._redis = Redis.from_url(url.get_secret_value(), socket_timeout=1, socket_connect_timeout=1)
        self._script = self._redis.register_script(_SCRIPT)
        self._away = False
        self._gathering: dict[str, _Round] = {}
        self._asking: dict[str, asyncio.Task[float]] = {}

    async def wait(self, client: str, events: int) -> float:
        together = self._gathering.setdefault(client, _Round())
        together.calls += 1
        together.events += events
        if together.answer is None:
            together.answer = asyncio.create_task(self._next(client))
        # Who goes away leaves the others their answer.
        wait = await asyncio.shield(together.answer)
        return await self._ask(client, events) if wait > 0 and together.calls > 1 else wait

    async def _next(self, client: str) -> float:
        """The answer to the calls that gather until the ones before have theirs."""
        if (before := self._asking.get(client)) is not None:
            await asyncio.wait([before])
        together = self._gathering.pop(client)
        assert together.answer is not None  # noqa: S101  # it is this very task
        self._asking[client] = together.answer
        try:
            return await self._ask(client, together.events)
        finally:
            del self._asking[client]

    async def _ask(self, client: str, events: int) -> float:
        try:
            told = await self._script(keys=[f"rate:{client}"], args=[events / self._rate, BURST_SECONDS])
        except (OSError, RedisError, ValueError) as error:
            if not self._away:
                _log.warning("Redis is away, and nobody's rate is limited: %s", error)
            self._away = True
            return 0.0
        self._away = False
        wait = float(told)
        return wait if math.isfinite(wait) else 0.0

    def check(self) -> Check | None:
        return redis_check(self._url)

    async def close(self) -> None:
        await self._redis.aclose()
