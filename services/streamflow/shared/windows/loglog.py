"""HyperLogLog: how many different names there were, in 16 KB however many, within about 2% (0.8% as a rule).

https://algo.inria.fr/flajolet/Publications/FlFuGaMe07.pdf, with linear counting for few.
"""

import math
from collections.abc import Iterable
from hashlib import blake2b

_BITS = 14
_REGISTERS = 1 << _BITS
_REST = 64 - _BITS
_ALPHA = 0.7213 / (1 + 1.079 / _REGISTERS)


class HyperLogLog:
    """Different names, by the longest run of zeros that their hashes have shown in each register."""

    def __init__(self) -> None:
        self._registers = bytearray(_REGISTERS)

    def add(self, names: Iterable[str]) -> None:
        """Take names in; one that was taken in before changes nothing."""
        registers = self._registers
        for name in names:
            hashed = int.from_bytes(blake2b(name.encode(), digest_size=8).digest())
            register = hashed >> _REST
            run = _REST - (hashed & ((1 << _REST) - 1)).bit_length() + 1
            registers[register] = max(registers[register], run)

    def merge(self, other: "HyperLogLog") -> None:
        """Take in all that another one has taken in."""
        self._registers = bytearray(map(max, self._registers, other._registers))  # noqa: SLF001  # its own kind

    def count(self) -> int:
        """How many different names were taken in, estimated."""
        empty = self._registers.count(0)
        estimate = (
            _ALPHA * _REGISTERS**2 / sum(self._registers.count(run) * 2.0**-run for run in range(_REST + 2))
        )
        if empty and estimate <= 2.5 * _REGISTERS:  # the paper's bound
            estimate = _REGISTERS * math.log(_REGISTERS / empty)
        return round(estimate)
