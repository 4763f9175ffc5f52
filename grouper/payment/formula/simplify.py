"""Formulas as they come out for one case: for telling, not for computing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from grouper.payment.formula.cited import Cited, choices, citing, said_by
from grouper.payment.formula.expression import (
    ZERO,
    Case,
    Expr,
    Field,
    Limit,
    Number,
    Product,
    Ratio,
    Rounded,
    Sum,
    Whole,
    walk,
)
from grouper.payment.formula.predicates import Compare, IsNull

_NEGATED = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}
# columns whose comparisons make an outlier, or decide about a review
_DECIDING = ("cost_considered", "high_rank", "review_rank")


def settle(expr: Expr, row: Mapping[str, Any], known: Mapping[str, Expr]) -> Expr:
    """The formula with every choice made for ``row``, columns that only carry a value replaced, and
    factors of 1 and amounts of 0 left out. Its value is the same, but for rounding at the end.

    What is left out, and the tests that made a choice, leave their citations to what stays."""
    if isinstance(expr, Rounded):
        return settle(expr.inner, row, known)
    if isinstance(expr, Case):
        test, value = expr.taken(row)
        settled = settle(value, row, known)
        return settled if test is None else citing(settled, said_by(test, row))
    if isinstance(expr, Cited):
        inner = settle(expr.inner, row, known)
        return Cited(inner, expr.parameter) if expr.counts(row) else inner
    if isinstance(expr, Field):
        return known.get(expr.name, expr)
    if isinstance(expr, Sum | Product):
        left, right = settle(expr.left, row, known), settle(expr.right, row, known)
        return _sum(left, right, expr.minus) if isinstance(expr, Sum) else _product(left, right)
    if isinstance(expr, Ratio | Limit | Compare):
        return replace(expr, left=settle(expr.left, row, known), right=settle(expr.right, row, known))
    if isinstance(expr, Whole | IsNull):
        return replace(expr, inner=settle(expr.inner, row, known))
    return expr


def _sum(left: Expr, right: Expr, minus: bool) -> Expr:
    if _constant(right, 0):
        return citing(left, choices(right))
    return citing(right, choices(left)) if _constant(left, 0) and not minus else Sum(left, right, minus)


def _product(left: Expr, right: Expr) -> Expr:
    for one, other in ((left, right), (right, left)):
        if _constant(one, 0):
            return citing(ZERO, choices(one))
        if _constant(one, 1):
            return citing(other, choices(one))
    return Product(left, right)


def _constant(expr: Expr, amount: int) -> bool:
    expr = expr.bare()
    return isinstance(expr, Number) and not expr.parameter and expr.amount == amount


def tests(expr: Expr, row: Mapping[str, Any]) -> Iterator[Expr]:
    """The tests that led to the branches of a formula that ``row`` takes."""
    if isinstance(expr, Case):
        test, value = expr.taken(row)
        if test is not None:
            yield test
        yield from tests(value, row)
    else:
        for part in expr.parts():
            yield from tests(part, row)


def empty_tested(test: Expr) -> Iterator[str]:
    """The columns that a test asks to be empty, denied or not."""
    for part in walk(test):
        if isinstance(part, IsNull) and isinstance(part.inner, Field):
            yield part.inner.name


def deciding(expr: Expr, row: Mapping[str, Any]) -> Iterator[Expr]:
    """The comparisons of costs and ranks on the way to a text value, turned so that they hold."""
    expr = expr.bare()
    if not isinstance(expr, Case):
        return
    for test, value in expr.branches:
        held = test.value(row)
        for compare, cites in _comparisons(test, ()):
            true = compare.value(row)
            if true is not None and (true or not held):
                told: Expr = compare if true else replace(compare, sign=_NEGATED[compare.sign])
                for cited in cites:
                    told = replace(cited, inner=told)
                yield told
        if held:
            yield from deciding(value, row)
            return
    yield from deciding(expr.otherwise, row)


def _comparisons(test: Expr, cites: tuple[Cited, ...]) -> Iterator[tuple[Compare, tuple[Cited, ...]]]:
    """The deciding comparisons of a test, with what is cited around them, the innermost first."""
    if isinstance(test, Cited):
        yield from _comparisons(test.inner, (test, *cites))
    elif isinstance(test, Compare):
        if isinstance(test.left, Field) and test.left.name in _DECIDING:
            yield test, cites
    else:
        for part in test.parts():
            yield from _comparisons(part, cites)
