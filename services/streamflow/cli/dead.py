"""`streamflow dead`: what could not be handled: looking at it, putting it back where it came from, forgetting it."""

import asyncio
import logging
import sys

from streamflow.shared import settings as shared
from streamflow.shared.bus import BusUnavailable, NotPutBack
from streamflow.shared.bus.rabbit import RabbitBus

_MOST = 10_000
_CONNECT_SECONDS = 10.0


class Settings(shared.Settings):
    """What it reads from its environment."""

    rabbitmq_url: shared.BrokerUrl


async def run(action: str, ids: frozenset[str], *, everything: bool) -> int:
    """List the dead letters, show what one holds, put back or forget those that are named."""
    if action in {"requeue", "drop"} and not ids and not everything:
        _say("name the ids that `streamflow dead list` shows, or --all")
        return 2
    settings = shared.read(Settings)
    # What the broker's libraries tell of each attempt to connect; the one line at the end says it.
    logging.getLogger().addHandler(logging.NullHandler())
    bus = RabbitBus(settings.rabbitmq_url)
    await bus.start()
    try:
        await asyncio.wait_for(bus.connected(), _CONNECT_SECONDS)
        letters = {letter.message.id: letter for letter in await bus.letters(_MOST)}
        if action == "list":
            for letter in letters.values():
                print(letter.message.id, letter.queue, letter.reason, sep="\t")  # noqa: T201
            return 0
        for missing in sorted(ids - letters.keys()):
            _say(f"there is no {missing}")
        if action == "show":
            for letter in (letters[each] for each in ids & letters.keys()):
                print(letter.message.body.decode(errors="replace"))  # noqa: T201
            return 0 if ids <= letters.keys() else 1
        act = bus.requeue if action == "requeue" else bus.drop
        count = await act(None if everything else ids)
    except NotPutBack as error:
        for letter, reason in error.left:
            _say(f"{letter.message.id} stays: {reason}")
        _say(f"{error.count} put back")
        return 1
    except (TimeoutError, BusUnavailable) as error:
        away = "RabbitMQ refuses the user or password of" if bus.refused else "RabbitMQ doesn't answer at"
        _say(str(error) or f"{away} RABBITMQ_URL")
        return 1
    finally:
        await bus.close()
    _say(f"{count} {'put back' if action == 'requeue' else 'forgotten'}")
    return 0 if count >= len(ids) else 1


def _say(line: str) -> None:
    print(f"streamflow dead: {line}", file=sys.stderr)  # noqa: T201
