"""A policy on one day, ready to price single cases: its steps, its limits and its tables, made once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

from grouper.base.exact import floor
from grouper.base.kept import Kept
from grouper.payment.formula.expression import Expr, Field, Lookup, Number, walk
from grouper.payment.formula.predicates import AnyPrefix, Compare, OneOf
from grouper.payment.price.accepted import policy_words
from grouper.payment.price.build import build, limits
from grouper.payment.price.compile import evaluate
from grouper.payment.price.inputs import INPUTS, names_in
from grouper.payment.price.lookups import Lookups, lookups_of
from grouper.payment.price.steps import Step

if TYPE_CHECKING:
    from grouper.payment.policy.policy import Policy


@dataclass(frozen=True)
class Plan:
    """``limits``: the cost in yuan at which a case becomes "low", "high" or "extreme"."""

    policy: Policy
    day: date
    steps: tuple[Step, ...]
    limits: Mapping[str, Expr]
    lookups: Lookups

    def values(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The columns of one case. ``row``: its typed input columns, of which any may be None."""
        return evaluate(self.steps, row, self.lookups)

    @cached_property
    def words(self) -> Mapping[str, frozenset[str]]:
        """The words that the policy knows of each field (grouper.payment.price.accepted.policy_words)."""
        return policy_words(self.policy)

    @cached_property
    def keys(self) -> frozenset[str]:
        """The input columns by which the tables are looked into: each value may mean another number."""
        looked = (step.expr.keys for step in self.steps if isinstance(step.expr, Lookup))
        return frozenset(name for keys in looked for name in keys if name in INPUTS)

    @cached_property
    def asked(self) -> Mapping[str, tuple[Any, ...]]:
        """What the steps compare each input column with: words, beginnings of words, numbers and the whole
        numbers beside them. A column that is missing decides by these values and by any other one."""
        found: dict[str, set[Any]] = {}
        for part in (part for step in self.steps for part in walk(step.expr)):
            if isinstance(part, OneOf | AnyPrefix):
                found.setdefault(part.name, set()).update(part.words)
            elif (
                isinstance(part, Compare) and isinstance(part.left, Field) and isinstance(part.right, Number)
            ):
                limit = floor(Fraction(part.right.amount))
                found.setdefault(part.left.name, set()).update((limit - 1, limit, limit + 1))
        for name, known in self.words.items():
            if any(name in names_in(step.expr) for step in self.steps):
                found.setdefault(name, set()).update(known)
        return {name: tuple(sorted(values)) for name, values in found.items() if name in INPUTS}


_KEPT: Kept[tuple[str, date], Plan] = Kept(256)


def plan_of(policy: Policy, day: date) -> Plan:
    """The plan of a policy on a day. Raises UsageError when it does not apply on it."""
    return _KEPT.get((policy.digest, day), lambda: _plan(policy, day))


def _plan(policy: Policy, day: date) -> Plan:
    values = policy.on(day)
    steps = tuple(build(policy, values))
    return Plan(policy, day, steps, limits(policy, values), lookups_of(policy))
