"""Faults of settlement files, besides those of codes in ``grouper.synth.faults``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import pyarrow as pa
import pyarrow.compute as pc

from grouper.synth.city.order import ALONE, DUPLICATE_OF_DIRTY, roll
from grouper.synth.faults import Fault, eat_zeros, row_faults, spoil_codes
from grouper.synth.parts import Lists
from grouper.synth.random import Draws, counting, i32, u32

UNKNOWN_HOSPITAL = "H00000000000"
CODES_OF_DIRTY = 0.45  # share of dirty rows whose codes or sex are spoilt (grouper.synth.faults)
_FAULT, _KIND, _CODES = roll(30), roll(31), roll(32)


class Wrong(IntEnum):
    """What is wrong with a row of settlement data; 0 is nothing."""

    NONE = 0
    NEGATIVE = 1  # amounts below zero without the flag of a refund
    ZERO = 2  # no amounts at all
    OUT_OF_MONTH = 3  # settled and discharged a year before
    UNKNOWN_HOSPITAL = 4
    INVALID = 5  # valid_flag is false


def wrongs(draws: Draws, dirty: float, alone: pa.Array) -> pa.Array:
    """The fault of each row (uint32); only ``alone`` rows have one, lest it spread to others."""
    share = dirty * (1 - DUPLICATE_OF_DIRTY - CODES_OF_DIRTY) / ALONE
    faulty = pc.and_(alone, pc.less(draws.bits(_FAULT, 32), u32(min(round(share * 2**32), 2**32 - 1))))
    kind = pc.add(draws.below(_KIND, len(Wrong) - 1), u32(1))
    return pc.if_else(faulty, kind, u32(Wrong.NONE))


def signs(wrong: pa.Array, refund: pa.Array) -> pa.Array:
    """What amounts are multiplied by (int64): -1, 0 or 1."""
    minus = pc.or_(refund, pc.equal(wrong, u32(Wrong.NEGATIVE)))
    sign = pc.if_else(minus, pa.scalar(-1, pa.int64()), pa.scalar(1, pa.int64()))
    return pc.if_else(pc.equal(wrong, u32(Wrong.ZERO)), pa.scalar(0, pa.int64()), sign)


def moved(days: pa.Array, wrong: pa.Array) -> pa.Array:
    """Days (int32), a year earlier where the fault says so."""
    out = pc.equal(wrong, u32(Wrong.OUT_OF_MONTH))
    return pc.if_else(out, pc.subtract(days, i32(366)), days)


@dataclass(frozen=True)
class Elements:
    """The list elements of the spoilt rows."""

    mask: pa.Array  # bool, over all elements: theirs
    parents: pa.Array  # int64: which spoilt row each is of
    codes: pa.Array


@dataclass(frozen=True)
class Spoilt:
    """Rows whose codes or sex are spoilt. They are few, so their codes are handled apart."""

    rows: pa.Array  # bool
    draws: Draws  # of the spoilt rows alone

    @classmethod
    def draw(cls, draws: Draws, dirty: float, plain: pa.Array) -> Spoilt:
        """Choose among ``plain`` rows."""
        share = u32(min(round(dirty * CODES_OF_DIRTY * 2**32), 2**32 - 1))
        rows = pc.and_(plain, pc.less(draws.bits(_CODES, 32), share))
        return cls(rows, draws.of(rows))

    def kinds(self, procedures: Elements) -> pa.Array:
        """The ``Fault`` of each spoilt row."""
        return row_faults(self.draws, 1.0, procedures.codes, procedures.parents)

    def without_sex(self, sex: pa.Array, kinds: pa.Array) -> pa.Array:
        """``sex`` (uint32) with nulls where it is missing."""
        missing = pc.replace_with_mask(self.rows, self.rows, pc.equal(kinds, u32(Fault.MISSING_SEX)))
        return pc.if_else(missing, pa.scalar(None, pa.uint32()), sex)

    def lists(
        self, lists: Lists, codes: pa.Array, spoilt: Elements, kinds: pa.Array, *, principal_first: bool
    ) -> pa.Array:
        """The list column of all rows; ``codes`` by id, the spoilt ones behind them."""
        if not len(spoilt.codes):
            return pa.ListArray.from_arrays(lists.offsets, codes.take(lists.ids))
        of_codes = kinds.take(spoilt.parents)
        first = pa.concat_arrays([pa.array([True]), pc.not_equal(spoilt.parents[1:], spoilt.parents[:-1])])
        last = pa.concat_arrays([first[1:], pa.array([True])])
        marks = [pc.and_(mark, pa.scalar(principal_first)) for mark in (first, last)]
        changed = spoil_codes(spoilt.codes, of_codes, *marks)
        changed = changed if principal_first else eat_zeros(changed, of_codes)
        ids = counting(len(codes), len(changed)).cast(lists.ids.type)
        ids = pc.replace_with_mask(lists.ids, spoilt.mask, ids)
        return pa.ListArray.from_arrays(lists.offsets, pa.concat_arrays([codes, changed]).take(ids))


def codes_of(spoilt: Spoilt, lists: Lists, codes: pa.Array) -> Elements:
    """The elements of ``lists`` (ids into ``codes``) that are of spoilt rows."""
    mask = spoilt.rows.take(lists.parents)
    rank = pc.subtract(pc.cumulative_sum(spoilt.rows.cast(pa.int64())), pa.scalar(1, pa.int64()))
    return Elements(mask, rank.take(lists.parents.filter(mask)), codes.take(lists.ids.filter(mask)))
