"""RabbitMQ by aio-pika: whether it answers."""

import aio_pika
from aio_pika.exceptions import CONNECTION_EXCEPTIONS
from pydantic import SecretStr

from streamflow.shared.readiness import Check, Unavailable


def rabbitmq_check(url: SecretStr) -> Check:
    """Whether the broker takes a connection and opens a channel."""

    async def probe() -> None:
        try:
            async with await aio_pika.connect(url.get_secret_value()) as connection:
                await connection.channel()
        except CONNECTION_EXCEPTIONS as error:
            raise Unavailable(str(error)) from error

    return Check("rabbitmq", probe)
