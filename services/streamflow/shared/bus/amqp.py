"""Messages and dead letters in AMQP's form."""

import aio_pika
from aio_pika.abc import AbstractIncomingMessage

from streamflow.shared.bus import Letter, Message, cut

# What ends its consumer again and again, such as by more memory than there is, goes to the dead letters.
DELIVERIES = 20
_ID_BYTES = 255  # AMQP's short strings hold no more
_REASON = "x-reason"
_QUEUE = "x-queue"


def encoded(message: Message) -> aio_pika.Message:
    """A message as it is sent."""
    return aio_pika.Message(
        message.body,
        content_type="application/json",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        correlation_id=None if message.correlation_id is None else cut(message.correlation_id, _ID_BYTES),
        message_id=cut(message.id, _ID_BYTES),
    )


def enclosed(letter: Letter) -> aio_pika.Message:
    """A dead letter as it is sent."""
    message = encoded(letter.message)
    message.headers = {_REASON: letter.reason, _QUEUE: letter.queue}
    return message


def decoded(arrived: AbstractIncomingMessage) -> Message:
    """What arrived."""
    return Message(arrived.body, arrived.correlation_id, arrived.message_id or "")


def letter_of(arrived: AbstractIncomingMessage) -> Letter:
    """What arrived from the dead letters, buried by a service or by RabbitMQ itself."""
    headers = arrived.headers
    if _REASON in headers:
        return Letter(decoded(arrived), str(headers[_REASON]), str(headers[_QUEUE]))
    # RabbitMQ's own: https://www.rabbitmq.com/docs/dlx#effects
    queue = str(headers.get("x-first-death-queue", ""))
    return Letter(decoded(arrived), f"delivered {DELIVERIES} times and never handled", queue)
