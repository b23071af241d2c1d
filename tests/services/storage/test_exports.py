"""Exports for clients that stop reading, over sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import httpx
import pytest

from streamflow.shared.bus import EVENTS, Message
from streamflow.shared.bus.memory import MemoryBus
from streamflow.shared.wire import dump
from streamflow.storage.app import Settings, create_app

from ..asgi import served
from .running import KEY, SECONDS, bearer, made


def test_an_export_that_nobody_reads_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamflow.storage.ndjson.SECONDS", 0.5)
    bus = MemoryBus()
    events = tuple(made(data={"text": "x" * 100_000}) for _ in range(200))
    asyncio.run(bus.publish(EVENTS, Message(dump(events), "cause")))
    with (
        served(create_app(Settings(jwt_secret_key=KEY), bus)) as url,
        httpx.Client(base_url=url, headers=bearer(), timeout=SECONDS) as client,
    ):
        until(lambda: client.get("/events/export").text.count("\n") == 200)
        with client.stream("GET", "/events/export") as one, client.stream("GET", "/events/export") as other:
            assert client.get("/events/export").status_code == 503
            time.sleep(1)
            until(lambda: client.get("/events/export").text.count("\n") == 200)
            for each in (one, other):
                with pytest.raises(httpx.RemoteProtocolError):
                    each.read()


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.1)
