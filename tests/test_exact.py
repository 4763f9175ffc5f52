"""Every rounding has a name and one place; Decimals and fractions round alike, and as SQL does."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grouper.base.exact import ceiling, fits, floor, half_up, whole_half_up
from grouper.payment.formula.quotient import MACROS

AMOUNTS = st.decimals(-(10**12), 10**12, places=6)


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [("0.125", 2, "0.13"), ("-0.125", 2, "-0.13"), ("2.5", 0, "3"), ("1.0049", 2, "1.00"), ("7", 2, "7.00"),
     ("0.004", 2, "0.00"), ("99.995", 2, "100.00")],
)  # fmt: skip
def test_halves_go_away_from_zero(value: str, digits: int, text: str) -> None:
    assert str(half_up(Decimal(value), digits)) == text == str(half_up(Fraction(value), digits))


@given(AMOUNTS, st.integers(0, 8))
def test_decimals_and_fractions_round_alike_and_by_half_a_unit_at_most(value: Decimal, digits: int) -> None:
    rounded = half_up(Fraction(value), digits)
    assert half_up(value, digits) == rounded
    assert abs(Fraction(rounded) - Fraction(value)) <= Fraction(1, 2 * 10**digits)
    assert fits(rounded, digits) and half_up(rounded, digits) == rounded


@given(st.integers(-(10**15), 10**15), st.integers(1, 10**6))
def test_sql_rounds_as_fractions_do(over: int, under: int) -> None:
    with duckdb.connect() as connection:
        connection.execute(MACROS)
        row = connection.execute(f"SELECT half_up({over}::HUGEINT, {under}::HUGEINT)").fetchone()
    assert row == (whole_half_up(Fraction(over, under)),)


@given(st.fractions())
def test_floor_and_ceiling_hold_the_value_between_them(value: Fraction) -> None:
    assert floor(value) <= value <= ceiling(value) and ceiling(value) - floor(value) == (value % 1 != 0)


@pytest.mark.parametrize(
    ("value", "digits", "whether"),
    [("1.25", 2, True), ("1.250", 2, True), ("1.251", 2, False), ("1E+30", 2, True), ("1E-999999", 2, False),
     ("0E-9", 2, True), ("-0.10", 1, True), ("NaN", 2, False), ("Infinity", 2, False), ("12.0", 0, True),
     ("0.001", 2, False), ("123456789012345678901234567890.12", 2, True)],
)  # fmt: skip
def test_whether_a_number_has_no_more_decimals_than_it_may(value: str, digits: int, whether: bool) -> None:
    assert fits(Decimal(value), digits) == whether
