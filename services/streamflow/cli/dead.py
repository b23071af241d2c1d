"""`streamflow dead`: what could not be handled, and putting it back where it came from."""

import asyncio
import logging
import sys

from streamflow.shared import settings as shared
from streamflow.shared.bus import BusUnavailable
from streamflow.shared.bus.rabbit import RabbitBus

_MOST = 1000
_CONNECT_SECONDS = 10.0


class Settings(shared.Settings):
    """What it reads from its environment."""

    rabbitmq_url: shared.BrokerUrl


async def run(action: str, ids: frozenset[str], *, everything: bool) -> int:
    """List the dead letters, or put back those that are named."""
    if action == "requeue" and not ids and not everything:
        _say("name the ids that `streamflow dead list` shows, or --all")
        return 2
    settings = shared.read(Settings)
    # What the broker's libraries tell of each attempt to connect; the one line at the end says it.
    logging.getLogger().addHandler(logging.NullHandler())
    bus = RabbitBus(settings.rabbitmq_url)
    await bus.start()
    try:
        await asyncio.wait_for(bus.connected(), _CONNECT_SECONDS)
        if action == "list":
            for letter in await bus.letters(_MOST):
                print(letter.message.id, letter.queue, letter.reason, sep="\t")  # noqa: T201
            return 0
        count = await bus.requeue(None if everything else ids)
    except (TimeoutError, BusUnavailable) as error:
        _say(str(error) or "RabbitMQ doesn't answer at RABBITMQ_URL")
        return 1
    finally:
        await bus.close()
    _say(f"{count} put back")
    return 0 if count >= len(ids) else 1


def _say(line: str) -> None:
    print(f"streamflow dead: {line}", file=sys.stderr)  # noqa: T201
