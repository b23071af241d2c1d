"""What the page shows of events and alerts, as they come."""

from __future__ import annotations

import json
import re
from typing import Any

from playwright.sync_api import Page, expect

from .conftest import Platform, Visitor

CLICK: dict[str, Any] = {"type": "web.click", "source": "shop", "user_id": "u1"}
FAILED: dict[str, Any] = {
    "type": "api.response",
    "source": "checkout",
    "severity": "high",
    "data": {"status": 500, "latency_ms": 80},
}
HOSTILE = "<img src=x onerror=alert(1)>"


def show_the_hour(page: Page) -> None:
    """The minute may end within a test."""
    page.get_by_role("radio", name="1 hour").check()


def test_a_platform_without_events_says_how_to_send_some(page: Page) -> None:
    expect(page.locator("#events")).to_have_text("No events yet. streamflow demo sends some.")
    expect(page.locator("#alerts")).to_have_text("No alerts are open.")
    expect(page.locator("#rate")).to_have_text("0.0")


def test_the_page_moves_within_ten_seconds(page: Page, platform: Platform) -> None:
    show_the_hour(page)
    before = page.locator("#chart-live canvas").evaluate("canvas => canvas.toDataURL()")
    platform.send(*[CLICK] * 30, *[FAILED] * 10)
    expect(page.locator("#rate")).not_to_have_text("0.0")
    expect(page.locator("#events > li")).to_have_count(40)
    expect(page.locator("#errors")).to_have_text("25.0%")
    for name in ("p50", "p95", "p99"):
        expect(page.locator(f"#{name}")).to_have_text(re.compile(r"^(79|80)\.\d ms$"))
    expect(page.locator("#sources li")).to_have_text(
        [re.compile("^shop3075%$"), re.compile("^checkout1025%$")]
    )
    expect(page.locator("#types .name")).to_have_text(["web.click", "api.response"])
    after = page.locator("#chart-live canvas").evaluate("canvas => canvas.toDataURL()")
    assert after != before
    expect(page.locator("#rate")).to_have_text("0.0")


def test_another_window_is_shown_when_it_is_chosen(page: Page, platform: Platform) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    show_the_hour(page)
    expect(page.locator("#span-rate")).to_have_text("By the hour")
    platform.send(CLICK, CLICK)
    expect(page.locator("#rate-aside")).to_have_text(re.compile(r"^2 events since \d\d:00 · 1 user$"))
    assert any("metrics/historical?window=1h" in url for url in asked)


def test_events_are_filtered(page: Page, platform: Platform) -> None:
    platform.send(CLICK, FAILED, CLICK | {"source": "app"})
    rows = page.locator("#events > li")
    expect(rows).to_have_count(3)
    events = page.get_by_role("region", name="Recent events")
    events.get_by_label("Type").select_option("web.click")
    expect(rows).to_have_count(2)
    events.get_by_label("Source").fill("app")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("app")
    events.get_by_label("Severity").select_option("critical")
    expect(page.locator("#events")).to_have_text("No events pass this filter.")


def test_what_is_being_typed_is_not_taken_away(page: Page, platform: Platform) -> None:
    source = page.get_by_role("region", name="Recent events").get_by_label("Source")
    source.press_sequentially("sh")
    with page.expect_response(re.compile(r"/events\?")):
        platform.send(CLICK)
    expect(source).to_be_focused()
    expect(source).to_have_value("sh")
    source.press_sequentially("op")
    expect(page.locator("#events > li .source")).to_have_text("shop")


def test_an_event_opens_to_all_of_it_and_stays_open(page: Page, platform: Platform) -> None:
    show_the_hour(page)
    platform.send(FAILED)
    event = page.locator("#events > li").first
    event.locator("summary").press("Enter")
    said = json.loads(event.locator("pre").inner_text())
    assert said["data"] == {"status": 500, "latency_ms": 80}
    expect(page.locator("#events-state")).to_have_text("paused while one is open")
    platform.send(CLICK)
    expect(page.locator("#types li")).to_have_count(2)
    expect(page.locator("#events > li")).to_have_count(1)
    event.locator("summary").press("Enter")
    expect(page.locator("#events > li")).to_have_count(2)


def test_older_events_are_a_page_away(page: Page, platform: Platform) -> None:
    platform.send(*[CLICK] * 50)
    rows = page.locator("#events > li")
    expect(rows).to_have_count(50)
    platform.send(*[FAILED] * 10)
    expect(rows.first).to_contain_text("checkout")
    page.get_by_role("button", name="Older").click()
    expect(rows).to_have_count(10)
    expect(page.locator("#events-state")).to_have_text("older ones")
    page.get_by_role("button", name="Newest").click()
    expect(rows).to_have_count(50)


def test_an_alert_is_told_acknowledged_and_resolved(page: Page, platform: Platform) -> None:
    platform.rule("too many")
    platform.send(CLICK, CLICK, CLICK)
    alert = page.locator("#alerts > li", has_text="too many")
    expect(alert).to_contain_text(re.compile("count > 1 over 1m · was [23] "))
    expect(page.locator("#alert-news")).to_have_text("Alert too many fired.")
    expect(page).to_have_title("(1) StreamFlow")
    alert.get_by_role("button", name="Acknowledge too many").click()
    expect(alert).to_contain_text("with page")
    expect(alert.get_by_role("button", name="Acknowledge too many")).to_be_hidden()
    with platform.api as api:
        (kept,) = api.get("/api/alerts/alerts?state=acknowledged").json()["alerts"]
    assert kept["acknowledged_by"] == "page"
    alert.get_by_role("button", name="Resolve too many").click()
    expect(page.locator("#alerts")).to_have_text("No alerts are open.")
    expect(page).to_have_title("StreamFlow")


def test_what_another_does_to_an_alert_is_seen_and_what_he_was_faster_with_is_said(
    page: Page, platform: Platform, visitor: Visitor
) -> None:
    platform.rule("too many")
    platform.send(CLICK, CLICK, CLICK)
    alert = page.locator("#alerts > li", has_text="too many")
    expect(alert).to_be_visible()
    with platform.api as api:
        (kept,) = api.get("/api/alerts/alerts").json()["alerts"]
        # The page doesn't hear of it before its own request is answered.
        page.route(
            "**/acknowledge", lambda route: (api.post(f"/alerts/{kept['id']}/acknowledge"), route.continue_())
        )
        alert.get_by_role("button", name="Acknowledge").click()
    expect(page.locator("#alerts-problem")).to_contain_text(
        "The alert is acknowledged: only a firing one can be acknowledged."
    )
    expect(alert).to_contain_text("with ada")
    visitor.expect_failing_requests()


def test_what_comes_in_with_an_event_is_text(page: Page, platform: Platform) -> None:
    show_the_hour(page)
    platform.rule(HOSTILE)
    platform.send(*[CLICK | {"source": HOSTILE, "user_id": HOSTILE, "data": {"x": HOSTILE}}] * 3)
    page.on("dialog", lambda dialog: dialog.dismiss())
    expect(page.locator("#events .source").first).to_have_text(HOSTILE)
    expect(page.locator("#sources .name")).to_have_text(HOSTILE)
    expect(page.locator("#alerts strong")).to_have_text(HOSTILE)
    page.locator("#events summary").first.click()
    expect(page.locator("#events pre")).to_contain_text(HOSTILE)
    expect(page.locator("main img")).to_have_count(0)
