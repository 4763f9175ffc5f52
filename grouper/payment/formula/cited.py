"""What a choice of the policy selected cites that choice, as a number cites the parameter it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from grouper.payment.formula.expression import Expr, Number, Row
from grouper.payment.formula.predicates import Not
from grouper.payment.formula.quotient import Integer, Quotient


@dataclass(frozen=True)
class Cited(Expr):
    """``inner``, as the parameter ``parameter`` has it: a formula, a test or a word chosen by its value.

    Nothing but the citation is added: SQL, numbers and texts are those of ``inner``. Where the choice is
    that something stays away, no branch is there to carry it: ``when`` then says for which cases it had
    a say (None: wherever ``inner`` counts). ``when`` is only for telling; it is no part of the formula.
    """

    inner: Expr
    parameter: str
    when: Expr | None = None

    def parts(self) -> Sequence[Expr]:
        return (self.inner,)

    def bare(self) -> Expr:
        return self.inner.bare()

    def number(self) -> Quotient:
        return self.inner.number()

    def rounded(self, digits: int) -> Integer:
        return self.inner.rounded(digits)

    def sql(self) -> str:
        return self.inner.sql()

    def value(self, row: Row) -> Any:
        return self.inner.value(row)

    def show(self, lang: str, row: Row | None = None) -> str:
        return self.inner.show(lang, row)

    def counts(self, row: Row) -> bool:
        """Whether the choice had a say in a case."""
        return self.when is None or bool(self.when.value(row))


def citing(expr: Expr, parameters: Iterable[str]) -> Expr:
    """The formula with citations around it, each once."""
    for name in dict.fromkeys(parameters):
        expr = Cited(expr, name)
    return expr


def choices(expr: Expr) -> Iterator[str]:
    """The parameters cited around a formula, the innermost first."""
    if isinstance(expr, Cited):
        yield from choices(expr.inner)
        yield expr.parameter


def said_by(test: Expr, row: Row) -> Iterator[str]:
    """The parameters of a test that holds, the choices among them where they had a say.

    What stands in a ``Not`` had none: it did not hold.
    """
    if isinstance(test, Not):
        return
    if isinstance(test, Number) and test.parameter:
        yield test.parameter
    for part in test.parts():
        yield from said_by(part, row)
    if isinstance(test, Cited) and test.counts(row):
        yield test.parameter
