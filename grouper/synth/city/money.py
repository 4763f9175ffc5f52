"""The money of a row, in fen (int64): cost and its parts, and who pays. All identities hold exactly.

total = drugs + consumables + services;  in scope = total - own expense - paid first by oneself;
fund = pool + serious illness + medical aid;  fund + account + cash = total.
The rates are round figures such as a city might have, not those of any city.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from grouper.synth.city.costs import FACTOR_BITS, PARTS, CostTables
from grouper.synth.city.order import roll
from grouper.synth.random import Draws, Stream

MONEY = (
    "total_cost", "drug_cost", "consumable_cost", "service_cost", "own_expense", "self_pay_first",
    "deductible", "in_scope_amount", "pool_paid", "serious_illness_paid", "medical_aid_paid",
    "fund_paid", "account_paid", "cash_paid",
)  # fmt: skip

# By 4 * resident + level of the hospital (1 to 3); elsewhere is 1,000 and 10 % worse.
RATIO = (0, 95, 90, 85, 0, 85, 75, 65)  # per cent of what is in scope above the deductible
DEDUCTIBLE = (0, 300, 500, 800, 0, 200, 400, 700)  # yuan
SERIOUS_FROM, SERIOUS_RATE = 1_500_000, 60  # fen of the patient's share in scope; per cent above
AIDED, AID_RATE = 5, 70  # of 128 persons; per cent of their share in scope
BED_DAY = (0, 20_000, 26_000, 32_000)  # fen a day by level

_FACTOR, _PARTS, _SHARES, _AID = map(roll, range(20, 24))


def _i64(number: int) -> pa.Scalar:
    return pa.scalar(number, pa.int64())


def _per_cent(fen: pa.Array, share: pa.Array | int, of: int = 100) -> pa.Array:
    """``share`` of ``fen`` in parts of ``of``, rounded half up; not for negative amounts."""
    share = _i64(share) if isinstance(share, int) else share
    return pc.divide(pc.add(pc.multiply(fen, share), _i64(of // 2)), _i64(of))


def total_cost(
    c: CostTables,
    draws: Draws,
    mean: pa.Array,
    *,
    percent: pa.Array,
    stay: pa.Array,
    years: pa.Array,
    day_surgery: pa.Array,
    bed_days: pa.Array,
    level: pa.Array,
    los: pa.Array,
) -> pa.Array:
    """Cost in fen. ``mean``: of a like case, in fen; ``percent``: of the hospital; ``stay``: length of
    stay over the usual one, in 1/256."""  # fmt: skip
    factor = c.factors.take(draws.bits(_FACTOR, FACTOR_BITS))
    long = pc.add(
        pc.divide(pc.multiply(pc.min_element_wise(stay, _i64(1024)), _i64(22)), _i64(256)), _i64(75)
    )
    age = pc.if_else(
        pc.greater_equal(years, 60), _i64(104), pc.if_else(pc.less(years, 15), _i64(90), _i64(100))
    )
    day = pc.if_else(day_surgery, _i64(60), _i64(100))
    shape = pc.divide(pc.multiply(pc.multiply(long, age), day), _i64(100))  # of 10,000
    shape = pc.divide(pc.multiply(shape, percent), _i64(100))
    by_case = pc.divide(pc.multiply(pc.divide(pc.multiply(mean, shape), _i64(10_000)), factor), _i64(256))
    rate = pc.multiply(pa.array(BED_DAY, pa.int64()).take(level), los)
    narrow = pc.add(pc.divide(factor, _i64(4)), _i64(192))  # bed-days differ less
    by_day = pc.divide(pc.multiply(rate, narrow), _i64(256))
    return pc.max_element_wise(pc.if_else(bed_days, by_day, by_case), _i64(5_000))


def parts_of_cost(draws: Draws, total: pa.Array, operated: pa.Array) -> dict[str, pa.Array]:
    """Drugs, consumables and services of a total."""
    base = [pa.array([pair[n] for pair in PARTS], pa.int64()).take(operated) for n in (0, 1)]
    drawn = _split(draws, _PARTS, 6, 6)  # 68 to 131 per cent of the usual part
    drugs, consumables = (
        _per_cent(total, pc.multiply(b, pc.add(d, _i64(68))), 10_000)
        for b, d in zip(base, drawn, strict=True)
    )
    return {
        "total_cost": total,
        "drug_cost": drugs,
        "consumable_cost": consumables,
        "service_cost": pc.subtract(pc.subtract(total, drugs), consumables),
    }


def payments(
    draws: Draws, person: Draws, total: pa.Array, *, resident: pa.Array, level: pa.Array, away: pa.Array
) -> dict[str, pa.Array]:
    """Who pays ``total``. ``resident`` and ``away`` (outside the city) are bool, ``level`` 1 to 3.

    ``draws`` decides what is out of scope, ``person`` whether there is medical aid.
    """
    *drawn, held = _split(draws, _SHARES, 10, 10, 12)
    own, first = (_per_cent(total, pc.add(d, _i64(76)), 10_000) for d in drawn)  # 0.76 to 10.99 %
    scope = pc.subtract(pc.subtract(total, own), first)
    index = pc.add(pc.multiply(resident.cast(pa.int64()), _i64(4)), level.cast(pa.int64()))
    line = pc.multiply(pa.array(DEDUCTIBLE, pa.int64()).take(index), _i64(100))
    deductible = pc.min_element_wise(pc.if_else(away, _i64(100_000), line), scope)
    ratio = pc.subtract(pa.array(RATIO, pa.int64()).take(index), pc.multiply(away.cast(pa.int64()), _i64(10)))
    pool = _per_cent(pc.subtract(scope, deductible), ratio)
    share = pc.subtract(scope, pool)
    serious = _per_cent(pc.max_element_wise(pc.subtract(share, _i64(SERIOUS_FROM)), _i64(0)), SERIOUS_RATE)
    share = pc.subtract(share, serious)
    aided = pc.and_(resident, pc.less(person.bits(_AID, 7), pa.scalar(AIDED, pa.uint32())))
    aid = pc.if_else(aided, _per_cent(share, AID_RATE), _i64(0))
    fund = pc.add(pc.add(pool, serious), aid)
    rest = pc.subtract(total, fund)
    held = pc.multiply(held, _i64(100))  # fen in the account
    account = pc.if_else(resident, _i64(0), pc.min_element_wise(held, pc.subtract(share, aid)))
    return {
        "own_expense": own,
        "self_pay_first": first,
        "deductible": deductible,
        "in_scope_amount": scope,
        "pool_paid": pool,
        "serious_illness_paid": serious,
        "medical_aid_paid": aid,
        "fund_paid": fund,
        "account_paid": account,
        "cash_paid": pc.subtract(rest, account),
    }


def _split(draws: Draws, stream: Stream, *widths: int) -> list[pa.Array]:
    """Numbers of so many bits out of one draw, int64."""
    whole = draws.bits(stream, sum(widths)).cast(pa.int64())
    parts = []
    for width in widths:
        parts.append(pc.bit_wise_and(whole, _i64((1 << width) - 1)))
        whole = pc.shift_right(whole, _i64(width))
    return parts


def yuan(fen: pa.Array) -> pa.Array:
    """decimal128(18, 2) of fen: the same integers under another scale."""
    wide = fen.cast(pa.decimal128(19, 0))
    return pa.Array.from_buffers(pa.decimal128(18, 2), len(wide), wide.buffers(), offset=wide.offset)
