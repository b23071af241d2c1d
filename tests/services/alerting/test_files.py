"""Alerting on a file of SQLite: what it knows outlives the process, and a file may be away, too."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import httpx

from .desk import KEY, WRITE, desk, until, window


def test_what_is_in_a_file_is_there_after_a_restart(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'alerting.db'}"

    async def run() -> None:
        async with desk(database_url=url) as alerting:
            made = await alerting.add()
            await alerting.publish(window())
            alert = await alerting.fired()
        async with desk(database_url=url) as alerting:
            assert await alerting.call("GET", "/rules") == {"rules": [made]}
            assert await alerting.alerts() == [alert]
            # What was judged is still known.
            await alerting.publish(window(error_rate=0.0), window(1, error_rate=0.0))
            await alerting.judged()
            assert (await alerting.alerts(rule=made["id"]))[0]["state"] == "resolved"

    asyncio.run(run())


def test_a_file_that_another_process_holds_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "alerting.db"

    async def run() -> None:
        async with desk(database_url=f"sqlite:///{path}") as alerting:
            await alerting.add()
            with sqlite3.connect(path, isolation_level=None) as other:
                other.execute("BEGIN EXCLUSIVE")
                answer = await alerting.call("GET", "/rules", 503, timeout=60)
                assert answer["error"]["message"] == "the database is away: database is locked"
                other.execute("ROLLBACK")
            other.close()
            await alerting.publish(window())
            await alerting.fired()

    asyncio.run(run())


def test_a_file_that_is_no_database_makes_it_not_ready(tmp_path: Path, start: Any) -> None:
    (tmp_path / "no-database").write_text("a text that is longer than the head of a database" * 9)
    url = f"sqlite:///{tmp_path / 'no-database'}"
    running = start("alerting", DATABASE_URL=url, JWT_SECRET_KEY=KEY.get_secret_value())
    ready = httpx.get(f"{running.url}/ready")
    answer = httpx.get(f"{running.url}/rules", headers=WRITE)
    assert (ready.status_code, list(ready.json()["checks"])) == (503, ["sqlite"])
    assert answer.status_code == 503
    assert running.stop() == 0


def test_a_notification_that_was_not_sent_before_the_end_is_sent_by_the_next_process(
    tmp_path: Path, hook: Any
) -> None:
    url = f"sqlite:///{tmp_path / 'alerting.db'}"

    async def run() -> None:
        hook.answers = [503]
        async with desk(database_url=url, notification_wait_seconds=1.0) as alerting:
            await alerting.add(channels=[{"kind": "webhook", "url": hook.url()}])
            await alerting.publish(window())
            alert = await alerting.fired()
            await until(hook.called)
            await alerting.notified(alert["id"], "pending")
        async with desk(database_url=url) as alerting:
            (told,) = await alerting.notified(alert["id"], "sent")
            assert told["attempts"] == 2

    asyncio.run(run())
