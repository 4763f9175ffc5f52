"""Settling priced files: cases add up to hospitals, hospitals to pools; the statement checks the file."""

from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from grouper.base.errors import DataError, ReconciliationError, TableError, UsageError
from grouper.base.output import PROVENANCE_KEY
from grouper.payment.packages.alliance import charge_cases, read_alliances
from grouper.payment.pool import settle as settle_module
from grouper.payment.pool.apportion import round_parts
from grouper.payment.pool.budget import parse_budget
from grouper.payment.pool.clearing import clear_month, clear_year, dues
from grouper.payment.pool.factor import far_off
from grouper.payment.pool.pool import POOL_TERMS, describe
from grouper.payment.pool.settle import Run, settle_cases
from grouper.payment.pool.statement import hospital_statement, pool_summary

from .pool_support import POINTS, RATE, budget_tables, make_cases, price, write_cases, write_policy

BUDGET = parse_budget(budget_tables(employee="6000000", resident="5500000.01"))
Row = dict[str, Any]


def settle_rows(
    folder: Path,
    parameters: dict[str, Any],
    rows: list[Row],
    budget: Any = BUDGET,
    method: str = "drg_points",
    value: str = "settlement",
) -> tuple[Run, list[Row], str]:
    policy = write_policy(folder, parameters, method)
    priced = price(policy, folder, rows)
    output = str(folder / "settled.parquet")
    run = settle_cases(policy, [priced], budget, output, value=value, threads=2)
    return run, pq.read_table(output).to_pylist(), output


def by_hospital(rows: list[Row], column: str) -> dict[tuple[str, str], Decimal]:
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in rows:
        if row["pay_status"] == "paid":
            sums[row["hospital_code"], row["pool"]] += row[column]
    return dict(sums)


@pytest.mark.parametrize("formula", ["F1", "F2", "F3", "points"])
@pytest.mark.parametrize("outside", ["inside", "apart"])
def test_cases_hospitals_and_pools_agree(tmp_path: Path, formula: str, outside: str) -> None:
    method = "points_fund" if formula == "points" else "points_total"
    terms = {**POINTS, "fund_formula": formula, "pool_method": method, "outside_points": outside}
    terms["policy_ratio"] = "0.85"
    run, rows, _ = settle_rows(tmp_path, terms, make_cases(400))
    assert run.rows == 400 and sum(run.counts.values()) == 400 and run.counts["held"] > 0
    funds = by_hospital(rows, "settled_fund")
    for name, pool in run.pools.items():
        assert pool.bound == "" and pool.residual == 0
        for hospital, due in pool.dues.items():
            assert funds[hospital, name] * 100 == due.total
        paid = sum(amount for (_, p), amount in funds.items() if p == name)
        apart = pool.fixed if outside == "apart" else 0
        assert paid * 100 == pool.money.amount + apart
        assert pool.money.reserve == {"employee": 30_000_000, "resident": 27_500_000}[name]
    for row in rows:
        if row["pay_status"] == "held":
            assert row["settled_fund"] is None and row["settled_income"] is None
        else:
            assert row["settled_income"] == row["settled_fund"] + row["person_paid"] + row["other_funds"]


def test_each_case_has_the_fen_of_the_largest_remainders(tmp_path: Path) -> None:
    """The file against the plain method: exact fractions, case by case."""
    run, rows, _ = settle_rows(tmp_path, POINTS, make_cases(300))
    for name, pool in run.pools.items():
        assert pool.value is not None
        for hospital, due in pool.dues.items():
            cases = [
                r for r in rows
                if (r["hospital_code"], r["pool"], r["pay_status"]) == (hospital, name, "paid")
                and r["case_value"] is not None
            ]  # fmt: skip
            quotas = {
                r["record_id"]: Fraction(r["case_value"]) * pool.value * 100
                - Fraction(r["person_paid"] + r["other_funds"]) * 100
                for r in cases
            }
            expected = round_parts(due.by_points, quotas)
            assert {r["record_id"]: int(r["settled_fund"] * 100) for r in cases} == expected


def test_cases_outside_points_keep_their_price_and_every_column_stays(tmp_path: Path) -> None:
    _, rows, output = settle_rows(tmp_path, POINTS, make_cases(200))
    priced = pq.read_table(tmp_path / "priced.parquet")
    settled = pq.read_table(output)
    assert settled.select(priced.column_names).equals(priced)
    assert settled.column_names[-4:] == ["settled_points", "settled_fund", "settled_amount", "settled_income"]
    by_item = [r for r in rows if r["method"] == "by_item" and r["pay_status"] == "paid"]
    assert by_item and all(
        r["settled_fund"] == r["pool_paid"] and r["settled_points"] is None for r in by_item
    )
    for row in rows:
        if row["case_value"] is not None and row["pay_status"] == "paid":
            assert row["settled_points"] == row["case_value"]
            assert row["settled_amount"] == row["settled_income"]


def test_many_row_groups_and_threads_keep_the_order(tmp_path: Path) -> None:
    policy = write_policy(tmp_path, POINTS)
    priced = price(policy, tmp_path, make_cases(3000))
    table = pq.read_table(priced)
    pq.write_table(table, priced, row_group_size=100)
    output = str(tmp_path / "settled.parquet")
    budget = parse_budget(budget_tables(employee="60000000", resident="60000000"))
    settle_cases(policy, [priced], budget, output, threads=4)
    assert pq.read_table(output, columns=["record_id"]).equals(table.select(["record_id"]))


def test_provenance_names_point_value_and_clauses(tmp_path: Path) -> None:
    run, _, output = settle_rows(tmp_path, POINTS, make_cases(50))
    told = json.loads(pq.read_metadata(output).metadata[PROVENANCE_KEY.encode()])
    assert told["policy"]["id"] == "test/drg_points"
    assert told["settlement"]["budget_sha256"] == BUDGET.digest
    pool = told["settlement"]["pools"]["employee"]
    assert Fraction(pool["point_value_exact"]) == run.pools["employee"].value
    assert len(pool["point_value"].split(".")[1]) == 4
    assert {c["name"] for c in told["settlement"]["parameters"]} >= {
        "pool_method",
        "fund_formula",
        "reserve_rate",
    }


def test_settling_again_gives_the_same_bytes_of_data(tmp_path: Path) -> None:
    _, first, output = settle_rows(tmp_path, POINTS, make_cases(300))
    again = str(tmp_path / "again.parquet")
    policy = write_policy(tmp_path, POINTS)
    settle_cases(policy, [output], BUDGET, again, threads=1)
    assert pq.read_table(again).to_pylist() == first


@pytest.mark.parametrize("window", [1, 50, 4_000_000])
def test_batches_and_the_order_of_rows_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    monkeypatch.setattr(settle_module, "_WINDOW_ROWS", window)
    rows = make_cases(300)
    policy = write_policy(tmp_path, POINTS)
    whole = str(tmp_path / "whole.parquet")
    settle_cases(policy, [price(policy, tmp_path, rows, "all")], BUDGET, whole)
    halves = [price(policy, tmp_path, part, name) for name, part in (("b", rows[:70:-1]), ("a", rows[:71]))]
    split = str(tmp_path / "split.parquet")
    settle_cases(policy, halves, BUDGET, split)
    one, two = (pq.read_table(path).sort_by("record_id").to_pylist() for path in (whole, split))
    assert one == two


def test_a_further_case_changes_the_value_but_no_points(tmp_path: Path) -> None:
    rows = [r for r in make_cases(160) if r["status"] == "grouped" and r["los_days"] <= 60]
    few_run, few, _ = settle_rows(tmp_path, POINTS, rows[:-1])
    all_run, more, _ = settle_rows(tmp_path, POINTS, rows)
    points = {r["record_id"]: r["settled_points"] for r in more}
    assert all(points[r["record_id"]] == r["settled_points"] for r in few)
    changed = "employee" if rows[-1]["insurance_type"] == "310" else "resident"
    assert few_run.pools[changed].points != all_run.pools[changed].points


def test_merged_pools_have_one_value(tmp_path: Path) -> None:
    budget = parse_budget(
        {"period": "2025", "pools": {"all": {"budget": "11000000", "members": ["employee", "resident"]}}}
    )
    run, rows, output = settle_rows(tmp_path, POINTS, make_cases(200), budget)
    assert list(run.pools) == ["all"]
    table = hospital_statement([output], run.pools, budget)
    assert table["pool"].unique().to_pylist() == ["all"] and table.num_rows == 4
    total = sum(r["settled_fund"] for r in rows if r["pay_status"] == "paid")
    assert total * 100 == run.pools["all"].total


def test_merged_pools_must_agree_on_their_budget_value(tmp_path: Path) -> None:
    by_pool = (
        '[parameters.point_value]\nby = ["pool"]\nvalue = { employee = "80", resident = "70" }\n'
        'source = "test"\nverified = true\n'
    )
    policy = write_policy(tmp_path, POINTS, extra=by_pool)
    priced = price(policy, tmp_path, make_cases(50))
    output = str(tmp_path / "settled.parquet")
    run = settle_cases(policy, [priced], BUDGET, output, value="budget")
    assert [run.pools[name].value for name in ("employee", "resident")] == [80, 70]
    merged = {"period": "2025", "pools": {"all": {"budget": "1", "members": ["employee", "resident"]}}}
    with pytest.raises(UsageError, match="point_value differs"):
        settle_cases(policy, [priced], parse_budget(merged), output)


def test_the_budget_value_pays_as_priced(tmp_path: Path) -> None:
    run, rows, _ = settle_rows(tmp_path, {**POINTS, "point_value": "101.37"}, make_cases(200), value="budget")
    pool = run.pools["employee"]
    assert pool.bound == "budget" and pool.value == Fraction("101.37")
    assert pool.residual == pool.total - pool.by_points - pool.fixed != 0
    for row in rows:  # pricing rounds each case, settling the hospital: never more than a fen apart
        if row["pay_status"] == "paid":
            assert abs(row["settled_fund"] - row["fund_due"]) <= Decimal("0.01")


def test_floor_and_cap_are_named(tmp_path: Path) -> None:
    run, _, _ = settle_rows(tmp_path, {**POINTS, "point_value_max": "1"}, make_cases(100))
    pool = run.pools["employee"]
    assert pool.bound == "max" and pool.value == 1 and pool.residual > 0
    assert pool.exact is not None and pool.exact > 1


def test_standards_without_sharing_stay_as_priced(tmp_path: Path) -> None:
    run, rows, _ = settle_rows(tmp_path, RATE, make_cases(200), method="drg_rate")
    assert all(r["settled_fund"] == r["fund_due"] for r in rows if r["pay_status"] == "paid")
    pool = run.pools["employee"]
    assert pool.residual == pool.money.amount - sum(d.total for d in pool.dues.values())


def test_sharing_scales_the_standards_of_a_year(tmp_path: Path) -> None:
    segments = '[{ start = "0", base = "0", slope = "1" }, { start = "1", base = "1", slope = "0.25" }]'
    terms = {**RATE, "sharing": segments, "sharing_actual": "due"}
    budget = parse_budget(budget_tables(employee="900000", resident="900000"))
    run, rows, _ = settle_rows(tmp_path, terms, make_cases(200), budget, method="drg_rate")
    pool = run.pools["employee"]
    actual = sum(
        int(r["fund_due"] * 100) for r in rows if r["pay_status"] == "paid" and r["pool"] == "employee"
    )
    money = pool.money.amount
    assert pool.shared is not None and pool.shared.segment == 2 and actual > money
    assert abs(pool.total - (money + Fraction(actual - money, 4))) <= Fraction(1, 2)
    assert sum(by_hospital(rows, "settled_fund")[h, "employee"] for h in pool.dues) * 100 == pool.total
    assert pool.residual == 0 and pool.fund_balance == money - pool.total < 0


def test_a_month_is_not_shared(tmp_path: Path) -> None:
    segments = '[{ start = "0", base = "1", slope = "0" }]'
    rows = [r for r in make_cases(600) if r["discharge_date"].month == 6]
    budget = parse_budget(budget_tables(employee="900000", resident="900000") | {"period": "2025-06"})
    terms = {**RATE, "sharing": segments, "sharing_actual": "due"}
    run, settled, _ = settle_rows(tmp_path, terms, rows, budget, method="drg_rate")
    assert all(pool.shared is None for pool in run.pools.values())
    assert all(r["settled_fund"] == r["fund_due"] for r in settled if r["pay_status"] == "paid")


def test_the_statement_adds_up_the_file_and_carries_the_clearing(tmp_path: Path) -> None:
    terms = {**POINTS, "guarantee_rate": "0.05", "assessment_full": "90"}
    run, rows, output = settle_rows(tmp_path, terms, make_cases(300))
    raw = budget_tables(employee="6000000", resident="5500000.01")
    raw["hospitals"] = [
        {"hospital_code": h, "pool": p, "prepaid": "1000000", "deposit": "50000.05", "score": "81"}
        for h in ("H0", "H1", "H2", "H3", "H9") for p in ("employee", "resident")
    ]  # fmt: skip
    budget = parse_budget(raw)
    cleared = clear_year(run.terms, budget, dues(run.pools))
    table = hospital_statement([output], run.pools, budget, cleared)
    assert table.num_rows == 10 and table.schema.field("fund_due").type == pa.decimal128(38, 2)
    found = {(r["hospital_code"], r["pool"]): r for r in table.to_pylist()}
    for row in found.values():
        assert row["prepaid"] + row["deposit"] + row["balance"] == row["fund_due"]
        assert row["returned"] == Decimal("45000.05") or row["returned"] == Decimal("45000.04")
        assert row["returned"] + row["forfeited"] == row["deposit"]
        assert row["paid"] + row["held"] + row["outside"] == row["cases"]
        assert "assessment_full = 90" in row["clauses"] and "guarantee_rate" not in row["clauses"]
    assert found["H9", "employee"]["cases"] == 0 and found["H9", "employee"]["balance"] == Decimal(
        "-1050000.05"
    )
    mine = [r for r in rows if (r["hospital_code"], r["pool"]) == ("H1", "employee")]
    paid = [r for r in mine if r["pay_status"] == "paid"]
    row = found["H1", "employee"]
    assert row["total_cost"] == sum(r["total_cost"] for r in mine)
    assert row["points"] == sum(r["settled_points"] or 0 for r in paid)
    assert row["high_cases"] == sum(r["outlier"] == "high" for r in paid) > 0
    assert row["difference"] == row["fund_due"] - row["fund_by_item"]
    weights = [Fraction(r["weight"]) for r in paid if r["weight"] is not None]
    assert abs(Fraction(row["cmi"]) - sum(weights) / len(weights)) <= Fraction(1, 20000)
    summary = pool_summary(table, run.pools, {"employee": run.terms.clauses(*POOL_TERMS)}).to_pylist()
    assert [r["pool"] for r in summary] == ["employee", "resident"]
    assert summary[0]["fund_due"] == summary[0]["total"] == Decimal("5700000")
    assert "pool_method = points_total (test)" in summary[0]["clauses"]


def test_a_statement_of_a_changed_file_is_refused(tmp_path: Path) -> None:
    run, rows, output = settle_rows(tmp_path, POINTS, make_cases(60))
    table = pq.read_table(output)
    values = table["settled_fund"].to_pylist()
    place = next(n for n, r in enumerate(rows) if r["pay_status"] == "paid")
    values[place] += Decimal("0.01")
    at = table.column_names.index("settled_fund")
    changed = table.set_column(at, "settled_fund", pa.array(values, pa.decimal128(18, 2)))
    pq.write_table(changed, output)
    with pytest.raises(ReconciliationError, match="does not agree"):
        hospital_statement([output], run.pools, BUDGET)


def test_months_are_cleared_by_the_policy(tmp_path: Path) -> None:
    terms = {**POINTS, "guarantee_rate": "0.05", "prepay_rate": "0.9", "point_value": "100"}
    rows = [r for r in make_cases(600) if r["discharge_date"].month == 6]
    raw = budget_tables(employee="900000", resident="900000") | {"period": "2025-06"}
    raw["hospitals"] = [{"hospital_code": "H1", "pool": "employee", "advance": "500", "audit": "1.50"}]
    budget = parse_budget(raw)
    run, _, output = settle_rows(tmp_path, terms, rows, budget, value="budget")
    cleared = clear_month(run.terms, budget, dues(run.pools))
    one = next(r for r in cleared if (r.hospital, r.pool) == ("H1", "employee"))
    assert one.advance == 50_000 and one.audit == 150 and one.payable == one.prepaid - 50_150 > 0
    assert abs(one.prepaid - Fraction(one.due) * Fraction("0.855")) <= 1
    assert "prepay_rate = 0.9" in one.clauses
    table = hospital_statement([output], run.pools, budget, cleared)
    assert sum(r["deposit"] + r["prepaid"] + r["deferred"] for r in table.to_pylist()) == sum(
        r["fund_due"] for r in table.to_pylist()
    )


# the alliance on top of the settled cases


def test_alliances_are_charged_for_care_outside(tmp_path: Path) -> None:
    _, rows, output = settle_rows(tmp_path, POINTS, make_cases(300))
    (tmp_path / "alliances.csv").write_text(
        "alliance,county,insured,score\nA,330001,1000,92\nB,330002,2000,80\n"
    )
    (tmp_path / "hospitals.csv").write_text("hospital_code,alliance\nH0,A\nH1,A\nH2,B\nH3,\n")
    grouped = str(tmp_path / "priced.grouped.parquet")
    alliances = read_alliances(str(tmp_path / "alliances.csv"))
    found = charge_cases([output], alliances, str(tmp_path / "hospitals.csv"), grouped)
    regions = {r["record_id"]: r["region_code"] for r in pq.read_table(grouped).to_pylist()}
    mine = [r for r in rows if regions[r["record_id"]] == "330001" and r["pay_status"] != "held"]
    inside = sum(r["settled_fund"] for r in mine if r["hospital_code"] in ("H0", "H1"))
    first = found.alliances[0]
    assert (
        first.inside == inside * 100
        and first.outside == sum(r["settled_fund"] for r in mine) * 100 - first.inside
    )
    total = sum(r["settled_fund"] for r in rows if r["pay_status"] == "paid")
    assert sum(a.inside + a.outside for a in found.alliances) + found.others == total * 100


def test_a_person_without_region_is_refused(tmp_path: Path) -> None:
    _, _, output = settle_rows(tmp_path, POINTS, make_cases(30))
    (tmp_path / "alliances.csv").write_text("alliance,county,insured\nA,33,1000\n")
    (tmp_path / "hospitals.csv").write_text("hospital_code,alliance\nH0,A\n")
    (tmp_path / "persons.csv").write_text("record_id,region_code\nR00000,330001\n")
    alliances = read_alliances(str(tmp_path / "alliances.csv"))
    hospitals = str(tmp_path / "hospitals.csv")
    with pytest.raises(UsageError, match="--persons"):
        charge_cases([output], alliances, hospitals)
    with pytest.raises(DataError, match="R00001"):
        charge_cases([output], alliances, hospitals, str(tmp_path / "persons.csv"))


# what is refused


def test_a_pool_without_budget_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"pools\.resident"):
        settle_rows(tmp_path, POINTS, make_cases(50), parse_budget(budget_tables(employee="1")))
    assert not (tmp_path / "settled.parquet").exists()


def test_conventions_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="points_fund"):
        settle_rows(tmp_path, {**POINTS, "pool_method": "points_fund"}, make_cases(50))


def test_cases_of_another_period_are_refused(tmp_path: Path) -> None:
    budget = parse_budget(budget_tables(employee="1", resident="1") | {"period": "2025-06"})
    with pytest.raises(DataError, match="2025-06"):
        settle_rows(tmp_path, POINTS, make_cases(50), budget)


def test_sharing_of_points_by_due_needs_a_budget_value(tmp_path: Path) -> None:
    terms = {**POINTS, "sharing": '[{ start = "0", base = "1", slope = "0" }]', "sharing_actual": "due"}
    with pytest.raises(UsageError, match="point_value"):
        settle_rows(tmp_path, terms, make_cases(50))


def test_a_repeated_case_leaves_no_file(tmp_path: Path) -> None:
    policy = write_policy(tmp_path, POINTS)
    priced = price(policy, tmp_path, make_cases(200))
    output = tmp_path / "twice.parquet"
    with pytest.raises(DataError, match="record_id R00000"):
        settle_cases(policy, [priced, priced], BUDGET, str(output))
    assert not output.exists() and not list(tmp_path.glob(".*part"))


def test_a_file_that_was_not_priced_is_refused(tmp_path: Path) -> None:
    policy = write_policy(tmp_path, POINTS)
    grouped = write_cases(tmp_path / "grouped.parquet", make_cases(5))
    with pytest.raises(UsageError, match="grouper pay"):
        settle_cases(policy, [grouped], BUDGET, str(tmp_path / "out.parquet"))


@pytest.mark.parametrize(
    ("times", "bound", "paid"),
    [
        ("0.4", "", "0.4000"),
        ("0.6", "", None),
        ("1.4", "surplus", None),
        ("165.6", "surplus", "1.0000"),
    ],
)
def test_a_budget_far_from_the_standards_is_said(
    tmp_path: Path, times: str, bound: str, paid: str | None
) -> None:
    """The budget is what is outside the standards and ``times`` the standards."""
    segments = '[{ start = "0", base = "1", slope = "0" }]'
    rows = [{**row, "insurance_type": "310"} for row in make_cases(200)]
    terms = {**RATE, "sharing": segments, "sharing_actual": "due", "reserve_rate": "0"}
    first = settle_rows(tmp_path, terms, rows, method="drg_rate")[0].pools["employee"]
    standards = sum(due.by_points for due in first.dues.values())
    assert first.bound == "surplus" and standards > 0
    money = Decimal(first.fixed + standards * Fraction(times).numerator // Fraction(times).denominator) / 100
    budget = parse_budget(budget_tables(employee=str(money)))
    run, settled, _ = settle_rows(tmp_path, terms, rows, budget, method="drg_rate")
    pool = run.pools["employee"]
    assert pool.bound == bound and run.terms.assumed["surplus_rule"] == "stays"
    if bound:
        assert all(r["settled_fund"] == r["fund_due"] for r in settled if r["pay_status"] == "paid")
        assert pool.fund_balance * 1000 > 399 * standards  # what is over stays
    found = list(far_off([{"pool": "employee"} | describe(pool)]))
    assert [odd.text("en").count(f" {paid} times is paid") for odd in found] == ([1] if paid else [])
    assert all(f"{Decimal(times):.4f}" in odd.text("zh") for odd in found)


def test_a_policy_may_pay_a_surplus_out(tmp_path: Path) -> None:
    segments = '[{ start = "0", base = "1", slope = "0" }]'
    terms = {**RATE, "sharing": segments, "sharing_actual": "due", "surplus_rule": "paid_out"}
    run, _, _ = settle_rows(tmp_path, terms, make_cases(200), method="drg_rate")
    for pool in run.pools.values():
        assert pool.value is not None and pool.value > 1 and pool.bound == ""
        assert pool.total == pool.money.amount and pool.fund_balance == 0


def test_a_policy_that_does_not_say_keeps_what_it_meant(tmp_path: Path) -> None:
    """Lakes of older formats are computed again with the default of then."""
    segments = '[{ start = "0", base = "1", slope = "0" }]'
    terms = {**RATE, "sharing": segments, "sharing_actual": "due"}
    policy = write_policy(tmp_path, terms, "drg_rate")
    priced = price(policy, tmp_path, make_cases(200))
    run = settle_cases(policy, [priced], BUDGET, str(tmp_path / "then.parquet"), surplus="paid_out")
    assert all(pool.fund_balance == 0 for pool in run.pools.values())
