"""Which row stands where: days of settlement, and what refers to an earlier row.

The year is cut into blocks of ``BLOCK`` rows. In each block a keyed bijection gives every row
a *role*. A role may point back: the row with role ``r`` of block ``b`` refers to the row with
role ``TARGET[r]`` of block ``b - lag[r]``. As both maps are bijections, no row is referred to
twice, and either end is found from the other by arithmetic alone, whatever lies between.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cache, lru_cache
from math import gcd
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc

from grouper.synth.city.model import MOST_READMISSIONS, MOST_REFUNDS, MOST_TRANSFERS, City
from grouper.synth.random import Draws, Stream, counting, key_of, u32, u64

BLOCK = 400
DUPLICATE_OF_DIRTY = 0.15  # share of dirty rows that are duplicates


class Kind(IntEnum):
    """What a row is; all but PLAIN and the two kinds of returning patients repeat an earlier row."""

    PLAIN = 0
    REFUND = 1
    RESETTLED = 2
    DUPLICATE = 3
    READMISSION = 4
    TRANSFER = 5


def roll(number: int) -> Stream:
    """A stream of random numbers of the city, beside those of the clinical generator."""
    return cast("Stream", 1_000 + number)


# Roles that point back, by kind: (first role, how many, first role that they point to).
POINTING = 216  # how many they are; the roles from here on are pointed to, or left alone
_SPANS = {
    Kind.REFUND: (0, 80, POINTING),
    Kind.RESETTLED: (80, 80, POINTING),
    Kind.READMISSION: (160, 40, 296),
    Kind.DUPLICATE: (200, 4, 336),
    Kind.TRANSFER: (204, 12, 340),
}
READMITTED = (296, 336)  # roles of the stays before a readmission
SENT = (340, 352)  # roles of the stays before a transfer
ALONE = 1 - SENT[1] / BLOCK
_EVENT = roll(1)


@dataclass(frozen=True)
class Rows:
    """A range of rows; arrays have one value for each.

    ``visit``: the row that first settled this stay (itself, but for refunds, re-settlements and
    duplicates). ``before``: the row of the stay before a readmission or transfer, else null.
    ``lives``: stays that another follows; ``sent``: those that end with a transfer. ``alone``:
    rows that refer to none and that none refers to, ``ALONE`` of all.
    """

    position: pa.Array  # uint64
    kind: pa.Array  # uint32, Kind
    visit: pa.Array  # uint64
    before: pa.Array  # uint64, with nulls
    lives: pa.Array  # bool
    sent: pa.Array  # bool
    alone: pa.Array  # bool


@dataclass(frozen=True)
class Order:
    """The order of the rows of one city's year."""

    city: City
    key: int
    unit_days: pa.Array  # int32: day by unit of time
    month_units: list[int]  # first unit of each month, and their number
    lag: pa.Array  # uint64, blocks, by role
    target: pa.Array  # uint64, by role
    event_lead: pa.Array  # uint64, wrapping, by role: block of the event less block of the row
    event_role: pa.Array  # uint64, by role
    threshold: pa.Array  # uint64, of 2**32, by role
    steps: pa.Array  # uint64: factors prime to BLOCK
    inverse: pa.Array  # uint64: their inverses modulo BLOCK

    def first_row(self, month: int) -> int:
        """The first row of ``month`` (1 to 12); 13 gives the number of rows."""
        return -(-self.month_units[month - 1] * self.city.rows // self.month_units[-1])

    def days(self, rows: pa.Array) -> pa.Array:
        """Day of settlement of rows (uint64) as days since 1970 (int32); never falls with the row."""
        units = pc.divide(pc.multiply(rows, u64(self.month_units[-1])), u64(self.city.rows))
        return self.unit_days.take(units)

    def range(self, start: int, length: int) -> Rows:
        """The rows from ``start`` on."""
        position = counting(start, length)
        block = pc.divide(position, u64(BLOCK))
        role = self._role(block, pc.subtract(position, pc.multiply(block, u64(BLOCK))))
        lag = self.lag.take(role)
        event_block = pc.add(block, self.event_lead.take(role))
        event = pc.add(pc.multiply(event_block, u64(BLOCK)), self.event_role.take(role))
        drawn = Draws.of_rows(self.key, event).bits(_EVENT, 32).cast(pa.uint64())
        happens = pc.less(drawn, self.threshold.take(role))
        refers = pc.and_(pc.and_(happens, pc.less(role, u64(POINTING))), pc.greater_equal(block, lag))
        source = self._sources(block, role, lag, refers, position)
        kind = pc.if_else(refers, _kinds().take(role), u32(Kind.PLAIN))
        returns = pc.greater_equal(kind, u32(Kind.READMISSION))
        return Rows(
            position,
            kind,
            pc.if_else(returns, position, source),
            pc.if_else(returns, source, pa.scalar(None, pa.uint64())),
            pc.or_(_within(role, READMITTED), _within(role, SENT)),
            pc.and_(_within(role, SENT), happens),
            pc.greater_equal(role, u64(SENT[1])),
        )

    def _role(self, block: pa.Array, slot: pa.Array) -> pa.Array:
        step, offset = self._map(block)
        return _modulo(pc.add(pc.multiply(self.steps.take(step), slot), offset))

    def _map(self, block: pa.Array) -> tuple[pa.Array, pa.Array]:
        """The map of a block, role = step * slot + offset: number of the step, and the offset."""
        draws = Draws.of_rows(self.key, block)
        return draws.below(roll(2), len(self.steps)), draws.below(roll(3), BLOCK).cast(pa.uint64())

    def _sources(
        self, block: pa.Array, role: pa.Array, lag: pa.Array, refers: pa.Array, position: pa.Array
    ) -> pa.Array:
        """The rows referred to; rows that refer to none stand for themselves."""
        far = pc.subtract(block.filter(refers), lag.filter(refers))
        step, offset = self._map(far)
        turned = pc.subtract(pc.add(self.target.take(role.filter(refers)), u64(BLOCK)), offset)
        slot = _modulo(pc.multiply(self.inverse.take(step), turned))
        return pc.replace_with_mask(position, refers, pc.add(pc.multiply(far, u64(BLOCK)), slot))


def _modulo(numbers: pa.Array) -> pa.Array:
    return pc.subtract(numbers, pc.multiply(pc.divide(numbers, u64(BLOCK)), u64(BLOCK)))


def _within(role: pa.Array, span: tuple[int, int]) -> pa.Array:
    return pc.and_(pc.greater_equal(role, u64(span[0])), pc.less(role, u64(span[1])))


@cache
def _kinds() -> pa.Array:
    kinds = [Kind.PLAIN] * BLOCK
    for kind, (first, count, _) in _SPANS.items():
        kinds[first : first + count] = [kind] * count
    return pa.array(map(int, kinds), pa.uint32())


def _lag_days(kind: Kind, number: int) -> int:
    """Days between a row and the one that it refers to."""
    if kind in (Kind.REFUND, Kind.RESETTLED):
        return number * number * 45 // 79**2  # most within two weeks, the last after 45 days
    if kind is Kind.READMISSION:
        return 4 + number * 33 // 39  # the interval of 1 to 30 days and a stay
    return (0, 1, 4, 20)[number] if kind is Kind.DUPLICATE else 3 + 2 * number


def _thresholds(city: City) -> dict[Kind, int]:
    """How often a role does what it is there for, of 2**32."""
    refunds = city.refunds / MOST_REFUNDS
    shares = {
        Kind.REFUND: refunds,
        Kind.RESETTLED: refunds * city.resettled,  # the same draw, so only what was refunded
        Kind.READMISSION: city.readmissions / MOST_READMISSIONS,
        Kind.DUPLICATE: min(1.0, city.dirty * DUPLICATE_OF_DIRTY * BLOCK / 4),
        Kind.TRANSFER: city.transfers / MOST_TRANSFERS,
    }
    return {kind: round(share * 2**32) for kind, share in shares.items()}


def _weekday_units(day: int) -> int:
    """Discharges of a day, in units: fewer on Saturday and Sunday."""
    return {5: 6, 6: 4}.get((day + 3) % 7, 8)  # 1 January 1970 was a Thursday


@lru_cache(maxsize=8)
def order_of(city: City) -> Order:
    """The order of ``city``."""
    units = [
        day for day in range(city.first_day, city.first_day + city.days) for _ in range(_weekday_units(day))
    ]
    lag, target, lead, event = [0] * BLOCK, [0] * BLOCK, [0] * BLOCK, list(range(BLOCK))
    threshold = [0] * BLOCK
    for kind, (first, count, to) in _SPANS.items():
        for number in range(count):
            role = first + number
            blocks = max(1, _lag_days(kind, number) * city.rows // (city.days * BLOCK))
            lag[role], target[role] = blocks, to + number
            threshold[role] = _thresholds(city)[kind]
            if kind is Kind.RESETTLED:  # one block behind the refund, whose draw it shares
                lag[role], lead[role], event[role] = blocks + 1, -1, number
            if kind is Kind.TRANSFER:  # the stay before must know of it
                lead[to + number], event[to + number] = blocks, role
                threshold[to + number] = threshold[role]
    steps = [n for n in range(1, BLOCK) if gcd(n, BLOCK) == 1]
    return Order(
        city,
        key_of(city.seed, city.year, BLOCK),
        pa.array(units, pa.int32()),
        [units.index(day) for day in city.month_starts()[:-1]] + [len(units)],
        pa.array(lag, pa.uint64()),
        pa.array(target, pa.uint64()),
        pa.array([blocks % 2**64 for blocks in lead], pa.uint64()),
        pa.array(event, pa.uint64()),
        pa.array(threshold, pa.uint64()),
        pa.array(steps, pa.uint64()),
        pa.array([pow(n, -1, BLOCK) for n in steps], pa.uint64()),
    )
