"""Latencies as a histogram of fixed buckets, each 2% wider than the one before.

The buckets are the same everywhere, so that counts made apart add up to exactly what one would have counted. A
percentile read from them is within ERROR of the true one, for latencies from LEAST to MOST milliseconds; those
beyond count as LEAST or MOST. (The buckets of DDSketch, https://arxiv.org/abs/1908.10693.)
"""

import math
from collections.abc import Mapping

ERROR = 0.01
LEAST = 0.01
MOST = 1e7
_GROWTH = (1 + ERROR) / (1 - ERROR)
_LOG_GROWTH = math.log(_GROWTH)


def bucket(milliseconds: float) -> int:
    """The number of the bucket that a latency falls into, from 0."""
    within = min(max(milliseconds, LEAST), MOST)
    return math.ceil(math.log(within / LEAST) / _LOG_GROWTH)


def percentile(buckets: Mapping[int, int], percent: int) -> float | None:
    """The latency in milliseconds that so many percent don't exceed (by nearest rank); None without any."""
    rank = -(-sum(buckets.values()) * percent // 100)
    for number in sorted(buckets):
        rank -= buckets[number]
        if rank <= 0:
            # As far, in proportion, from the bucket's one end as from the other.
            return LEAST * _GROWTH**number * 2 / (_GROWTH + 1)
    return None
