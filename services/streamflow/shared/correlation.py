"""The correlation id: one name for everything that a request causes, in every service and log line."""

import re
from contextvars import ContextVar
from uuid import uuid4

HEADER = "X-Correlation-ID"
# In the order in which they are believed.
_ACCEPTED = (b"x-correlation-id", b"x-request-id")
# What a client sends ends up in logs and headers, so its length and alphabet are bounded.
_SHAPE = re.compile(rb"[A-Za-z0-9._:-]{1,128}")

_current: ContextVar[str | None] = ContextVar("correlation_id", default=None)


def current() -> str | None:
    """The id of the request that runs now, None outside of one."""
    return _current.get()


def begin(headers: list[tuple[bytes, bytes]]) -> str:
    """Take the caller's id from its headers, or make one, for what runs in this context from now on."""
    given = dict(reversed(headers))
    for name in _ACCEPTED:
        if _SHAPE.fullmatch(given.get(name, b"")):
            chosen = given[name].decode("ascii")
            break
    else:
        chosen = str(uuid4())
    _current.set(chosen)
    return chosen


def resume(correlation_id: str | None) -> None:
    """Go on under the id of what caused the work that runs in this context from now on."""
    _current.set(correlation_id)
