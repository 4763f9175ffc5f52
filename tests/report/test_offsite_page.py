"""The section of the report about care elsewhere: its sums are those of the lake, in both languages."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from grouper.lake import Lake
from grouper.report.numbers import number, yuan
from grouper.settlement.month import settle_month

from ..settlement import settle_support as support
from .report_support import Sample
from .test_first_page import cells, page
from .test_words import foreign

pytestmark = pytest.mark.slow  # seconds each; the tests of every run have a sister of theirs

APART = 'carve_outs = [{ name = "异地就医", amount = "1200000", source = "x" }]\n'  # of the residents


def test_it_tells_cases_money_and_what_was_set_apart(tmp_path: Path) -> None:
    place = tmp_path / "city"
    shutil.copytree(support.city(900, 0.03, (4, 5, 6)), place)
    budget = place / "budget.toml"
    budget.write_text(budget.read_text(encoding="utf-8") + APART, encoding="utf-8")
    lake = Lake(tmp_path / "lake")
    settle_month(lake, support.job(place, "2025-04"))
    (report,) = lake.root.rglob("report.html")
    text = report.read_text(encoding="utf-8")
    assert "#offsite" in text and foreign(report) == []
    kinds = {
        row["offsite"]: row
        for row in support.rows(
            lake,
            "SELECT offsite, count(*) AS n, sum(total_cost) AS cost, sum(pool_paid) AS fund, "
            "count(*) FILTER (pay_status = 'outside') AS beside FROM cases_current "
            "WHERE row_kind = 'case' GROUP BY 1",
        )
    }
    own, part = kinds["own"], text[text.index('id="offsite"') :]
    row = f"<td>{number(own['n'])}</td><td>{yuan(own['cost'])}</td><td>{yuan(own['fund'])}</td><td>0</td>"
    assert row + f"<td>{number(own['beside'])}</td>" in part.replace(' class="num"', "")
    pools = {row["pool"]: row for row in support.rows(lake, "SELECT * FROM pools_current")}
    account = cells(text, "单列的异地就医资金")
    left = Decimal(100_000) - pools["resident"]["offsite_used"]
    assert account["居民"][:4] == [
        yuan(Decimal(100_000)), yuan(pools["resident"]["offsite_used"]), yuan(max(left, Decimal(0))),
        yuan(max(-left, Decimal(0))),
    ]  # fmt: skip
    used = pools["employee"]["offsite_used"]  # nothing was set apart for it
    assert account["职工"][:4] == [yuan(Decimal(0)), yuan(used), yuan(Decimal(0)), yuan(used)]
    hospitals = cells(text, "池外病例：按医院，基金最多的在前")
    (total,) = (cells for name, cells in hospitals.items() if name.startswith("合计"))
    assert total[:2] == [number(own["beside"]), yuan(own["fund"])]
    english = next(lake.root.rglob("report.en.html")).read_text(encoding="utf-8")
    assert "own people treated elsewhere" in english and "Money set apart for it" in english


def test_a_run_of_local_cases_has_no_such_section(month: Sample, tmp_path: Path) -> None:
    assert 'id="offsite"' not in page(month, tmp_path)
