"""`streamflow demo`: events like those of a small shop, now and then with an outage, so that there is much to see."""

import asyncio
import random
import sys
import time
from typing import Any

import httpx

from streamflow.shared.auth import mint
from streamflow.shared.settings import Settings, read

_TURN_SECONDS = 0.25
_PERIOD_SECONDS, _OUT_FROM, _OUT_UNTIL = 180.0, 20.0, 60.0
FAILURES, FAILURES_IN_OUTAGE = 0.01, 0.5
"""Shares of the responses."""
_TOKEN_SECONDS = 24 * 3600
SOURCES = ("shop", "shop", "shop", "app", "app", "checkout", "search")
PAGES = ("/", "/products", "/products/7", "/cart", "/checkout", "/help")
TYPES = (
    "web.pageview",
    "web.pageview",
    "web.click",
    "api.request",
    "api.response",
    "api.response",
    "user.login",
)


async def run(url: str, rate: float, seconds: float | None) -> int:
    """Send so many events a second until the time is over; what is refused is told and tried no more."""
    token = mint(read(Settings).jwt_secret_key, "demo", "write", _TOKEN_SECONDS)
    deadline = None if seconds is None else time.monotonic() + seconds
    began, sent = time.monotonic(), 0
    async with httpx.AsyncClient(trust_env=False, headers={"Authorization": f"Bearer {token}"}) as client:
        while deadline is None or time.monotonic() < deadline:
            due = int((time.monotonic() - began) * rate) - sent + 1
            failures = FAILURES_IN_OUTAGE if is_out(time.monotonic() - began) else FAILURES
            events = [event(failures) for _ in range(min(due, 1000))]
            try:
                answer = await client.post(f"{url.rstrip('/')}/events/batch", json={"events": events})
            except httpx.HTTPError as error:
                _say(
                    f"ingestion doesn't answer at {url}: {str(error) or type(error).__name__}; is `streamflow` running?"
                )
                return 1
            if answer.status_code != 202:  # noqa: PLR2004
                _say(f"ingestion answered {answer.status_code}: {answer.text[:300]}")
                if answer.status_code not in {429, 503}:
                    return 1
            else:
                sent += len(events)
            await asyncio.sleep(_TURN_SECONDS)
    _say(f"{sent} events sent in {time.monotonic() - began:.1f} s")
    return 0


def is_out(seconds: float) -> bool:
    """Whether the shop has an outage so long after the demonstration began: 40 seconds of each three minutes."""
    return _OUT_FROM <= seconds % _PERIOD_SECONDS < _OUT_UNTIL


def event(failures: float) -> dict[str, Any]:
    """An event; of the responses so many are failures."""
    kind = random.choice(TYPES)  # noqa: S311  # a demonstration, not a secret
    user = f"user-{min(int(random.expovariate(1 / 40)), 400)}"
    made: dict[str, Any] = {"type": kind, "source": random.choice(SOURCES), "user_id": user}  # noqa: S311
    if kind.startswith("web."):
        made["data"] = {"page": random.choice(PAGES)}  # noqa: S311
    elif kind == "api.response":
        failed = random.random() < failures  # noqa: S311
        latency = round(random.lognormvariate(3.5, 0.6), 1)
        made["data"] = {"status": 500 if failed else 200, "latency_ms": latency}
        made["severity"] = "high" if failed else "low"
    return made


def _say(line: str) -> None:
    print(f"streamflow demo: {line}", file=sys.stderr)  # noqa: T201
