"""City and counties share what a pool of the year leaves or lacks (市县分担): money in is money out.

Where pools are by county and ``county_share_by`` is ``own_balance``, a county shares what its own pool leaves
or lacks; else, of a pool with counties in the budget file, each by its weight.

balance = distributable − paid after sharing with hospitals      negative: an overspend
counties = balance × county_surplus_share, or × county_overspend_share, rounded to the fen
city = balance − counties;  each county by its weight in the budget file, largest remainder
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from grouper.base.errors import ReconciliationError, UsageError
from grouper.base.money import Fen, yuan_of
from grouper.payment.policy import pool_names
from grouper.payment.policy.sharing import fen
from grouper.payment.policy.terms import Terms
from grouper.payment.pool.apportion import apportion
from grouper.payment.pool.budget import Budget
from grouper.payment.pool.pool import Settled

CITY = "city"
_BY = "county_share_by"
SHARED = "county sharing"  # before the name of a pool, among the assumptions of a clearing
_SHARES = ("county_surplus_share", "county_overspend_share")


@dataclass(frozen=True)
class Borne:
    """What a county (or CITY) keeps of a pool's surplus, or bears of its overspend (negative), in fen."""

    pool: str
    county: str
    fen: Fen


def share_counties(terms: Terms, pools: Mapping[str, Settled], budget: Budget) -> list[Borne]:
    """The balances of the pools that the budget file gives counties for.

    Raises UsageError where the policy has no share, ReconciliationError where the parts are not the whole.
    """
    found = []
    for name, settled in sorted(pools.items()):
        weights = _weights(terms, name, budget)
        if not weights:
            continue
        balance = settled.fund_balance
        rule = _SHARES[balance < 0]
        rate = terms.number(rule)
        if rate is None:
            raise UsageError(
                zh=f"{budget.where}：pools.{name}.counties：政策没有 {rule}，无法在市、县之间分担",
                en=f"{budget.where}: pools.{name}.counties: the policy has no {rule}, so that city and "
                "counties cannot share",
            )
        whole = fen(balance * rate)
        own = [Borne(name, county, part) for county, part in apportion(whole, weights).items()]
        own.append(Borne(name, CITY, balance - whole))
        if sum(part.fen for part in own) != balance:
            raise ReconciliationError(
                zh=f"市县分担对不上：{name} 余额 {balance} 分",
                en=f"county sharing of {name} is not {balance} fen",
            )
        found += own
    return found


def _weights(terms: Terms, pool: str, budget: Budget) -> Mapping[str, Fraction]:
    """The counties of a pool with their weights; where each shares its own balance, the one whose pool it is.

    Raises UsageError where both are said.
    """
    given, own = budget.pools[pool].counties, pool_names.part(pool)
    if not (own and terms.has(_BY) and terms.choice(_BY) == "own_balance"):
        return given
    if given:
        raise UsageError(
            zh=f"{budget.where}：pools.{pool}.counties：政策按各县自己的结余分担（{_BY}），不用比重；请删去",
            en=f"{budget.where}: pools.{pool}.counties: by the policy ({_BY}) each county shares its own "
            "balance, not by weights; leave them out",
        )
    return {own: Fraction(1)}


def amounts(found: Iterable[Borne]) -> list[dict[str, Any]]:
    """Rows of the ledger; no hospital has a part in them."""
    return [
        {"hospital_code": "", "pool": part.pool, "name": f"county:{part.county}", "fen": part.fen}
        for part in found
    ]


def told(found: Iterable[Borne]) -> dict[str, str]:
    """Assumptions of the ledger: who has how much of each pool's balance."""
    parts: dict[str, list[Borne]] = {}
    for part in found:
        parts.setdefault(part.pool, []).append(part)
    return {
        f"{SHARED} {pool}": f"{yuan_of(sum(p.fen for p in own))} = "
        + ", ".join(f"{p.county} {yuan_of(p.fen)}" for p in own)
        for pool, own in parts.items()
    }
