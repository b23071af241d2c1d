"""Makes docs/dashboard.png and docs/dashboard-phone.png: the page of a platform that has been in use for an hour.

    make screenshots

The platform runs in a process of its own, in memory. It is given events as of the hour before, and then as they
happen until the live chart is full, which takes two minutes.
"""

from __future__ import annotations

import math
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, expect, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
MINUTES = 56  # analytics counts no event that is older than an hour
LIVE_SECONDS = 122
RULES = (
    ("Checkout is slow", "latency_p99 > 70 over 5m", "high"),
    ("Many users", "unique_users > 50 over 1h", "low"),
)
ACKNOWLEDGED = "Many users"
SOURCES = ("shop", "shop", "shop", "app", "app", "checkout", "search")
TYPES = ("web.pageview", "web.pageview", "web.click", "api.request", "api.response", "user.login")


def main() -> int:
    """Run a platform, let things happen, look at it."""
    random.seed(7)
    chromium = subprocess.run([ROOT / "scripts/browser"], stdout=subprocess.PIPE, text=True, check=True)
    with running_platform() as url, httpx.Client(base_url=url, trust_env=False) as api:
        api.headers["Authorization"] = f"Bearer {api.get('/token').json()['token']}"
        for name, condition, level in RULES:
            rule = {"name": name, "condition": condition, "level": level, "suppress_seconds": 0}
            api.post("/api/alerts/rules", json=rule).raise_for_status()
        for minute in range(MINUTES, 0, -1):
            send(api, events_of(minute))
        with sync_playwright() as playwright:
            # There is no sandbox for root.
            browser = playwright.chromium.launch(
                executable_path=chromium.stdout.strip(), args=["--no-sandbox"]
            )
            look(browser, url, api)
            browser.close()
    return 0


@contextmanager
def running_platform() -> Iterator[str]:
    """The URL of a platform that answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, "-m", "streamflow"],
        env={**os.environ, "PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            try:
                httpx.get(f"{url}/health", trust_env=False)
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait()


def events_of(minute: int) -> list[dict[str, Any]]:
    """Events of so many minutes ago: more and fewer in turn, with an incident at one time."""
    begin = datetime.now(UTC) - timedelta(minutes=minute)
    amount = int(650 + 260 * math.sin(minute / 7) + random.gauss(0, 30))
    incident = 18 <= minute <= 22  # noqa: PLR2004
    return [
        event(begin + timedelta(seconds=random.random() * 60), incident=incident)  # noqa: S311
        for _ in range(amount)
    ]


def event(moment: datetime, *, incident: bool = False) -> dict[str, Any]:
    """Something that happened in a small shop."""
    failed = random.random() < (0.07 if incident else 0.012)  # noqa: S311
    kind = "api.response" if failed else random.choice(TYPES)  # noqa: S311
    user = f"user-{min(int(random.expovariate(1 / 40)), 400)}"
    source = random.choice(SOURCES)  # noqa: S311
    made: dict[str, Any] = {"type": kind, "source": source, "user_id": user, "timestamp": moment.isoformat()}
    if kind == "api.response":
        latency = random.lognormvariate(4.2 if incident else 3.5, 0.6)
        made |= {"data": {"status": 500 if failed else 200, "latency_ms": round(latency, 1)}}
        made |= {"severity": "high" if failed else "low"}
    return made


def send(api: httpx.Client, events: list[dict[str, Any]]) -> None:
    """Hand events to ingestion."""
    api.post("/api/ingest/events/batch", json={"events": events}).raise_for_status()


def look(browser: Browser, url: str, api: httpx.Client) -> None:
    """Watch for a while as things happen, and keep what is to be seen."""
    wide = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme="light")
    narrow = browser.new_page(
        viewport={"width": 390, "height": 844}, color_scheme="dark", device_scale_factor=2
    )
    for page in (wide, narrow):
        page.goto(url)
        expect(page.locator("#connection")).to_have_text("Live")
    began = time.monotonic()
    while (passed := time.monotonic() - began) < LIVE_SECONDS:
        rate = 13 + 5 * math.sin(passed / 16) + random.gauss(0, 4)
        send(api, [event(datetime.now(UTC)) for _ in range(max(1, round(rate / 4)))])
        time.sleep(0.25)
    for alert in api.get("/alerts").json()["alerts"]:
        if alert["rule_name"] == ACKNOWLEDGED:
            api.post(f"/alerts/{alert['id']}/acknowledge").raise_for_status()
    for page, name in ((wide, "dashboard"), (narrow, "dashboard-phone")):
        expect(page.locator("#alerts")).to_contain_text("with page")
        page.screenshot(path=ROOT / f"docs/{name}.png")


if __name__ == "__main__":
    sys.exit(main())
