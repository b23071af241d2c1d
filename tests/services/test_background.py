"""What services do besides answering goes on, whatever it meets."""

from __future__ import annotations

import asyncio
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
