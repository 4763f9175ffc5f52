"""Counter-based random numbers over Arrow arrays.

Every number is a splitmix64 hash of a counter and of what it is for, so a row
has the same numbers in whatever batch or process it is made.
"""

from __future__ import annotations

from enum import IntEnum, auto
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

_MASK = (1 << 64) - 1
_GOLDEN, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


class Stream(IntEnum):
    """What a draw is for; each has its own random numbers. Append, never insert."""

    PRINCIPAL = auto()
    SEX = auto()
    AGE = auto()
    BIRTHDAY = auto()
    NEWBORN = auto()
    WEIGHT = auto()
    WEIGHT_AGAIN = auto()
    HOSPITAL = auto()
    INSURANCE = auto()
    DISCHARGE = auto()
    STAY = auto()
    SAME_DAY = auto()
    WAY = auto()
    ICU = auto()
    GROUP = auto()
    HAS_PROCEDURE = auto()
    PROCEDURE_COUNT = auto()
    PROCEDURE = auto()
    OTHER_COUNT = auto()
    OTHER_SOURCE = auto()
    OTHER = auto()
    STAY_COST = auto()
    PROCEDURE_COST = auto()
    FAULT = auto()
    FAULT_KIND = auto()
    LOST_ZERO = auto()


def mix(number: int) -> int:
    """The finalizer of splitmix64 (Steele, Lea and Flood 2014), modulo 2**64."""
    number = (number ^ (number >> 30)) * _FIRST & _MASK
    number = (number ^ (number >> 27)) * _SECOND & _MASK
    return number ^ (number >> 31)


def key_of(*numbers: int) -> int:
    """One 64-bit key of several non-negative integers."""
    key = 0
    for number in numbers:
        key = mix((key ^ number) + _GOLDEN & _MASK)
    return key


@lru_cache(maxsize=256)
def u64(number: int) -> pa.Scalar:
    return pa.scalar(number, pa.uint64())


@lru_cache(maxsize=256)
def u32(number: int) -> pa.Scalar:
    return pa.scalar(number, pa.uint32())


@lru_cache(maxsize=256)
def i32(number: int) -> pa.Scalar:
    return pa.scalar(number, pa.int32())


@lru_cache(maxsize=256)
def _salt(stream: Stream) -> pa.Scalar:
    return u64(mix(stream * _GOLDEN & _MASK))


def _mix(numbers: pa.Array) -> pa.Array:
    """:func:`mix` of uint64 numbers; the unchecked multiplication of Arrow wraps."""
    numbers = pc.multiply(pc.bit_wise_xor(numbers, pc.shift_right(numbers, u64(30))), u64(_FIRST))
    numbers = pc.multiply(pc.bit_wise_xor(numbers, pc.shift_right(numbers, u64(27))), u64(_SECOND))
    return pc.bit_wise_xor(numbers, pc.shift_right(numbers, u64(31)))


def counting(start: int, length: int) -> pa.Array:
    """``start``, ``start`` + 1, … as uint64."""
    ones = pa.repeat(u64(1), length)
    return pc.add(pc.cumulative_sum(ones), pa.scalar(start - 1 & _MASK, pa.uint64()))


class Draws:
    """Random integers, one for each row or list element; uint32 throughout."""

    def __init__(self, base: pa.Array) -> None:
        """``base`` holds one well-mixed uint64 number for each row or element."""
        self._base = base

    @classmethod
    def of_rows(cls, key: int, rows: pa.Array) -> Draws:
        """Draws for the row numbers ``rows`` (uint64) under ``key``."""
        return cls(_mix(pc.add(pc.multiply(rows, u64(_GOLDEN)), u64(key))))

    def of_elements(self, parents: pa.Array, slots: pa.Array) -> Draws:
        """Draws for list elements: element ``slots[j]`` of the row at ``parents[j]``."""
        steps = pc.multiply(slots.cast(pa.uint64()), u64(_GOLDEN))
        return Draws(_mix(pc.add(self._base.take(parents), steps)))

    def of(self, rows: pa.Array) -> Draws:
        """The draws of the rows or elements that are true in ``rows``."""
        return Draws(self._base.filter(rows))

    def bits(self, stream: Stream, count: int) -> pa.Array:
        """Uniform in [0, 2**count); ``count`` is 1 to 32."""
        numbers = _mix(pc.bit_wise_xor(self._base, _salt(stream)))
        return pc.shift_right(numbers, u64(64 - count)).cast(pa.uint32())

    def below(self, stream: Stream, limit: int) -> pa.Array:
        """Uniform in [0, limit) but for a bias below limit / 2**32."""
        product = pc.multiply(self.bits(stream, 32).cast(pa.uint64()), u64(limit))
        return pc.shift_right(product, u64(32)).cast(pa.uint32())

    def slot(self, stream: Stream, table: pa.Array, bits: int, number: pa.Array | None = None) -> pa.Array:
        """A value of each row's slot table: the only one, or the ``number``-th (uint32) in ``table``."""
        index = self.bits(stream, bits)
        if number is not None:
            index = pc.add(pc.shift_left(number, u32(bits)), index)
        return table.take(index).cast(pa.uint32())
