"""Rules over HTTP, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from streamflow.alerting.store import Store

from .desk import READ, desk, rule

Stores = Callable[[], Store]
FULL = {
    "name": "shop fails",
    "condition": "error_rate > 0.05 over 5m",
    "level": "high",
    "channels": [
        {"kind": "webhook", "url": "https://hooks.example/a?b=c"},
        {"kind": "slack", "url": "http://127.0.0.1:9/"},
        {"kind": "email", "address": "ann+alerts@example.com"},
    ],
    "suppress_seconds": 60,
    "escalate_after_seconds": 300,
    "escalate_channels": [{"kind": "email", "address": "boss@example.com"}],
    "enabled": False,
    "minimum_count": 20,
}


def test_a_rule_is_created_read_updated_and_deleted(store: Stores) -> None:
    async def run() -> None:
        async with desk(store()) as alerting:
            made = await alerting.call("POST", "/rules", 201, json=FULL)
            path = f"/rules/{made['id']}"
            assert {name: made[name] for name in FULL} == FULL
            assert await alerting.call("GET", path) == made

            plain = await alerting.call("PUT", path, json={"name": "a", "condition": " count<1   over 1h "})
            assert {
                name: value for name, value in plain.items() if name not in ("id", "created_at", "updated_at")
            } == {
                "name": "a",
                "condition": "count<1 over 1h",
                "level": "medium",
                "channels": [],
                "suppress_seconds": 300,
                "escalate_after_seconds": None,
                "escalate_channels": [],
                "enabled": True,
                "minimum_count": 0,
            }
            assert (plain["id"], plain["created_at"]) == (made["id"], made["created_at"])
            assert plain["updated_at"] > made["updated_at"]
            other = await alerting.add(name="b")
            assert await alerting.call("GET", "/rules") == {"rules": [plain, other]}

            await alerting.call("DELETE", path, 204)
            for method, request in (("GET", {}), ("DELETE", {}), ("PUT", {"json": rule()})):
                answer = await alerting.call(method, path, 404, **request)
                assert answer["error"]["message"] == f"there is no rule {made['id']}"
            assert await alerting.call("GET", "/rules") == {"rules": [other]}

    asyncio.run(run())


LOOKS = "a condition looks like `error_rate > 0.05 over 5m`"
EMAIL = "String should match pattern '^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\\.[A-Za-z0-9-]+)*$'"
WEB = "a URL like https://HOST/PATH is needed"
USER = "a URL without user and password is needed: it is shown to those who may read"
PRINTABLE = "printable characters on one line are needed"


@pytest.mark.parametrize(
    ("fields", "path", "message"),
    [
        ({"condition": "__import__('os').abort() > 1 over 5m"}, "condition", LOOKS),
        ({"condition": "error_rate > 0.05 over 5m; DROP TABLE alerting_rules"}, "condition", LOOKS),
        ({"condition": "count > 1 over 5m' OR '1'='1"}, "condition", LOOKS),
        ({"condition": "count > (lambda: 1)() over 5m"}, "condition", LOOKS),
        ({"condition": "count > 1 over 5m\x00"}, "condition", LOOKS),
        ({"condition": "count > \u0661 over 5m"}, "condition", LOOKS),
        ({"condition": None}, "condition", LOOKS),
        ({"condition": "count > 1 over 2m"}, "condition", "there is no window `2m`; there are 1m, 5m, 1h"),
        ({"name": "a\x00b"}, "name", PRINTABLE),
        ({"name": "a\r\nBcc: all@example.com"}, "name", PRINTABLE),
        ({"name": " "}, "name", PRINTABLE),
        ({"level": "urgent"}, "level", "Input should be 'low', 'medium', 'high' or 'critical'"),
        ({"channels": [{"kind": "webhook", "url": "file:///etc/passwd"}]}, "channels.0.webhook.url", WEB),
        ({"channels": [{"kind": "webhook", "url": "gopher://a/"}]}, "channels.0.webhook.url", WEB),
        ({"channels": [{"kind": "slack", "url": "http:///path"}]}, "channels.0.slack.url", WEB),
        ({"channels": [{"kind": "slack", "url": "http://a:99999/"}]}, "channels.0.slack.url", WEB),
        ({"channels": [{"kind": "slack", "url": "http://a/\r\nX: y"}]}, "channels.0.slack.url", WEB),
        ({"channels": [{"kind": "webhook", "url": "http://u:geheim@a/"}]}, "channels.0.webhook.url", USER),
        ({"channels": [{"kind": "email", "address": "a@b\r\nTo: c@d"}]}, "channels.0.email.address", EMAIL),
        (
            {"escalate_after_seconds": 0},
            "escalate_after_seconds",
            "Input should be greater than or equal to 1",
        ),
        ({"minimum_count": -1}, "minimum_count", "Input should be greater than or equal to 0"),
        ({"colour": "red"}, "colour", "Extra inputs are not permitted"),
    ],
)
def test_a_wrong_rule_is_refused_with_its_path(fields: dict[str, Any], path: str, message: str) -> None:
    async def run() -> None:
        async with desk() as alerting:
            answer = await alerting.call("POST", "/rules", 422, json=rule(**fields))
            assert answer["error"]["details"] == [{"path": f"body.{path}", "message": message}]
            assert await alerting.call("GET", "/rules") == {"rules": []}

    asyncio.run(run())


def test_a_name_that_looks_like_sql_is_a_name(store: Stores) -> None:
    async def run() -> None:
        async with desk(store()) as alerting:
            name = "'); DROP TABLE alerting_rules; -- $1 %s 🔥"
            made = await alerting.add(name=name)
            assert (await alerting.call("GET", f"/rules/{made['id']}"))["name"] == name

    asyncio.run(run())


def test_who_may_only_read_changes_nothing() -> None:
    async def run() -> None:
        async with desk() as alerting:
            path = f"/rules/{uuid4()}"
            for method, place in (
                ("POST", "/rules"),
                ("PUT", path),
                ("DELETE", path),
                ("POST", f"/alerts/{uuid4()}/acknowledge"),
                ("POST", f"/alerts/{uuid4()}/resolve"),
            ):
                await alerting.call(method, place, 403, headers=READ, json=rule())
                await alerting.call(method, place, 401, headers={"Authorization": ""}, json=rule())
            for place in ("/rules", path, "/alerts", f"/alerts/{uuid4()}", "/statistics"):
                await alerting.call("GET", place, 401, headers={"Authorization": "Bearer x"})
            await alerting.call("GET", "/rules", headers=READ)
            await alerting.call("GET", "/alerts", headers=READ)
            await alerting.call("GET", "/statistics", headers=READ)
            await alerting.call(
                "POST", "/conditions/parse", headers=READ, json={"condition": "count > 1 over 1m"}
            )
            await alerting.call("POST", "/conditions/parse", 401, headers={"Authorization": ""}, json={})

    asyncio.run(run())


@pytest.mark.parametrize("body", [b"[" * 100_000, b"{" * 10, b"\xff", b'{"name": "\\ud800"}', b"null", b""])
def test_a_body_that_is_no_rule_is_refused(body: bytes) -> None:
    async def run() -> None:
        async with desk() as alerting:
            answer = await alerting.client.post(
                "/rules", content=body, headers={"Content-Type": "application/json"}
            )
            assert answer.status_code in (400, 422), answer.text

    asyncio.run(run())


def test_a_body_that_is_too_long_is_refused() -> None:
    async def run() -> None:
        async with desk() as alerting:
            await alerting.call("POST", "/rules", 413, content=b" " * (1 << 20))

    asyncio.run(run())
