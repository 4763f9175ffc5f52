"""Amounts in capital numerals: the examples of the rules, and that no two amounts read the same."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grouper.base.capitals import capitals
from grouper.base.money import fen_of
from grouper.base.tables_in import read_table

CASES = [row.cells for row in read_table(Path(__file__).parent / "data" / "capitals.csv")]
DIGITS = {sign: number for number, sign in enumerate("零壹贰叁肆伍陆柒捌玖")}
UNITS = {"仟": 1000, "佰": 100, "拾": 10}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["yuan"])
def test_an_amount_reads_as_the_rules_say(case: dict[str, str]) -> None:
    assert capitals(fen_of(Decimal(case["yuan"]))) == case["capitals"]


def _read(text: str) -> int:
    """Fen of an amount in words, by another way: sections of 亿 and 万, then 角 and 分."""
    text = text.removeprefix("人民币").removesuffix("整")
    whole, _, rest = text.rpartition("元")
    small = sum(DIGITS[rest[n - 1]] * {"角": 10, "分": 1}[s] for n, s in enumerate(rest) if s in "角分")
    total = 0
    for part, unit in ((whole.rpartition("亿")[0], 10**8), (whole.rpartition("亿")[2], 1)):
        high, _, low = part.rpartition("万")
        total += (_four(high) * 10**4 + _four(low)) * unit
    return total * 100 + small


def _four(text: str) -> int:
    value = digit = 0
    for sign in text:
        if sign in UNITS:
            value, digit = value + digit * UNITS[sign], 0
        else:
            digit = DIGITS[sign]
    return value + digit


@given(st.integers(0, 10**18 - 1) | st.integers(0, 10**9))
def test_every_amount_reads_back(fen: int) -> None:
    told = capitals(fen)
    assert _read(told) == fen
    assert "零零" not in told and not told.endswith("零")


def test_what_no_voucher_has_is_refused() -> None:
    with pytest.raises(ValueError, match="capital numerals"):
        capitals(10**18)
