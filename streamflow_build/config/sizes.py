"""Sizes as people write them."""

from __future__ import annotations

from decimal import Decimal

_UNITS = {
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
}


def in_bytes(text: str) -> int:
    """A size such as ``1.5 GiB``, which the file's shape has checked, in bytes."""
    unit = text.lstrip("0123456789. ")
    return int(Decimal(text.removesuffix(unit).strip()) * _UNITS[unit])
