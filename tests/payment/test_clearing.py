"""Clearing by a policy: prepayment periods, deposits, and what must be known to clear a year."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from grouper.base.errors import DataError, ReconciliationError, TableError, UsageError
from grouper.payment.policy.terms import Terms
from grouper.payment.pool.budget import Budget, parse_budget
from grouper.payment.pool.clearing import Yearly, check_years, clear_month, clear_year, months_paid

from .pool_support import POINTS, write_policy

HOSPITAL = {"hospital_code": "A", "pool": "p", "prepaid": "900", "deposit": "50", "score": "80"}


def terms_of(folder: Path, **parameters: str) -> Terms:
    return Terms(write_policy(folder, {**POINTS, **parameters}).on(parse_budget(year()).last))


def year(*hospitals: dict[str, Any]) -> dict[str, Any]:
    pools = {"p": {"budget": "1000", "reserve": "0"}}
    return {"period": "2025", "pools": pools, "hospitals": list(hospitals)}


def budget_of(*hospitals: dict[str, Any]) -> Budget:
    return parse_budget(year(*hospitals), "budget.toml")


def test_a_year_with_its_deposit(tmp_path: Path) -> None:
    terms = terms_of(tmp_path, assessment_full="90")
    hospital = HOSPITAL | {"audit": "7", "advance": "3"}
    (row,) = clear_year(terms, budget_of(hospital), {("A", "p"): 100_000})
    assert row.balance == 5_000 and row.returned == 4_444 and row.forfeited == 556
    assert row.final == 5_000 + 4_444 - 700 - 300
    assert "assessment_full = 90 (test)" in row.clauses and "assessment_rule = of_full" in row.clauses
    assert terms.assumed["assessment_rule"] == "of_full"


def test_hospitals_that_owe_are_told(tmp_path: Path) -> None:
    (row,) = clear_year(terms_of(tmp_path, assessment_full="80"), budget_of(HOSPITAL), {("A", "p"): 50_000})
    assert row.balance == -45_000 and row.returned == 5_000 and row.final == -40_000


def test_a_hospital_without_cases_is_cleared_as_well(tmp_path: Path) -> None:
    rows = clear_year(
        terms_of(tmp_path, assessment_full="80"),
        budget_of(HOSPITAL, HOSPITAL | {"hospital_code": "B"}),
        {("A", "p"): 9},
    )
    assert [(r.hospital, r.due, r.balance) for r in rows] == [("A", 9, 9 - 95_000), ("B", 0, -95_000)]


@pytest.mark.parametrize("name", ["prepaid", "deposit", "score"])
def test_what_must_be_known(tmp_path: Path, name: str) -> None:
    terms = terms_of(tmp_path, assessment_full="90", guarantee_rate="0.05")
    hospital = {k: v for k, v in HOSPITAL.items() if k != name}
    with pytest.raises(DataError, match=f"A, p has no {name}"):
        clear_year(terms, budget_of(hospital), {("A", "p"): 1})


def test_a_deposit_needs_the_full_score(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="assessment_full"):
        clear_year(terms_of(tmp_path), budget_of(HOSPITAL), {("A", "p"): 1})


def test_prepayment_from_the_budget(tmp_path: Path) -> None:
    """The pool's money is shared out by the dues, whatever they add up to; the difference is deferred."""
    terms = terms_of(tmp_path, prepay_base="budget", prepay_rate="0.9", guarantee_rate="0.1")
    rows = clear_month(terms, budget_of(), {("A", "p"): 60_000, ("B", "p"): 20_000})
    assert [(r.deposit, r.prepaid, r.deferred) for r in rows] == [
        (7_500, 60_750, -8_250),
        (2_500, 20_250, -2_750),
    ]


def test_quarters(tmp_path: Path) -> None:
    monthly, quarterly = terms_of(tmp_path), terms_of(tmp_path, prepay_period="quarter")
    assert [months_paid(monthly, m) for m in (1, 3)] == [(1,), (3,)]
    assert [months_paid(quarterly, m) for m in (1, 2, 3, 12)] == [(), (), (1, 2, 3), (10, 11, 12)]


def test_an_identity_that_does_not_hold_is_refused() -> None:
    row = Yearly("A", "p", 100, 50, 10, 41, Fraction(90), 10, 0, 0, 0, 51)
    with pytest.raises(ReconciliationError, match="hospital A"):
        check_years([row], {("A", "p"): 100})


def test_an_advance_is_months_of_what_a_hospital_is_due(tmp_path: Path) -> None:
    """Paid whole beside the month: a deduction that the month cannot bear is carried, not taken from it."""
    terms = terms_of(tmp_path, advance_months="1.5")
    hospital = {"hospital_code": "A", "pool": "p", "advance_base": "333.33", "audit": "900"}
    other = {"hospital_code": "B", "pool": "p", "advance_base": "0"}
    first, second = clear_month(terms, budget_of(hospital, other), {("A", "p"): 60_000, ("B", "p"): 5})
    assert (first.advanced, first.payable, first.carried) == (50_000, 50_000, -30_000)
    assert "advance_months = 1.5 (test)" in first.clauses
    assert (second.advanced, second.payable) == (0, 5) and "advance_months" not in second.clauses
    with pytest.raises(TableError, match="advance_months"):
        clear_month(terms_of(tmp_path), budget_of(hospital), {})


def test_what_advances_go_by_is_one_word(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r'budget.toml: advance_base: should be "last_year"'):
        parse_budget(year() | {"advance_base": "2024"}, "budget.toml")
    plain = parse_budget(year(), "budget.toml")
    assert "advance_base" not in plain.as_data()
    assert parse_budget(year() | {"advance_base": "last_year"}).digest != plain.digest
