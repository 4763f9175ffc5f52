"""A pool: from what its hospitals did to the point value and to the fund due to each, exact to the fen.

The fund of a case that is paid by points is points · PV - deducted, with one PV for the pool:

* PV-total, F1: points price the whole cost; deducted is what patients and other funds pay.
* PV-total, F2: points and deducted count with the benefit ratio. F3: points with the case's fund share.
* PV-fund: points price the fund's part; nothing is deducted.

So PV = (fund + Σ deducted) ÷ Σ points, whatever the convention. A pool at standards (DRG rate) is the same
with the fund due in yuan as points: its PV is the factor that sharing puts on the standards. Amounts that
are not paid by group stay as priced. PV is an exact fraction; hospitals get whole fen by largest remainder.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from grouper.base.errors import DataError, ReconciliationError, TableError, UsageError
from grouper.base.exact import half_up
from grouper.base.money import Fen, yuan_of
from grouper.payment.policy.parameters import Segment
from grouper.payment.policy.sharing import Shared, fen, share
from grouper.payment.policy.terms import Terms
from grouper.payment.pool.apportion import round_parts
from grouper.payment.pool.budget import Budget, Distributable, PoolBudget, distributable

VALUES = ("settlement", "budget")
STAYS = "stays"  # surplus_rule where the policy does not say: what standards leave stays with the fund
POOL_TERMS = (
    "pool_method", "fund_formula", "point_value", "point_value_min", "point_value_max", "reserve_rate",
    "outside_points", "sharing", "sharing_actual", "surplus_rule", "policy_ratio",
)  # fmt: skip


@dataclass(frozen=True)
class Volume:
    """What a hospital did in a pool: sums over its paid cases, exact.

    ``points`` as the fund formula counts them (a pool at standards: fund due in yuan), ``deducted`` fen
    that points · PV covers beside the fund, ``fixed`` fund fen of cases outside points, ``by_item`` fund
    fen as recorded by item, ``fixed_by_item`` that part of it; ``due`` fund fen as priced, None without a
    budget value.
    """

    points: Fraction
    deducted: Fen = 0
    fixed: Fen = 0
    by_item: Fen = 0
    fixed_by_item: Fen = 0
    due: Fen | None = None


@dataclass(frozen=True)
class Rule:
    """How a pool is settled; ``limits`` and ``budget_value`` in yuan per point."""

    method: str
    outside: str = "inside"
    budget_value: Fraction | None = None
    limits: tuple[Fraction | None, Fraction | None] = (None, None)
    segments: tuple[Segment, ...] | None = None
    actual: str = "by_item"
    surplus: str = STAYS

    @property
    def by_points(self) -> bool:
        return self.method != "standard"


@dataclass(frozen=True)
class Due:
    """A hospital's fund in a pool: ``by_points`` + ``fixed``, in fen."""

    by_points: Fen
    fixed: Fen

    @property
    def total(self) -> Fen:
        return self.by_points + self.fixed


@dataclass(frozen=True)
class Settled:
    """A pool settled. Amounts in fen.

    ``money``: budget = reserve + carve-outs + distributable. ``total``: what the pool pays for the period
    after sharing. ``residual``: of that, what a fixed or limited point value leaves (or lacks, negative).
    ``exact``: the point value that would pay out the pool; ``value``: the one paid; ``bound``: "", "min",
    "max", "budget" or "surplus" (standards are paid, what is over stays), what made them differ.
    """

    pool: str
    method: str
    outside: str
    money: Distributable
    shared: Shared | None
    total: Fen
    points: Fraction
    deducted: Fen
    exact: Fraction | None
    value: Fraction | None
    bound: str
    dues: Mapping[str, Due]
    residual: Fen

    @property
    def by_points(self) -> Fen:
        return sum(due.by_points for due in self.dues.values())

    @property
    def fixed(self) -> Fen:
        return sum(due.fixed for due in self.dues.values())

    @property
    def fund_balance(self) -> Fen:
        """What the pool's money has over what it pays; negative: the reserve or the fund bears it."""
        return self.money.amount - self.total

    def shown(self, digits: int = 4) -> Decimal | None:
        """The point value paid, rounded for showing only."""
        return None if self.value is None else half_up(self.value, digits)

    def check(self) -> None:
        """budget = reserve + carve-outs + hospitals + residual + fund balance.

        Raises ReconciliationError when it does not hold.
        """
        fixed = self.fixed if self.outside == "inside" else 0
        parts = self.money.reserve + self.money.carve_outs + self.by_points + fixed + self.residual
        found, budget = parts + self.fund_balance, self.money.budget
        if found != budget:
            raise ReconciliationError(
                zh=f"基金池 {self.pool} 对不上：预算 {budget} 分，各项合计 {found} 分",
                en=f"pool {self.pool} does not add up: a budget of {budget} fen, parts of {found}",
            )


def read_rule(terms: Terms, budget: Budget, pool: PoolBudget, value: str, surplus: str = STAYS) -> Rule:
    """The policy's rule for a pool. Sharing belongs to the year; ``surplus`` is its default.

    Raises TableError when parameters are missing or do not go together.
    """
    method, formula = terms.choice("pool_method"), terms.choice("fund_formula")
    if (method == "points_fund") != (formula == "points") and method != "standard":
        raise TableError(
            zh=f"{terms.values.where}：pool_method = {method} 与 fund_formula = {formula} 不配；"
            "points_fund 配 points，points_total 配 F1、F2 或 F3",
            en=f"{terms.values.where}: pool_method = {method} does not go with fund_formula = {formula}; "
            "points_fund goes with points, points_total with F1, F2 or F3",
        )
    points = method != "standard"
    budget_value = pool.point_value
    if points and budget_value is None:
        budget_value = terms.agreed("point_value", pool.members)
    if points and value == "budget" and budget_value is None:
        raise UsageError(
            zh=f"{budget.where}：pools.{pool.name}.point_value：按预算点值结算需要它；"
            "也可由政策参数 point_value 给出",
            en=f"{budget.where}: pools.{pool.name}.point_value: settling at the budget value needs it; "
            "the policy's point_value would do as well",
        )
    sharing = budget.yearly and value == "settlement" and terms.has("sharing")
    return Rule(
        method,
        terms.choice("outside_points", "inside"),
        budget_value,
        _limits(terms, pool.members) if points else (None, None),
        terms.choice("sharing") if sharing else None,
        terms.choice("sharing_actual") if sharing else "by_item",
        terms.choice("surplus_rule", surplus) if sharing and not points else STAYS,
    )


def _limits(terms: Terms, members: Sequence[str]) -> tuple[Fraction | None, Fraction | None]:
    low, high = (terms.agreed(f"point_value_{end}", members) for end in ("min", "max"))
    if low is not None and high is not None and low > high:
        raise TableError(
            zh=f"{terms.values.where}：point_value_min 大于 point_value_max",
            en=f"{terms.values.where}: point_value_min is above point_value_max",
        )
    return low, high


def settle(
    pool: str, money: Distributable, rule: Rule, volumes: Mapping[str, Volume], value: str = "settlement"
) -> Settled:
    """A pool's point value and the fund due to each hospital.

    ``value``: "settlement" pays out the pool's money; "budget" pays at the budget value (at the standards,
    where there are no points), and the difference from the money is the residual.
    Raises DataError when the money does not cover what is paid outside points, or nothing is there to price.
    """
    shared, total = _shared(pool, money, rule, volumes)
    fixed = sum(v.fixed for v in volumes.values()) if rule.outside == "inside" else 0
    points = sum((v.points for v in volumes.values()), Fraction(0))
    if points < 0:
        raise DataError(
            zh=f"基金池 {pool}：点数（标准）之和为负，无法结算",
            en=f"pool {pool}: the points (standards) add up to less than 0 and cannot be settled",
        )
    deducted = sum(v.deducted for v in volumes.values())
    exact = Fraction(total - fixed + deducted, 100) / points if points else None
    used, bound = _value(rule, exact, value, shared)
    if bound == "" and exact is not None and total < fixed:
        raise DataError(
            zh=f"基金池 {pool}：点数之外的支付 {fixed} 分超过可支付总额 {total} 分",
            en=f"pool {pool}: {fixed} fen paid outside points exceed the {total} fen that it may pay",
        )
    quotas = {
        hospital: (v.points * used * 100 if used is not None else Fraction(0)) - v.deducted
        for hospital, v in volumes.items()
    }
    by_points = total - fixed if bound == "" and points else fen(sum(quotas.values(), Fraction(0)))
    if bound == "surplus":
        total = by_points + fixed
    parts = round_parts(by_points, quotas)
    dues = {hospital: Due(parts[hospital], volumes[hospital].fixed) for hospital in sorted(volumes)}
    found = Settled(
        pool, rule.method, rule.outside, money, shared, total, points, deducted, exact, used, bound, dues,
        total - fixed - by_points,
    )  # fmt: skip
    found.check()
    return found


def _value(
    rule: Rule, exact: Fraction | None, value: str, shared: Shared | None
) -> tuple[Fraction | None, str]:
    """The point value paid, and what made it differ from the exact one."""
    if value not in VALUES:
        raise UsageError(
            zh=f"点值应为 {' 或 '.join(VALUES)} 之一，而不是 {value}",
            en=f"the value is one of {', '.join(VALUES)}, not {value}",
        )
    if exact is None:
        return None, ""
    if not rule.by_points:
        if shared is None:
            return Fraction(1), "budget"
        return (Fraction(1), "surplus") if exact > 1 and rule.surplus == STAYS else (exact, "")
    if value == "budget":
        return rule.budget_value, "budget"
    low, high = rule.limits
    if low is not None and exact < low:
        return low, "min"
    if high is not None and exact > high:
        return high, "max"
    return exact, ""


def _shared(
    pool: str, money: Distributable, rule: Rule, volumes: Mapping[str, Volume]
) -> tuple[Shared | None, Fen]:
    if rule.segments is None:
        return None, money.amount
    shared = share(_actual(pool, rule, volumes.values()), money.amount, rule.segments)
    return shared, shared.total


def _actual(pool: str, rule: Rule, volumes: Iterable[Volume]) -> Fen:
    """What sharing compares with the budget; without the amounts outside points where they are paid apart."""
    actual = 0
    for volume in volumes:
        apart = rule.outside == "apart"
        if rule.actual == "by_item":
            actual += volume.by_item - (volume.fixed_by_item if apart else 0)
        elif volume.due is None:
            raise UsageError(
                zh=f"基金池 {pool}：sharing_actual = due 需要病例按预算点值计价；"
                "请在政策中给出 point_value 后重新计价，或用 sharing_actual = by_item",
                en=f"pool {pool}: sharing_actual = due needs cases priced at a budget value; set point_value "
                "in the policy and price again, or use sharing_actual = by_item",
            )
        else:
            actual += volume.due - (volume.fixed if apart else 0)
    return actual


def settle_pools(
    terms: Terms,
    budget: Budget,
    volumes: Mapping[str, Mapping[str, Volume]],
    value: str = "settlement",
    surplus: str = STAYS,
) -> dict[str, Settled]:
    """All pools of a budget. ``volumes``: pool to hospital to what it did; ``surplus`` as in ``read_rule``.

    Raises what ``settle`` and ``read_rule`` raise.
    """
    found = {}
    for name, pool in budget.pools.items():
        money = distributable(pool, terms, budget.where)
        rule = read_rule(terms, budget, pool, value, surplus)
        found[name] = settle(name, money, rule, volumes.get(name, {}), value)
    return found


def _yuan(amount: Fen) -> str:
    return str(yuan_of(amount))


def describe(settled: Settled) -> dict[str, Any]:
    """A settled pool for provenance and reports: yuan as texts, the point value exact and shown."""
    value = settled.value
    return {
        "method": settled.method,
        "budget": _yuan(settled.money.budget),
        "reserve": _yuan(settled.money.reserve),
        "carve_outs": _yuan(settled.money.carve_outs),
        "distributable": _yuan(settled.money.amount),
        "segment": settled.shared and settled.shared.segment,
        "total": _yuan(settled.total),
        "fund_balance": _yuan(settled.fund_balance),
        "by_points": _yuan(settled.by_points),
        "fixed": _yuan(settled.fixed),
        "residual": _yuan(settled.residual),
        "bound": settled.bound,
        "point_value": None if value is None else str(settled.shown()),
        "point_value_exact": None if value is None else str(value),
    }
