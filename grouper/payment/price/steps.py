"""A policy on one day as an ordered list of columns: each a formula over the columns before it.

Order: routing → standard → coefficients → outliers → adjustments → case value → fund. Rounding
happens at the columns that say so (``digits``); ``standard`` in yuan, ``case_value`` and the amounts
are rounded, other products keep all their decimals within 8.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from grouper.payment.formula.expression import Bool, Expr, Field, Lookup, Rounded
from grouper.payment.formula.predicates import OneOf
from grouper.payment.formula.window import Rank
from grouper.payment.policy.digits import MOST_FACTOR, MOST_YUAN
from grouper.payment.policy.parameters import Values
from grouper.payment.policy.policy import Policy


@dataclass(frozen=True)
class Step:
    """A column of the priced case table.

    ``unit``: yuan, points, ratio, factor, share, days, or "" for texts. ``digits`` is None for texts,
    -1 for yes-or-no columns. ``zh``/``en``: its label in explanations and reports.
    """

    name: str
    expr: Expr
    unit: str
    digits: int | None
    zh: str
    en: str


@dataclass
class Context:
    """What the steps are built from: the policy on a day, and the columns so far."""

    policy: Policy
    values: Values
    steps: list[Step] = field(default_factory=list)
    fields: dict[str, Field] = field(default_factory=dict)
    hold_above: bool = True

    @property
    def in_points(self) -> bool:
        """Cases are valued in points (scores), not in yuan."""
        return self.policy.method != "drg_rate"

    @property
    def unit(self) -> str:
        return "points" if self.in_points else "yuan"

    @property
    def weight(self) -> Field:
        """The group's weight, with the decimals that its table has."""
        return Field("weight", self.policy.weight_digits, "权重", "weight", most=MOST_FACTOR)

    def add(self, name: str, expr: Expr, unit: str, digits: int | None, zh: str, en: str) -> Field:
        """Append a column; returns it as a number for later formulas."""
        column = Field(name, max(digits or 0, 0), zh, en)
        if digits is not None and digits >= 0:
            column = bounded(column, expr, unit)
            if not isinstance(expr, Lookup):
                expr = Rounded(expr, digits)
        self.steps.append(Step(name, expr, unit, digits, zh, en))
        self.fields[name] = column
        return column

    def field(self, name: str) -> Field:
        """A column that was added."""
        return self.fields[name]

    def text(self, name: str, expr: Expr, zh: str, en: str) -> None:
        self.add(name, expr, "", None, zh, en)

    def flag(self, name: str, expr: Expr, zh: str, en: str) -> Bool:
        self.add(name, expr, "", -1, zh, en)
        return Bool(name)

    def has(self, name: str) -> bool:
        return any(step.name == name for step in self.steps)


def bounded(column: Field, expr: Expr, unit: str) -> Field:
    """The column with what its formula tells of its size and of its decimals."""
    if unit in ("factor", "share"):
        column = replace(column, most=MOST_FACTOR)
    if isinstance(expr, Lookup | Rank):
        return column
    made = expr.number()
    if made.under:
        return column
    whole = (1 << made.bits) // 10**made.digits + 1
    return replace(column, most=min(column.most, whole), used=min(column.digits, made.digits))


def money(name: str, zh: str, en: str) -> Field:
    """An amount of the case table in yuan with fen."""
    return Field(name, 2, zh, en, most=MOST_YUAN)


TOTAL = money("total_cost", "总费用", "total cost")
COST = money("cost_considered", "计入费用", "cost considered")
POOL_PAID = money("pool_paid", "按项目统筹基金", "pool paid by item")
FUND_PAID = money("fund_paid", "按项目基金合计", "all funds by item")
LOS = Field("los_days", 0, "住院天数", "days of stay")
IS_GROUP = OneOf("method", ("group", "tcm"))
