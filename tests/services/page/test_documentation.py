"""A service's OpenAPI page, in a browser that reaches nothing else."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from .conftest import Platform, Visitor


@pytest.mark.parametrize(
    ("path", "operation"),
    [("/docs", "/metrics/realtime"), ("/api/ingest/docs", "/events/batch"), ("/api/alerts/docs", "/rules")],
)
def test_operations_are_read_and_tried_without_the_network(
    visitor: Visitor, platform: Platform, path: str, operation: str
) -> None:
    page = visitor.open(f"{platform.url}{path}")

    expect(page.locator(f'.opblock-summary-path[data-path="{operation}"]').first).to_be_visible()
    health = page.locator(".opblock", has=page.locator('[data-path="/health"]'))
    health.locator(".opblock-summary-control").click()
    health.get_by_role("button", name="Try it out").click()
    health.get_by_role("button", name="Execute").click()

    expect(health.locator(".live-responses-table tbody .response-col_status")).to_have_text(
        re.compile("^200")
    )
    # What Swagger UI draws itself are data: URLs.
    assert [url for url in visitor.elsewhere(platform.url) if not url.startswith("data:")] == []
