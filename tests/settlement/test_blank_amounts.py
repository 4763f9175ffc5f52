"""One case without an amount that its payment is made of is held; the month goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from grouper.lake import Lake

from . import settle_support as support


@pytest.mark.parametrize("column", ["fund_paid", "pool_paid"])
def test_a_case_without_what_funds_paid_is_held(tmp_path: Path, column: str) -> None:
    """In an area whose fund pays a share of the amount: its part would be known, the income would not."""
    place, lake = support.city(900, 0.03, (5,)), Lake(tmp_path / "lake")
    rows = support.take(place, "2025-05", 12)
    rows[0][column] = None
    month = support.write(tmp_path / "may.parquet", rows, place / "2025-05.parquet")
    support.settle(lake, place, "2025-05", month, max_held="1")
    found = support.rows(lake, "SELECT record_id, pay_status, pay_reason, settled_fund FROM cases_all")
    held = [row for row in found if row["pay_status"] == "held"]
    assert [(row["record_id"], row["pay_reason"], row["settled_fund"]) for row in held] == [
        (rows[0]["record_id"], "no-settlement", None)
    ]
    assert sum(row["pay_status"] == "paid" for row in found) == len(rows) - 1
