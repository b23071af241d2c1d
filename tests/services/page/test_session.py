"""Signing in, what a token may do, and a connection that is lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from .conftest import Platform, Visitor

KEY = "a-key-of-the-tests-with-enough-bytes"


@pytest.fixture
def production(begin: Callable[..., Platform]) -> Platform:
    return begin(ENVIRONMENT="production", JWT_SECRET_KEY=KEY)


def sign_in(page: Page, token: str) -> None:
    page.get_by_label("Bearer token").fill(token)
    page.get_by_role("button", name="Sign in").click()


def test_outside_of_development_a_token_is_asked_for(visitor: Visitor, production: Platform) -> None:
    page = visitor.open(production.url)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.locator("#board")).to_be_hidden()
    sign_in(page, "wrong")
    expect(page.locator("#sign-in .problem")).to_contain_text("The token is not valid.")
    sign_in(page, production.token("write"))
    expect(page.locator("#connection")).to_have_text("Live")
    expect(page.locator("#caller")).to_have_text("ada")
    page.reload()
    expect(page.locator("#connection")).to_have_text("Live")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Bearer token")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0
    visitor.expect_failing_requests()


def test_a_token_that_is_refused_later_leads_back_to_the_form(visitor: Visitor, production: Platform) -> None:
    page = visitor.open(production.url)
    sign_in(page, production.token("write"))
    expect(page.locator("#connection")).to_have_text("Live")
    # The key is changed, as after it has become known.
    production.kill()
    production.settings["JWT_SECRET_KEY"] = f"another-{KEY}"
    production.start()
    expect(page.locator("#sign-in .problem")).to_contain_text("The token is not valid.", timeout=30_000)
    visitor.expect_failing_requests()


def test_a_token_that_may_only_read_changes_nothing_and_is_told_so(
    visitor: Visitor, production: Platform
) -> None:
    production.rule("too many")
    production.send(*[{"type": "web.click", "source": "shop"}] * 3)
    page = visitor.open(production.url)
    sign_in(page, production.token("read", "eve"))
    expect(page.locator("#caller")).to_have_text("eve (may only read)")
    alert = page.locator("#alerts > li", has_text="too many")
    for name in ("Acknowledge", "Resolve"):
        expect(alert.get_by_role("button", name=name)).to_be_disabled()
    expect(page.locator("#panel-alerts .read-only")).to_be_visible()
    page.get_by_role("button", name="Customise").click()
    expect(page.get_by_role("button", name="Save as new")).to_be_disabled()
    expect(page.locator("#editor .read-only")).to_be_visible()
    page.get_by_role("checkbox", name="Latency").uncheck()
    expect(page.locator("#panel-latency")).to_be_hidden()
    visitor.expect_failing_requests()


def test_after_a_restart_it_connects_again_and_asks_anew(
    page: Page, platform: Platform, visitor: Visitor
) -> None:
    platform.rule("before the restart")
    platform.send(*[{"type": "web.click", "source": "shop"}] * 3)
    expect(page.locator("#alerts > li strong")).to_have_text("before the restart")
    platform.kill()
    expect(page.locator("#connection")).to_have_text("Reconnecting…")
    expect(page.locator("#events-problem")).to_contain_text("The platform doesn't answer.")
    platform.start()
    expect(page.locator("#connection")).to_have_text("Live", timeout=30_000)
    # It kept everything in its process, so that there is nothing now.
    expect(page.locator("#alerts")).to_have_text("No alerts are open.")
    expect(page.locator("#events-problem")).to_be_hidden()
    platform.rule("after the restart")
    platform.send(*[{"type": "web.click", "source": "shop"}] * 3)
    expect(page.locator("#alerts > li strong")).to_have_text("after the restart")
    visitor.expect_failing_requests()


def test_a_platform_that_stays_away_is_offline(page: Page, platform: Platform, visitor: Visitor) -> None:
    platform.kill()
    expect(page.locator("#connection")).to_have_text("Offline, trying again", timeout=30_000)
    visitor.expect_failing_requests()
