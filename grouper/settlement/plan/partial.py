"""The money of a clearing of some months only: what these months had, as they were settled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from grouper.base.errors import UsageError
from grouper.base.money import Fen, fen_of, yuan_of
from grouper.lake import views
from grouper.lake.layout import Lake
from grouper.payment.pool.apportion import apportion
from grouper.payment.pool.budget import Budget, CarveOut, PoolBudget
from grouper.settlement.records import columns_of

PARTIAL = "partial budget"  # before the name of a pool, among the assumptions of a clearing
_MONEY = ("budget", "reserve", "carve_outs")


def months_budget(lake: Lake, budget: Budget, months: Mapping[str, str], before: str | None) -> Budget:
    """The year's budget with the money of ``months`` (period to run) only: budget, reserve and carve-outs are
    the sums of what these had, whether a month's own file or a part of the year's said so.

    Raises UsageError where a month had a pool that is no part of one of the year's, or of several.
    """
    sums: dict[str, dict[str, Fen]] = {name: dict.fromkeys(_MONEY, 0) for name in budget.pools}
    for row in _rows(lake, months, before):
        pool = _owner(budget, row)
        for name in _MONEY:
            sums[pool][name] += fen_of(row[name])
    pools = {name: _of_months(pool, sums[name]) for name, pool in budget.pools.items()}
    return replace(budget, pools=pools)


def told(budget: Budget, whole: Budget) -> dict[str, str]:
    """Assumptions of the ledger: the money of each pool, and that of the year."""
    return {
        f"{PARTIAL} {name}": f"{yuan_of(pool.budget)} of {yuan_of(whole.pools[name].budget)}"
        for name, pool in budget.pools.items()
    }


def _rows(lake: Lake, months: Mapping[str, str], before: str | None) -> list[dict[str, Any]]:
    """The pools of the months."""
    with views.connect(lake, before=before, kinds=("current",)) as connection:
        own = columns_of(connection, "pools_current")
        members = "members" if "members" in own else "NULL::VARCHAR AS members"
        sql = f"SELECT run, pool, {members}, {', '.join(_MONEY)} FROM pools_current"
        found = connection.execute(
            f"{sql} WHERE list_contains(?, run) ORDER BY run, pool", [[*months.values()]]
        )
        names = [item[0] for item in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _owner(budget: Budget, row: Mapping[str, Any]) -> str:
    """The pool of the year that has the money of a month's."""
    members = set((row["members"] or row["pool"]).split(","))
    for pool in budget.pools.values():
        if members <= set(pool.members):
            return pool.name
    named = "、".join(sorted(members))
    raise UsageError(
        zh=f"{budget.where}（--budget）：运行 {row['run']} 的基金池 {row['pool']}（{named}）"
        "不属于其中任何一个池，--partial 无法得知这些月份的预算；请让各池的 members 与各月一致",
        en=f"{budget.where} (--budget): the pool {row['pool']} ({', '.join(sorted(members))}) of run "
        f"{row['run']} is part of none of its pools, so the budget of the months of --partial is not known; "
        "give its pools the members that the months have",
    )


def _of_months(pool: PoolBudget, sums: Mapping[str, Fen]) -> PoolBudget:
    """A pool with these sums; what was set apart goes by the names and shares that the year's file has."""
    carved = pool.carve_outs
    if any(c.amount for c in carved):
        parts = apportion(sums["carve_outs"], {str(n): c.amount for n, c in enumerate(carved)})
        carved = tuple(replace(c, amount=parts[str(n)]) for n, c in enumerate(carved))
    else:
        carved = (CarveOut("各月单列", sums["carve_outs"], ""),) if sums["carve_outs"] else ()
    return replace(pool, budget=sums["budget"], reserve=sums["reserve"], carve_outs=carved)
