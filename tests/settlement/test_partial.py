"""A clearing of some months has their money; a month that passes over others must be told to."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from grouper.base.errors import UsageError
from grouper.commands.text.ledger import year_plan_lines
from grouper.lake import Lake
from grouper.payment.pool.budget import read_budget
from grouper.settlement.audit import audit
from grouper.settlement.plan.partial import months_budget
from grouper.settlement.plan.skipped import skipped
from grouper.settlement.plan.year_job import YearJob, make_year_plan
from grouper.settlement.replay import replay
from grouper.settlement.year import clear_year

from . import settle_support as support

pytestmark = pytest.mark.slow  # seconds each; the tests of every run have a sister of theirs


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A city whose budget gives May twice the money of April, and a lake of both months."""
    place = tmp_path_factory.mktemp("city")
    shutil.copytree(support.city(900, 0.03, (4, 5, 6)), place, dirs_exist_ok=True)
    weights = "[1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1]"
    text = (place / "budget.toml").read_text(encoding="utf-8")
    money = f'budget = "2600000"\nreserve = "130000"\nmonth_weights = {weights}\n'
    money += 'carve_outs = [{ name = "应急", amount = "26000", source = "x" }]'
    text = text.replace('budget = "9000000"', money)
    (place / "budget.toml").write_text(text, encoding="utf-8")
    lake = Lake(tmp_path_factory.mktemp("lake") / "lake")
    for month in ("2025-04", "2025-05"):
        support.settle(lake, place, month)
    return place, lake.root


@pytest.fixture
def lake(begun: tuple[Path, Path], tmp_path: Path) -> Lake:
    shutil.copytree(begun[1], tmp_path / "lake")
    return Lake(tmp_path / "lake")


def _job(place: Path, **other: object) -> YearJob:
    return YearJob("2025", str(place / "budget.toml"), "tianmen", partial=True, held_remain=True, **other)  # type: ignore[arg-type]


def test_it_takes_the_budget_of_its_months(lake: Lake, begun: tuple[Path, Path]) -> None:
    """April has 1 of 13 parts and May 2: 600,000 of 2,600,000, 30,000 of the reserve, 6,000 set apart."""
    done = clear_year(lake, _job(begun[0]))
    for pool in done.pools:
        assert [pool[name] for name in ("budget", "reserve", "carve_outs", "distributable")] == [
            Decimal(n) for n in (600_000, 30_000, 6_000, 564_000)
        ]
        assert pool["fund_due"] <= 564_000
    assert done.assumed["partial budget employee"] == "600000.00 of 2600000.00"
    said = support.rows(lake, "SELECT value FROM parameters WHERE name = 'partial budget resident'")
    assert said == [{"value": "600000.00 of 2600000.00"}]
    page = (lake.reports / done.run / "report.html").read_text(encoding="utf-8")
    assert "所清算月份的预算（职工）" in page and "600000.00 元，全年 2600000.00 元" in page
    assert not audit(lake).findings and replay(lake, done.run).same


def test_the_plan_says_it_before_any_work(lake: Lake, begun: tuple[Path, Path]) -> None:
    told = list(year_plan_lines(make_year_plan(lake, _job(begun[0])), "zh"))
    assert told[-1] == "  基金池 居民：600,000.00（全年 2,600,000.00）"


def test_budgets_of_the_months_count_not_what_the_year_has_now(lake: Lake, begun: tuple[Path, Path]) -> None:
    """The months were settled with 600,000; that the year has got more since is the other months'."""
    place = begun[0]
    text = (place / "budget.toml").read_text(encoding="utf-8")
    (place / "more.toml").write_text(text.replace("2600000", "5200000"), encoding="utf-8")
    whole = read_budget(place / "more.toml")
    found = months_budget(lake, whole, {"2025-04": "000001", "2025-05": "000002"}, None)
    assert {pool.budget for pool in found.pools.values()} == {60_000_000}
    assert {pool.reserve for pool in found.pools.values()} == {3_000_000}


def test_pools_that_the_year_has_not_stop_it(lake: Lake, begun: tuple[Path, Path]) -> None:
    place = begun[0]
    text = (place / "budget.toml").read_text(encoding="utf-8").replace("[pools.resident]", "[pools.other]")
    (place / "other.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"pool resident .*part of none of its pools"):
        make_year_plan(lake, YearJob("2025", str(place / "other.toml"), "tianmen", partial=True))


def test_merged_pools_have_the_money_of_both(lake: Lake, begun: tuple[Path, Path]) -> None:
    (begun[0] / "merged.toml").write_text(
        'period = "2025"\n[pools.all]\nbudget = "5200000"\nmembers = ["employee", "resident"]\n',
        encoding="utf-8",
    )
    whole = read_budget(begun[0] / "merged.toml")
    found = months_budget(lake, whole, {"2025-04": "000001", "2025-05": "000002"}, None)
    assert found.pools["all"].budget == 120_000_000
    assert sum(c.amount for c in found.pools["all"].carve_outs) == 1_200_000


@pytest.mark.parametrize(
    ("closed", "period", "missing"),
    [
        ((), "2025-07", []),
        (("2024-12",), "2025-03", []),
        (("2025-04",), "2025-05", []),
        (("2025-04",), "2025-07", ["2025-05", "2025-06"]),
        (("2025-01", "2025-04", "2025-06"), "2025-08", ["2025-07"]),
    ],
)
def test_what_is_passed_over(closed: tuple[str, ...], period: str, missing: list[str]) -> None:
    assert skipped(closed, period) == missing


def test_a_month_is_skipped_only_by_its_flag(lake: Lake, begun: tuple[Path, Path]) -> None:
    place = begun[0]
    june = str(place / "2025-06.parquet")
    rows = support.take(place, "2025-06", 40)
    july = [row | {name: row[name].replace(month=7) for name in ("admission_date", "discharge_date",
            "settlement_date")} for row in rows if row["admission_date"].day < 28]  # fmt: skip
    made = support.write(place / "2025-07.parquet", july[:20], Path(june))
    with pytest.raises(UsageError, match=r"2025-06 are not settled, and 2025-07 is to be.*--skip-months"):
        support.settle(lake, place, "2025-07", made)
    done = support.settle(lake, place, "2025-07", made, skip_months=True, max_held="1")
    assert done.assumed["months skipped 2025-07"] == "2025-06"
    said = support.rows(
        lake, f"SELECT value FROM parameters WHERE run = '{done.run}' AND name LIKE 'months %'"
    )
    assert said == [{"value": "2025-06"}]
    assert replay(lake, done.run).same


def test_that_a_year_begins_late_is_said_once(lake: Lake) -> None:
    said = support.rows(lake, "SELECT run, name FROM parameters WHERE name LIKE 'year begins%'")
    assert said == [{"run": "000001", "name": "year begins 2025-04"}]
