"""How a batch is handled, whatever carries it: again and again, until the handler doesn't raise."""

import asyncio
import logging
from dataclasses import replace

from streamflow.shared import correlation
from streamflow.shared.bus import Dead, Handler, Message

_log = logging.getLogger(__name__)
_FIRST_SECONDS = 0.5
_LONGEST_SECONDS = 10.0
_REASON_CHARACTERS = 1000


async def handled(handler: Handler, batch: tuple[Message, ...]) -> tuple[Dead, ...]:
    """What of the batch can't be handled. A handler that raises lacks something which comes back: it is waited for."""
    delay = _FIRST_SECONDS
    # In the log a batch goes by the request that caused its first message.
    correlation.resume(batch[0].correlation_id)
    while True:
        try:
            dead = await handler(batch)
        except Exception as error:  # noqa: BLE001  # whatever it is, the messages are not lost
            _log.warning(
                "a batch of %d waits %g s: %s", len(batch), delay, error, exc_info=delay == _FIRST_SECONDS
            )
            await asyncio.sleep(delay)
            delay = min(2 * delay, _LONGEST_SECONDS)
        else:
            dead = tuple(replace(each, reason=_short(each.reason)) for each in dead)
            for each in dead:
                _log.error("dead letter %s: %s", each.message.id, each.reason)
            return dead


def _short(reason: str) -> str:
    # It may tell what the message says, to any length; a frame of AMQP's headers is no larger than 128 KiB.
    if len(reason) <= _REASON_CHARACTERS:
        return reason
    return reason[: _REASON_CHARACTERS - 1] + "…"
