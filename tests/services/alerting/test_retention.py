"""Alerts that were resolved long ago go, with what was sent of them, and nothing else does; on both databases."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from pydantic import SecretStr

from streamflow.alerting.app import Settings
from streamflow.alerting.retention import Retention
from streamflow.alerting.store import Store
from streamflow.alerting.store.postgres import PostgresStore
from streamflow.shared.settings import SettingsError, read

from .desk import READ, Desk, Hook, desk, until, window

Stores = Callable[[], Store]
DAYS = 7
OLD = timedelta(days=DAYS, minutes=1)
YOUNG = timedelta(days=DAYS) - timedelta(minutes=1)
MADE = """
INSERT INTO alerting_alerts (id, rule_id, rule_name, condition, level, state, version, value, span, window_start,
    window_end, fired_at, resolved_at)
VALUES ($1, $2, 'errors', 'count > 1 over 1m', 'low', 'resolved', 2, 2, '1m', $3, $3, $3, $3)
"""


@pytest.fixture(autouse=True)
def when_asked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs when it is asked to, so that a test knows what deleted an alert."""

    async def never(_: Retention) -> None:
        await asyncio.Event().wait()

    if "by_itself" not in request.node.name:
        monkeypatch.setattr(Retention, "run_hourly", never)


async def age(kept: Store, alert: dict[str, Any], by: timedelta) -> None:
    """All of the alert's moments are so much earlier."""
    moments = {
        name: datetime.fromisoformat(alert[name]) - by
        for name in ("fired_at", "acknowledged_at", "resolved_at")
        if alert[name] is not None
    }
    changes = ", ".join(f"{name} = ${number}" for number, name in enumerate(moments, start=2))
    async with kept.transaction() as session:
        await session.rows(
            f"UPDATE alerting_alerts SET {changes} WHERE id = $1",  # noqa: S608
            UUID(alert["id"]),
            *moments.values(),
        )


async def resolved(alerting: Desk, kept: Store, age_of_it: timedelta, **fields: Any) -> dict[str, Any]:
    """An alert of a rule of its own that was resolved so long ago."""
    rule = await alerting.add(**fields)
    await alerting.publish(window())
    alert = await alerting.fired(rule=rule["id"])
    done: dict[str, Any] = await alerting.call("POST", f"/alerts/{alert['id']}/resolve")
    await age(kept, done, age_of_it)
    return done


async def sent(kept: Store) -> int:
    async with kept.transaction() as session:
        (row,) = await session.rows("SELECT count(*) AS count FROM alerting_outbox WHERE kind <> 'bus'")
    return int(row["count"])


async def run_it(alerting: Desk) -> int:
    """How many a run deleted."""
    return int((await alerting.call("POST", "/retention/run"))["deleted"])


async def ids(alerting: Desk) -> set[str]:
    return {each["id"] for each in await alerting.alerts(limit=500)}


async def metric(alerting: Desk) -> float:
    (line,) = [
        line
        for line in (await alerting.client.get("/metrics")).text.splitlines()
        if line.startswith("alerts_deleted_total ")
    ]
    return float(line.split()[1])


def test_alerts_that_were_resolved_long_ago_go_with_their_notifications(store: Stores, hook: Hook) -> None:
    async def run() -> None:
        kept = store()
        channels = [{"kind": "webhook", "url": hook.url()}]
        async with desk(kept, alert_retention_days=DAYS) as alerting:
            old = await resolved(alerting, kept, OLD, name="old", channels=channels)
            young = await resolved(alerting, kept, YOUNG, name="young", channels=channels)
            for alert in (old, young):
                await alerting.notified(alert["id"], "sent", 2)
            assert await run_it(alerting) == 1
            assert await run_it(alerting) == 0
            assert await ids(alerting) == {young["id"]}
            await alerting.call("GET", f"/alerts/{old['id']}", 404)
            assert len((await alerting.call("GET", f"/alerts/{young['id']}"))["notifications"]) == 2
            assert await sent(kept) == 2
            figures = await alerting.call("GET", "/statistics")
            assert (figures["total"], [each["rule_name"] for each in figures["by_rule"]]) == (1, ["young"])
            assert len((await alerting.call("GET", "/rules"))["rules"]) == 2
            assert await metric(alerting) == 1

    asyncio.run(run())


def test_open_alerts_stay_however_old_they_are(store: Stores) -> None:
    async def run() -> None:
        kept = store()
        async with desk(kept, alert_retention_days=DAYS) as alerting:
            await alerting.add(name="firing")
            taken = await alerting.add(name="acknowledged")
            await alerting.publish(window())
            alert = await alerting.fired(rule=taken["id"])
            await alerting.call("POST", f"/alerts/{alert['id']}/acknowledge")
            alerts = await alerting.alerts()
            for each in alerts:
                await age(kept, each, timedelta(days=1000))
            assert await run_it(alerting) == 0
            assert await ids(alerting) == {each["id"] for each in alerts}
            assert len(alerts) == 2

    asyncio.run(run())


def test_an_alert_of_which_somebody_is_still_to_be_told_stays_until_then(store: Stores, hook: Hook) -> None:
    async def run() -> None:
        kept = store()
        hook.answers = [503]
        async with desk(kept, alert_retention_days=DAYS, notification_wait_seconds=3600) as alerting:
            alert = await resolved(alerting, kept, OLD, channels=[{"kind": "webhook", "url": hook.url()}])
            await alerting.notified(alert["id"], "pending", 1)
            assert await run_it(alerting) == 0

            async with kept.transaction() as session:
                await session.rows("UPDATE alerting_outbox SET due_at = $1", await session.now())
            await alerting.notified(alert["id"], "sent", 2)
            assert await run_it(alerting) == 1
            assert await sent(kept) == 0

    asyncio.run(run())


def test_a_rule_that_is_quiet_for_longer_than_alerts_are_kept_stays_quiet(store: Stores) -> None:
    async def run() -> None:
        kept = store()
        quiet = timedelta(days=10)
        async with desk(kept, alert_retention_days=DAYS) as alerting:
            fields = {"suppress_seconds": int(quiet.total_seconds())}
            alert = await resolved(alerting, kept, OLD, **fields)
            other = await resolved(alerting, kept, OLD, name="deleted", **fields)
            await alerting.call("DELETE", f"/rules/{other['rule_id']}", 204)
            assert await run_it(alerting) == 1
            await alerting.publish(window(1))
            await alerting.judged()
            (still,) = await alerting.alerts(rule=alert["rule_id"])
            assert (still["id"], still["state"]) == (alert["id"], "resolved")
            await age(kept, alert, timedelta(days=32))
            assert await run_it(alerting) == 1

    asyncio.run(run())


def test_the_policy_is_told(store: Stores) -> None:
    async def run() -> None:
        async with desk(store(), alert_retention_days=DAYS) as alerting:
            policy = await alerting.call("GET", "/retention", headers=READ)
            refused = await alerting.call("POST", "/retention/run", 403, headers=READ)
            done = await alerting.call("POST", "/retention/run")
            assert set(policy) == {"days", "before"}
            assert policy["days"] == DAYS
            off = datetime.now(UTC) - timedelta(days=DAYS) - datetime.fromisoformat(policy["before"])
            assert abs(off) < timedelta(minutes=1)
            assert refused["error"]["message"] == "the token's role is read, and this needs write"
            assert (set(done), done["deleted"]) == ({"deleted", "before"}, 0)
            assert datetime.fromisoformat(done["before"]) >= datetime.fromisoformat(policy["before"])

    asyncio.run(run())


def test_it_runs_by_itself(store: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamflow.shared.retention._HOUR_SECONDS", 0.05)

    async def run() -> None:
        kept = store()
        async with desk(kept) as alerting:
            await resolved(alerting, kept, timedelta(days=91), name="old")
            young = await resolved(alerting, kept, timedelta(days=89), name="young")

            async def gone() -> bool:
                return await ids(alerting) == {young["id"]}

            await until(gone)
            assert await metric(alerting) == 1

    asyncio.run(run())


def test_many_go_in_several_transactions(store: Stores) -> None:
    async def run() -> None:
        kept = store()
        async with desk(kept, alert_retention_days=DAYS) as alerting:
            await fill(kept, 1000)
            assert await run_it(alerting) == 1000
            assert await ids(alerting) == set()

    asyncio.run(run())


def test_replicas_that_run_it_at_once_delete_each_alert_once(postgres_url: str) -> None:
    """While one holds some of the alerts, another goes on with the rest."""

    async def run() -> None:
        async with contextlib.AsyncExitStack() as stack:
            stores = [PostgresStore(SecretStr(postgres_url)) for _ in range(4)]
            desks = [
                await stack.enter_async_context(desk(each, alert_retention_days=DAYS)) for each in stores
            ]
            await fill(stores[0], 2000)
            assert sum(await asyncio.gather(*map(run_it, desks))) == 2000
            assert await ids(desks[0]) == set()

            await fill(stores[0], 2)
            holding = await asyncpg.connect(postgres_url)
            async with holding.transaction():
                (held,) = await holding.fetch("SELECT id FROM alerting_alerts LIMIT 1 FOR UPDATE")
                assert await asyncio.wait_for(run_it(desks[0]), 8) == 1
                assert await ids(desks[1]) == {str(held["id"])}
            await holding.close()
            assert await run_it(desks[1]) == 1

    asyncio.run(run())


async def fill(kept: Store, count: int) -> None:
    """So many alerts that were resolved long ago."""
    async with kept.transaction() as session:
        moment = await session.now() - OLD
        for _ in range(count):
            await session.rows(MADE, uuid4(), uuid4(), moment)


@pytest.mark.parametrize("days", ["0", "-1", "36501", "x"])
def test_a_senseless_number_of_days_is_refused(days: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALERT_RETENTION_DAYS", days)
    with pytest.raises(SettingsError, match=rf"^ALERT_RETENTION_DAYS '{days}': "):
        read(Settings)
