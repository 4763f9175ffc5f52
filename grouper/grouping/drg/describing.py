"""A condition in the words of the field, Chinese or English."""

from __future__ import annotations

from grouper.grouping import words
from grouper.grouping.drg.compile import FIELDS, WEIGHTS
from grouper.grouping.drg.conditions import (
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

SUBJECTS = {
    "principal_dx": ("主要诊断", "principal diagnosis"),
    "other_dx": ("其他诊断", "an other diagnosis"),
    "any_dx": ("任一诊断", "any diagnosis"),
    "principal_proc": ("主要手术操作", "main procedure"),
    "other_proc": ("其他手术操作", "an other procedure"),
    "any_proc": ("任一手术操作", "any procedure"),
}
NONE_OF = {
    "other_dx": ("没有其他诊断", "no other diagnosis"),
    "any_dx": ("没有诊断", "no diagnosis"),
    "other_proc": ("没有其他手术操作", "no other procedure"),
    "any_proc": ("没有手术操作", "no procedure"),
}
NUMBERS = {
    **{name: words.NUMBERS[column] for name, column in FIELDS.items() if column in words.NUMBERS},
    "admission weight": words.NUMBERS[WEIGHTS["admission"]],
    "injured_sites": ("损伤部位数", "injured body sites"),
}
_OPERATORS = {"<": "＜", "<=": "≤", ">": "＞", ">=": "≥", "=": "＝"}


def describe(condition: Condition, lang: str, weight: str = "birth") -> str:
    """A condition in the words of the field; ``weight``: "birth" or "admission", as the scheme reads it."""
    zh = lang != "en"
    index = 0 if zh else 1
    match condition:
        case Const(value):
            return ("无附加条件" if zh else "always") if value else ("不成立" if zh else "never")
        case And(items):
            return ("，且" if zh else " and ").join(_inner(item, lang, weight) for item in items)
        case Or(items):
            return ("，或" if zh else " or ").join(_inner(item, lang, weight) for item in items)
        case Not(In(subject, name)):
            if subject.startswith("principal"):
                return f"{SUBJECTS[subject][index]}{'不在 ' if zh else ' not in '}{name}"
            none = NONE_OF[subject][index]
            return f"{none}{'在 ' if zh else ' in '}{name}"
        case Not(item):
            return ("非" if zh else "not ") + _inner(item, lang, weight)
        case In(subject, name):
            return f"{SUBJECTS[subject][index]}{'在 ' if zh else ' in '}{name}"
        case Count(subject, name, op, value):
            subject_text = SUBJECTS[subject][index]
            if zh:
                return f"{subject_text}中属于 {name} 的不同编码数{_OPERATORS[op]}{value}"
            return f"number of different codes of {name} ({subject_text}) {op} {value}"
        case NoProcedure():
            return "没有手术操作" if zh else "no procedure"
        case Severity(level):
            word = level.upper()
            return (
                f"有未被排除的 {word}"
                if zh
                else f"{'an' if word == 'MCC' else 'a'} {word} that is not excluded"
            )
        case Compare(name, op, value):
            named = NUMBERS[_number(name, weight)][index]
            return f"{named}{_OPERATORS[op] if zh else f' {op} '}{value}"
        case Department(text):
            return f"科室为“{text}”" if zh else f"department is {text!r}"
        case Discharge(ways):
            return ("离院方式为 " if zh else "way of discharge ") + "/".join(map(str, ways))
    raise TypeError(condition)


def _number(name: str, weight: str) -> str:
    return "admission weight" if name == "weight" and weight == "admission" else name


def _inner(condition: Condition, lang: str, weight: str) -> str:
    text = describe(condition, lang, weight)
    if not isinstance(condition, And | Or):
        return text
    return f"({text})" if lang == "en" else f"（{text}）"
