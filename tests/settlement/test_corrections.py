"""What changes closed months enters the open one, with its original, its reason and its difference."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from grouper.base.errors import DataError, UsageError
from grouper.commands.text.ledger import month_summary
from grouper.lake import Lake
from grouper.settlement.audit import audit
from grouper.settlement.replay import replay

from . import settle_support as support

pytestmark = pytest.mark.slow
AREA = "lishui"  # readmission within 15 days halves the stay before


@pytest.fixture(scope="module")
def place() -> Path:
    return support.city(3600, 0.03, (5, 6))


@pytest.fixture(scope="module")
def files(place: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Some thirty plain cases of May, one more, and thirty of June, of different persons."""
    folder = tmp_path_factory.mktemp("rows")
    all_may = support.take(place, "2025-05", 400)
    may, june = all_may[::7], support.take(place, "2025-06", 30)
    like = place / "2025-05.parquet"
    return {
        "may": may,
        "june": june,
        "folder": folder,
        "like": like,
        "more": all_may[1],
        "may_file": support.write(folder / "may.parquet", may, like),
    }


def _settle(lake: Lake, place: Path, files: dict[str, Any], june: list[dict[str, Any]], **other: Any) -> Any:
    support.settle(lake, place, "2025-05", files["may_file"], area=AREA)
    path = support.write(lake.root.parent / "june.parquet", june, files["like"])
    done = support.settle(lake, place, "2025-06", path, area=AREA, **other)
    assert not audit(lake).findings
    assert set(replay(lake, done.run).tables.values()) == {"bytes"}
    return done


def _adjustments(lake: Lake) -> list[dict[str, Any]]:
    return support.rows(lake, "SELECT * FROM adjustments_current ORDER BY adjustment_id")


def test_a_withdrawal_takes_everything_back(place: Path, files: dict[str, Any], tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    gone = files["may"][3]
    path = support.corrections(
        tmp_path / "c.csv",
        [
            {
                "kind": "withdrawal",
                "settlement_id": gone["settlement_id"],
                "reason": "uploaded twice",
                "clause": "8",
            }
        ],
    )
    _settle(lake, place, files, files["june"], corrections=(str(path),))
    (row,) = _adjustments(lake)
    paid = support.rows(lake, f"SELECT * FROM cases_all WHERE record_id = '{gone['record_id']}'")
    assert (
        row["kind"] == "withdrawal"
        and row["original_run"] == "000001"
        and row["original_period"] == "2025-05"
    )
    assert (row["reason"], row["clause"], row["source_file"], row["source_row"]) == (
        "uploaded twice",
        "8",
        "c.csv",
        2,
    )
    assert row["amount_before"] == paid[0]["settled_fund"] and row["difference"] == -paid[0]["settled_fund"]
    left = support.rows(lake, f"SELECT * FROM cases_effective WHERE record_id = '{gone['record_id']}'")
    assert left == []


def test_a_readmission_reaches_a_closed_month(place: Path, files: dict[str, Any], tmp_path: Path) -> None:
    """The same person and group again eight days later: the points of the stay in May are halved."""
    lake = Lake(tmp_path / "lake")
    before = next(
        row
        for row in reversed(files["may"])
        if row["discharge_date"] >= dt.date(2025, 5, 20) and not row["diagnoses"][0].startswith("Z51")
    )
    again = dict(before) | {
        "record_id": "again", "settlement_id": "again-s", "visit_id": "again-v",
        "admission_date": before["discharge_date"] + dt.timedelta(days=8),
        "discharge_date": max(
            before["discharge_date"] + dt.timedelta(days=8 + before["los_days"]), dt.date(2025, 6, 5)
        ),
    }  # fmt: skip
    _settle(lake, place, files, [*files["june"], again])
    found = [row for row in _adjustments(lake) if row["record_id"] == before["record_id"]]
    old, new = (
        support.rows(
            lake, f"SELECT * FROM cases_all WHERE record_id = '{before['record_id']}' AND run = '{run}'"
        )[0]
        for run in ("000001", "000002")
    )
    assert len(found) == 1 and found[0]["kind"] == "readmission"
    assert new["readmission_factor"] == Decimal("0.5") and new["row_kind"] == "corrected"
    assert abs(new["case_value"] - old["case_value"] / 2) < Decimal("0.0001")
    assert found[0]["difference"] == new["settled_fund"] - old["settled_fund"] < 0


def test_late_and_corrected_lists(place: Path, files: dict[str, Any], tmp_path: Path) -> None:
    """A list of May that comes in June, and one that replaces another with a higher cost."""
    lake = Lake(tmp_path / "lake")
    wrong = files["may"][5]
    more = files["more"]
    raised = dict(wrong) | {"total_cost": wrong["total_cost"] * 3, "pool_paid": wrong["pool_paid"] * 3}
    lists = support.write(tmp_path / "lists.parquet", [more, raised], files["like"])
    _settle(lake, place, files, files["june"], corrections=(str(lists),))
    rows = {row["kind"]: row for row in _adjustments(lake)}
    assert set(rows) == {"late", "correction"}
    assert rows["late"]["record_id"] == more["record_id"] and rows["late"]["amount_before"] is None
    assert rows["late"]["difference"] == rows["late"]["amount_after"]
    assert (
        rows["correction"]["original_run"] == "000001"
        and rows["correction"]["record_id"] == wrong["record_id"]
    )
    effective = support.rows(lake, "SELECT record_id, row_kind, total_cost FROM cases_effective")
    by_id = {row["record_id"]: row for row in effective}
    assert len(effective) == len(by_id) == len(files["may"]) + len(files["june"]) + 1
    assert by_id[wrong["record_id"]]["total_cost"] == raised["total_cost"]
    assert by_id[more["record_id"]]["row_kind"] == "late"


def test_a_late_case_gets_the_point_value_of_its_month(
    place: Path, files: dict[str, Any], tmp_path: Path
) -> None:
    """Settling May with the case, at a fixed point value, pays it the same as sending it late."""
    more = files["more"]
    whole = support.write(tmp_path / "whole.parquet", [*files["may"], more], files["like"])
    one, other = Lake(tmp_path / "one"), Lake(tmp_path / "other")
    support.settle(one, place, "2025-05", whole, area=AREA)
    _settle(other, place, files, [*files["june"], more])
    sql = f"SELECT settled_fund, case_value FROM cases_current WHERE record_id = '{more['record_id']}'"
    (first,), (second,) = support.rows(one, sql), support.rows(other, sql)
    assert first["case_value"] == second["case_value"]
    assert abs(first["settled_fund"] - second["settled_fund"]) <= Decimal(
        "0.01"
    )  # of the last fen of a hospital


def test_a_review_of_a_closed_month(place: Path, files: dict[str, Any], tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    case = max(files["may"], key=lambda row: row["total_cost"])
    path = support.corrections(
        tmp_path / "c.csv",
        [{"kind": "decision", "settlement_id": case["settlement_id"],
          "unreasonable_cost": str(round(case["total_cost"] / 2, 2))},
         *({"kind": "special_review", "record_id": row["record_id"], "special_review": "by_item"}
           for row in files["may"] if row is not case)],
    )  # fmt: skip
    done = _settle(lake, place, files, files["june"], corrections=(str(path),))
    assert {row["kind"] for row in _adjustments(lake)} <= {"correction", "special_review"}
    # 5 % of May as a whole: not of the few cases of a hospital, nor with the stays of other months
    told = "SELECT area_cases FROM cases_effective WHERE review_result = 'taken'"
    taken = [row["area_cases"] for row in support.rows(lake, told)]
    assert 20 <= taken[0] <= len(files["may"]) and len(taken) == taken[0] // 20 > 0
    # the ledger says what became of each of them
    found = {row["reason"]: row["rows"] for row in done.record.rows["counts"] if row["status"] == "review"}
    assert found["taken"] == len(taken) and sum(found.values()) == len(files["may"]) - 1
    told = [line for line in month_summary(done, "zh") if line.startswith("特例单议")]
    assert any(f"超过上限，不按评审  {found['over-quota']:,}  " in line for line in told)


def test_quality_and_audit_lines(place: Path, files: dict[str, Any], tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    code = files["june"][0]["hospital_code"]
    pool = "employee" if files["june"][0]["insurance_type"] == "310" else "resident"
    path = support.corrections(
        tmp_path / "c.csv",
        [{"kind": "audit_deduction", "hospital_code": code, "pool": pool, "amount": "100.50",
          "reason": "audit 7", "document": "No. 7"},
         {"kind": "quality", "hospital_code": code, "score": "91.5"}],
    )  # fmt: skip
    _settle(lake, place, files, files["june"], corrections=(str(path),))
    rows = {row["kind"]: row for row in _adjustments(lake)}
    assert rows["audit_deduction"]["document"] == "No. 7" and rows["quality"]["document"] is None
    assert rows["audit_deduction"]["difference"] == Decimal("-100.50") and rows["quality"]["score"] == "91.5"
    (line,) = support.rows(
        lake,
        f"SELECT * FROM hospitals_current WHERE month = 6 AND hospital_code = '{code}' AND pool = '{pool}'",
    )
    assert line["audit"] == Decimal("100.50") and line["adjustments"] == 0
    assert line["payable"] + line["carried"] == line["prepaid"] - Decimal("100.50")


@pytest.mark.parametrize("kind", ["quality", "audit_deduction"])
def test_a_line_for_a_hospital_that_is_not_there_is_refused(
    place: Path, files: dict[str, Any], tmp_path: Path, kind: str
) -> None:
    code, pool = files["june"][0]["hospital_code"], "employee"
    line = {"kind": kind, "hospital_code": code[:-1] + "X", "pool": pool, "amount": "1", "score": "90",
            "document": "No. 7"}  # fmt: skip
    path = support.corrections(tmp_path / "c.csv", [line])
    lake = Lake(tmp_path / "lake")
    where = r"c\.csv \(--corrections\), row 2, column hospital_code: .*X is not in hospitals=; did you mean"
    with pytest.raises(DataError, match=where):
        _settle(lake, place, files, files["june"], corrections=(str(path),))


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"kind": "withdrawal", "settlement_id": "nobody"}, "nobody is to be withdrawn"),
        (
            {"kind": "special_review", "record_id": "nobody", "special_review": "keep"},
            "nobody is not in the input",
        ),
        ({"kind": "other", "settlement_id": "1"}, "row 2, column kind"),
        (
            {"kind": "audit_deduction", "hospital_code": "H", "pool": "employee", "amount": "x"},
            "row 2, column amount",
        ),
        ({"kind": "quality", "hospital_code": "H", "score": "good"}, "row 2, column score"),
        ({"kind": "withdrawal", "settlement_id": "1", "colour": "red"}, "colour: unknown column"),
    ],
)
def test_corrections_that_cannot_be_used(
    place: Path, files: dict[str, Any], tmp_path: Path, row: dict[str, str], told: str
) -> None:
    path = support.corrections(tmp_path / "c.csv", [row])
    with pytest.raises(DataError, match=told):
        support.settle(Lake(tmp_path / "lake"), place, "2025-05", files["may_file"], corrections=(str(path),))


def test_reopening_makes_later_months_invalid(place: Path, files: dict[str, Any], tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    _settle(lake, place, files, files["june"])
    with pytest.raises(UsageError, match="--reopen"):
        support.settle(lake, place, "2025-05", files["may_file"], area=AREA)
    support.settle(lake, place, "2025-05", files["may_file"], area=AREA, reopen=True)
    assert support.rows(lake, "SELECT run FROM runs_current") == [{"run": "000003"}]
    assert not audit(lake).findings
