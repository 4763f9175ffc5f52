"""What is not known is not paid: stays, coefficients and means that a case hangs on."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from grouper.base.output import PROVENANCE_KEY
from grouper.payment import pay, verify_policy
from grouper.payment.policy.policy import load_policy

from ..support import canonical
from .pay_support import POLICY, SCHEMA, case, write_policy

PER_DIEM = """
[[routes]]
name = "rehabilitation"
method = "per_diem"
when = { department = ["A21"] }
zh = "康复"
en = "rehabilitation"
source = "s"
verified = true

[parameters.per_diem]
by = ["route"]
value = { rehabilitation = [{ up_to = 30, value = "400" }, { value = "300" }] }
source = "s"
verified = true
"""
WIDE = pa.schema([*SCHEMA, *canonical(["department"])])


def priced(
    place: Path, cases: list[dict[str, Any]], policy: str = POLICY
) -> dict[str, tuple[str, str, Decimal | None]]:
    path = write_policy(place, policy)
    pq.write_table(pa.Table.from_pylist(cases, schema=WIDE), place / "g.parquet")
    pay(str(place / "g.parquet"), str(path), str(place / "o.parquet"))
    rows = pq.read_table(place / "o.parquet").to_pylist()
    return {row["record_id"]: (row["pay_status"], row["pay_reason"], row["amount"]) for row in rows}


def test_an_unknown_stay_is_held_where_a_route_or_a_tier_asks_for_it(tmp_path: Path) -> None:
    """The test policy pays stays above 60 days by item; a whole first tier of bed-days would be 12,000."""
    cases = [
        case("known", "5000.00", department="A21", los_days=2),
        case("unknown", "5000.00", department="A21", los_days=None),
        case("route", "15000.00", department="A03", los_days=None),
    ]
    routes, bare = POLICY.partition("[[routes]]"), POLICY
    assert routes[1], "the test policy has a route by days of stay"
    found = priced(tmp_path, cases, bare + PER_DIEM)
    assert found["known"] == ("paid", "per_diem", Decimal("800.00"))
    assert found["unknown"] == ("held", "no-stay", None)
    assert found["route"] == ("held", "no-stay", None)


INCOMPLETE = POLICY.replace(
    'low_formula = { value = "cost"', 'low_formula = { value = "incomplete_stay"'
).replace('ratio_denominator = { value = "standard"', 'ratio_denominator = { value = "group_mean"')


def with_means(place: Path, mean: str) -> None:
    (place / "weights.csv").write_text(
        f"drg,name,weight,mean_cost,basic,unstable\nGE19,阑尾,1.20,{mean},,\nES33,肺炎,0.70,{mean},,\n",
        encoding="utf-8",
    )


@pytest.mark.parametrize("cost", ["500.00", "5000.00", "50000.00"])
def test_no_mean_of_the_group_is_no_reason_to_be_normal(tmp_path: Path, cost: str) -> None:
    assert priced(tmp_path, [case("a", cost)], INCOMPLETE) == {"a": ("held", "no-group-mean", None)}
    finding = [f for f in verify_policy(load_policy(tmp_path / "policy.toml")) if f.kind == "no-group-mean"]
    assert [f.severity for f in finding] == ["error"]


def test_no_coefficient_is_no_full_base(tmp_path: Path) -> None:
    """Level 1 has no coefficient: a low outlier is held as any other case of its hospital."""
    path = write_policy(tmp_path, INCOMPLETE)
    with_means(tmp_path, "10000")
    cases = [case("low", "500.00", hospital_level="1"), case("normal", "9000.00", hospital_level="1"),
             case("paid", "9000.00")]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(cases, schema=WIDE), tmp_path / "g.parquet")
    pay(str(tmp_path / "g.parquet"), str(path), str(tmp_path / "o.parquet"))
    rows = {row["record_id"]: row for row in pq.read_table(tmp_path / "o.parquet").to_pylist()}
    assert {name: (row["pay_status"], row["pay_reason"]) for name, row in rows.items()} == {
        "low": ("held", "no-coefficient"), "normal": ("held", "no-coefficient"), "paid": ("paid", "group"),
    }  # fmt: skip
    assert rows["low"]["amount"] is None


def test_what_is_paid_has_a_reason_to_be_paid(tmp_path: Path) -> None:
    """Every missing number with every class of cost: paid, or held with a reason that says no."""
    path = write_policy(tmp_path, POLICY + PER_DIEM)
    cases = []
    for number, (cost, level, group, days, department) in enumerate(
        itertools.product(
            ("500", "9000", "99000"), ("3", "1", None), ("GE19", "XX19", None), (6, 61, None), ("A21", None)
        )
    ):
        status = "grouped" if group else "ungrouped"
        cases.append(case(f"r{number}", cost, hospital_level=level, drg=group, los_days=days,
                          department=department, status=status))  # fmt: skip
    pq.write_table(pa.Table.from_pylist(cases, schema=WIDE), tmp_path / "g.parquet")
    pay(str(tmp_path / "g.parquet"), str(path), str(tmp_path / "o.parquet"))
    for row in pq.read_table(tmp_path / "o.parquet").to_pylist():
        says_no = row["pay_reason"].startswith("no-") or row["pay_reason"] in ("held", "ungrouped")
        assert (row["pay_status"] == "held") == says_no, row
        assert (row["amount"] is None) == says_no, row


def test_the_stay_that_grouping_took_is_the_one_that_is_paid(tmp_path: Path) -> None:
    """21 nights from the dates at 400 a day; the column is empty in 95 % of an agency's rows."""
    path = write_policy(tmp_path, POLICY + PER_DIEM)
    schema = pa.schema([*WIDE, *canonical(["admission_date"], admission_date=pa.date32())])
    row = case("a", "50000.00", department="A21", los_days=None, admission_date=dt.date(2025, 5, 20))
    table = pa.Table.from_pylist([row], schema=schema)
    for stay, days in (("nights", 21), ("days", 22)):
        told = {PROVENANCE_KEY: json.dumps({"options": {"stay": stay}})}
        pq.write_table(table.replace_schema_metadata(told), tmp_path / "g.parquet")
        pay(str(tmp_path / "g.parquet"), str(path), str(tmp_path / "o.parquet"))
        found = pq.read_table(tmp_path / "o.parquet").to_pylist()[0]
        assert (found["los_days"], found["amount"]) == (days, Decimal(400 * days))
    pay(str(tmp_path / "g.parquet"), str(path), str(tmp_path / "o.parquet"), stay="given")
    assert pq.read_table(tmp_path / "o.parquet").to_pylist()[0]["pay_reason"] == "no-stay"
