"""What people write in cells is read alike by SQL (pay, the gate) and by Python (group, settle)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grouper.base import written
from grouper.records.values import parse_date, plain_amount


def read(how: Callable[[str], str], text: str) -> Any:
    with duckdb.connect() as connection:
        return connection.execute(f"SELECT {how('x')} FROM (SELECT ?::VARCHAR AS x)", [text]).fetchall()[0][0]


AMOUNTS = {
    "8600": "8600", "8,600.00": "8600.00", "￥8,600.00元": "8600.00", "¥ 12": "12", "-￥5.10元": "-5.10",
    "600 元整": "600", "RMB 7": "7", ".5": ".5", "1e3": None, "0x10": None, "1_000": None, "5000,00": None,
    "1,2": None, "inf": None, "nan": None, "十元": None, "￥": None, "": None,
}  # fmt: skip
DAYS = {
    "2025-03-05": dt.date(2025, 3, 5), "2025/3/5": dt.date(2025, 3, 5), "2025.3.5": dt.date(2025, 3, 5),
    "20250305": dt.date(2025, 3, 5), "2025年03月05日": dt.date(2025, 3, 5),
    "2025年3月5日": dt.date(2025, 3, 5),
    "2025-03-05 10:20:30": dt.date(2025, 3, 5), "2025-03-05T10:20:30": dt.date(2025, 3, 5),
    "2025-03-32": None, "2025年2月30日": None, "2025-03-05 99:00:00": None, "2025111": None, "25-3-5": None,
    "昨天": None, "": None,
}  # fmt: skip
WHOLE = {
    "4": 4, "4.0": 4, " 12 ": 12, "-3": -3, "4.5": None, "1e3": None, "0x10": None, "1_000": None,
}  # fmt: skip


@pytest.mark.parametrize(("text", "plain"), AMOUNTS.items())
def test_an_amount(text: str, plain: str | None) -> None:
    assert read(written.amount, text) == plain == plain_amount(text)


@pytest.mark.parametrize(("text", "day"), DAYS.items())
def test_a_day(text: str, day: dt.date | None) -> None:
    assert read(written.day, text) == day == parse_date(text).value


@pytest.mark.parametrize(("text", "number"), WHOLE.items())
def test_a_whole_number(text: str, number: int | None) -> None:
    assert read(written.whole, text) == number


@given(st.text("0123456789.,-+ ￥¥元整e", max_size=14))
def test_sql_and_python_agree_about_amounts(text: str) -> None:
    found, plain = read(written.amount, text), plain_amount(text)
    assert (found and Decimal(found)) == (plain and Decimal(plain))
