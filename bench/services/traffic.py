"""The events that are sent, those of a small shop, as whole requests that are ready before the clock runs."""

from __future__ import annotations

import json
import random

from streamflow.cli.demo import PAGES, SOURCES, TYPES


def events(count: int, seed: int) -> list[dict[str, object]]:
    """So many events, the same for a seed. They have no ids and no timestamps: ingestion gives them theirs."""
    chance = random.Random(seed)  # noqa: S311  # a load, not a secret
    return [_event(chance) for _ in range(count)]


def batch_requests(size: int, token: str) -> list[bytes]:
    """Requests with a batch each, to be sent in turn again and again."""
    return [_request("/events/batch", {"events": events(size, seed)}, token) for seed in range(20)]


def single_requests(token: str) -> list[bytes]:
    """Requests with an event each, to be sent in turn again and again."""
    return [_request("/events", event, token) for event in events(200, seed=0)]


def _event(chance: random.Random) -> dict[str, object]:
    kind = chance.choice(TYPES)
    user = min(int(chance.expovariate(1 / 400)), 4000)
    event: dict[str, object] = {
        "type": kind,
        "source": chance.choice(SOURCES),
        "user_id": f"user-{user}",
        "session_id": f"session-{user}-{chance.randrange(8)}",
    }
    if kind.startswith("web."):
        event["data"] = {"page": chance.choice(PAGES)}
    elif kind == "api.response":
        failed = chance.randrange(100) < 3  # noqa: PLR2004
        event["data"] = {
            "status": 500 if failed else 200,
            "latency_ms": round(chance.lognormvariate(3.5, 0.6), 1),
        }
        event["severity"] = "high" if failed else "low"
    return event


def _request(path: str, content: object, token: str) -> bytes:
    body = json.dumps(content).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
