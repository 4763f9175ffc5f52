"""Prepayment by quarters: the last month of one pays for its three, from the money of its three."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grouper.payment.policy.terms import Terms
from grouper.payment.pool.budget import Budget, parse_budget
from grouper.payment.pool.clearing import clear_month, pay_month

from .pool_support import POINTS, write_policy


def _budget(money: str = "1000", *hospitals: dict[str, str]) -> Budget:
    pools = {"p": {"budget": money, "reserve": "0"}}
    return parse_budget({"period": "2025-03", "pools": pools, "hospitals": list(hospitals)})


def _terms(folder: Path, **parameters: str) -> Terms:
    own = {"prepay_period": "quarter", "prepay_base": "budget", **parameters}
    return Terms(write_policy(folder, {**POINTS, **own}).on(_budget().last))


def test_the_money_of_three_months_is_prepaid(tmp_path: Path) -> None:
    """1,000 of March and 1,700 of January and February, by dues of 3 to 1: 2,025 and 675 yuan."""
    terms = _terms(tmp_path, prepay_rate="0.9", guarantee_rate="0.1")
    due = {("A", "p"): 240_000, ("B", "p"): 80_000}
    rows = clear_month(terms, _budget(), due, more={"p": 170_000})
    assert [(r.deposit, r.prepaid, r.deferred) for r in rows] == [
        (20_250, 164_025, 240_000 - 184_275),
        (6_750, 54_675, 80_000 - 61_425),
    ]


def test_a_month_that_prepays_nothing_keeps_its_deductions(tmp_path: Path) -> None:
    """An audit deduction of January waits for the payment of March."""
    hospital = {"hospital_code": "A", "pool": "p", "audit": "12.50"}
    (row,) = clear_month(_terms(tmp_path), _budget("1000", hospital), {})
    assert (row.due, row.prepaid, row.payable, row.carried) == (0, 0, 0, -1250)


def test_what_earlier_years_come_to_is_paid_whole(tmp_path: Path) -> None:
    """Beside the prepayment, and in a month without one as well; what cannot be taken is carried."""
    terms = _terms(tmp_path, prepay_base="due", guarantee_rate="0.1", prepay_rate="0.5")
    one = {("A", "p"): 100_000}
    (row,) = clear_month(terms, _budget(), one, earlier_years={("A", "p"): 333})
    assert (row.deposit, row.prepaid, row.earlier_years, row.payable) == (10_000, 45_000, 333, 45_333)
    rows = clear_month(terms, _budget(), {}, earlier_years={("A", "p"): 333, ("B", "p"): -333})
    assert [(r.payable, r.carried) for r in rows] == [(333, 0), (0, -333)]


MONEY = st.integers(-(10**9), 10**9)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(due=MONEY, base=MONEY, earlier=MONEY, rates=st.tuples(st.fractions(0, 1), st.fractions(0, 1)))
def test_nothing_is_lost(due: int, base: int, earlier: int, rates: tuple[object, object]) -> None:
    row = pay_month(due, *rates, base=base, earlier_years=earlier)  # type: ignore[arg-type]
    assert row.deposit + row.prepaid + row.deferred == due
    assert row.payable + row.carried == row.prepaid + earlier
    assert row.payable >= 0 >= row.carried and 0 in (row.payable, row.carried)
