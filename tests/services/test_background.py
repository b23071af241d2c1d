"""What services do besides answering goes on, whatever it meets."""

from __future__ import annotations

import asyncio
import contextlib
import logging

import pytest

from streamflow.shared import background
from streamflow.shared.background import at_work


def test_work_that_fails_is_told_of_and_begins_anew(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(background, "_AGAIN_SECONDS", 0.01)
    begun: list[int] = []
    again, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.append(len(begun))
        if len(begun) == 1:
            raise RuntimeError("nobody thought of this")
        again.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    async def test() -> None:
        async with asyncio.timeout(10), at_work(work):
            await again.wait()
        assert ended.is_set()

    with caplog.at_level(logging.ERROR):
        asyncio.run(test())
    assert begun == [0, 1]
    assert "nobody thought of this" in caplog.text


def test_work_that_loses_a_cancellation_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "_END_SECONDS", 0.01)
    cancelled: list[int] = []
    begun = asyncio.Event()

    async def work() -> None:
        while True:
            begun.set()
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                cancelled.append(len(cancelled))
                if len(cancelled) == 2:
                    raise

    async def test() -> None:
        async with asyncio.timeout(10), at_work(work):
            await begun.wait()

    asyncio.run(test())
    assert cancelled == [0, 1]


def test_the_end_comes_though_work_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(background, "_END_SECONDS", 0.01)
    begun, enough = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        while not enough.is_set():
            begun.set()
            with contextlib.suppress(asyncio.CancelledError):
                await enough.wait()

    async def test() -> None:
        async with asyncio.timeout(10), at_work(work):
            await begun.wait()
        enough.set()

    asyncio.run(test())
    assert "work in the background doesn't end: 1 of it are left" in caplog.text
