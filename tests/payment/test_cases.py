"""Every case file: its sums, and both readings of the policy against what it expects."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from functools import cache
from typing import Any

import pytest

from .case_files import PaymentCase, by_evaluate, by_sql, policy_of, read_cases, rounded, steps_of, sum_of

ALL = list(read_cases())


@cache
def _together(policy: str, changes: tuple[tuple[str, str], ...], day: date) -> dict[str, dict[str, Any]]:
    """The query over all cases of one policy, by name; those that look at other cases are not among them."""
    cases = [c for c in ALL if (c.policy, c.changes, c.day) == (policy, changes, day) and not c.ranked]
    chosen = policy_of(policy, changes)
    rows = [{**case.row, "record_id": f"R{n:04}"} for n, case in enumerate(cases)]
    found = by_sql(chosen, steps_of(chosen, day), rows)
    return {str(case): made for case, made in zip(cases, found, strict=True)}


def _by_query(case: PaymentCase) -> dict[str, Any]:
    if not case.ranked:
        return _together(case.policy, case.changes, case.day)[str(case)]
    policy = policy_of(case.policy, case.changes)
    return by_sql(policy, steps_of(policy, case.day), [case.row, *case.beside])[0]


def _same(found: Any, wanted: Any) -> bool:
    if wanted == "none":
        return found is None
    return found == Fraction(wanted) if isinstance(found, Fraction) else found == wanted


@pytest.mark.parametrize("case", ALL, ids=str)
def test_sums_are_right(case: PaymentCase) -> None:
    for name, text in case.by_hand.items():
        worked = rounded(case.expect[name], sum_of(text, case.expect))
        assert worked == Fraction(case.expect[name]), f"{name}: {text} = {worked}"


@pytest.mark.parametrize("case", ALL, ids=str)
def test_amounts_stand_beside_their_sums(case: PaymentCase) -> None:
    amounts = {"standard", "group_value", "case_value", "amount", "fund_due", "fund_raw"}
    named = {n for n in case.expect if n in amounts and case.expect[n] not in ("none", "0", "0.00")}
    assert named <= set(case.by_hand), f"no sum for {sorted(named - set(case.by_hand))}"


@pytest.mark.parametrize("case", ALL, ids=str)
def test_both_readings_give_what_the_case_expects(case: PaymentCase) -> None:
    policy = policy_of(case.policy, case.changes)
    exact = by_evaluate(policy, steps_of(policy, case.day), case.row)
    assert _by_query(case) == exact
    for name, wanted in case.expect.items():
        assert _same(exact[name], wanted), f"{name}: {exact[name]}, expected {wanted}"


def test_names_are_unique() -> None:
    assert len({str(case) for case in ALL}) == len(ALL)


def test_each_area_has_at_least_eight_cases() -> None:
    count: dict[str, int] = {}
    for case in ALL:
        count[case.file.parent.name] = count.get(case.file.parent.name, 0) + 1
    assert all(count.get(area, 0) >= 8 for area in ("lishui", "liaocheng", "qingyang", "tianmen", "yulin"))
