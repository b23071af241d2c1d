"""`streamflow dead`, from outside, on a real broker."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import aio_pika
from pydantic import SecretStr

from streamflow.shared.bus import DEAD_LETTERS, STORAGE_EVENTS, Dead, Exchange, Message, Queue
from streamflow.shared.bus.rabbit import RabbitBus

from .conftest import environment
from .servers import free_port


def dead(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "streamflow", "dead", *arguments]
    return subprocess.run(
        command, env=environment(**settings), capture_output=True, text=True, timeout=60, check=False
    )


def bury(url: str, *ids: str, queue: Queue = STORAGE_EVENTS) -> None:
    """Let a queue, storage's, have messages that its consumer can't handle."""

    async def work() -> None:
        bus = RabbitBus(SecretStr(url), (queue, DEAD_LETTERS))
        await bus.start()
        await bus.connected()

        async def refuse(batch: tuple[Message, ...]) -> tuple[Dead, ...]:
            return tuple(Dead(message, "it is no event") for message in batch)

        before = len(await bus.letters(10))
        consuming = asyncio.create_task(bus.consume(queue, refuse, most=10, linger=0.05))
        for each in ids:
            await bus.publish(queue.exchange, Message(b"[]", id=each))
        async with asyncio.timeout(30):
            while len(await bus.letters(10)) < before + len(ids):  # noqa: ASYNC110 - they lie in another process
                await asyncio.sleep(0.05)
        consuming.cancel()
        await asyncio.gather(consuming, return_exceptions=True)
        await bus.close()

    asyncio.run(work())


async def delete(url: str, queue: str) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.queue_delete(queue)


def test_dead_letters_are_listed_and_put_back(rabbitmq_url: str) -> None:
    bury(rabbitmq_url, "first", "second")

    listed = dead("list", RABBITMQ_URL=rabbitmq_url)
    one = dead("requeue", "first", RABBITMQ_URL=rabbitmq_url)
    unknown = dead("requeue", "third", RABBITMQ_URL=rabbitmq_url)
    left = dead("list", RABBITMQ_URL=rabbitmq_url)
    rest = dead("requeue", "--all", RABBITMQ_URL=rabbitmq_url)
    none = dead("list", RABBITMQ_URL=rabbitmq_url)

    assert listed.stdout == "first\tstorage.events\tit is no event\nsecond\tstorage.events\tit is no event\n"
    assert (one.returncode, one.stderr) == (0, "streamflow dead: 1 put back\n")
    assert (unknown.returncode, unknown.stderr) == (
        1,
        "streamflow dead: there is no third\nstreamflow dead: 0 put back\n",
    )
    assert left.stdout == "second\tstorage.events\tit is no event\n"
    assert (rest.returncode, rest.stderr) == (0, "streamflow dead: 1 put back\n")
    assert (none.returncode, none.stdout) == (0, "")


def test_a_letter_whose_queue_is_gone_keeps_no_other_back(rabbitmq_url: str) -> None:
    bury(rabbitmq_url, "first", queue=Queue("gone", Exchange("gone"), 1 << 20))
    bury(rabbitmq_url, "second")
    asyncio.run(delete(rabbitmq_url, "gone"))

    tried = dead("requeue", "--all", RABBITMQ_URL=rabbitmq_url)
    left = dead("list", RABBITMQ_URL=rabbitmq_url)

    assert (tried.returncode, tried.stderr) == (
        1,
        "streamflow dead: first stays: there is no queue 'gone'\nstreamflow dead: 1 put back\n",
    )
    assert left.stdout == "first\tgone\tit is no event\n"


def test_a_dead_letter_is_looked_at_and_forgotten(rabbitmq_url: str) -> None:
    bury(rabbitmq_url, "first", "second")

    shown = dead("show", "first", RABBITMQ_URL=rabbitmq_url)
    dropped = dead("drop", "first", RABBITMQ_URL=rabbitmq_url)
    left = dead("list", RABBITMQ_URL=rabbitmq_url)
    rest = dead("drop", "--all", RABBITMQ_URL=rabbitmq_url)
    none = dead("show", "second", RABBITMQ_URL=rabbitmq_url)

    assert (shown.returncode, shown.stdout, shown.stderr) == (0, "[]\n", "")
    assert (dropped.returncode, dropped.stderr) == (0, "streamflow dead: 1 forgotten\n")
    assert left.stdout == "second\tstorage.events\tit is no event\n"
    assert (rest.returncode, rest.stderr) == (0, "streamflow dead: 1 forgotten\n")
    assert (none.returncode, none.stderr) == (1, "streamflow dead: there is no second\n")


def test_a_password_that_is_refused(rabbitmq_url: str) -> None:
    wrong = dead("list", RABBITMQ_URL=rabbitmq_url.replace("streamflow:streamflow@", "streamflow:wrong@"))
    assert wrong.returncode == 1
    assert wrong.stderr == "streamflow dead: RabbitMQ refuses the user or password of RABBITMQ_URL\n"


def test_what_it_wants_to_be_told() -> None:
    assert dead().stderr.endswith("streamflow dead: error: the following arguments are required: ACTION\n")
    assert "ID" not in dead("list", "--help").stdout
    assert dead("requeue", "--help").stdout.startswith(
        "usage: streamflow dead requeue [-h] [--all] [ID ...]\n"
    )


def test_what_it_cannot_do_is_one_line() -> None:
    away = dead("list", RABBITMQ_URL=f"amqp://127.0.0.1:{free_port()}")
    unset = dead("list")
    unnamed = dead("requeue", RABBITMQ_URL="amqp://127.0.0.1:1")
    assert (away.returncode, away.stdout) == (1, "")
    assert away.stderr == "streamflow dead: RabbitMQ doesn't answer at RABBITMQ_URL\n"
    assert (unset.returncode, unset.stderr) == (2, "streamflow: RABBITMQ_URL: it is not set\n")
    assert unnamed.returncode == 2
    assert unnamed.stderr == "streamflow dead: name the ids that `streamflow dead list` shows, or --all\n"
