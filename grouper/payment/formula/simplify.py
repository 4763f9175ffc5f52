"""Formulas as they come out for one case: for telling, not for computing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from grouper.payment.formula.expression import (
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
from grouper.payment.price.steps import ZERO

_NEGATED = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_DECIDING = ("cost_considered", "high_rank")  # columns whose comparisons make an outlier


def settle(expr: Expr, row: Mapping[str, Any], known: Mapping[str, Expr]) -> Expr:
    """The formula with every choice made for ``row``, columns that only carry a value replaced, and
    factors of 1 and amounts of 0 left out. Its value is the same, but for rounding at the end."""
    if isinstance(expr, Rounded):
        return settle(expr.inner, row, known)
    if isinstance(expr, Case):
        return settle(expr.chosen(row), row, known)
    if isinstance(expr, Field):
        return known.get(expr.name, expr)
    if isinstance(expr, Sum | Product):
        left, right = settle(expr.left, row, known), settle(expr.right, row, known)
        if isinstance(expr, Sum):
            if _constant(right, 0):
                return left
            return right if _constant(left, 0) and not expr.minus else Sum(left, right, expr.minus)
        if _constant(left, 0) or _constant(right, 0):
            return ZERO
        return right if _constant(left, 1) else left if _constant(right, 1) else Product(left, right)
    if isinstance(expr, Ratio | Limit | Compare):
        return replace(expr, left=settle(expr.left, row, known), right=settle(expr.right, row, known))
    if isinstance(expr, Whole | IsNull):
        return replace(expr, inner=settle(expr.inner, row, known))
    return expr


def _constant(expr: Expr, amount: int) -> bool:
    return isinstance(expr, Number) and not expr.parameter and expr.amount == amount


def deciding(expr: Expr, row: Mapping[str, Any]) -> Iterator[Compare]:
    """The comparisons of costs and ranks on the way to a text value, turned so that they hold."""
    if not isinstance(expr, Case):
        return
    for test, value in expr.branches:
        held = test.value(row)
        for part in walk(test):
            if isinstance(part, Compare) and isinstance(part.left, Field) and part.left.name in _DECIDING:
                true = part.value(row)
                if true is not None and (true or not held):
                    yield part if true else replace(part, sign=_NEGATED[part.sign])
        if held:
            yield from deciding(value, row)
            return
    yield from deciding(expr.otherwise, row)
