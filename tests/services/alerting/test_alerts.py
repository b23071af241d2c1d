"""The life of an alert, from windows on the bus to its end, on both databases."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from streamflow.alerting.store import Store
from streamflow.shared.auth import mint
from streamflow.shared.bus import ANALYTICS, Message

from .desk import KEY, Desk, desk, until, window

Stores = Callable[[], Store]


def held(minute: int = 0, revision: int = 1, **fields: Any) -> dict[str, Any]:
    return window(minute, revision, error_rate=0.5, **fields)


def calm(minute: int = 0, revision: int = 1, **fields: Any) -> dict[str, Any]:
    return window(minute, revision, error_rate=0.0, **fields)


async def metric(alerting: Desk, name: str) -> float:
    text = (await alerting.client.get("/metrics")).text
    (line,) = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return float(line.split()[1])


def test_a_window_that_fulfils_a_condition_fires_one_alert(store: Stores) -> None:
    async def run() -> None:
        async with desk(store()) as alerting:
            made = await alerting.add(level="high")
            await alerting.publish(held(closed=False), held(0, 2), held(0, 2), held(1), held(2))
            await alerting.judged()
            (alert,) = await alerting.alerts(rule=made["id"])
            assert len(alert.pop("id")) == 36
            assert alert.pop("fired_at")
            assert alert == {
                "rule_id": made["id"],
                "rule_name": "errors",
                "condition": "error_rate > 0.1 over 1m",
                "level": "high",
                "state": "firing",
                "version": 1,
                "value": 0.5,
                "window": "1m",
                "window_start": "2026-03-01T10:00:00Z",
                "window_end": "2026-03-01T10:01:00Z",
                "acknowledged_at": None,
                "acknowledged_by": None,
                "escalated_at": None,
                "resolved_at": None,
                "resolved_by": None,
                "correlation_id": "the-cause",
            }

    asyncio.run(run())


def test_a_newer_window_in_which_it_does_not_hold_resolves_an_alert(store: Stores) -> None:
    async def run() -> None:
        async with desk(store()) as alerting:
            made = await alerting.add()
            # A later revision of the same window doesn't take it back.
            await alerting.publish(held(closed=False), calm(0, 2))
            await alerting.judged()
            (alert,) = await alerting.alerts(rule=made["id"])
            assert alert["state"] == "firing"
            await alerting.publish(calm(1))
            await alerting.judged()
            (alert,) = await alerting.alerts(rule=made["id"])
            assert (alert["state"], alert["resolved_by"], alert["version"]) == ("resolved", "window", 2)
            await alerting.publish(held(2))
            await alerting.judged()
            assert [each["state"] for each in await alerting.alerts(rule=made["id"])] == [
                "firing",
                "resolved",
            ]

    asyncio.run(run())


def test_stale_windows_change_nothing(store: Stores) -> None:
    async def run() -> None:
        async with desk(store()) as alerting:
            made = await alerting.add()
            await alerting.publish(calm(5, 3), held(5, 2), held(4, 9), held(5, 3))
            await alerting.judged()
            assert await alerting.alerts(rule=made["id"]) == []
            await alerting.publish(held(5, 4), calm(4, 99), calm(5, 3))
            await alerting.judged()
            (alert,) = await alerting.alerts(rule=made["id"])
            assert alert["state"] == "firing"

    asyncio.run(run())


def test_only_enabled_rules_over_this_window_are_judged(store: Stores) -> None:
    async def run() -> None:
        async with desk(store()) as alerting:
            await alerting.add(name="disabled", enabled=False)
            await alerting.add(name="other window", condition="error_rate > 0.1 over 5m")
            await alerting.add(name="too few", minimum_count=101)
            await alerting.add(name="does not hold", condition="error_rate > 0.5 over 1m")
            await alerting.publish(held())
            await alerting.judged()
            assert {each["rule_name"] for each in await alerting.alerts()} == {"probe"}

    asyncio.run(run())


def test_an_alert_is_acknowledged_and_resolved_by_who_calls(store: Stores) -> None:
    async def run() -> None:
        async with desk(store()) as alerting:
            await alerting.add()
            await alerting.publish(held())
            path = f"/alerts/{(await alerting.fired())['id']}"

            taken = await alerting.call("POST", f"{path}/acknowledge", headers={"X-Request-ID": "mine"})
            assert (taken["state"], taken["acknowledged_by"], taken["version"]) == ("acknowledged", "ann", 2)
            again = await alerting.call("POST", f"{path}/acknowledge", 409)
            assert again["error"]["message"] == (
                "the alert is acknowledged: only a firing one can be acknowledged"
            )
            done = await alerting.call("POST", f"{path}/resolve")
            assert (done["state"], done["resolved_by"], done["version"]) == ("resolved", "ann", 3)
            assert done["acknowledged_at"] == taken["acknowledged_at"]
            again = await alerting.call("POST", f"{path}/resolve", 409)
            assert again["error"]["message"] == "the alert is resolved already"
            again = await alerting.call("POST", f"{path}/acknowledge", 409)
            assert again["error"]["message"] == (
                "the alert is resolved: only a firing one can be acknowledged"
            )
            assert await alerting.call("GET", path) == done | {"notifications": []}

            async def told() -> bool:
                return len(alerting.changes) == 3

            await until(told)
            assert [(each["change"], each["alert"]["version"]) for each in alerting.changes] == [
                ("fired", 1),
                ("acknowledged", 2),
                ("resolved", 3),
            ]
            assert [each["cause"] for each in alerting.changes[:2]] == ["the-cause", "mine"]
            assert alerting.changes[2]["alert"] == done
            assert [await metric(alerting, f"alerts_{name}_total") for name in ("fired", "resolved")] == [
                1,
                1,
            ]

    asyncio.run(run())


def test_two_who_acknowledge_at_once_are_one(store: Stores) -> None:
    async def run() -> None:
        async with desk(store()) as alerting:
            await alerting.add()
            await alerting.publish(held())
            path = f"/alerts/{(await alerting.fired())['id']}"
            for verb in ("acknowledge", "resolve"):
                answers = await asyncio.gather(*(alerting.client.post(f"{path}/{verb}") for _ in range(8)))
                assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7

    asyncio.run(run())


def test_an_alert_that_is_none_is_not_found(store: Stores) -> None:
    async def run() -> None:
        async with desk(store()) as alerting:
            unknown = uuid4()
            for method, path in (
                ("GET", ""),
                ("POST", "/acknowledge"),
                ("POST", "/resolve"),
            ):
                answer = await alerting.call(method, f"/alerts/{unknown}{path}", 404)
                assert answer["error"]["message"] == f"there is no alert {unknown}"
                await alerting.call(method, f"/alerts/1%27--{path}", 422)

    asyncio.run(run())


def test_a_suppressed_rule_is_quiet_for_its_time(store: Stores) -> None:
    async def run() -> None:
        async with desk(store()) as alerting:
            made = await alerting.add(suppress_seconds=1)
            await alerting.publish(held(0), calm(1), held(2))
            await alerting.judged()
            (alert,) = await alerting.alerts(rule=made["id"])
            assert alert["state"] == "resolved"
            await asyncio.sleep(1.1)
            await alerting.publish(held(3))
            await alerting.judged()
            firing, _ = await alerting.alerts(rule=made["id"])
            assert (firing["state"], firing["window_start"]) == ("firing", "2026-03-01T10:03:00Z")
            # The time counts from the end, too, by whoever ends it.
            await asyncio.sleep(1.1)
            await alerting.call("POST", f"/alerts/{firing['id']}/resolve")
            await alerting.publish(held(4))
            await alerting.judged()
            assert len(await alerting.alerts(rule=made["id"])) == 2

    asyncio.run(run())


def test_an_alert_that_nobody_acknowledges_is_escalated_once(store: Stores) -> None:
    async def run() -> None:
        async with desk(store()) as alerting:
            quick = await alerting.add(name="quick", level="high", escalate_after_seconds=1)
            top = await alerting.add(name="top", level="critical", escalate_after_seconds=1)
            taken = await alerting.add(name="taken", level="high", escalate_after_seconds=1)
            slow = await alerting.add(name="slow", level="low", escalate_after_seconds=60)
            await alerting.publish(held())
            await alerting.judged()
            (alert,) = await alerting.alerts(rule=taken["id"])
            await alerting.call("POST", f"/alerts/{alert['id']}/acknowledge")

            async def escalated() -> bool:
                return sum(each["change"] == "escalated" for each in alerting.changes) == 2

            await until(escalated)
            await asyncio.sleep(1.2)  # the time in which they would be escalated again
            found = {each["rule_id"]: each for each in await alerting.alerts()}
            assert {
                name: (found[made["id"]]["level"], found[made["id"]]["escalated_at"] is not None)
                for name, made in (("quick", quick), ("top", top), ("taken", taken), ("slow", slow))
            } == {
                "quick": ("critical", True),
                "top": ("critical", True),
                "taken": ("high", False),
                "slow": ("low", False),
            }
            assert sum(each["change"] == "escalated" for each in alerting.changes) == 2
            assert await metric(alerting, "alerts_escalated_total") == 2

    asyncio.run(run())


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({"name": "renamed"}, "firing"),
        ({"enabled": False}, "resolved"),
        ({"condition": "error_rate > 0.2 over 1m"}, "resolved"),
        (None, "resolved"),
    ],
    ids=["renamed", "disabled", "another condition", "deleted"],
)
def test_an_alert_ends_with_what_it_stands_for(
    store: Stores, change: dict[str, Any] | None, state: str
) -> None:
    async def run() -> None:
        async with desk(store()) as alerting:
            made = await alerting.add()
            await alerting.publish(held())
            await alerting.fired()
            path = f"/rules/{made['id']}"
            if change is None:
                await alerting.call("DELETE", path, 204)
            else:
                fields = {"name": "errors", "condition": made["condition"], "suppress_seconds": 0} | change
                await alerting.call("PUT", path, json=fields)
            (alert,) = await alerting.alerts()
            assert (alert["state"], alert["rule_name"]) == (state, "errors")
            assert alert["resolved_by"] == (None if state == "firing" else "rule")

    asyncio.run(run())


def test_a_rule_over_another_window_is_judged_afresh(store: Stores) -> None:
    async def run() -> None:
        async with desk(store()) as alerting:
            made = await alerting.add()
            await alerting.publish(calm(30))
            await alerting.judged()
            await alerting.call(
                "PUT", f"/rules/{made['id']}", json={"name": "errors", "condition": "count > 1 over 5m"}
            )
            await alerting.publish(window(25, window="5m"))
            await alerting.judged()
            assert len(await alerting.alerts(rule=made["id"])) == 1

    asyncio.run(run())


def test_alerts_come_in_pages_and_by_filter(store: Stores) -> None:
    async def run() -> None:
        async with desk(store()) as alerting:
            rules = [
                await alerting.add(name=str(number), level=level)
                for number, level in enumerate(("low", "high", "high", "critical", "low"))
            ]
            await alerting.publish(held())

            async def all_fired() -> Any:
                found = await alerting.alerts()
                return found if len(found) == 5 else None

            everything = await until(all_fired)
            await alerting.call("POST", f"/alerts/{everything[0]['id']}/acknowledge")
            everything = await alerting.alerts()

            pages, after = [], None
            while True:
                params = {"limit": 2} | ({} if after is None else {"after": after})
                page = await alerting.call("GET", "/alerts", params=params)
                pages.append(page["alerts"])
                if (after := page["next"]) is None:
                    break
            assert [len(page) for page in pages] == [2, 2, 1]
            assert [alert for page in pages for alert in page] == everything
            assert everything == sorted(
                everything, key=lambda alert: (alert["fired_at"], alert["id"]), reverse=True
            )
            exact = await alerting.call("GET", "/alerts", params={"limit": 5})
            assert (len(exact["alerts"]), exact["next"]) == (5, None)

            assert [each["id"] for each in await alerting.alerts(state="acknowledged")] == [
                everything[0]["id"]
            ]
            assert {each["rule_name"] for each in await alerting.alerts(level="high")} == {"1", "2"}
            assert len(await alerting.alerts(level="high", state="resolved")) == 0
            (one,) = await alerting.alerts(rule=rules[3]["id"], level="critical")
            assert one["rule_name"] == "3"

    asyncio.run(run())


@pytest.mark.parametrize(
    "filters",
    [
        {"state": "firing' OR '1'='1"},
        {"state": "\x00"},
        {"level": "high; DROP TABLE alerting_alerts"},
        {"rule": "' OR 1=1 --"},
        {"limit": "0"},
        {"limit": "501"},
        {"limit": "1e3"},
        {"after": ""},
        {"after": "x"},
        {"after": "é"},
        {"after": "JyBPUiAxPTEgLS0"},
        {"after": "MDAwMS0wMS0wMVQwMDowMDowMCsxNDowMCA2YTU0NWIzOC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDAwMDA"},
        {"after": "a" * 201},
    ],
)
def test_a_wrong_filter_is_refused_with_its_path(filters: dict[str, str]) -> None:
    async def run() -> None:
        async with desk() as alerting:
            answer = await alerting.call("GET", "/alerts", 422, params=filters)
            (detail,) = answer["error"]["details"]
            assert detail["path"] == f"query.{next(iter(filters))}"

    asyncio.run(run())


def test_statistics(store: Stores) -> None:
    async def run() -> None:
        async with desk(store()) as alerting:
            empty = await alerting.call("GET", "/statistics")
            assert empty == {
                "total": 0,
                "by_state": {"firing": 0, "acknowledged": 0, "resolved": 0},
                "by_level": {"low": 0, "medium": 0, "high": 0, "critical": 0},
                "by_rule": [],
                "mean_seconds_to_acknowledge": None,
                "mean_seconds_to_resolve": None,
            }
            often = await alerting.add(name="often", level="high")
            await alerting.publish(held(0), calm(1), held(2), calm(3), held(4))
            await alerting.judged()
            (open_one,) = await alerting.alerts(state="firing")
            await asyncio.sleep(0.3)
            await alerting.call("POST", f"/alerts/{open_one['id']}/acknowledge")
            figures = await alerting.call("GET", "/statistics")
            assert figures["total"] == 4
            assert figures["by_state"] == {"firing": 0, "acknowledged": 1, "resolved": 3}
            assert figures["by_level"] == {"low": 0, "medium": 1, "high": 3, "critical": 0}
            assert figures["by_rule"][0] == {"rule_id": often["id"], "rule_name": "often", "count": 3}
            assert [each["rule_name"] for each in figures["by_rule"]] == ["often", "probe"]
            assert 0.3 <= figures["mean_seconds_to_acknowledge"] < 10
            assert 0 <= figures["mean_seconds_to_resolve"] < 10

    asyncio.run(run())


def test_what_is_no_window_is_a_dead_letter_and_blocks_nothing() -> None:
    async def run() -> None:
        async with desk() as alerting:
            await alerting.add()
            await alerting.bus.publish(ANALYTICS, Message(b'{"window": "1m"}', "\x00 bad id"))
            await alerting.publish(held(count=-1), held())
            await alerting.fired()
            letters = await alerting.bus.letters(10)
            assert [(letter.queue, letter.reason) for letter in letters] == [
                ("alerting.windows", "not a window: start: Field required"),
                ("alerting.windows", "not a window: count: Input should be greater than or equal to 0"),
            ]
            assert await metric(alerting, "windows_dead_total") == 2

    asyncio.run(run())


def test_ids_and_names_that_databases_refuse_are_cleaned(store: Stores) -> None:
    async def run() -> None:
        async with desk(store()) as alerting:
            await alerting.add()
            await alerting.bus.publish(ANALYTICS, Message(json.dumps(held()).encode(), "a\x00b" + "c" * 300))
            alert = await alerting.fired()
            assert alert["correlation_id"] == "a b" + "c" * 197
            token = mint(KEY, "an\x00n\ud800", "write", 24 * 3600)
            done = await alerting.call(
                "POST", f"/alerts/{alert['id']}/resolve", headers={"Authorization": f"Bearer {token}"}
            )
            assert done["resolved_by"] == "an n"

    asyncio.run(run())
