"""Whether the money of a pool at standards is far from what its cases are worth: a budget or a file is wrong.

The factor is the pool's money for the standards over the standards themselves. Where it is far from 1 either
the budget belongs to another period, or cases are missing or there twice; nobody should be paid by it unseen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from grouper.base.exact import half_up
from grouper.payment.policy.words import pool

LEAST, MOST = Fraction(1, 2), Fraction(3, 2)  # of what is usual; outside it is said


@dataclass(frozen=True)
class FarOff:
    """A pool whose money is ``factor`` times its standards, and the factor that is ``paid``."""

    pool: str
    factor: Fraction
    paid: Fraction

    def text(self, lang: str) -> str:
        factor, paid = half_up(self.factor, 4), half_up(self.paid, 4)
        if lang != "en":
            return (
                f"{pool(self.pool, lang)}基金池：可用于标准的预算是标准之和的 {factor} 倍"
                "（不在 0.5 至 1.5 之间），"
                f"按 {paid} 倍支付；请核对预算的期间和病例是否齐全"
            )
        return (
            f"pool {self.pool}: the budget for the standards is {factor} times their sum (not between 0.5 "
            f"and 1.5), {paid} times is paid; check the period of the budget, and that all cases are there "
            "once"
        )


def far_off(pools: Iterable[Mapping[str, Any]]) -> Iterator[FarOff]:
    """The pools at standards whose factor is outside 0.5 to 1.5.

    ``pools``: rows of the summary of pools (or of ``describe``, with ``pool``); amounts in yuan.
    """
    for row in pools:
        if row["method"] != "standard" or not row["point_value_exact"]:
            continue
        paid, by_points = Fraction(row["point_value_exact"]), _exact(row["by_points"])
        factor = paid
        if row["bound"] in ("budget", "surplus"):
            left = _exact(row["residual"]) + _exact(row["fund_balance"])
            factor = (by_points + left) / by_points if by_points else paid
        if not LEAST <= factor <= MOST:
            yield FarOff(row["pool"], factor, paid)


def _exact(yuan: Decimal | str) -> Fraction:
    return Fraction(Decimal(yuan))
