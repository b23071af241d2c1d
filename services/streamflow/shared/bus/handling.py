"""How a batch is handled, whatever carries it: again and again, until the handler doesn't raise."""

import asyncio
import logging

from streamflow.shared import correlation
from streamflow.shared.bus import Dead, Handler, Message

_log = logging.getLogger(__name__)
_FIRST_SECONDS = 0.5
_LONGEST_SECONDS = 10.0


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
            for each in dead:
                _log.error("dead letter %s: %s", each.message.id, each.reason)
            return dead
