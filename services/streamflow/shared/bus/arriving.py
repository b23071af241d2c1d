"""Messages as a channel hands them over, and batches of them."""

import asyncio

from aio_pika.abc import AbstractIncomingMessage


class Arriving:
    """Messages of one channel as they arrive; None after the last one, when the channel is closed."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[AbstractIncomingMessage | None] = asyncio.Queue()

    async def put(self, message: AbstractIncomingMessage) -> None:
        """One more."""
        self.queue.put_nowait(message)

    def end(self, *_: object) -> None:
        """The channel is closed."""
        self.queue.put_nowait(None)


async def gather(arriving: Arriving, most: int, linger: float) -> list[AbstractIncomingMessage] | None:
    """The next batch; None when the channel is closed, for then nothing can be acknowledged any more."""
    first = await arriving.queue.get()
    if first is None:
        return None
    batch = [first]
    while len(batch) < most:
        try:
            message = arriving.queue.get_nowait()
        except asyncio.QueueEmpty:
            try:
                # Not wait_for, which before Python 3.12 may take a cancellation for a message that came.
                async with asyncio.timeout(linger):
                    message = await arriving.queue.get()
            except TimeoutError:
                break
        if message is None:
            return None
        batch.append(message)
    return batch
