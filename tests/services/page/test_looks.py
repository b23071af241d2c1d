"""The page on small screens, in both colour schemes, and for those who use no mouse."""

from __future__ import annotations

import re
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from .conftest import Platform, Visitor

LONG = "a-source-with-a-very-long-name-" * 6


def scrolls_sideways(page: Page) -> bool:
    wide: bool = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    return wide


@pytest.mark.parametrize("width", [360, 768, 1280, 2560])
def test_nothing_is_wider_than_the_screen(visitor: Visitor, platform: Platform, width: int) -> None:
    platform.rule(LONG[:150])
    platform.send(*[{"type": "api.response", "source": LONG, "user_id": LONG, "data": {"x": LONG}}] * 3)
    page = visitor.open(platform.url, viewport={"width": width, "height": 800})
    expect(page.locator("#alerts strong")).to_be_visible()
    page.locator("#events summary").first.click()
    page.get_by_role("button", name="Customise").click()
    assert not scrolls_sideways(page)


def test_charts_follow_the_window(page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    wide = page.locator("#chart-live").bounding_box()
    page.set_viewport_size({"width": 400, "height": 800})
    page.wait_for_function(
        "() => document.querySelector('#chart-live canvas').getBoundingClientRect().width"
        " === document.querySelector('#chart-live').clientWidth"
    )
    narrow = page.locator("#chart-live").bounding_box()
    assert wide is not None
    assert narrow is not None
    assert narrow["width"] < wide["width"]
    assert not scrolls_sideways(page)


def test_both_colour_schemes_are_drawn(page: Page) -> None:
    drawn = {scheme: colours(page, scheme) for scheme in ("light", "dark")}
    assert drawn["light"]["ground"] == "rgb(244, 246, 249)"
    assert drawn["dark"]["ground"] == "rgb(13, 18, 25)"
    assert drawn["light"]["axis"] != drawn["dark"]["axis"]
    page.emulate_media(color_scheme="light")
    assert colours(page, "light") == drawn["light"]


def colours(page: Page, scheme: Literal["light", "dark"]) -> dict[str, str]:
    """The page's ground, and the one colour of all that is written on an axis."""
    page.emulate_media(color_scheme=scheme)
    found: dict[str, str] = page.evaluate(
        """async () => {
            await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
            const canvas = document.querySelector("#chart-errors canvas");
            const { data } = canvas.getContext("2d").getImageData(0, 0, 40, canvas.height);
            const counts = new Map();
            for (let at = 0; at < data.length; at += 4) {
                if (data[at + 3] < 255) continue;
                const colour = data.slice(at, at + 3).join();
                counts.set(colour, (counts.get(colour) ?? 0) + 1);
            }
            const [axis] = [...counts].sort(([, one], [, other]) => other - one)[0] ?? ["none"];
            return { ground: getComputedStyle(document.body).backgroundColor, axis };
        }"""
    )
    return found


def test_everything_is_reached_by_keyboard_and_has_a_name(page: Page, platform: Platform) -> None:
    platform.rule("too many")
    platform.send(*[{"type": "web.click", "source": "shop"}] * 3)
    expect(page.locator("#alerts strong")).to_be_visible()
    page.get_by_role("button", name="Customise").press("Enter")
    controls = page.locator("button:visible:enabled, select:visible, input:visible:enabled, summary:visible")
    for control in controls.all():
        control.focus()
        expect(control).to_be_focused()
        expect(control).to_have_accessible_name(re.compile(r"\S"))
