"""The first page: a period against its budget, the time gone and other periods; months that pay nothing."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from grouper.report import Paths, write_month
from grouper.report.measures import measure
from grouper.report.numbers import Lang
from grouper.report.pages.first import by_quarters, months_paid

from .report_support import Sample


def of(period: str, due: int, cases: int, pool: str = "employee", **other: Any) -> dict[str, Any]:
    """A row of history, in round sums; ``due`` in ten thousand yuan, 20,000 of it adjustments."""
    row = {
        "period": period, "pool": pool, "cases": cases, "paid": cases, "held": 0, "outside": 0,
        "total_cost": Decimal(cases * 10_000), "paid_cost": Decimal(cases * 10_000),
        "income": Decimal(cases * 9_000), "fund_due": Decimal(due * 10_000 - 20_000),
        "adjustments": Decimal(20_000), "budget": Decimal(1_000_000),
    }  # fmt: skip
    return row | other


HISTORY = [
    of("2024-05", 60, 50), of("2024-06", 80, 90), of("2025-05", 80, 100), of("2025-06", 92, 110),
    of("2025-06", 50, 20, "resident"),
]  # fmt: skip


def cells(text: str, title: str) -> dict[str, list[str]]:
    """The rows of the table under a heading by their first cell."""
    part = text[text.index(f"<h3>{title}</h3>") :]
    rows = re.findall(r"<tr>(.*?)</tr>", part[: part.index("</table>")])
    found = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row) for row in rows]
    return {row[0]: row[1:] for row in found}


def page(sample: Sample, folder: Path, **info: Any) -> str:
    (path,) = write_month(sample.paths, {**sample.run_info, **info}, folder, "zh")
    return path.read_text(encoding="utf-8")


def test_dues_stand_against_budget_and_time(month: Sample, tmp_path: Path) -> None:
    budget = {"employee": Decimal(8_000_000), "resident": Decimal(2_000_000)}
    text = page(month, tmp_path, history=HISTORY, year_budget=budget)
    rows = cells(text, "预算执行与时间进度")
    # 92 of 100; 172 of 800 are 21.50 % of the year, of which 6 of 12 months are gone
    assert rows["职工"] == ["100.00", "92.00", "92.00%", "172.00", "800.00", "21.50%", "50.00%", "−28.50"]
    assert rows["合计"][3:6] == ["222.00", "1,000.00", "22.20%"]
    unknown = cells(page(month, tmp_path, history=HISTORY), "预算执行与时间进度")
    assert unknown["职工"][4:] == ["无", "无", "50.00%", "无"]


def test_a_period_stands_beside_others_or_none_is_said(month: Sample, tmp_path: Path) -> None:
    rows = cells(page(month, tmp_path, history=HISTORY), "与前期比较")
    head = ["本月", "上月", "环比", "上年同月", "同比", "本年累计", "上年同期累计", "累计同比"]
    assert rows["指标"] == head
    assert rows["病例数（例）"] == ["130", "100", "+30.0%", "90", "+44.4%", "230", "140", "+64.3%"]
    assert rows["统筹应付（万元）"][:5] == ["142.00", "80.00", "+77.5%", "80.00", "+77.5%"]
    alone = cells(page(month, tmp_path, history=HISTORY[3:]), "与前期比较")
    assert alone["病例数（例）"] == ["130", "无", "无", "无", "无", "130", "无", "无"]
    other = cells(page(month, tmp_path, history=[of("2024-05", 60, 50), *HISTORY[2:]]), "与前期比较")
    assert other["病例数（例）"][6:] == ["无", "无"], "one month of last year is no measure for two of this"


def changed(month: Sample, folder: Path, **columns: Any) -> Sample:
    """The month with columns of its hospitals set."""
    rows = [row | columns for row in month.tables()["hospitals"].to_pylist()]
    path = folder / "hospitals.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return Sample(Paths(**{**dict(month.paths.items()), "hospitals": [str(path)]}), month.run_info)


def test_a_month_between_two_payments_says_that_it_pays_nothing(month: Sample, tmp_path: Path) -> None:
    nothing = dict.fromkeys(
        ("deposit", "prepaid", "deferred", "advance", "audit", "payable", "carried"), Decimal(0)
    )
    sample = changed(month, tmp_path, due_total=Decimal("100.00"), **nothing)
    assert by_quarters(measure(sample.data()))
    text = page(sample, tmp_path)
    assert text.count("按季预拨，本月不拨") == 2 and 'id="payable"' not in text
    assert not by_quarters(measure(month.data()))


def test_the_last_month_of_a_quarter_says_which_months_it_pays(month: Sample, tmp_path: Path) -> None:
    sample = changed(month, tmp_path, due_total=Decimal("100.00"), paid_months="4,5,6")
    assert months_paid(measure(sample.data())) == "4–6"
    assert "4–6月应付合计 = 预留保证金 + 本期预拨 + 留待清算" in page(sample, tmp_path)


def test_papers_speak_the_words_of_the_way_of_paying() -> None:
    texts = {family: Lang("zh", family).own("病组、点数（标准）支付、点值（元／点）或标准调整系数")
             for family in ("points", "scores", "rate")}  # fmt: skip
    assert texts == {
        "points": "病组、点数支付、点值（元／点）",
        "scores": "病种、分值支付、点值（元／分）",
        "rate": "病组、病组标准支付、费率调整系数",
    }
