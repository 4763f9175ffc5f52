"""What the formulas read, the explanation can cite: numbers, and what choices and flags selected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

import pytest
from case_files import policy_of, read_cases

from grouper.base.errors import TableError
from grouper.payment.formula.cited import Cited
from grouper.payment.formula.expression import Expr, Number
from grouper.payment.formula.predicates import Not
from grouper.payment.policy.policy import Policy, load_policy, policy_files
from grouper.payment.policy.registry import PARAMETERS
from grouper.payment.price.build import build
from grouper.payment.price.steps import Step

# Of the texts that the steps make, an explanation tells how these came about.
TOLD = ("method", "outlier_by_ratio", "outlier")
NOT_CITED: dict[str, str] = {}  # parameter: why no explanation of a case names it


def told(expr: Expr) -> Iterator[Expr]:
    """The formula and what is in it, but for what a test denies: that had no say."""
    if not isinstance(expr, Not):
        yield expr
        for part in expr.parts():
            yield from told(part)


def citable(steps: Sequence[Step]) -> set[str]:
    """The parameters that the formulas of the steps carry, where explanations look."""
    parts = [
        p for s in steps if s.name in TOLD or (s.digits is not None and s.digits >= 0) for p in told(s.expr)
    ]
    return {p.parameter for p in parts if isinstance(p, Number | Cited)} - {""}


def same_as_read(policy: Policy, day: date) -> None:
    values = policy.on(day)
    found = citable(build(policy, values))
    assert found | set(NOT_CITED) == set(values.used) | set(NOT_CITED), (day, found ^ set(values.used))


@pytest.mark.parametrize("name", sorted(policy_files()))
def test_every_parameter_that_a_shipped_policy_reads_can_be_cited(name: str) -> None:
    policy = load_policy(policy_files()[name])
    for first, _ in policy.epochs(policy.valid_from, policy.valid_to):
        same_as_read(policy, first)


def test_so_can_those_of_all_case_files() -> None:
    asked = {(c.policy, c.changes, c.day) for c in read_cases()}
    assert len(asked) > 20
    for name, changes, day in sorted(asked):
        same_as_read(policy_of(name, changes), day)


FRAMES = ("national/dip", "national/drg-points", "national/drg-rate", "tianmen/2025", "liaocheng/2022")


@pytest.mark.parametrize("name", FRAMES)
def test_so_can_every_choice_whichever_way_it_goes(name: str) -> None:
    """Reforms that need a table or a parameter that the policy lacks are left out, and few."""
    policy = load_policy(policy_files()[name])
    day, built, refused = policy.valid_from, 0, []
    for parameter in sorted(policy.on(day).used or policy.parameters):
        spec = PARAMETERS[parameter]
        for value in spec.choices or {"flag": ("true", "false"), "words": ("", "tcm")}.get(spec.kind, ()):
            try:
                same_as_read(policy.changed({parameter: value}), day)
                built += 1
            except TableError:
                refused.append((parameter, value))
    assert built > 30 and len(refused) < 10, refused
