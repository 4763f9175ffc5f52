"""The conditions of a route: ``when.COLUMN = [values]`` or a range, joined by "and"."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from grouper.base.errors import TableError
from grouper.base.exact import decimal_of
from grouper.payment.formula.expression import Expr, Field, Number
from grouper.payment.formula.predicates import All, Any_, AnyPrefix, Compare, OneOf

# Name in ``when`` -> (column of the case table, how it is tested).
WHEN = {
    "los_days": ("los_days", "range"),
    "age_years": ("age_years", "range"),
    "total_cost": ("total_cost", "amount"),
    "admission_type": ("admission_type", "words"),
    "department": ("department", "words"),
    "discharge_way": ("discharge_way", "whole"),
    "insurance_type": ("insurance_type", "words"),
    "hospital_level": ("hospital_level", "words"),
    "hospital_code": ("hospital_code", "words"),
    "hospital_kind": ("hospital_kind", "words"),
    "group": ("group", "words"),
    "group_prefix": ("group", "prefix"),
    "status": ("status", "words"),
    "kind": ("dip_kind", "words"),
    "principal_prefix": ("principal", "prefix"),
    "diagnosis_prefix": ("diagnoses", "any"),
    "procedure_prefix": ("procedures", "any"),
    "tcm_pathway": ("tcm_pathway", "words"),
    "payment_method": ("payment_method", "words"),
}
_RANGE = {"above": ">", "at_least": ">=", "below": "<", "at_most": "<="}


def when_data(raw: Any) -> Any:
    """A ``when`` that ``read_when`` takes as data for a digest: words as texts, limits as numbers."""
    if isinstance(raw, list):
        return [when_data(item) for item in raw]
    found: dict[str, Any] = {}
    for name, value in raw.items():
        if WHEN[name][1] in ("range", "amount"):
            found[name] = {key: _limit(limit, name) for key, limit in value.items()}
        else:
            found[name] = [str(word) for word in value]
    return found


def read_when(raw: Any, where: str) -> tuple[Expr, frozenset[str]]:
    """The test of a route's ``when``, and the columns that it reads.

    ``when`` is a table of conditions (all hold), or a list of such tables (one holds).
    Raises TableError naming the route and the condition.
    """
    if isinstance(raw, list):
        tests = [read_when(item, where) for item in raw]
        return Any_(tuple(t for t, _ in tests)), frozenset().union(*(c for _, c in tests))
    if not isinstance(raw, Mapping) or not raw:
        raise TableError(zh=f"{where}：when 为空", en=f"{where}: when is empty")
    found = [_test(name, value, where) for name, value in raw.items()]
    return All(tuple(found)), frozenset(WHEN[name][0] for name in raw)


def _test(name: str, value: Any, where: str) -> Expr:
    if name not in WHEN:
        raise TableError(
            zh=f"{where}：when.{name} 不认识；可用 {'、'.join(WHEN)}",
            en=f"{where}: unknown when.{name}; there are {', '.join(WHEN)}",
        )
    column, kind = WHEN[name]
    if kind in ("range", "amount"):
        return _range(name, column, 2 if kind == "amount" else 0, value, where)
    if not isinstance(value, list) or not value:
        raise TableError(zh=f"{where}：when.{name} 应为列表", en=f"{where}: when.{name} should be a list")
    if kind == "whole":
        here = f"{where}: when.{name}"
        return Any_(tuple(Compare(Field(column), "=", Number(_limit(v, here))) for v in value))
    words = tuple(str(v) for v in value)
    if kind == "any":
        return AnyPrefix(column, words)
    return OneOf(column, words, prefix=kind == "prefix")


def _range(name: str, column: str, digits: int, value: Any, where: str) -> Expr:
    if not isinstance(value, Mapping) or not value or set(value) - set(_RANGE):
        raise TableError(
            zh=f"{where}：when.{name} 应为 {{ {' | '.join(_RANGE)} = 数 }}",
            en=f"{where}: when.{name} should be {{ {' | '.join(_RANGE)} = number }}",
        )
    here = f"{where}: when.{name}"
    return All(
        tuple(
            Compare(Field(column, digits), _RANGE[key], Number(_limit(limit, here)))
            for key, limit in value.items()
        )
    )


def _limit(value: Any, where: str) -> Decimal:
    """A number of a condition, as the file writes it."""
    number = (
        None if isinstance(value, bool) else decimal_of(str(value) if isinstance(value, float) else value)
    )
    if number is None:
        raise TableError(zh=f"{where}：{value!r} 不是数", en=f"{where}: {value!r} is no number")
    return number
