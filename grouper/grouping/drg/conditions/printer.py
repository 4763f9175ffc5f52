"""Conditions as text, in the plain notation and in that of the official workbook."""

from __future__ import annotations

from collections.abc import Callable

from grouper.grouping.drg.conditions.tree import (
    TRUE,
    And,
    Compare,
    Condition,
    Const,
    Count,
    Department,
    Discharge,
    In,
    NoProcedure,
    Not,
    Or,
    Severity,
)


def to_text(condition: Condition) -> str:
    """The condition in the plain notation; ``parse`` gives the same tree back."""
    return _print(condition, _plain_atom, 0)


def to_workbook(condition: Condition) -> str:
    """The condition in the notation of the official 3.0 workbook, as far as that can say it.

    Stay, ICU hours, department, discharge way and injured sites, which the official
    notation lacks, stay in the plain notation; ``parse`` reads the mixture.
    """
    return "" if condition == TRUE else _print(condition, _workbook_atom, 0)


def _print(condition: Condition, atom: Callable[[Condition, bool], str], level: int) -> str:
    """``level`` 1 inside an "and", 2 inside a "not": where parentheses are needed."""
    if isinstance(condition, Or):
        text = " or ".join(_print(item, atom, 0) for item in condition.items)
        return f"({text})" if level else text
    if isinstance(condition, And):
        text = " and ".join(_print(item, atom, 1) for item in condition.items)
        return f"({text})" if level > 1 else text
    if isinstance(condition, Not):
        return atom(condition.item, True) or f"not {_print(condition.item, atom, 2)}"
    return atom(condition, False)


def _plain_atom(condition: Condition, negative: bool) -> str:
    """The atom as text; an empty text when it has no negative form of its own."""
    if isinstance(condition, In):
        if negative and condition.subject == "any_proc":
            return f"no_proc in {condition.list}"
        return f"{condition.subject} {'not in' if negative else 'in'} {condition.list}"
    if negative:
        return ""
    match condition:
        case Const(value):
            return "true" if value else "false"
        case Count(subject, name, op, value):
            return f"count({subject} in {name}) {op} {value}"
        case NoProcedure():
            return "no_proc"
        case Severity(level):
            return level
        case Compare(field, op, value):
            return f"{field} {op} {value}"
        case Department(text):
            return f"dept = '{text}'"
        case Discharge(ways):
            return f"discharge in ({','.join(map(str, ways))})"
    raise TypeError(condition)


_TO_WORKBOOK = {
    "principal_dx": "ZYZD",
    "other_dx": "QTZD",
    "any_dx": "{ZYZD, QTZD}",
    "principal_proc": "ZYSS",
    "other_proc": "QTSS",
    "any_proc": "{ZYSS, QTSS}",
    "age": "NL",
    "age_days": "XSRTL",
    "weight": "XSRTZ",
    "sex": "XB",
}


def _workbook_atom(condition: Condition, negative: bool) -> str:
    match condition:
        case In(subject, name):
            return f"{_TO_WORKBOOK[subject]} {'not in' if negative else 'in'} {name}"
        case _ if negative:
            return ""
        case Severity(level):
            return f"QTZD in {level.upper()}"
        case Count(subject, name, op, value):
            return f"length({name} ∩ {_TO_WORKBOOK[subject]}) {op} {value}"
        case Compare(field, op, value) if field in _TO_WORKBOOK:
            return f"{_TO_WORKBOOK[field]} {op} {value}"
    return _plain_atom(condition, negative)
