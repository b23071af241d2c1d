"""Dashboards, as a user makes them."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from .conftest import Platform, Visitor


def make(page: Page, name: str) -> None:
    """Keep a dashboard of errors, alerts and types, in this order."""
    page.get_by_role("button", name="Customise").click()
    page.get_by_label("Name").fill(name)
    for panel in ("Event rate", "Latency", "Top sources", "Recent events"):
        page.get_by_role("checkbox", name=panel).uncheck()
    page.get_by_role("radio", name="5 min").check()
    page.get_by_role("button", name="Save as new").click()
    expect(page.get_by_label("Dashboard", exact=True).locator("option:checked")).to_have_text(name)


def shown(page: Page) -> list[str]:
    return [title.strip() for title in page.locator("#panels h2:visible").all_inner_texts()]


def test_a_dashboard_is_kept_opened_again_and_deleted(page: Page, platform: Platform) -> None:
    make(page, "Night watch")
    expect(page.locator("#unsaved")).to_be_hidden()
    page.reload()
    expect(page.locator("#connection")).to_have_text("Live")
    expect(page.locator("#dashboards option:checked")).to_have_text("Night watch")
    assert shown(page) == ["Error rate", "Open alerts", "Top types"]
    expect(page.get_by_label("5 min")).to_be_checked()

    page.get_by_label("Dashboard", exact=True).select_option("Overview")
    expect(page.locator("#panels > section:visible")).to_have_count(7)
    page.go_back()
    expect(page.locator("#panels > section:visible")).to_have_count(3)

    page.get_by_role("button", name="Customise").click()
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete").click()
    expect(page.locator("#dashboards option")).to_have_text(["Overview"])
    with platform.api as api:
        assert api.get("/dashboards").json() == {"dashboards": []}


def test_panels_move_and_the_change_is_kept(page: Page, platform: Platform) -> None:
    make(page, "Night watch")
    up = page.get_by_role("button", name="Move Top types up")
    up.focus()
    page.keyboard.press("Enter")
    assert shown(page) == ["Error rate", "Top types", "Open alerts"]
    expect(up).to_be_focused()
    expect(page.locator("#unsaved")).to_be_visible()
    page.get_by_role("button", name="Update").click()
    expect(page.locator("#unsaved")).to_be_hidden()
    with platform.api as api:
        (board,) = api.get("/dashboards").json()["dashboards"]
    assert (board["version"], board["panels"]) == (2, ["errors", "types", "alerts"])
    page.get_by_role("button", name="Move Top types up").click()
    page.get_by_role("button", name="Revert").click()
    expect(page.locator("#unsaved")).to_be_hidden()
    assert shown(page) == ["Error rate", "Top types", "Open alerts"]


def test_the_filter_is_kept_with_it(page: Page, platform: Platform) -> None:
    platform.send({"type": "metric", "source": "app"}, {"type": "web.click", "source": "shop"})
    page.locator("#filter").get_by_label("Source").fill("app")
    expect(page.locator("#events > li")).to_have_count(1)
    expect(page.locator("#unsaved")).to_be_visible()
    page.get_by_role("button", name="Customise").click()
    page.get_by_label("Name").fill("Apps")
    page.get_by_role("button", name="Save as new").click()
    expect(page.locator("#unsaved")).to_be_hidden()
    page.reload()
    expect(page.locator("#filter").get_by_label("Source")).to_have_value("app")
    expect(page.locator("#events .source")).to_have_text("app")


def test_a_change_by_somebody_else_is_not_overwritten(
    page: Page, platform: Platform, visitor: Visitor
) -> None:
    make(page, "Night watch")
    with platform.api as api:
        (board,) = api.get("/dashboards").json()["dashboards"]
        view = {name: board[name] for name in ("panels", "window", "filter", "version")}
        api.put(f"/dashboards/{board['id']}", json=view | {"name": "Day"}).raise_for_status()
    page.get_by_label("Name").fill("Mine")
    page.get_by_role("button", name="Update").click()
    expect(page.locator("#board-problem")).to_contain_text("Somebody else has changed this dashboard")
    page.get_by_role("button", name="Revert").click()
    expect(page.get_by_label("Name")).to_have_value("Day")
    visitor.expect_failing_requests()


def test_a_dashboard_without_a_name_is_refused_with_the_reason(page: Page, visitor: Visitor) -> None:
    page.get_by_role("button", name="Customise").click()
    page.get_by_label("Name").fill(" ")
    page.get_by_role("button", name="Save as new").click()
    expect(page.locator("#board-problem")).to_contain_text(
        re.compile("The request is not valid · body.name: ")
    )
    visitor.expect_failing_requests()


def test_a_dashboard_that_is_gone_is_said(visitor: Visitor, platform: Platform) -> None:
    page = visitor.open(f"{platform.url}/#5f0f86a2-0000-4000-8000-000000000000")
    expect(page.locator("#board-problem")).to_have_text(
        "This dashboard is not there any more. This is the overview."
    )
    expect(page.locator("#panels > section:visible")).to_have_count(7)
