"""Measures the five services on real servers, everything on this machine, and writes bench/services/README.md.

make bench-services              the whole run, some minutes
bench/services/run.py --quick    each case once and short, to see that all works; prints the tables, writes nothing
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from figures import BATCH, BATCHES, DELAYS, PACE, QUICK, SINGLES, STEADY, STEADY_PACE, Extent, Figures, Turn
from limits import copy, publish, stored_rows
from load import Job, LoadError, send
from processes import Service, ServiceError, running_services, until
from pydantic import SecretStr
from report import CONFIRMS, CONFIRMS_SINGLE, COPY, document
from servers import Servers, ServersError, running_servers
from usage import peak_memory, processor_seconds

from streamflow.shared.auth import mint

README = Path(__file__).with_name("README.md")
_HOUR = 3600
_DRAIN_SECONDS = 180.0
_IN_FLIGHT = {CONFIRMS: 4, CONFIRMS_SINGLE: 64}


class MeasureError(Exception):
    """What was measured is not what it should be."""


@dataclass(frozen=True, slots=True)
class Platform:
    """Everything that runs, and the token to use it."""

    servers: Servers
    services: Mapping[str, Service]
    token: str

    def job(self, size: int, connections: int, seconds: float, rate: int | None = None) -> Job:
        watched = self.services["dashboard"].url("/ws/metrics", "ws") if rate == PACE else None
        return Job(self.services["ingestion"].port, self.token, size, connections, seconds, rate, watched)

    def used(self) -> dict[str, float]:
        pids = {name: service.process.pid for name, service in self.services.items()}
        return processor_seconds(pids | self.servers.processes)


def main() -> int:
    """Measure, then write the document."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="measure each case once and write nothing")
    quick = parser.parse_args().quick
    signal.signal(signal.SIGTERM, _end)
    try:
        extent = QUICK if quick else Extent()
        text = document(_run(extent), extent)
    except (LoadError, MeasureError, ServersError, ServiceError) as error:
        print(f"bench-services: {error}", file=sys.stderr)
        return 4
    except KeyboardInterrupt:
        return 130
    if quick:
        print(text)
    else:
        README.write_text(text)
        print("wrote bench/services/README.md")
    return 0


def _end(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _run(extent: Extent) -> Figures:
    figures = Figures()
    key = secrets.token_hex(32)
    token = mint(SecretStr(key), "bench", "write", _HOUR)
    with tempfile.TemporaryDirectory(prefix="streamflow-bench-") as folder, running_servers() as servers:
        _confirms(servers, figures, extent)
        with running_services(servers, key, Path(folder)) as services:
            platform = Platform(servers, services, token)
            _say("warming up")
            _turn(platform, platform.job(BATCH, 4, extent.warm))
            for _ in range(extent.turns):
                _take(BATCHES, platform, platform.job(BATCH, 4, extent.batches), figures)
                _take(STEADY, platform, platform.job(BATCH, 4, extent.batches, STEADY_PACE), figures)
                _take(SINGLES, platform, platform.job(1, 32, extent.singles), figures)
                _while_the_hour_lasts(extent.delays)
                _take(DELAYS, platform, platform.job(1, 32, extent.delays, PACE), figures)
            figures.memory = {name: peak_memory(one.process.pid) for name, one in services.items()}
            _check_rows(platform)
        _say("COPY")
        file = Path(folder) / "rows"
        figures.limits[COPY] = asyncio.run(copy(servers.database, file, extent.rows, extent.turns))
    return figures


def _confirms(servers: Servers, figures: Figures, extent: Extent) -> None:
    for _ in range(extent.turns):
        for name, size in ((CONFIRMS, BATCH), (CONFIRMS_SINGLE, 1)):
            with servers.virtual_host("bare") as url:
                rate = asyncio.run(publish(url, size, _IN_FLIGHT[name], extent.limit))
            _say(f"{name}: {rate:,.0f} events a second")
            figures.limits.setdefault(name, []).append(rate)


def _take(case: str, platform: Platform, job: Job, figures: Figures) -> None:
    turn = _turn(platform, job)
    figures.turns.setdefault(case, []).append(turn)
    _say(
        f"{case}: {turn.accepted_rate:,.0f} accepted a second, {turn.stored_rate:,.0f} stored, "
        f"load average {turn.load:.1f}"
    )


def _turn(platform: Platform, job: Job) -> Turn:
    """Send, and wait until all of it is stored and counted."""
    storage, analytics = platform.services["storage"], platform.services["analytics"]
    stored, counted = storage.metric("events_stored_total"), analytics.metric("events_counted_total")
    load, used = os.getloadavg()[0], platform.used()
    sent = send(job)
    behind = stored + sent.accepted - storage.metric("events_stored_total")
    if not until(lambda: storage.metric("events_stored_total") >= stored + sent.accepted, _DRAIN_SECONDS):
        raise MeasureError(f"after {_DRAIN_SECONDS:g} s events that were accepted are not stored")
    stored_seconds = time.time() - sent.began
    if not until(lambda: analytics.metric("events_counted_total") >= counted + sent.accepted, _DRAIN_SECONDS):
        raise MeasureError(f"after {_DRAIN_SECONDS:g} s events that were accepted are not counted")
    now = platform.used()
    processor = {name: now[name] - used[name] for name in used} | {"generator": sent.cpu}
    return Turn(sent, stored_seconds, behind, processor, load)


def _check_rows(platform: Platform) -> None:
    rows = asyncio.run(stored_rows(platform.servers.database))
    accepted = platform.services["ingestion"].metric("events_accepted_total")
    if rows != accepted:
        raise MeasureError(f"{accepted} events were accepted, and {rows} are stored")


def _while_the_hour_lasts(seconds: float) -> None:
    """Wait for the next hour where this one ends before: its window is what the watcher counts by."""
    left = _HOUR - time.time() % _HOUR
    if left < seconds + 30:
        _say(f"waiting {left:.0f} s for the next hour")
        time.sleep(left + 1)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
