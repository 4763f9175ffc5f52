"""What follows from a condition: rows that can never hold, and rows that an earlier row takes.

The reasoning is syntactic and safe: ``True`` is certain, ``False`` means "not shown".
Missing numbers fail every comparison, so ``not (age < 17)`` is never read as ``age >= 17``.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

from grouper.grouping.drg.conditions import (
    And,
    Compare,
    Condition,
    Const,
    Count,
    Discharge,
    In,
    NoProcedure,
    Not,
    Or,
    negation,
)

Codes = Mapping[str, frozenset[str]]
Bound = tuple[int, int]  # value and -1, 0, 1: just below, at, just above it

MOST_CLAUSES = 64
PRINCIPAL = ("principal_dx", "principal_proc")
_LOWEST: Bound = (-(10**9), 0)
_HIGHEST: Bound = (10**9, 0)
_NONE: frozenset[str] = frozenset()


def clauses(condition: Condition) -> list[tuple[Condition, ...]]:
    """The condition as alternatives, each a conjunction of atoms and negated atoms.

    With more than ``MOST_CLAUSES`` alternatives a part stays together as one literal.
    """
    condition = _push(condition)
    if isinstance(condition, Or):
        parts = [clause for item in condition.items for clause in clauses(item)]
        return parts if len(parts) <= MOST_CLAUSES else [(condition,)]
    if isinstance(condition, And):
        choices = [clauses(item) for item in condition.items]
        size = 1
        for choice in choices:
            size *= len(choice)
        if size > MOST_CLAUSES:
            return [condition.items]
        return [tuple(dict.fromkeys(sum(pick, ()))) for pick in product(*choices)]
    return [] if condition == Const(False) else [()] if condition == Const(True) else [(condition,)]


def _push(condition: Condition) -> Condition:
    """A negation moved inside "and" and "or"."""
    if isinstance(condition, Not) and isinstance(condition.item, And):
        return Or(tuple(negation(item) for item in condition.item.items))
    if isinstance(condition, Not) and isinstance(condition.item, Or):
        return And(tuple(negation(item) for item in condition.item.items))
    return condition


class Facts:
    """What is certain about a record for which every literal of a clause holds."""

    def __init__(self, clause: tuple[Condition, ...], lists: Codes) -> None:
        self.literals = clause
        self.known = frozenset(clause)
        self.lists = lists
        self.principal: dict[str, frozenset[str]] = {}
        self.ranges: dict[str, tuple[Bound, Bound]] = {}
        for literal in clause:
            if isinstance(literal, In) and literal.subject in PRINCIPAL:
                codes = self.codes(literal.list)
                old = self.principal.get(literal.subject)
                self.principal[literal.subject] = codes if old is None else old & codes
            elif isinstance(literal, Compare):
                self.ranges[literal.field] = _meet(self.range(literal.field), _range(literal))
        for literal in clause:
            match literal:
                case Not(In(subject, name)):
                    for place in self.principal:
                        if _part(place, subject):
                            self.principal[place] -= self.codes(name)

    def codes(self, name: str) -> frozenset[str]:
        return self.lists.get(name, _NONE)

    def range(self, field: str) -> tuple[Bound, Bound]:
        return self.ranges.get(field, (_LOWEST, _HIGHEST))

    def impossible(self) -> bool:
        """Whether no record can satisfy the clause."""
        return any(self.refutes(literal) for literal in self.literals)

    def proves(self, condition: Condition) -> bool:
        """Whether ``condition`` certainly holds."""
        if condition in self.known:
            return True
        match condition:
            case Const(value):
                return value
            case And(items):
                return all(map(self.proves, items))
            case Or(items):
                return any(map(self.proves, items))
            case Not(item):
                return self.refutes(item)
            case In(subject, name):
                return self._proves_in(subject, name, 1)
            case Count(subject, name, op, value):
                return op in (">", ">=") and self._proves_in(subject, name, value + (op == ">"))
            case Compare(field):
                return field in self.ranges and _inside(self.ranges[field], _range(condition))
            case Discharge(ways):
                return any(isinstance(x, Discharge) and set(x.ways) <= set(ways) for x in self.literals)
        return False

    def _proves_in(self, subject: str, name: str, number: int) -> bool:
        """Whether at least ``number`` codes at ``subject`` are in the list."""
        codes = self.codes(name)
        if number <= 1:
            for place, possible in self.principal.items():
                if _part(place, subject) and possible <= codes:
                    return True
        for literal in self.literals:
            match literal:
                case In(other, listed) if number <= 1 and _part(other, subject):
                    if self.codes(listed) <= codes:
                        return True
                case Count(other, listed, op, value) if op in (">", ">=", "="):
                    enough = value + (op == ">") >= number
                    if enough and _part(other, subject) and self.codes(listed) <= codes:
                        return True
        return number <= 0

    def refutes(self, condition: Condition) -> bool:
        """Whether ``condition`` certainly fails."""
        if negation(condition) in self.known:
            return True
        match condition:
            case Const(value):
                return not value
            case And(items):
                return any(map(self.refutes, items))
            case Or(items):
                return all(map(self.refutes, items))
            case Not(item):
                return self.proves(item)
            case In(subject, name):
                return self._refutes_in(subject, name)
            case Compare(field):
                low, high = _meet(self.range(field), _range(condition))
                return low > high
            case NoProcedure():
                return any(isinstance(x, In) and x.subject.endswith("proc") for x in self.literals)
        return False

    def _refutes_in(self, subject: str, name: str) -> bool:
        codes = self.codes(name)
        if not codes or (subject.endswith("proc") and NoProcedure() in self.known):
            return True
        if subject in self.principal and self.principal[subject].isdisjoint(codes):
            return True
        for literal in self.literals:
            match literal:
                case Not(In(other, listed)) if _part(subject, other) and codes <= self.codes(listed):
                    return True
        return False


def facts_of(condition: Condition, lists: Codes) -> list[Facts]:
    """The alternatives of a condition that some record can satisfy; none when it can never hold."""
    alternatives = (Facts(clause, lists) for clause in clauses(condition))
    return [facts for facts in alternatives if not facts.impossible()]


def implies(condition: Condition, other: Condition, lists: Codes) -> bool:
    """Whether ``other`` certainly holds whenever ``condition`` does."""
    return all(facts.proves(other) for facts in facts_of(condition, lists))


def _part(subject: str, whole: str) -> bool:
    """Whether the positions of ``subject`` are among those of ``whole``."""
    return subject == whole or (whole.startswith("any_") and subject.endswith(whole[3:]))


def _range(test: Compare) -> tuple[Bound, Bound]:
    value = test.value
    return {
        "<": (_LOWEST, (value, -1)),
        "<=": (_LOWEST, (value, 0)),
        ">": ((value, 1), _HIGHEST),
        ">=": ((value, 0), _HIGHEST),
        "=": ((value, 0), (value, 0)),
    }[test.op]


def _meet(a: tuple[Bound, Bound], b: tuple[Bound, Bound]) -> tuple[Bound, Bound]:
    return max(a[0], b[0]), min(a[1], b[1])


def _inside(a: tuple[Bound, Bound], b: tuple[Bound, Bound]) -> bool:
    return a[0] >= b[0] and a[1] <= b[1]
