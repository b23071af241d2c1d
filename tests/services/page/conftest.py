"""The platform as it is run, and a browser that looks at its page."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, WebSocket, expect, sync_playwright
from pydantic import SecretStr

from streamflow.shared.auth import Role, mint
from streamflow.shared.settings import DEVELOPMENT_KEY

from ..conftest import environment
from ..servers import free_port
from ..test_platform import healthy, until

BROWSER = Path(__file__).parents[3] / "scripts/browser"
DEADLINE_SECONDS = 120
# What a browser itself says of each request that failed; the page says it to the user.
_FAILED = re.compile(r"Failed to load resource|WebSocket connection to")


@dataclass
class Platform:
    """All services on a port of this host; they may end and start again."""

    settings: dict[str, str]
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None
    _watchdog: threading.Timer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def api(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.token('write')}"}
        return httpx.Client(base_url=self.url, headers=headers, trust_env=False)

    def token(self, role: Role, subject: str = "ada") -> str:
        key = self.settings.get("JWT_SECRET_KEY", DEVELOPMENT_KEY)
        return mint(SecretStr(key), subject, role, 3600)

    def start(self) -> None:
        settings = environment(PORT=str(self.port), **self.settings)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "streamflow"],
            env=settings,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._watchdog = threading.Timer(DEADLINE_SECONDS, self._process.kill)
        self._watchdog.start()
        with self.api as api:
            until(lambda: healthy(api))

    def kill(self) -> None:
        if self._process is not None and self._watchdog is not None:
            self._watchdog.cancel()
            self._process.kill()
            self._process.wait()

    def send(self, *events: dict[str, Any]) -> None:
        with self.api as api:
            sent = api.post("/api/ingest/events/batch", json={"events": events})
        assert sent.status_code == 202, sent.text

    def rule(self, name: str, condition: str = "count > 1 over 1m") -> None:
        with self.api as api:
            made = api.post("/api/alerts/rules", json={"name": name, "condition": condition, "level": "high"})
        assert made.status_code == 201, made.text


@pytest.fixture
def begin() -> Iterator[Callable[..., Platform]]:
    """Start a platform with settings; it is gone when the test ends."""
    started: list[Platform] = []

    def start(**settings: str) -> Platform:
        platform = Platform(settings)
        started.append(platform)
        platform.start()
        return platform

    yield start
    for platform in started:
        platform.kill()


@pytest.fixture
def platform(begin: Callable[..., Platform]) -> Platform:
    """A platform as a newcomer starts it."""
    return begin()


@pytest.fixture(scope="session")
def chromium() -> str:
    found = subprocess.run([BROWSER], capture_output=True, text=True, check=False)
    if found.returncode != 0:
        pytest.fail(f"These tests need a browser.\n{found.stderr}")
    return found.stdout.strip()


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    # Not for longer: while Playwright runs, its thread has an event loop, and tests elsewhere run their own.
    with sync_playwright() as playwright:
        # There is no sandbox for root, who runs the tests on CI.
        launched = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield launched
        launched.close()


@dataclass
class Visitor:
    """Opens pages, and notes what no visitor should find: errors, and requests to elsewhere."""

    browser: Browser
    errors: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def open(self, url: str, **options: Any) -> Page:
        context = self.browser.new_context(**options)
        context.set_default_timeout(10_000)
        page = context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._asked)
        page.on("websocket", self._connected)
        page.goto(url)
        return page

    def expect_failing_requests(self) -> None:
        """They are what the test is about."""
        self.errors = [error for error in self.errors if not _FAILED.search(error)]

    def elsewhere(self, origin: str) -> list[str]:
        there = origin.replace("http://", "", 1)
        return [url for url in self.asked if not re.match(rf"(http|ws)://{re.escape(there)}/", url)]

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def _asked(self, request: Request) -> None:
        self.asked.append(request.url)

    def _connected(self, socket: WebSocket) -> None:
        self.asked.append(socket.url)


@pytest.fixture
def visitor(browser: Browser, begin: Callable[..., Platform]) -> Iterator[Visitor]:
    # It asks for platforms, so that it leaves before they end.
    expect.set_options(timeout=10_000)
    made = Visitor(browser)
    yield made
    for context in browser.contexts:
        context.close()
    assert made.errors == []


@pytest.fixture
def page(visitor: Visitor, platform: Platform) -> Iterator[Page]:
    """The platform's page, connected; it asks nothing of anybody else."""
    opened = visitor.open(platform.url)
    expect(opened.locator("#connection")).to_have_text("Live")
    yield opened
    assert visitor.elsewhere(platform.url) == []
