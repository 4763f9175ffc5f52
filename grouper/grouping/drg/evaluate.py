"""Conditions evaluated one record at a time, in plain Python: the meaning of the language.

The explanation uses it to say why a condition holds or fails; the tests use it to check
the kernel. Truth has three values: a test on a missing number is unknown (None), an
"and" with something false is false all the same, an "or" with something true is true.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

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
from grouper.grouping.drg.tables.model import Scheme

Truth = bool | None
_OPERATORS: dict[str, Callable[[float, int], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
}


@dataclass(frozen=True)
class SeverityHit:
    """An other diagnosis that is an MCC or CC, and whether the principal diagnosis excludes it."""

    code: str
    levels: frozenset[str]
    table: str
    excluded: bool


@dataclass(frozen=True)
class Case:
    """One record in official codes. ``numbers`` holds those of ``compile.FIELDS`` that are known."""

    diagnoses: tuple[str, ...]
    procedures: tuple[str, ...]
    numbers: Mapping[str, float] = field(default_factory=dict)
    department: str | None = None

    @property
    def principal(self) -> str:
        return self.diagnoses[0]

    def at(self, subject: str) -> Sequence[str]:
        """The codes at the positions of a subject such as ``other_dx``."""
        where, kind = subject.split("_")
        codes = self.diagnoses if kind == "dx" else self.procedures
        return codes[:1] if where == "principal" else codes[1:] if where == "other" else codes

    def with_only(self, procedure: str) -> Case:
        """The same record with one procedure (the retry rule of some schemes)."""
        return replace(self, procedures=(procedure,))


def severity_hits(scheme: Scheme, case: Case) -> list[SeverityHit]:
    """Every diagnosis that could count as MCC or CC, in order."""
    others = case.diagnoses[1:] if scheme.options.severity_from_other_diagnoses_only else case.diagnoses
    hits = []
    for code in others:
        if code in scheme.complications:
            levels, table = scheme.complications[code]
            excluded = case.principal in scheme.exclusions.get(table, ())
            hits.append(SeverityHit(code, levels, table, excluded))
    return hits


class Evaluator:
    """Conditions of a scheme against one record."""

    def __init__(self, scheme: Scheme, case: Case) -> None:
        self.scheme = scheme
        self.case = case
        self.hits = severity_hits(scheme, case)
        self.levels = {level for hit in self.hits if not hit.excluded for level in hit.levels}
        # An explanation asks for each condition several times; the condition keeps its id.
        self._truths: dict[int, tuple[Condition, Truth]] = {}

    def holds(self, condition: Condition) -> Truth:
        """True, False, or None when a missing number decides."""
        known = self._truths.get(id(condition))
        if known is None:
            known = self._truths[id(condition)] = (condition, self._holds(condition))
        return known[1]

    def _holds(self, condition: Condition) -> Truth:
        case = self.case
        match condition:
            case In(subject, name):
                return not self.scheme.lists[name].isdisjoint(case.at(subject))
            case And(items):
                return self._all(items)
            case Or(items):
                return self._any(items)
            case Not(item):
                inner = self.holds(item)
                return None if inner is None else not inner
            case Const(value):
                return value
            case Count(subject, name, op, value):
                return _OPERATORS[op](len(self.scheme.lists[name] & set(case.at(subject))), value)
            case NoProcedure():
                return not case.procedures
            case Severity(level):
                return level.upper() in self.levels
            case Compare("injured_sites", op, value):
                return _OPERATORS[op](self.injured_sites, value)
            case Compare(name, op, value):
                number = self.number(name)
                return None if number is None else _OPERATORS[op](number, value)
            case Department(text):
                return None if case.department is None else case.department == text
            case Discharge(ways):
                way = self.number("discharge")
                return None if way is None else way in ways
        raise TypeError(condition)

    def number(self, name: str) -> float | None:
        """A number of the record; a weight of 0 is a missing one."""
        value = self.case.numbers.get(name)
        return None if name == "weight" and value == 0 else value

    @cached_property
    def injured_sites(self) -> int:
        """How many body sites (lists MDCZ.site.*) hold a diagnosis of the record."""
        diagnoses = set(self.case.diagnoses)
        return sum(not self.scheme.lists[name].isdisjoint(diagnoses) for name in self.scheme.sites)

    def failing(self, condition: Condition) -> list[Condition]:
        """The parts that keep a condition from holding; empty when it holds."""
        if self.holds(condition):
            return []
        if isinstance(condition, And):
            return [part for item in condition.items for part in self.failing(item)]
        return [condition]

    def _all(self, items: Sequence[Condition]) -> Truth:
        truth: Truth = True
        for item in items:
            held = self.holds(item)
            if held is False:
                return False
            truth = held if held is None else truth
        return truth

    def _any(self, items: Sequence[Condition]) -> Truth:
        truth: Truth = False
        for item in items:
            held = self.holds(item)
            if held:
                return True
            truth = held if held is None else truth
        return truth
