"""A policy on one day, ready to price single cases: its steps, its limits and its tables, made once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from grouper.base.kept import Kept
from grouper.payment.formula.expression import Expr
from grouper.payment.price.build import build, limits
from grouper.payment.price.compile import evaluate
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


_KEPT: Kept[tuple[str, date], Plan] = Kept(256)


def plan_of(policy: Policy, day: date) -> Plan:
    """The plan of a policy on a day. Raises UsageError when it does not apply on it."""
    return _KEPT.get((policy.digest, day), lambda: _plan(policy, day))


def _plan(policy: Policy, day: date) -> Plan:
    values = policy.on(day)
    steps = tuple(build(policy, values))
    return Plan(policy, day, steps, limits(policy, values), lookups_of(policy))
