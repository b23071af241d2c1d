"""Redis: whether it answers."""

from pydantic import SecretStr
from redis.asyncio import Redis
from redis.exceptions import RedisError

from streamflow.shared.readiness import Check, Unavailable


def redis_check(url: SecretStr) -> Check:
    """Whether the server answers a PING."""

    async def probe() -> None:
        try:
            async with Redis.from_url(url.get_secret_value()) as client:
                await client.ping()
        except (OSError, RedisError, ValueError) as error:  # ValueError: an option in the URL that is none
            raise Unavailable(str(error)) from error

    return Check("redis", probe)
