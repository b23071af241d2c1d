"""Cursors: where a page of events ended, as opaque text for its reader to hand back."""

import base64
import re
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator

_SHAPE = re.compile(r"[A-Za-z0-9_-]{32}", re.ASCII)
_LAYOUT = struct.Struct(">q16s")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The place of an event among all, newest first: what comes after it is older, or as old with a lower id."""

    timestamp: datetime
    id: UUID

    def __str__(self) -> str:
        packed = _LAYOUT.pack((self.timestamp - _EPOCH) // _MICROSECOND, self.id.bytes)
        return base64.urlsafe_b64encode(packed).decode("ascii")


def parse(text: str) -> Cursor:
    """The place that a cursor stands for. Raises ValueError."""
    if _SHAPE.fullmatch(text) is None:
        raise ValueError("not a cursor; `next` of a page's answer is one")
    microseconds, identity = _LAYOUT.unpack(base64.urlsafe_b64decode(text))
    try:
        return Cursor(_EPOCH + timedelta(microseconds=microseconds), UUID(bytes=identity))
    except OverflowError:
        raise ValueError("not a cursor; `next` of a page's answer is one") from None


def _checked(text: str) -> str:
    parse(text)
    return text


CursorText = Annotated[str, AfterValidator(_checked)]
"""A cursor as it stands in a request."""
