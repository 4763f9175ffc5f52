"""Pools by county or alliance: each case finds one pool, and each county's money is its own."""

from __future__ import annotations

import csv
import shutil
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest

from grouper.base.errors import UsageError
from grouper.commands.text.ledger import month_summary, year_summary
from grouper.lake import Lake
from grouper.payment.policy import pool_names, words
from grouper.payment.pool.budget import parse_budget
from grouper.settlement.audit import audit
from grouper.settlement.plan.year_job import YearJob
from grouper.settlement.replay import replay
from grouper.settlement.year import clear_year

from . import settle_support as support

pytestmark = pytest.mark.slow  # seconds each; the tests of every run have a sister of theirs

TOWN, EAST = "331102", "331121"  # Liandu and Qingtian stand for the counties of the city
MONEY = {"职工/331102": "1200000", "职工/331121": "240000", "居民/331102": "3600000", "居民/331121": "600000"}
POLICY = """id = "tianmen/county"
area = "tianmen"
extends = "tianmen/2025"
name = "分县"
name_en = "by county"
valid_from = 2025-01-01
valid_to = 2026-12-31
[parameters]
pool_by = {{ value = "{by}", source = "x", verified = false }}
point_value_min = {{ value = "0", source = "x", verified = false }}
{more}"""
SHARED = """county_share_by = { value = "own_balance", source = "x", verified = false }
county_surplus_share = { value = "0.5", source = "x", verified = false }
county_overspend_share = { value = "0.5", source = "x", verified = false }
"""


def _place(tmp_path: Path, by: str = "hospital_county", more: str = "") -> Path:
    """A city of two counties, each with its money; its hospitals elsewhere stay where they are."""
    place = tmp_path / "city"
    shutil.copytree(support.city(900, 0.03, (4, 5, 6)), place)
    with (place / "hospitals.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if row["county"].startswith("3399"):
            row["county"] = TOWN if row["county"] == "339901" else f"{EAST}001"
    support.write_csv(place / "hospitals.csv", rows)
    (place / "policy.toml").write_text(POLICY.format(by=by, more=more), encoding="utf-8")
    homes = {TOWN: ["339901"], EAST: [f"33990{n}" for n in range(2, 9)]}  # of the people of the city
    pools = ""
    for name, yuan in MONEY.items():
        kind, county = name.split("/")
        members = ", ".join(f'"{kind}/{each}"' for each in (county, *homes[county]))
        pools += f'[pools."{name}"]\nbudget = "{yuan}"\nmembers = [{members}]\n'
    (place / "budget.toml").write_text(
        f'period = "2025"\nregions = ["3399", "3311"]\n{pools}', encoding="utf-8"
    )
    return place


def _settle(lake: Lake, place: Path, month: str, *inputs: Path, **other: str):  # type: ignore[no-untyped-def]
    own = {"area": "", "policy": str(place / "policy.toml"), "max_held": "0.9"}
    return support.settle(lake, place, month, *inputs, **(own | other))


def test_each_county_pays_its_own_hospitals_out_of_its_own_money(tmp_path: Path) -> None:
    lake, place = Lake(tmp_path / "lake"), _place(tmp_path)
    done = _settle(lake, place, "2025-04")
    pools = {row["pool"]: row for row in support.rows(lake, "SELECT * FROM pools_current")}
    assert set(pools) == {f"{kind}/{county}" for kind in ("employee", "resident") for county in (TOWN, EAST)}
    for name, row in pools.items():  # money in is money out, county by county
        assert row["distributable"] == row["by_points"] + row["fixed"] + row["residual"] + row["fund_balance"]
        due = support.rows(lake, f"SELECT sum(settled_fund) AS f FROM cases_current WHERE pool = '{name}' "
                           "AND pay_status = 'paid' AND row_kind = 'case'")[0]["f"]  # fmt: skip
        assert due == row["fund_due"]
    assert pools[f"employee/{EAST}"]["budget"] == Decimal(20_000)
    wrong = support.rows(
        lake,
        "SELECT c.pool FROM cases_current AS c JOIN hospitals_current AS h USING (hospital_code, pool) "
        "WHERE c.offsite <> 'own' AND split_part(c.pool, '/', 2) <> left(h.county, 6)",
    )
    assert not wrong
    said = "\n".join(month_summary(done, "zh"))
    assert "职工·莲都区：点值" in said and "居民·青田县：点值" in said
    assert not audit(lake).findings and replay(lake, done.run).same


def test_the_county_of_the_insured_may_count(tmp_path: Path) -> None:
    """The insured live in the eight counties of the city: two pools have them all."""
    lake, place = Lake(tmp_path / "lake"), _place(tmp_path, "insured_county")
    text = 'period = "2025"\nregions = ["3399", "3311"]\n'
    for kind in ("职工", "居民"):
        others = ", ".join(f'"{kind}/33990{n}"' for n in range(2, 9))
        text += f'[pools."{kind}/339901"]\nbudget = "900000"\nmembers = ["{kind}/339901", "{kind}/{TOWN}"]\n'
        text += f'[pools."{kind}/东部"]\nbudget = "900000"\nmembers = [{others}, "{kind}/{EAST}"]\n'
    (place / "budget.toml").write_text(text, encoding="utf-8")
    done = _settle(lake, place, "2025-04")
    found = support.rows(lake, "SELECT DISTINCT pool, left(region_code, 6) AS region FROM cases_current "
                         "WHERE offsite IN ('local', 'own')")  # fmt: skip
    assert found and all(row["pool"].endswith(f"/{row['region']}") for row in found)
    pools = {row["pool"] for row in support.rows(lake, "SELECT DISTINCT pool FROM hospitals_current")}
    assert pools == {"employee/339901", "resident/339901", "employee/东部", "resident/东部"}
    assert replay(lake, done.run).same


def test_a_case_without_a_county_is_held_and_mends_by_the_table_of_hospitals(tmp_path: Path) -> None:
    lake, place = Lake(tmp_path / "lake"), _place(tmp_path)
    whole = (place / "hospitals.csv").read_text(encoding="utf-8")
    (place / "hospitals.csv").write_text(whole.replace(f",{EAST}001,", ",,"), encoding="utf-8")
    done = _settle(lake, place, "2025-04")
    sql = (
        "SELECT pool, pay_status, count(*) AS n FROM cases_current WHERE pay_reason = 'no-county' "
        "GROUP BY ALL"
    )
    held = support.rows(lake, sql)
    assert [(row["pool"], row["pay_status"]) for row in held] == [(None, "held")] and held[0]["n"] > 5
    assert "不知属于哪个县（市、区）或医共体的基金池 [no-county]" in "\n".join(month_summary(done, "zh"))
    assert not audit(lake).findings
    (place / "hospitals.csv").write_text(whole, encoding="utf-8")
    _settle(lake, place, "2025-04", reopen=True)
    assert not support.rows(lake, sql)


def test_a_late_case_of_another_county_enters_that_county(tmp_path: Path) -> None:
    lake, place = Lake(tmp_path / "lake"), _place(tmp_path)
    with (place / "hospitals.csv").open(encoding="utf-8", newline="") as file:
        east = {row["hospital_code"] for row in csv.DictReader(file) if row["county"].startswith(EAST)}
    plain = support.take(place, "2025-04", 60)
    late = [row for row in plain if row["hospital_code"] in east][:3]
    ids = {row["settlement_id"] for row in late}
    like = place / "2025-04.parquet"
    first = support.write(
        place / "first.parquet", [row for row in plain if row["settlement_id"] not in ids], like
    )
    _settle(lake, place, "2025-04", first)
    done = _settle(
        lake, place, "2025-05", corrections=(str(support.write(place / "late.parquet", late, like)),)
    )
    found = support.rows(lake, "SELECT kind, pool, difference FROM adjustments_current WHERE kind = 'late'")
    assert len(found) == len(late) == 3
    assert {pool_names.part(row["pool"]) for row in found} == {EAST} and sum(
        r["difference"] for r in found
    ) > 0
    added = support.rows(lake, "SELECT pool, sum(adjustments) AS a FROM hospitals_current WHERE month = 5 "
                         "AND adjustments <> 0 GROUP BY 1")  # fmt: skip
    assert sum(row["a"] for row in added) == sum(row["difference"] for row in found)
    assert {pool_names.part(row["pool"]) for row in added} == {EAST}
    assert not audit(lake).findings and replay(lake, done.run).same


def test_the_clearing_shares_what_each_county_leaves_or_lacks(tmp_path: Path) -> None:
    lake, place = Lake(tmp_path / "lake"), _place(tmp_path, more=SHARED)
    for month in ("2025-04", "2025-05"):
        _settle(lake, place, month)
    job = YearJob(
        "2025", str(place / "budget.toml"), policy=str(place / "policy.toml"), partial=True, held_remain=True
    )
    done = clear_year(lake, job, reports=False)
    shared = support.rows(lake, "SELECT pool, name, fen FROM amounts WHERE name LIKE 'county:%'")
    balances = {row["pool"]: row["fund_balance"] for row in support.rows(lake, "SELECT * FROM pools_cleared")}
    for pool, balance in balances.items():
        parts = {row["name"]: row["fen"] for row in shared if row["pool"] == pool}
        assert set(parts) == {f"county:{pool_names.part(pool)}", "county:city"}
        assert sum(parts.values()) == balance * 100
        assert abs(parts["county:city"] - parts[f"county:{pool_names.part(pool)}"]) <= 1
    due = support.rows(lake, "SELECT pool, sum(fund_due) AS due, sum(prepaid + deposit + balance) AS parts "
                       "FROM hospitals_cleared GROUP BY 1")  # fmt: skip
    assert len(due) == 4 and all(row["due"] == row["parts"] for row in due)
    assert len({row["point_value"] for row in support.rows(lake, "SELECT * FROM pools_cleared")}) == 4
    said = "\n".join(year_summary(done, "zh"))
    assert "市县分担的年度" in said and "（居民·青田县）" in said and "：青田县 " in said
    assert not audit(lake).findings and replay(lake, done.run).same


@pytest.mark.parametrize(
    ("by", "pools", "told"),
    [
        ("hospital_county", {"employee": "1", "resident": "1"}, "needs its county or alliance"),
        ("", {"职工/331121": "1", "居民": "1"}, "has no pools by county or alliance"),
    ],
)
def test_the_budget_has_the_pools_of_the_policy(
    tmp_path: Path, by: str, pools: dict[str, str], told: str
) -> None:
    place = _place(tmp_path)
    if not by:
        text = (place / "policy.toml").read_text(encoding="utf-8")
        kept = [line for line in text.splitlines() if not line.startswith("pool_by")]
        (place / "policy.toml").write_text("\n".join(kept), encoding="utf-8")
    text = 'period = "2025"\nregions = ["3399", "3311"]\n' + "".join(
        f'[pools."{name}"]\nbudget = "{yuan}"\n' for name, yuan in pools.items()
    )
    (place / "budget.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=told):
        _settle(Lake(tmp_path / "lake"), place, "2025-04")


def test_a_county_without_money_is_named(tmp_path: Path) -> None:
    place = _place(tmp_path)
    text = (place / "budget.toml").read_text(encoding="utf-8").replace("职工/331121", "职工/331122")
    (place / "budget.toml").write_text(text, encoding="utf-8")
    with pytest.raises(
        UsageError, match=r'no budget for the pool employee/331121; add \[pools."employee/331121"\]'
    ):
        _settle(Lake(tmp_path / "lake"), place, "2025-04")


# what is written -> the pool of a budget file, and that of two counties which it names
NAMES = {
    "employee": ("employee", "employee"),
    "职工": ("employee", "employee"),
    "职工/331121": ("employee/331121", "employee/331121"),
    "310 / 331121": ("employee/331121", "employee/331121"),
    "职工·青田县": ("employee/青田县", "employee/331121"),
    "resident/Qingtian": ("resident/Qingtian", "resident/331121"),
    "居民/东部医共体": ("resident/东部医共体", "resident/东部医共体"),
}


@pytest.mark.parametrize(("text", "pools"), NAMES.items())
def test_names_of_pools_are_understood(text: str, pools: tuple[str, str]) -> None:
    raw = tomllib.loads(f'period = "2025"\n[pools."{text}"]\nbudget = 1\n')
    assert list(parse_budget(raw).pools) == [pools[0]]
    known = ["employee/331121", "employee/331102", "resident/331121"]
    assert words.pool_named(text, known if "/" in pools[1] else ["employee"]) == pools[1]
    for lang in ("zh", "en"):
        assert words.pool_named(words.pool(known[0], lang), known) == known[0]
