"""Numbers of a case that depend on the other cases of the same run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from grouper.payment.formula.expression import Expr, Field, Row, fraction


@dataclass(frozen=True)
class Rank(Expr):
    """1 for the largest ``order`` among the rows of the same ``within`` that pass ``test``; else null.

    Ties go by record_id. For a single case the rank is what its row says (column ``name``); without,
    the case is taken as first. In SQL the ranked rows are few: compile.query ranks them apart.
    """

    name: str
    within: tuple[str, ...]
    test: Expr
    order: Field

    def parts(self) -> Sequence[Expr]:
        return self.test, self.order

    def value(self, row: Row) -> Fraction | None:
        if not self.test.value(row):
            return None
        return fraction(row.get(self.name)) or Fraction(1)

    def show(self, lang: str, row: Row | None = None) -> str:
        return "排序" if lang == "zh" else "rank"
