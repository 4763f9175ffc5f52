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

# S standard, B base, k coefficient, C cost, D denominator, M mean of the group, θ limit, d discount
_S, _B, _K, _C, _D, _M = map(Field, "SBkCDM")
LETTERS = Terms(_S, _B, _K, _C, _D, _M, lambda: Field("θ"), lambda: Field("d"), lambda cost: cost)


def in_letters(formula: Formula) -> str:
    """A formula as the documentation shows it; costs count as they are, in the unit of the case values."""
    return formula(LETTERS).show("en")
