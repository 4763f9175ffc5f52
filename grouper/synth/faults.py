"""Faults that real files have, put into generated records."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

import pyarrow as pa
import pyarrow.compute as pc

from grouper.synth.random import Draws, Stream, counting, u32


class Fault(IntEnum):
    """What is wrong with a row; 0 is nothing."""

    NONE = 0
    LOWER_CASE = 1
    TRAILING_SPACE = 2
    FULL_WIDTH = 3
    MISSING_SEX = 4
    UNKNOWN_CODE = 5
    DASH = 6
    LOST_ZERO = 7


DRAWN = 6  # the faults that any row can have
FULL_WIDTH = {ord("!") + i: ord("！") + i for i in range(94)}


def row_faults(draws: Draws, share: float, procedures: pa.Array, parents: pa.Array) -> pa.Array:
    """The :class:`Fault` of each row, uint32.

    ``procedures`` are the codes of all rows and ``parents`` the row of each:
    a spreadsheet can only eat a zero that is there, so every second faulty row
    with such a code has this fault.
    """
    faulty = pc.less(draws.bits(Stream.FAULT, 32), u32(min(int(share * 2**32), 2**32 - 1)))
    drawn = pc.add(draws.below(Stream.FAULT_KIND, DRAWN), u32(1))
    zero = pc.match_substring_regex(procedures, r"^0\d\.\d{4}$")
    rows = counting(0, len(faulty)).cast(pa.int64())
    eaten = pc.and_(
        pc.is_in(rows, value_set=parents.filter(zero)),
        pc.equal(draws.bits(Stream.LOST_ZERO, 1), u32(1)),
    )
    kind = pc.if_else(eaten, u32(Fault.LOST_ZERO), drawn)
    return pc.if_else(faulty, kind, u32(Fault.NONE))


def spoil_codes(codes: pa.Array, faults: pa.Array, principal: pa.Array, last: pa.Array) -> pa.Array:
    """``codes`` with the faults of their rows; all four arrays have one value for each list element.

    ``principal`` marks first diagnoses, which alone become unknown, ``last``
    last diagnoses, which alone become "-"; both are false for operations.
    """
    for fault, where, change in (
        (Fault.LOWER_CASE, None, str.lower),
        (Fault.TRAILING_SPACE, None, lambda code: code + "  "),
        (Fault.FULL_WIDTH, None, lambda code: code.translate(FULL_WIDTH)),
        (Fault.UNKNOWN_CODE, principal, lambda code: code[:5] + "99x999"),
        (Fault.DASH, last, lambda code: "-"),
    ):
        mask = pc.equal(faults, u32(fault))
        codes = _changed(codes, mask if where is None else pc.and_(mask, where), change)
    return codes


def eat_zeros(procedures: pa.Array, faults: pa.Array) -> pa.Array:
    """Operations as a spreadsheet would save them: 00.5500 as 0.55."""
    numeric = pc.match_substring_regex(procedures, r"^\d\d\.\d{4}$")
    mask = pc.and_(pc.equal(faults, u32(Fault.LOST_ZERO)), numeric)
    return _changed(procedures, mask, lambda code: f"{float(code):g}")


def _changed(codes: pa.Array, mask: pa.Array, change: Callable[[str], str]) -> pa.Array:
    spoilt = pa.array([change(code) for code in codes.filter(mask).to_pylist()], pa.string())
    return pc.replace_with_mask(codes, mask, spoilt)
