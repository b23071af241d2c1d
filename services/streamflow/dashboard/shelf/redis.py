"""Dashboards in Redis, in the hash `dashboards`: JSON by id. Each change is one script, so that none is half done."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from pydantic import SecretStr
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError

from streamflow.dashboard.boards import MOST, Dashboard
from streamflow.dashboard.shelf import Outcome, ShelfUnavailable
from streamflow.shared.readiness import Check
from streamflow.shared.redis import redis_check

_KEY = "dashboards"
_SECONDS = 2.0  # that Redis has for an answer

# ARGV: id, JSON, most. A dashboard that is there already was added by the same call, repeated.
_ADD = """
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then
  return 'full'
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 'done'
"""

# ARGV: id, JSON, the version before.
_REPLACE = """
local kept = redis.call('HGET', KEYS[1], ARGV[1])
if not kept then return 'missing' end
if kept == ARGV[2] then return 'done' end
if cjson.decode(kept).version ~= tonumber(ARGV[3]) then return 'changed' end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 'done'
"""


class RedisShelf:
    """A Shelf on a server."""

    def __init__(self, url: SecretStr) -> None:
        self._url = url
        # Once more, because a connection that has been lost shows only when it is used. All may be done twice.
        self._redis = Redis.from_url(
            url.get_secret_value(),
            socket_timeout=_SECONDS,
            socket_connect_timeout=_SECONDS,
            retry=Retry(NoBackoff(), 1),
        )
        self._add = self._redis.register_script(_ADD)
        self._replace = self._redis.register_script(_REPLACE)

    async def all(self) -> tuple[Dashboard, ...]:
        async with _translated():
            kept = await self._redis.hvals(_KEY)
        return tuple(map(Dashboard.model_validate_json, kept))

    async def get(self, board_id: UUID) -> Dashboard | None:
        async with _translated():
            kept = await self._redis.hget(_KEY, str(board_id))
        return None if kept is None else Dashboard.model_validate_json(kept)

    async def add(self, board: Dashboard) -> Outcome:
        return await self._change(self._add, board, MOST)

    async def replace(self, board: Dashboard) -> Outcome:
        return await self._change(self._replace, board, board.version - 1)

    async def remove(self, board_id: UUID) -> Outcome:
        async with _translated():
            return "done" if await self._redis.hdel(_KEY, str(board_id)) else "missing"

    def check(self) -> Check | None:
        return redis_check(self._url)

    async def close(self) -> None:
        await self._redis.aclose()

    async def _change(self, script: AsyncScript, board: Dashboard, number: int) -> Outcome:
        async with _translated():
            said = await script(keys=[_KEY], args=[str(board.id), board.model_dump_json(), number])
        outcome: Outcome = said.decode()
        return outcome


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    try:
        yield
    except (OSError, RedisError) as error:
        raise ShelfUnavailable(f"Redis doesn't answer: {str(error) or type(error).__name__}") from error
