"""The syntax tree of a condition, and how trees are joined."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

SUBJECTS = ("principal_dx", "other_dx", "any_dx", "principal_proc", "other_proc", "any_proc")
NUMBERS = ("sex", "age", "age_days", "weight", "los", "icu_hours", "injured_sites")
OPERATORS = ("<", "<=", ">", ">=", "=")


@dataclass(frozen=True, slots=True)
class Const:
    """Holds always, or never."""

    value: bool


@dataclass(frozen=True, slots=True)
class In:
    """Some code at the positions of ``subject`` is in the list."""

    subject: str
    list: str


@dataclass(frozen=True, slots=True)
class Count:
    """The number of different codes at the positions of ``subject`` in the list."""

    subject: str
    list: str
    op: str
    value: int


@dataclass(frozen=True, slots=True)
class NoProcedure:
    """The record has no procedure."""


@dataclass(frozen=True, slots=True)
class Severity:
    """Some other diagnosis is an MCC (a CC) that the principal diagnosis does not exclude."""

    level: str  # "mcc" or "cc"


@dataclass(frozen=True, slots=True)
class Compare:
    """A number of the record against a whole number; a missing number fails every comparison."""

    field: str
    op: str
    value: int


@dataclass(frozen=True, slots=True)
class Department:
    """The department code equals the text."""

    text: str


@dataclass(frozen=True, slots=True)
class Discharge:
    """The way of discharge is one of the numbers."""

    ways: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Not:
    item: Condition


@dataclass(frozen=True, slots=True)
class And:
    items: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    items: tuple[Condition, ...]


Atom = Const | In | Count | NoProcedure | Severity | Compare | Department | Discharge
Condition = Atom | Not | And | Or

TRUE = Const(True)
FALSE = Const(False)


def conjunction(*items: Condition) -> Condition:
    """All of ``items``; nested conjunctions are flattened and constants folded."""
    flat: list[Condition] = []
    for item in items:
        parts = item.items if isinstance(item, And) else (item,)
        for part in parts:
            if part == FALSE:
                return FALSE
            if part != TRUE and part not in flat:
                flat.append(part)
    return And(tuple(flat)) if len(flat) > 1 else flat[0] if flat else TRUE


def disjunction(*items: Condition) -> Condition:
    """Some of ``items``; nested disjunctions are flattened and constants folded."""
    flat: list[Condition] = []
    for item in items:
        parts = item.items if isinstance(item, Or) else (item,)
        for part in parts:
            if part == TRUE:
                return TRUE
            if part != FALSE and part not in flat:
                flat.append(part)
    return Or(tuple(flat)) if len(flat) > 1 else flat[0] if flat else FALSE


def negation(item: Condition) -> Condition:
    """The opposite of ``item``."""
    if isinstance(item, Const):
        return Const(not item.value)
    return item.item if isinstance(item, Not) else Not(item)


def atoms(condition: Condition) -> Iterator[Atom]:
    """Every atom of the tree, from left to right."""
    if isinstance(condition, And | Or):
        for item in condition.items:
            yield from atoms(item)
    elif isinstance(condition, Not):
        yield from atoms(condition.item)
    else:
        yield condition


def lists_of(condition: Condition) -> set[str]:
    """Names of the code lists that the condition uses."""
    return {atom.list for atom in atoms(condition) if isinstance(atom, In | Count)}
