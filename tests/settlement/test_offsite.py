"""People treated elsewhere and people from elsewhere: told apart, paid once, and never from two accounts."""

from __future__ import annotations

import csv
import shutil
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from grouper.base.errors import UsageError
from grouper.commands.text.ledger import month_summary, statement_lines, year_summary
from grouper.lake import Lake
from grouper.payment.policy.areas import area_regions
from grouper.payment.policy.policy import load_policy, policy_files
from grouper.payment.pool.budget import parse_budget
from grouper.settlement.audit import audit
from grouper.settlement.month import settle_month
from grouper.settlement.offsite import kind_sql
from grouper.settlement.plan.job import Job
from grouper.settlement.plan.year_job import YearJob
from grouper.settlement.replay import replay
from grouper.settlement.show import statement_of
from grouper.settlement.year import clear_year

from . import settle_support as support

OLD = Path(__file__).parents[1] / "data" / "lake-0.1.0"
KINDS = Path(__file__).with_name("offsite_kinds.csv")
RULES = ("offsite_own_rule", "offsite_visitor_rule", "offsite_distant_rule", "offsite_unknown_rule")
FIVE = ("lishui/2022", "liaocheng/2025", "qingyang/2023", "qingyang/2025", "tianmen/2025", "yulin/2024")


def _read() -> list[dict[str, str]]:
    with KINDS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("row", _read(), ids=lambda row: f"{row['insured']}-{row['treated']}-{row['county']}")
def test_who_is_treated_where(row: dict[str, str]) -> None:
    sql = kind_sql(("region_code", "region_of_treatment"), ("county",), ("3311",))
    with duckdb.connect() as connection:
        found = connection.execute(
            f"SELECT {sql} FROM (SELECT nullif(?, '') AS region_code, nullif(?, '') AS region_of_treatment) "
            "AS r, (SELECT nullif(?, '') AS county) AS h",
            [row["insured"], row["treated"], row["county"]],
        ).fetchone()
    assert found == (row["kind"],), row["why"]


def test_without_columns_or_regions_nothing_is_known() -> None:
    for present, regions in (((), ("3311",)), (("region_code", "region_of_treatment"), ())):
        with duckdb.connect() as connection:
            sql = kind_sql(present, (), regions)
            rows = "(SELECT '331102' AS region_code, '331102' AS region_of_treatment) AS r"
            assert connection.execute(f"SELECT {sql} FROM {rows}").fetchone() == ("unknown",)


@pytest.mark.parametrize("name", FIVE)
def test_the_five_areas_have_rules_with_their_sources(name: str) -> None:
    policy = load_policy(policy_files()[name])
    assert area_regions(policy.area)
    for rule in RULES:
        dated = policy.parameters[rule].on(policy.valid_to)
        assert dated is not None and dated.source and not dated.verified


def _place(tmp_path: Path, apart: str = "") -> Path:
    """The city of the other tests, with money set apart in the pool of residents."""
    place = tmp_path / "city"
    shutil.copytree(support.city(900, 0.03, (4, 5, 6)), place)
    if apart:
        text = (place / "budget.toml").read_text(encoding="utf-8")
        line = f'carve_outs = [{{ name = "异地就医", amount = "{apart}", source = "x" }}]\n'
        (place / "budget.toml").write_text(text + line, encoding="utf-8")
    return place


def _kinds(lake: Lake) -> dict[tuple[str, str], tuple[int, Decimal]]:
    found = support.rows(
        lake,
        "SELECT offsite, pay_status, count(*) AS n, coalesce(sum(pool_paid), 0) AS fund FROM cases_current "
        "WHERE row_kind = 'case' GROUP BY ALL",
    )
    return {(row["offsite"], row["pay_status"]): (row["n"], row["fund"]) for row in found}


def test_they_are_paid_beside_the_pools_and_the_carve_out_shows_its_use(tmp_path: Path) -> None:
    place = _place(tmp_path, "1200000")
    lake = Lake(tmp_path / "lake")
    done = support.settle(lake, place, "2025-04")
    kinds = _kinds(lake)
    assert (
        ("own", "paid") not in kinds and ("visitor", "paid") not in kinds and ("distant", "paid") not in kinds
    )
    own, others = kinds["own", "outside"], kinds["distant", "outside"]
    assert own[0] > 2 and others[0] > 0 and own[1] > 0
    pools = {row["pool"]: row for row in support.rows(lake, "SELECT * FROM pools_current")}
    assert sum(row["offsite_used"] for row in pools.values()) == own[1]
    assert sum(row["offsite_visitor_fund"] for row in pools.values()) == others[1]
    resident, employee = pools["resident"], pools["employee"]
    assert resident["offsite_set_apart"] == resident["carve_outs"] == Decimal(100_000)  # a twelfth
    assert resident["offsite_left"] == Decimal(100_000) - resident["offsite_used"]
    assert employee["offsite_set_apart"] == 0 and employee["offsite_left"] == -employee["offsite_used"]
    # the pools pay nothing of it: their dues are those of paid cases, and hospitals elsewhere have none
    dues = support.rows(lake, "SELECT sum(fund_due) AS due, sum(offsite_own_fund) AS own, "
                        "sum(offsite_visitor_fund) AS others FROM hospitals_current")[0]  # fmt: skip
    paid = support.rows(lake, "SELECT sum(settled_fund) AS due FROM cases_current WHERE row_kind = 'case' "
                        "AND pay_status = 'paid'")[0]  # fmt: skip
    assert (dues["due"], dues["own"], dues["others"]) == (paid["due"], own[1], others[1])
    away = support.rows(lake, "SELECT * FROM hospitals_current WHERE hospital_code LIKE 'H3400%'")
    assert away and all(row["fund_due"] == 0 and not row["deposit"] and not row["points"] for row in away)
    ledger = support.rows(lake, "SELECT name, sum(fen) / 100 AS yuan FROM amounts "
                          "WHERE name LIKE 'offsite:%' "
                          "GROUP BY 1 ORDER BY 1")  # fmt: skip
    assert {row["name"]: Decimal(str(row["yuan"])) for row in ledger} == {
        "offsite:own": own[1], "offsite:distant": others[1],
    }  # fmt: skip
    counts = support.rows(lake, "SELECT reason, rows FROM counts WHERE status = 'offsite' ORDER BY 1")
    assert {"reason": "own:outside", "rows": own[0]} in counts
    said = "\n".join(month_summary(done, "zh"))
    assert "本地参保人在外地就医，池外单列 [offsite-own]" in said
    assert "异地就医  居民  单列 100,000.00  已用" in said
    assert not audit(lake).findings and replay(lake, done.run).same


def test_a_hospital_elsewhere_gets_a_statement_of_what_is_paid_beside(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    support.settle(lake, _place(tmp_path), "2025-04")
    code = support.rows(lake, "SELECT hospital_code AS c FROM hospitals_current WHERE offsite_own_fund > 0 "
                        "ORDER BY 1 LIMIT 1")[0]["c"]  # fmt: skip
    told = "\n".join(statement_lines(statement_of(lake, code), "zh"))
    assert "异地就医：本地参保人在外地（池外）" in told


@pytest.mark.slow
def test_the_year_counts_them_as_the_months_do_and_gives_them_no_balance(tmp_path: Path) -> None:
    place = _place(tmp_path, "1200000")
    lake = Lake(tmp_path / "lake")
    for month in ("2025-04", "2025-05"):
        support.settle(lake, place, month)
    job = YearJob("2025", str(place / "budget.toml"), "tianmen", partial=True, held_remain=True)
    done = clear_year(lake, job, reports=False)
    pool = {row["pool"]: row for row in done.pools}["resident"]
    used = support.rows(lake, "SELECT sum(pool_paid) AS fund FROM cases_cleared WHERE pool = 'resident' "
                        "AND offsite = 'own'")[0]["fund"]  # fmt: skip
    assert pool["offsite_set_apart"] == Decimal(200_000) and pool["offsite_used"] == used > 0
    assert not support.rows(lake, "SELECT * FROM hospitals_cleared WHERE hospital_code LIKE 'H3400%' "
                            "AND (balance <> 0 OR fund_due <> 0 OR score IS NOT NULL)")  # fmt: skip
    assert "异地就医  居民" in "\n".join(year_summary(done, "zh"))
    assert replay(lake, done.run).same


def test_the_same_money_is_not_there_twice(tmp_path: Path) -> None:
    """Own people's care elsewhere inside the pools, and money set apart for it: refused."""
    place = _place(tmp_path, "1200000")
    policy = place / "policy.toml"
    policy.write_text(
        'id = "tianmen/inside"\narea = "tianmen"\nextends = "tianmen/2025"\nname = "内"\nname_en = "inside"\n'
        "valid_from = 2025-01-01\nvalid_to = 2026-12-31\n[parameters]\n"
        'offsite_own_rule = { value = "inside", source = "x", verified = false }\n',
        encoding="utf-8",
    )
    with pytest.raises(UsageError, match=r"pools.resident sets 100000.00 yuan apart for 异地就医.*twice"):
        support.settle(Lake(tmp_path / "lake"), place, "2025-04", area="", policy=str(policy))
    assert not Lake(tmp_path / "lake").ledger.exists()


def test_missing_regions_are_said_and_stay_inside(tmp_path: Path) -> None:
    place = _place(tmp_path)
    table = pq.read_table(place / "2025-04.parquet").drop_columns(["region_code", "region_of_treatment"])
    pq.write_table(table, place / "2025-04.parquet")
    lake = Lake(tmp_path / "lake")
    done = support.settle(lake, place, "2025-04")
    assert set(_kinds(lake)) <= {("unknown", status) for status in ("paid", "held", "outside")}
    cases = done.record.run["cases"]
    assert done.assumed["regions unknown"] == f"{cases} of {cases}"
    assert "参保地或就医地不明" in "\n".join(month_summary(done, "zh"))


def test_a_policy_without_rules_pays_them_inside_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rules of regions are those of the policy: without any, cases stay where they were, and are told."""
    monkeypatch.chdir(OLD)
    budget = tmp_path / "budget.toml"
    text = (OLD / "budget-2025.toml").read_text(encoding="utf-8")
    budget.write_text(f'regions = ["3399"]\n{text}', encoding="utf-8")
    lake = Lake(tmp_path / "lake")
    job = Job(
        "2025-03", (str(OLD / "inputs/2025-03.parquet"),), str(budget), str(OLD / "hospitals.csv"),
        policy=str(OLD / "policy/lake.toml"), max_rejected="0.3", threads=1,
    )  # fmt: skip
    done = settle_month(lake, job, reports=False)
    kinds = _kinds(lake)
    assert {status for kind, status in kinds if kind in ("own", "distant")} == {"paid"}
    own, others = (kinds[kind, "paid"][0] if (kind, "paid") in kinds else 0 for kind in ("own", "distant"))
    assert done.assumed["offsite without a rule"] == f"{own} own, {others} others"


@pytest.mark.parametrize("regions", ['"3399"', '["33X"]', "[3399]", '["1"]'])
def test_regions_of_a_budget_are_codes(regions: str) -> None:
    import tomllib

    raw = tomllib.loads(f'period = "2025"\nregions = {regions}\n[pools.all]\nbudget = 1\n')
    with pytest.raises(UsageError, match="regions: should be a list of region codes"):
        parse_budget(raw)
