"""A quarter prepaid from the budget: the money of its three months, paid in the last, then cleared."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from grouper.lake import Lake
from grouper.settlement.audit import audit
from grouper.settlement.plan.year_job import YearJob
from grouper.settlement.replay import replay
from grouper.settlement.year import clear_year

from . import settle_support as support

POLICY = """id = "tianmen/quarter"
area = "tianmen"
extends = "tianmen/2025"
name = "按季预拨"
name_en = "prepaid by quarters"
valid_from = 2025-01-01
valid_to = 2026-12-31

[parameters]
prepay_base = { value = "budget", source = "test", verified = false }
prepay_rate = { value = "0.9", source = "test", verified = false }
guarantee_rate = { value = "0.05", source = "test", verified = false }
reserve_rate = { value = "0.05", source = "test", verified = false }
assessment_full = { value = "90", source = "test", verified = false }
"""
YEAR = """period = "2025"
regions = ["3399"]
[pools.employee]
budget = "9000000"
month_weights = [1, 2, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1]
[pools.resident]
budget = "6000000"
reserve = "600000"
"""
FEBRUARY = """period = "2025-02"
regions = ["3399"]
[pools.employee]
budget = "1000000.01"
[pools.resident]
budget = "400000"
reserve = "0"
"""


@pytest.mark.slow
def test_a_quarter(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    hospital = _settle(lake, tmp_path)
    _january_and_february_prepay_nothing(lake, hospital)
    _march_prepays_the_money_of_three_months(lake)
    _the_deduction_of_january_is_taken_in_march(lake, hospital)
    _the_clearing_takes_it_all(lake, tmp_path)
    assert audit(lake).findings == []
    assert set(replay(lake, "000003").tables.values()) == {"bytes"}


def _settle(lake: Lake, folder: Path) -> str:
    """Three months; February by a budget of its own, January with a deduction for a hospital."""
    place = support.city(3600, 0.03, (1, 2, 3))
    for name, text in (("policy.toml", POLICY), ("2025.toml", YEAR), ("2025-02.toml", FEBRUARY)):
        (folder / name).write_text(text, encoding="utf-8")
    case = support.take(place, "2025-01", 1)[0]
    told = support.corrections(
        folder / "c.csv",
        [
            {
                "kind": "audit_deduction",
                "hospital_code": case["hospital_code"],
                "pool": "employee",
                "amount": "10",
                "document": "No. 7",
            }
        ],
    )
    for month in ("2025-01", "2025-02", "2025-03"):
        budget = folder / (f"{month}.toml" if month == "2025-02" else "2025.toml")
        given = (str(told),) if month == "2025-01" else ()
        support.settle(
            lake, place, month, policy=str(folder / "policy.toml"), budget=str(budget), corrections=given
        )
    return str(case["hospital_code"])


def _rows(lake: Lake, month: int) -> list[dict[str, Any]]:
    return support.rows(lake, f"SELECT * FROM hospitals_current WHERE month = {month}")


def _january_and_february_prepay_nothing(lake: Lake, hospital: str) -> None:
    for month in (1, 2):
        rows = _rows(lake, month)
        assert {row["paid_months"] for row in rows} == {""}
        assert sum(row["due_total"] for row in rows) > 0
        told = [row for row in rows if row["prepaid"] is not None]
        assert [(row["hospital_code"], row["prepaid"], row["payable"], row["carried"]) for row in told] == [
            (hospital, Decimal(0), Decimal(0), Decimal(-10))
        ]


def _march_prepays_the_money_of_three_months(lake: Lake) -> None:
    """Employees: 600,000 and 1,800,000 of the year and February's own, less 5 % each; residents: twice
    450,000, and 400,000."""
    rows = _rows(lake, 3)
    assert {row["paid_months"] for row in rows} == {"1,2,3"}
    due = {
        (row["hospital_code"], row["pool"]): row["due"]
        for row in support.rows(
            lake, "SELECT hospital_code, pool, sum(due_total) AS due FROM hospitals_current GROUP BY ALL"
        )
    }
    distributable = {"employee": Decimal("3230000.01"), "resident": Decimal(1_300_000)}
    for pool, whole in distributable.items():
        own = [row for row in rows if row["pool"] == pool and row["prepaid"] is not None]
        dues = sum(max(due[row["hospital_code"], pool], Decimal(0)) for row in own)
        assert dues != whole  # so that the base matters
        for row in own:
            base = whole * max(due[row["hospital_code"], pool], Decimal(0)) / dues
            assert abs(row["deposit"] - base * Decimal("0.05")) < Decimal("0.02")
            assert abs(row["prepaid"] - base * Decimal("0.95") * Decimal("0.9")) < Decimal("0.02")
            assert row["deposit"] + row["prepaid"] + row["deferred"] == due[row["hospital_code"], pool]


def _the_deduction_of_january_is_taken_in_march(lake: Lake, hospital: str) -> None:
    (row,) = (r for r in _rows(lake, 3) if r["hospital_code"] == hospital and r["pool"] == "employee")
    assert row["carried_in"] == row["audit"] == Decimal(10)
    assert row["payable"] == row["prepaid"] - 10 and row["carried"] == 0


def _the_clearing_takes_it_all(lake: Lake, folder: Path) -> None:
    codes = {row["hospital_code"] for month in (1, 2, 3) for row in _rows(lake, month)}
    scores = support.corrections(
        folder / "scores.csv",
        [{"kind": "quality", "hospital_code": code, "pool": "*", "score": "95"} for code in sorted(codes)],
    )
    job = YearJob(
        "2025", str(folder / "2025.toml"), policy=str(folder / "policy.toml"), corrections=(str(scores),),
        partial=True, held_remain=True, threads=1,
    )  # fmt: skip
    clear_year(lake, job, reports=False)
    rows = support.rows(lake, "SELECT * FROM hospitals_cleared WHERE balance IS NOT NULL")
    march = _rows(lake, 3)
    for name in ("prepaid", "deposit"):
        assert sum(row[name] for row in rows) == sum(row[name] or 0 for row in march)
    for row in rows:
        assert row["prepaid"] + row["deposit"] + row["balance"] == row["fund_due"]
    assert {row["audit"] for row in rows} == {0}
