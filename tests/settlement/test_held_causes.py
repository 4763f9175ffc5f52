"""A month and a clearing name every cause for which cases wait, with cases, yuan and inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from grouper.base.errors import DataError
from grouper.base.money import yuan_of
from grouper.commands.text.ledger import month_summary, year_summary
from grouper.lake import Lake
from grouper.settlement.month import settle_month
from grouper.settlement.plan.year_job import YearJob
from grouper.settlement.year import clear_year

from . import settle_support as support

pytestmark = pytest.mark.slow  # seconds each; the tests of every run have a sister of theirs


@pytest.fixture(scope="module")
def place() -> Path:
    return support.city(3600, 0.03, (5,))


def wrong(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Three cases without a principal diagnosis, one with an unknown one."""
    bad: list[dict[str, Any]] = [{"diagnoses": []}] * 3 + [{"diagnoses": ["ZZ9.999"]}]
    return [row | change for row, change in zip(rows, bad, strict=True)]


def test_month_report_ledger_and_clearing(place: Path, tmp_path: Path) -> None:
    plain = support.take(place, "2025-05", 40)
    bad = wrong(plain[:4])
    one = support.write_csv(tmp_path / "one.csv", [*plain[4:20], *bad[:2]])
    two = support.write_csv(tmp_path / "two.csv", [*plain[20:], *bad[2:]])
    cost = f"{sum(row['total_cost'] for row in bad[:3]):,.2f}"
    lake = Lake(tmp_path / "lake")
    job = support.job(place, "2025-05", one, two, max_unknown_codes="1")
    with pytest.raises(DataError) as stopped:
        settle_month(lake, job, reports=False)
    assert f"3 例 {cost} 元：缺主要诊断 [no-principal-diagnosis]  (one.csv 2, two.csv 1)" in stopped.value.zh
    done = settle_month(lake, support.job(place, "2025-05", one, two, max_unknown_codes="1", max_held="1"))
    told = f"缺主要诊断 [no-principal-diagnosis]  3  {cost} 元  (one.csv 2, two.csv 1)"
    lines = "\n".join(month_summary(done, "zh"))
    assert told in lines and "[held]" not in lines
    held = {
        row["reason"]: (row["rows"], str(yuan_of(row["cost_fen"])))
        for row in done.record.rows["counts"]
        if row["status"] == "case"
    }
    assert held["held:no-principal-diagnosis"] == (3, cost.replace(",", ""))
    assert done.report is not None
    page = (done.report / "report.html").read_text(encoding="utf-8")
    first = page[page.index('id="headline"') : page.index("</section>")]
    assert "缺主要诊断" in first and "one.csv, two.csv" in first and cost in first
    year = YearJob(
        year="2025",
        area="tianmen",
        budget=str(place / "budget.toml"),
        partial=True,
        held_remain=True,
        threads=1,
    )
    cleared = "\n".join(year_summary(clear_year(lake, year, reports=False), "zh"))
    assert f"缺主要诊断 [no-principal-diagnosis]  3  {cost} 元" in cleared
