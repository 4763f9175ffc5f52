"""Five areas settle a small synthetic year and clear it; every identity, to the fen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from grouper.base.errors import DataError, UsageError
from grouper.lake import Lake
from grouper.payment.policy.policy import find_policy
from grouper.report import ReportData
from grouper.report.data import plain
from grouper.report.numbers import Lang, number
from grouper.report.statement_rows import group_told, hospitals_of, read_statement
from grouper.settlement.audit import audit
from grouper.settlement.history import months_paid
from grouper.settlement.plan.year_job import YearJob
from grouper.settlement.replay import replay
from grouper.settlement.reports import indicators, paths, run_info
from grouper.settlement.show import read_run
from grouper.settlement.year import clear_year

from . import settle_support as support

AREAS = ("lishui", "liaocheng", "qingyang", "tianmen", "yulin")
MONTHS = [f"2025-{month:02}" for month in range(1, 13)]
PARTS = ("prepaid", "deposit", "balance")


@pytest.mark.slow
@pytest.mark.parametrize("area", AREAS)
def test_a_year(area: str, tmp_path: Path) -> None:
    """One test an area: with several processes, no year is made twice."""
    year = _year(area, tmp_path / "lake")
    for check in (
        _every_row_is_accounted_for, _months_pay_what_is_due, _clearing_adds_up, _every_case_is_there_once,
        _the_watch_is_of_the_clearing, _statements_tie, _audit_and_replay, _a_closed_month_stays_closed,
    ):  # fmt: skip
        check(year)


def _year(area: str, root: Path) -> Lake:
    """A year of some two hundred rows a month, settled and cleared."""
    lake = Lake(root)
    place = support.city(2400, 0.03)
    for month in MONTHS:
        support.settle(lake, place, month, area=area, threads=2, allow_missing=("payment_method",))
    scores = support.corrections(
        lake.root.parent / "scores.csv",
        [{"kind": "quality", "hospital_code": code, "pool": "*", "score": str(80 + n % 20)}
         for n, code in enumerate(_hospitals(lake))],
    )  # fmt: skip
    job = YearJob("2025", str(place / "budget.toml"), area, corrections=(str(scores),), threads=2)
    held = support.rows(lake, "SELECT count(*) AS n FROM cases_effective WHERE pay_status = 'held'")[0]["n"]
    if held:
        with pytest.raises(DataError, match=rf"{held} cases .* are still held.*--held-remain"):
            clear_year(lake, job, reports=False)
        assert not support.rows(lake, "SELECT run FROM runs WHERE kind = 'clear'")
    clear_year(lake, replace(job, held_remain=held > 0), reports=False)
    return lake


def _hospitals(lake: Lake) -> list[str]:
    found = support.rows(lake, "SELECT DISTINCT hospital_code AS code FROM hospitals_current ORDER BY 1")
    return [row["code"] for row in found]


def _one(lake: Lake, sql: str) -> dict[str, object]:
    return support.rows(lake, sql)[0]


def _every_row_is_accounted_for(year: Lake) -> None:
    runs = support.rows(year, "SELECT * FROM runs WHERE kind = 'settle' ORDER BY period")
    assert [run["period"] for run in runs] == MONTHS
    for run in runs:
        assert run["rows_in"] == run["cases"] + run["rejected"] + run["netted"] + run["adjusted"]
        counts = f"SELECT count(*) AS n FROM rejected_all WHERE run = '{run['run']}'"
        assert _one(year, counts)["n"] == run["rejected"] + run["netted"]
    assert sum(run["adjusted"] for run in runs) > 20


def _months_pay_what_is_due(year: Lake) -> None:
    off = support.rows(
        year,
        "SELECT h.run FROM hospitals_current AS h WHERE due_total <> fund_due + adjustments OR "
        "(paid_months = CAST(month AS VARCHAR) AND deposit + prepaid + deferred <> due_total) OR "
        "advance + audit + payable + carried <> prepaid",
    )
    assert not off
    sums = support.rows(
        year,
        "SELECT (SELECT sum(settled_fund) FROM cases_current WHERE row_kind = 'case' AND pay_status = "
        "'paid') "
        "- (SELECT sum(fund_due) FROM hospitals_current) AS cases, "
        "(SELECT sum(fund_due) FROM hospitals_current) - (SELECT sum(by_points + fixed) FROM "
        "pools_current) AS pools, "
        "(SELECT coalesce(sum(difference), 0) FROM adjustments_current WHERE kind <> 'audit_deduction') "
        "- (SELECT sum(adjustments) FROM hospitals_current) AS adjustments",
    )[0]
    assert set(sums.values()) == {0}


def _clearing_adds_up(year: Lake) -> None:
    rows = support.rows(year, "SELECT * FROM hospitals_cleared")
    beside = [row for row in rows if row["final"] is None]  # whose cases are all beside the pools, or held
    assert all(row["paid"] == row["fund_due"] == 0 for row in beside)
    assert any(row["offsite_own_cases"] for row in beside)
    rows = [row for row in rows if row not in beside]
    for row in rows:
        assert row["fund_due"] == row["prepaid"] + row["deposit"] + row["balance"]
        assert row["deposit"] == row["returned"] + row["forfeited"]
        assert row["final"] == row["balance"] + row["returned"] - row["advance"] - row["audit"]
    months = _one(year, "SELECT sum(prepaid) AS prepaid, sum(deposit) AS deposit FROM hospitals_current")
    assert sum(row["prepaid"] for row in rows) == months["prepaid"]
    assert sum(row["deposit"] for row in rows) == months["deposit"]
    cases = _one(year, "SELECT sum(settled_fund) AS fund FROM cases_cleared WHERE pay_status = 'paid'")
    assert cases["fund"] == sum(row["fund_due"] for row in rows)
    for pool in support.rows(year, "SELECT * FROM pools_cleared"):
        parts = pool["reserve"] + pool["carve_outs"] + pool["by_points"] + pool["fixed"] + pool["residual"]
        assert parts + pool["fund_balance"] == pool["budget"]


def _every_case_is_there_once(year: Lake) -> None:
    """Cases of the year = cases of the months and late ones, less those refunded since."""
    counted = _one(
        year,
        "SELECT (SELECT count(*) FROM cases_cleared) AS cleared, "
        "(SELECT count(DISTINCT record_id) FROM cases_cleared) AS once, "
        "(SELECT count(*) FROM cases_current WHERE row_kind IN ('case', 'late')) "
        "- (SELECT count(*) FROM adjustments_current WHERE kind IN ('refund', 'withdrawal')) AS expected",
    )
    assert counted["cleared"] == counted["once"] == counted["expected"]
    changed = support.rows(
        year,
        "SELECT c.record_id FROM cases_cleared AS c JOIN cases_effective AS e USING (record_id) "
        "WHERE c.case_value IS DISTINCT FROM e.case_value OR c.original_run <> e.run",
    )
    assert not changed


def _the_watch_is_of_the_clearing(year: Lake) -> None:
    """The fund watch and the unverified parameters of a clearing's report."""
    record = read_run(year, str(_one(year, "SELECT run FROM runs WHERE kind = 'clear'")["run"]))
    found = {row["zh"]: row["value"] for row in indicators(year, record)}
    pools = _one(year, "SELECT sum(fund_due) AS due, sum(budget) AS budget FROM pools_cleared")
    assert found["本期预算执行率"] == number(pools["due"] * 100 / pools["budget"], 2)  # type: ignore[operator]


def _statements_tie(year: Lake) -> None:
    """Adjustments and deductions of every statement are those of its summary; months add up to the year."""
    for run in ("000003", "000007", "000013"):
        record = read_run(year, run)
        info = run_info(record, find_policy(record.run["policy_id"]), {})
        data = ReportData.from_paths(paths(year, record), info | {"months": months_paid(year, record)})
        with data.open() as query:
            for code in hospitals_of(query):
                told = read_statement(query, code, data.info)
                taken = sum(amount for *_, amount in told.taken(data.info))
                assert taken == told.total["audit"], (run, code)
                if run == "000013":
                    before = sum(plain(row["prepaid"]) for row in told.months)
                    assert before + told.total["paid_later"] == told.total["prepaid"], code
                else:
                    changes = sum(plain(row["difference"]) for row in told.changes)
                    assert changes == told.total["adjustments"] + told.total["earlier_years"], (run, code)
                assert all(group_told(row, Lang("zh"))[1] for row in told.groups)
                assert all(row["record_no"] for row in told.changes)


def _audit_and_replay(year: Lake) -> None:
    assert audit(year).findings == []
    last = replay(year, "000013")
    assert set(last.tables.values()) == {"bytes"}
    month = replay(year, "000006")
    assert set(month.tables.values()) == {"bytes"}


def _a_closed_month_stays_closed(year: Lake) -> None:
    area = _one(year, "SELECT any_value(area) AS area FROM runs")["area"]
    with pytest.raises(UsageError, match="--reopen"):
        support.settle(year, support.city(2400, 0.03), "2025-06", area=area)


def test_missing_months_are_named(tmp_path: Path) -> None:
    place = support.city(2400, 0.03)
    lake = Lake(tmp_path / "lake")
    support.settle(lake, place, "2025-01")
    with pytest.raises(UsageError, match=r"2025-02.*--partial"):
        clear_year(lake, YearJob("2025", str(place / "budget.toml"), "tianmen"), reports=False)
