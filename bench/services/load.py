"""Sends events, in a process of its own: it reads a Job on standard input and prints its Outcome, both as JSON.

The requests are ready before the clock runs and go over connections that stay open, so that the two cores are left
to what is measured.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import uvloop
from traffic import batch_requests, single_requests
from websockets.asyncio.client import connect

_ACCEPTED = 202
_QUIET_SECONDS = 1.5
"""After which a watcher has been told all that was before."""
_LATE_SECONDS = 15.0
"""How long the last event may take to show."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to send: batches of `size`, or single events where that is 1.

    As fast as the answers come, or so many events a second, whether or not answers have come. With the URL of
    dashboard's WebSocket it is watched when the events show there.
    """

    port: int
    token: str
    size: int
    connections: int
    seconds: float
    rate: int | None = None
    watched: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it. Times of answers and delays are in seconds, delays from the moment a request was due."""

    began: float
    seconds: float
    cpu: float
    accepted: int
    answers: list[float]
    delays: list[float] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)


class LoadError(Exception):
    """The generator failed; it has told why on standard error."""


def send(job: Job) -> Outcome:
    """Do the job in a process of its own. Raises LoadError."""
    most = job.seconds + _QUIET_SECONDS + _LATE_SECONDS + 30
    with tempfile.TemporaryFile("w+") as told:
        try:
            done = subprocess.run(
                [sys.executable, __file__],
                input=json.dumps(asdict(job)),
                stdout=told,
                text=True,
                timeout=most,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise LoadError(f"the generator had not ended after {most:g} s") from error
        if done.returncode:
            raise LoadError(f"the generator ended with {done.returncode}")
        told.seek(0)
        return Outcome(**json.load(told))


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that so many percent of all don't exceed."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


class _Connection:
    """A connection that stays open."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def post(self, request: bytes) -> int:
        """Send a request; the status of its answer."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        await self._reader.readexactly(int(length))
        return int(head[9:12])

    def close(self) -> None:
        self._writer.close()


class _Sending:
    """One job's work."""

    def __init__(self, job: Job) -> None:
        self._job = job
        ready = single_requests(job.token) if job.size == 1 else batch_requests(job.size, job.token)
        self._requests: Iterator[bytes] = itertools.cycle(ready)
        self._statuses: Counter[int] = Counter()
        self._answers: list[float] = []
        self._due: list[float] = []
        self._seen: list[tuple[float, int]] = []

    async def run(self) -> Outcome:
        job = self._job
        opened = [
            _Connection(*await asyncio.open_connection("127.0.0.1", job.port)) for _ in range(job.connections)
        ]
        watching = None if job.watched is None else asyncio.create_task(self._watch(job.watched))
        if watching is not None:
            await asyncio.sleep(_QUIET_SECONDS)
        before = self._seen[-1][1] if self._seen else 0
        began, clock, used = time.time(), time.perf_counter(), time.process_time()
        moments = self._moments(clock)
        await asyncio.gather(*(self._send(connection, moments) for connection in opened))
        seconds, cpu = time.perf_counter() - clock, time.process_time() - used
        accepted = self._statuses.pop(_ACCEPTED, 0) * job.size
        delays: list[float] = []
        if watching is not None:
            delays = await self._delays(before, accepted)
            watching.cancel()
        for connection in opened:
            connection.close()
        refused = {str(status): count for status, count in self._statuses.items()}
        return Outcome(began, seconds, cpu, accepted, self._answers, delays, refused)

    def _moments(self, clock: float) -> Iterator[float]:
        """When each request is due; all at once, until the time is over, where there is no rate."""
        end = clock + self._job.seconds
        if self._job.rate is None:
            while (now := time.perf_counter()) < end:
                yield now
            return
        gap = self._job.size / self._job.rate
        for number in range(round(self._job.seconds / gap)):
            moment = clock + number * gap
            self._due.append(moment)
            yield moment

    async def _send(self, connection: _Connection, moments: Iterator[float]) -> None:
        for moment in moments:
            if (early := moment - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            self._statuses[await connection.post(next(self._requests))] += 1
            self._answers.append(time.perf_counter() - moment)

    async def _watch(self, url: str) -> None:
        bearer = {"Authorization": f"Bearer {self._job.token}"}
        async with connect(url, additional_headers=bearer, proxy=None) as socket:
            async for text in socket:
                now = time.perf_counter()
                self._seen.append((now, json.loads(text)["windows"]["1h"]["count"]))

    async def _delays(self, before: int, accepted: int) -> list[float]:
        """From when each event's request was due to the count that first was high enough to hold it."""
        deadline = time.perf_counter() + _LATE_SECONDS
        while self._seen[-1][1] - before < accepted:
            if time.perf_counter() > deadline:
                raise TimeoutError(f"{self._seen[-1][1] - before} of {accepted} events show")
            await asyncio.sleep(0.05)
        delays: list[float] = []
        seen = iter(self._seen)
        moment, count = next(seen)
        for number, due in enumerate(self._due, 1):
            while count - before < number * self._job.size:
                moment, count = next(seen)
            delays.append(moment - due)
        return delays


async def _main(job: Job) -> dict[str, Any]:
    return asdict(await _Sending(job).run())


if __name__ == "__main__":
    print(json.dumps(uvloop.run(_main(Job(**json.load(sys.stdin))))))
