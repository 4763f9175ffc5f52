"""How outliers are valued: every formula that ``high_formula`` and ``low_formula`` may choose.

The documentation shows the same formulas with letters for their terms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from grouper.payment.formula.expression import ONE, Expr, Field, Limit


@dataclass(frozen=True)
class Terms:
    """What the formulas are made of.

    Standard and base (the standard without the coefficient) in the unit of the case values; cost,
    denominator and mean cost of the group in yuan; ``valued`` turns yuan into the unit of the case
    values. Limit and discount are asked for where a formula has them: what is read is cited.
    """

    standard: Expr
    base: Expr
    coefficient: Expr
    cost: Expr
    denominator: Expr
    mean: Expr
    limit: Callable[[], Expr]
    discount: Callable[[], Expr]
    valued: Callable[[Expr], Expr]

    @property
    def ratio(self) -> Expr:
        return self.cost / self.denominator


Formula = Callable[[Terms], Expr]

HIGH: Mapping[str, Formula] = {
    "standard": lambda t: t.standard,
    "excess_over_standard": lambda t: t.standard + (t.valued(t.cost) - t.limit() * t.standard) * t.discount(),
    "excess_over_denominator": lambda t: (
        t.standard + t.valued(t.cost - t.limit() * t.denominator) * t.discount()
    ),
    "excess_over_base": lambda t: t.standard + (t.valued(t.cost) - t.limit() * t.base) * t.discount(),
    "excess_by_group_mean": lambda t: t.standard + t.base * (t.cost / t.mean - t.limit()) * t.discount(),
    "multiple_of_standard": lambda t: t.standard * (t.ratio - t.limit() + ONE),
    "multiple_without_coefficient": lambda t: t.base * (t.ratio - t.limit() + t.coefficient),
    "slope_of_standard": lambda t: t.standard * (ONE + t.discount() * (t.ratio - t.limit())),
    "share_of_cost": lambda t: t.valued(t.cost) * t.discount(),
}
LOW: Mapping[str, Formula] = {
    "standard": lambda t: t.standard,
    "cost": lambda t: t.valued(t.cost),
    "share_of_standard": lambda t: t.standard * t.ratio,
    "share_of_base": lambda t: t.base * t.ratio,
    "share_by_group_mean": lambda t: t.base * (t.cost / t.mean),
    "incomplete_stay": lambda t: Limit(t.base, t.standard * (t.cost / t.mean), least=True),
}


@dataclass(frozen=True)
class Divisors:
    """What a cost may be compared with, in yuan, asked for where a choice has it."""

    standard: Callable[[], Expr]
    adjustment: Callable[[], Expr]
    group_mean: Callable[[], Expr]
    mean: Callable[[], Expr]  # of all cases
    weight: Callable[[], Expr]
    coefficient: Callable[[], Expr]
    level_mean: Callable[[], Expr]
    last_year_level_mean: Callable[[], Expr]


DENOMINATORS: Mapping[str, Callable[[Divisors], Expr]] = {
    "standard": lambda d: d.standard(),
    "group_mean": lambda d: d.group_mean(),
    "mean_by_weight": lambda d: d.mean() * d.weight(),
    "mean_by_weight_and_coefficient": lambda d: d.mean() * d.weight() * d.coefficient(),
    "level_mean": lambda d: d.level_mean(),
    "last_year_level_mean": lambda d: d.last_year_level_mean(),
    "adjusted_standard": lambda d: d.standard() * d.adjustment(),
}

# S standard, B base, k coefficient, C cost, D denominator, M mean of the group, θ limit, d discount
_S, _B, _K, _C, _D, _M = map(Field, "SBkCDM")
LETTERS = Terms(_S, _B, _K, _C, _D, _M, lambda: Field("θ"), lambda: Field("d"), lambda cost: cost)


def _named(zh: str, en: str) -> Callable[[], Expr]:
    return lambda: Field(en, 0, zh, en)


IN_WORDS = Divisors(
    _named("支付标准（点数×预算点值）", "the standard (points × budget point value)"),
    _named("调节系数", "adjustment"),
    _named("病组例均费用", "mean cost of the group"),
    _named("全部病例例均费用", "mean cost of all cases"),
    _named("权重", "weight"),
    _named("系数", "coefficient"),
    _named("同级别病组例均费用", "mean cost of the group at the level"),
    _named("上年度同级别病组例均费用", "last year's mean cost of the group at the level"),
)


def in_words(denominator: str, lang: str) -> str:
    """A choice of ``ratio_denominator`` as the documentation shows it."""
    return DENOMINATORS[denominator](IN_WORDS).show(lang)


def in_letters(formula: Formula, lang: str = "en") -> str:
    """A formula as the documentation shows it; costs count as they are, in the unit of the case values."""
    return formula(LETTERS).show(lang)
