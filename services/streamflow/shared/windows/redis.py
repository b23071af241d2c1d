"""Windows kept in Redis, shared by all that count into them and all that read them."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import SecretStr
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from streamflow.shared.readiness import Check
from streamflow.shared.redis import redis_check
from streamflow.shared.windows import (
    LEASE_SECONDS,
    MOST_DUE,
    MOST_SOURCES,
    Cell,
    Tally,
    Terms,
    WindowsUnavailable,
    scripts,
)
from streamflow.shared.windows.kinds import WINDOWS, Span, WindowName
from streamflow.shared.windows.snapshot import TOP_SOURCES, WindowSnapshot, snapshot

_SECONDS = 2.0  # that Redis has for an answer
_MARKS = (b"taken", b"published")  # fields that are no figures


class RedisWindows:
    """Windows in Redis. Each method is one script, so that others find what it did or nothing of it."""

    def __init__(self, url: SecretStr, terms: Terms | None = None, prefix: str = "windows") -> None:
        self._url = url
        self._terms = terms or Terms()
        self._prefix = prefix
        # Once more, because a connection that has been lost shows only when it is used. All may be done twice.
        self._redis = Redis.from_url(
            url.get_secret_value(),
            socket_timeout=_SECONDS,
            socket_connect_timeout=_SECONDS,
            retry=Retry(NoBackoff(), 1),
        )
        register = self._redis.register_script
        self._add = register(scripts.ADD)
        self._due = register(scripts.DUE)
        self._published = register(scripts.PUBLISHED)
        self._read = register(scripts.READ)
        self._latest = register(scripts.LATEST)
        self._sources = register(scripts.SOURCES)

    async def add(self, tally: Tally, now: float) -> frozenset[UUID]:
        ids = b"".join(each.bytes for each in tally.ids)
        cells = json.dumps([self._told(span, cell, now) for span, cell in tally.cells.items()])
        seen = await self._run(
            self._add, now, self._terms.remember, self._terms.gap, MOST_SOURCES, ids, cells
        )
        return frozenset(tally.ids[number] for number in seen)

    async def due(self, now: float) -> tuple[WindowSnapshot, ...]:
        moment = datetime.fromtimestamp(now, UTC)
        running = [each for kind in WINDOWS.values() for each in self._times(kind.containing(moment))]
        return _snapshots(await self._run(self._due, TOP_SOURCES, now, LEASE_SECONDS, MOST_DUE, *running))

    async def published(self, snapshots: tuple[WindowSnapshot, ...], now: float) -> None:
        told = [each for one in snapshots for each in (_name(one.span), one.revision)]
        await self._run(self._published, now, self._terms.gap, *told)

    async def latest(self, name: WindowName, limit: int) -> tuple[WindowSnapshot, ...]:
        return _snapshots(await self._run(self._latest, TOP_SOURCES, name, limit))

    async def of(self, spans: tuple[Span, ...]) -> tuple[WindowSnapshot, ...]:
        return _snapshots(await self._run(self._read, TOP_SOURCES, *map(_name, spans)))

    async def sources(self, spans: tuple[Span, ...], limit: int) -> tuple[tuple[str, int], ...]:
        if not spans:
            return ()
        return _sources(await self._run(self._sources, limit, *map(_name, spans)))

    async def users(self, spans: tuple[Span, ...]) -> int:
        if not spans:
            return 0
        keys = [f"{self._prefix}:{_name(span)}:users" for span in spans]
        async with _translated():
            return int(await self._redis.pfcount(*keys))

    def check(self) -> Check | None:
        return redis_check(self._url)

    async def close(self) -> None:
        await self._redis.aclose()

    async def _run(self, script: Any, *arguments: object) -> Any:
        async with _translated():
            return await script(keys=[self._prefix], args=arguments)

    def _told(self, span: Span, cell: Cell, now: float) -> dict[str, object]:
        kind = WINDOWS[span.window]
        kept = int(kind.kept.total_seconds())
        window, closes, expires = self._times(span)
        return {
            "window": window,
            "kind": span.window,
            "start": int(span.start.timestamp()),
            "closes": closes,
            "expires": expires,
            "oldest": int(now) - kept - int(kind.length.total_seconds()),
            "counts": cell.counts,
            "sources": cell.sources,
            "users": sorted(cell.users),
        }

    def _times(self, span: Span) -> tuple[str, float, int]:
        """A window's name, when it closes and when it is forgotten, in seconds since the Unix epoch."""
        end = int(span.end.timestamp())
        return _name(span), end + self._terms.grace, end + int(WINDOWS[span.window].kept.total_seconds())


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    try:
        yield
    except (OSError, RedisError, ValueError) as error:  # ValueError: an option in the URL that is none
        raise WindowsUnavailable(f"Redis doesn't answer: {str(error) or type(error).__name__}") from error


def _name(span: Span) -> str:
    return f"{span.window}:{int(span.start.timestamp())}"


def _snapshots(told: Sequence[Any]) -> tuple[WindowSnapshot, ...]:
    return tuple(_snapshot(*each) for each in told)


def _snapshot(window: bytes, kept: Sequence[bytes], sources: Sequence[bytes], users: int) -> WindowSnapshot:
    name, start = window.decode().split(":")
    span = next(kind for kind in WINDOWS.values() if kind.name == name).starting(int(start))
    pairs = zip(kept[::2], kept[1::2], strict=True)
    fields = {field.decode(): int(value) for field, value in pairs if field not in _MARKS}
    return snapshot(span, fields, _sources(sources), users)


def _sources(told: Sequence[bytes]) -> tuple[tuple[str, int], ...]:
    return tuple(
        (source.decode(), -int(float(score))) for source, score in zip(told[::2], told[1::2], strict=True)
    )
