"""Bills of one stay: held unless they are joined; and what stops a month that pays too little."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from grouper.base.errors import DataError
from grouper.lake import Lake

from . import settle_support as support

MONTH = "2025-06"


def settled(folder: Path, rows: Sequence[Mapping[str, Any]], **options: Any) -> tuple[Lake, Any]:
    place = support.city(2400, 0.0)
    path = support.write(folder / "in.parquet", rows, place / f"{MONTH}.parquet")
    lake = Lake(folder / "lake")
    options = {"allow_missing": ("payment_method",), **options}
    return lake, support.settle(lake, place, MONTH, path, area="yulin", **options)


def two_bills(rows: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The last stay is billed twice: a first part of a quarter of its amounts, and the rest."""
    last = rows[-1]
    first = dict(last) | {
        "record_id": "first", "settlement_id": "first", "los_days": 1,
        "discharge_date": last["admission_date"] + dt.timedelta(days=1),
    }  # fmt: skip
    for name, value in last.items():
        if isinstance(value, Decimal) and (name.endswith(("_cost", "_paid")) or name in MORE):
            first[name] = (value / 4).quantize(Decimal("0.01"))
            last[name] = value - first[name]
    return first, last


MORE = ("own_expense", "self_pay_first", "deductible", "in_scope_amount")


def test_bills_of_one_stay_are_held_and_told(tmp_path: Path) -> None:
    rows = support.take(support.city(2400, 0.0), MONTH, 30)
    first, last = two_bills(rows)
    lake, done = settled(tmp_path, [*rows, first])
    assert done.record.run["cases"] == 29 and done.rejected == {"interim": 2}
    left = support.rows(lake, "SELECT record_id, reason, treatment FROM rejected_all ORDER BY 1")
    assert {row["record_id"] for row in left} == {"first", last["record_id"]}
    assert {(row["reason"], row["treatment"]) for row in left} == {("interim", "held")}


def test_joined_bills_are_paid_as_the_stay_that_they_are(tmp_path: Path) -> None:
    """The same amounts, to the fen, as if the stay had been billed at once."""
    whole = support.take(support.city(2400, 0.0), MONTH, 30)
    (tmp_path / "whole").mkdir()
    lake, _ = settled(tmp_path / "whole", whole)
    rows = support.take(support.city(2400, 0.0), MONTH, 30)
    first, _ = two_bills(rows)
    (tmp_path / "two").mkdir()
    joined, done = settled(tmp_path / "two", [first, *rows], interim="join")
    assert done.rejected == {} and done.record.run["cases"] == 30
    assert done.record.run["rows_in"] == 31 and done.record.run["netted"] == 1
    sql = (
        'SELECT record_id, total_cost, los_days, "group", amount, settled_fund FROM cases_current ORDER BY 1'
    )
    assert support.rows(joined, sql) == support.rows(lake, sql)
    left = support.rows(joined, "SELECT record_id, reason, treatment FROM rejected_all")
    assert left == [{"record_id": "first", "reason": "interim-joined", "treatment": "joined"}]


def test_a_month_that_holds_too_much_is_stopped(tmp_path: Path) -> None:
    """Half of the cases have an insurance type of no pool: they would be held, and the month look normal."""
    rows = support.take(support.city(2400, 0.0), MONTH, 30)
    for row in rows[::2]:
        row["insurance_type"] = "340"
    with pytest.raises(
        DataError, match=r"(?s)are held, more than --max-held 0.05.*15 cases, .*no-pool"
    ) as caught:
        settled(tmp_path, rows)
    assert "no-pool" in caught.value.zh and "暂不支付" in caught.value.zh
    _, done = settled(tmp_path, rows, max_held="1")
    counts = {row["reason"]: row for row in done.record.rows["counts"] if row["status"] == "case"}
    assert counts["held:no-pool"]["rows"] == 15
    assert counts["held:no-pool"]["cost_fen"] == sum(int(row["total_cost"] * 100) for row in rows[::2])


def test_a_month_of_codes_that_nobody_knows_is_stopped(tmp_path: Path) -> None:
    """Other diagnoses joined in one cell are lost, one by one: 18 % of a month, without a word."""
    rows = support.take(support.city(2400, 0.0), MONTH, 30)
    for row in rows:
        row["diagnoses"] = [row["diagnoses"][0], "I10.x00;E11.900"]
    with pytest.raises(DataError, match=r"codes are not known, more than --max-unknown-codes 0.05"):
        settled(tmp_path, rows)
    _, done = settled(tmp_path, rows, max_unknown_codes="1")
    codes = {row["reason"]: row["rows"] for row in done.record.rows["counts"] if row["status"] == "codes"}
    assert codes["diagnosis:joined"] == 30


def test_the_stay_that_grouping_took_is_the_one_that_is_paid(tmp_path: Path) -> None:
    rows = support.take(support.city(2400, 0.0), MONTH, 10)
    nights = {r["record_id"]: max((r["discharge_date"] - r["admission_date"]).days, 1) for r in rows}
    for row in rows:
        row["los_days"] = None
    lake, _ = settled(tmp_path, rows, stay="nights")
    found = support.rows(lake, "SELECT record_id, los_days FROM cases_current")
    assert {row["record_id"]: row["los_days"] for row in found} == nights
