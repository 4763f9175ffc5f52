"""Months settled stay when the year's budget is revised; the next ones and the clearing take it."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from grouper.commands.text.ledger import month_summary
from grouper.lake import Lake
from grouper.settlement.audit import audit
from grouper.settlement.month import settle_month
from grouper.settlement.plan.year_job import YearJob
from grouper.settlement.replay import replay
from grouper.settlement.year import clear_year

from . import settle_support as support

pytestmark = pytest.mark.slow  # seconds each; the tests of every run have a sister of theirs

REVISION = """period = "2025"
document = "医保〔2025〕31号"
from = "2025-05"
[pools.resident]
budget = "11000000"
"""


def test_months_before_stay_and_the_rest_and_the_clearing_take_it(tmp_path: Path) -> None:
    """9,000,000 a year is 750,000 a month; from May 11,000,000 − 3,000,000 = 8,000,000 for eight months."""
    place = tmp_path / "city"
    shutil.copytree(support.city(900, 0.03, (4, 5, 6)), place)
    revision = place / "revision.toml"
    revision.write_text(REVISION, encoding="utf-8")
    lake, plain = Lake(tmp_path / "lake"), Lake(tmp_path / "plain")
    named = (str(revision),)
    support.settle(plain, place, "2025-04")
    april = support.settle(lake, place, "2025-04", revision=named)
    assert [p["budget"] for p in april.pools] == [Decimal(750_000)] * 2 and april.pools == _pools(plain)
    assert not any(name.startswith("budget revision") for name in april.assumed)
    may = settle_month(lake, support.job(place, "2025-05", revision=named))
    assert {p["pool"]: p["budget"] for p in may.pools} == {
        "employee": Decimal(750_000), "resident": Decimal(1_000_000),
    }  # fmt: skip
    said = "全年预算调整（居民）：原 9000000.00 元，现 11000000.00 元，差额 +2000000.00 元；医保〔2025〕31号"
    assert said in "\n".join(month_summary(may, "zh"))
    page = (lake.reports / may.run / "report.html").read_text(encoding="utf-8")
    assert "全年预算调整（居民）" in page and "差额 +2000000.00 元" in page
    told = support.rows(lake, "SELECT value FROM parameters WHERE name = 'budget revision 1 resident'")
    assert told == [{"value": "9000000.00 to 11000000.00 by 医保〔2025〕31号 from 2025-05"}]
    assert support.rows(lake, "SELECT path FROM inputs WHERE role = 'revision' AND run = '000002'")
    job = YearJob(
        "2025", str(place / "budget.toml"), "tianmen", partial=True, held_remain=True, revision=named
    )
    done = clear_year(lake, job, reports=False)
    assert {p["pool"]: p["budget"] for p in done.pools} == {
        "employee": Decimal(1_500_000), "resident": Decimal(1_750_000),
    }  # fmt: skip
    assert done.assumed["partial budget resident"] == "1750000.00 of 11000000.00"
    assert "budget revision 1 resident" in done.assumed
    assert not audit(lake).findings
    assert all(replay(lake, run).same for run in ("000001", "000002", "000003"))


def _pools(lake: Lake) -> list[dict[str, object]]:
    names = support.rows(lake, "SELECT * FROM pools_current ORDER BY pool")
    folder = ("area", "year", "month", "run")
    return [{k: v for k, v in row.items() if k not in folder} for row in names]
