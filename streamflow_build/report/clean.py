"""The gate that all told things pass before they are drawn or kept: no secret, no terminal command."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from streamflow_build.engine.interface import BuildEvent
from streamflow_build.images.observer import RunObserver
from streamflow_build.model.report import ImagesReport, Outcome
from streamflow_build.report.text import harmless

MASK = "***"
OURS = frozenset({"outcome", "service", "store"})
"""Keys of the report whose values are our own words; a secret that equals one must not break the record."""
SHORTEST_LINE = 4
"""Lines of a secret of several lines that are shorter hide nothing worth and would mask common text."""
_PASSWORD = re.compile(r"(?<=://)([^\s/@:\"]*):([^\s/\"]+)(?=@)")

T = TypeVar("T")


class Mask:
    """Replaces secrets in text by ``***``: each value line by line, also percent-encoded as in URLs.

    The password of any URL is masked too, whether it was told or not.
    """

    def __init__(self, secrets: Iterable[bytes] = ()) -> None:
        # msgspec learns a type on its first use, which several threads at once don't survive.
        self._lock = threading.Lock()
        self._words: tuple[str, ...] = ()
        for secret in secrets:
            self.learn(secret)

    def learn(self, secret: bytes) -> None:
        """One more that nobody may be shown, from now on. Any thread may tell it."""
        text = secret.decode(errors="replace")
        words: set[str] = set()
        # Python ends lines at more characters than programs that print a secret line by line.
        for parts in (text.split("\n"), text.splitlines()):
            lines = {line.strip() for line in parts} - {""}
            words |= lines if len(lines) == 1 else {line for line in lines if len(line) >= SHORTEST_LINE}
        words |= {found[1] for found in _PASSWORD.findall(text)}
        words |= {harmless(word).strip() for word in words} - {""}
        words |= {quote(word, safe="") for word in words}
        with self._lock:
            # The longest first: a secret may be a part of another one.
            self._words = tuple(sorted(words.union(self._words), key=lambda word: (-len(word), word)))

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        for word in self._words:
            if word in text:
                text = text.replace(word, MASK)
        return _PASSWORD.sub(rf"\1:{MASK}", text) if "://" in text else text

    def shown(self, text: str) -> str:
        """A piece of text as it may be shown: no secret in it, and nothing that a terminal obeys."""
        # Before, for what is made harmless may no longer be found (a tab's width depends on its place); after,
        # for what was invisible may have kept the parts of a secret apart.
        return self(harmless(self(text)))

    def cleaned(self, data: T) -> T:
        """The same data with texts as they may be shown; keys stay, and values that are our own words."""
        kind: Any = type(data)
        with self._lock:
            return msgspec.convert(self._walk(msgspec.to_builtins(data)), kind)  # type: ignore[no-any-return]

    def _walk(self, value: Any) -> Any:
        match value:
            case str():
                return self.shown(value)
            case dict():
                return {k: v if k in OURS else self._walk(v) for k, v in value.items()}
            case list() | tuple():
                return [self._walk(item) for item in value]
            case _:
                return value


class Cleaned:
    """A RunObserver that tells another one the same, cleaned."""

    def __init__(self, inner: RunObserver, mask: Mask) -> None:
        self._inner = inner
        self._mask = mask

    def base_pull(self, base: str, layer: str, current: int, total: int) -> None:
        self._inner.base_pull(base, self._mask.shown(layer), current, total)

    def service_started(self, service: str, reason: str) -> None:
        self._inner.service_started(service, self._mask.shown(reason))

    def event(self, service: str, event: BuildEvent) -> None:
        changes = {
            field: self._mask.shown(value)
            for field in event.__struct_fields__
            if field != "step" and isinstance(value := getattr(event, field), str)
        }
        self._inner.event(service, msgspec.structs.replace(event, **changes))

    def service_finished(self, outcome: Outcome) -> None:
        self._inner.service_finished(self._mask.cleaned(outcome))

    def note(self, text: str) -> None:
        self._inner.note(self._mask.shown(text))

    def run_finished(self, report: ImagesReport) -> None:
        self._inner.run_finished(self._mask.cleaned(report))
