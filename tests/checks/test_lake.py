"""A lake's current cases: with the groups and amounts by which they were settled, by month."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from grouper.base.errors import UsageError
from grouper.checks import check_lake
from grouper.lake import commit, ledger
from grouper.lake.layout import Lake
from tests.in_process import call
from tests.support import canonical

_TEXT = ("row_kind", "input_file", "mdc", "drg", "status", "reason")
RECORDS = canonical(
    [*_TEXT, "record_id", "person_id", "hospital_code", "input_row", "admission_date", "discharge_date",
     "age_years", "los_days", "discharge_way", "diagnoses", "procedures", "total_cost"],
    **dict.fromkeys(_TEXT, pa.string()), input_row=pa.int64(),
    **dict.fromkeys(("admission_date", "discharge_date"), pa.date32()),
)  # fmt: skip
_NUMBERS = ("amount", "cost_ratio", "high_limit")
CASES = canonical(["record_id", "total_cost", *_NUMBERS], **dict.fromkeys(_NUMBERS, pa.decimal128(18, 4)))


def record(number: int, **given: Any) -> dict[str, Any]:
    row = {
        "row_kind": "case", "input_file": "june", "input_row": number, "record_id": f"r{number}",
        "person_id": f"p{number}", "hospital_code": "H1", "admission_date": date(2025, 6, 1),
        "discharge_date": date(2025, 6, 6), "age_years": 70, "los_days": 5, "discharge_way": 1,
        "diagnoses": ["I63.300"], "procedures": [], "total_cost": Decimal("8000"), "mdc": "MDCB",
        "drg": "BR15", "status": "grouped", "reason": "grouped",
    }  # fmt: skip
    return row | given


def settle(lake: Lake, month: int, rows: list[dict[str, Any]], ratio: str = "1.0") -> None:
    with commit.new_run(lake) as (run, staging):
        cases = [
            {"record_id": row["record_id"], "total_cost": row["total_cost"], "amount": row["total_cost"],
             "cost_ratio": Decimal(ratio), "high_limit": Decimal("2")} for row in rows
        ]  # fmt: skip
        pq.write_table(pa.Table.from_pylist(rows, schema=RECORDS), staging / "records.parquet")
        pq.write_table(pa.Table.from_pylist(cases, schema=CASES), staging / "cases.parquet")
        outputs = commit.place_tables(lake, staging, "lishui", f"2025-{month:02}", run)
        head = {
            "run": run, "kind": "settle", "area": "lishui", "period": f"2025-{month:02}", "voids": "",
            "scheme_id": "chs-drg-2.0", "policy_id": "lishui/2022",
        }  # fmt: skip
        commit.commit(lake, ledger.Record(head, {"outputs": [{"run": run, **row} for row in outputs]}))


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    made = Lake(tmp_path / "lake")
    made.root.mkdir()
    settle(made, 5, [record(1, diagnoses=["R51.x00", "I63.300"], drg="BV39"), record(2)], ratio="1.9")
    again = record(4, person_id="p3", admission_date=date(2025, 6, 10), discharge_date=date(2025, 6, 14))
    settle(made, 6, [record(3), again, record(5, drg="ZZ99"), record(6, row_kind="refund")])
    return made.root


def found(lake: Path, tmp_path: Path, **how: Any) -> pl.DataFrame:
    check_lake(lake, tmp_path / "found.parquet", **how)
    return pl.read_parquet(tmp_path / "found.parquet")


def test_all_months_are_checked_together(lake: Path, tmp_path: Path) -> None:
    findings = found(lake, tmp_path)
    rules = {(row["rule"], row["record_id"]) for row in findings.iter_rows(named=True)}
    assert ("symptom-principal", "r1") in rules and ("split-stay", "r4") in rules
    assert {name for rule, name in rules if rule == "edge-of-limits"} == {"r1", "r2"}
    text = findings.filter(pl.col("rule") == "edge-of-limits")["text"][0]
    assert "8421.05" in text  # 8000 × 2 / 1.9


def test_a_month_alone_and_only_its_cases(lake: Path, tmp_path: Path) -> None:
    summary = check_lake(lake, months=["2025-06"])
    assert summary.rows == 3  # the refund is no case
    assert set(found(lake, tmp_path, months=["2025-06"])["record_id"]) & {"r1", "r2"} == set()


def test_the_group_is_the_one_that_was_settled(lake: Path, tmp_path: Path) -> None:
    summary = check_lake(lake, tmp_path / "x.parquet")
    assert summary.scheme == "chs-drg-2.0" and summary.area == "lishui"
    groups = {row["record_id"]: row["group"] for row in found(lake, tmp_path).iter_rows(named=True)}
    assert groups["r1"] == "BV39"


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"area": "nowhere"}, "lishui"),
        ({"months": ["2025-07"]}, "no cases"),
        ({"months": ["June"]}, "2025-06"),
    ],
)
def test_what_the_lake_has_not_is_said(lake: Path, how: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        check_lake(lake, **how)


def test_the_command_takes_a_lake(lake: Path) -> None:
    code, out, err = call("check", lake, "--month", "2025-06")
    assert code == 0, err.decode()
    assert "核查 3 份病案" in out.decode() and "疑似分解住院" in out.decode()
    assert call("check", lake, "--policy", "lishui")[0] == 1
