"""Layers compressed, by several cores: gzip in members of a size, which a reader takes as one (RFC 1952, 2.2)."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain

from isal import isal_zlib

MEMBER = 1 << 21
"""Bytes of a member, unpacked."""

_MOST_CORES = 4  # one thread brings the pieces, and is slower than that
_LEVEL = 2  # ISA-L's third takes half as long again, for 2% fewer bytes
_GZIP = 31  # zlib's number for a window of 32 KiB with gzip's head and end


def packed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Each piece as a member, in order; few are in memory at a time."""
    cores = min(os.cpu_count() or 1, _MOST_CORES)
    with ThreadPoolExecutor(max_workers=cores, thread_name_prefix="pack") as pool:
        waiting: deque[Future[bytes]] = deque()
        left = iter(pieces)
        for piece in chain([next(left, b"")], left):  # no bytes at all would be no gzip
            waiting.append(pool.submit(_member, piece))
            if len(waiting) > 2 * cores:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _member(piece: bytes) -> bytes:
    return bytes(isal_zlib.compress(piece, _LEVEL, _GZIP))
