"""A month: what goes in comes out, bad input has its treatment, and the commands say so."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from grouper.base.errors import DataError, UsageError
from grouper.lake import Lake
from grouper.settlement.audit import audit
from grouper.settlement.reasons import REASONS, text
from grouper.settlement.replay import replay

from . import settle_support as support


@pytest.fixture(scope="module")
def place() -> Path:
    return support.city(3600, 0.03, (5, 6))


@pytest.fixture(scope="module")
def plain(place: Path) -> list[dict[str, Any]]:
    return support.take(place, "2025-05", 60)


def _bad(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Sixty cases, some spoilt; and the reason that each spoilt one must get."""
    made = [dict(row) for row in rows]
    changes: list[tuple[str, dict[str, Any]]] = [
        ("zero-cost", {"total_cost": Decimal("0.00")}),
        ("negative-cost", {"total_cost": Decimal("-50.00")}),
        ("unknown-hospital", {"hospital_code": "H00000000000"}),
        ("future-date", {"discharge_date": dt.date(2025, 6, 3)}),
        ("month-not-settled", {"discharge_date": dt.date(2025, 4, 3), "admission_date": dt.date(2025, 4, 1)}),
        ("closed-year", {"discharge_date": dt.date(2024, 5, 3), "admission_date": dt.date(2024, 5, 1)}),
        ("invalid-flag", {"valid_flag": False}),
        ("no-date", {"discharge_date": None}),
        ("no-amount", {"total_cost": None}),
        ("refund-unmatched", {"refund_flag": True, "total_cost": Decimal("-1.00"), "refund_of": "nobody"}),
        ("refund-positive", {"refund_flag": True}),
        ("no-id", {"record_id": None, "settlement_id": None}),
    ]
    expected = {}
    for n, (reason, change) in enumerate(changes):
        expected[str(n + 1)] = reason
        made[n] |= change
    made.append(dict(made[20]))
    expected[str(len(made))] = "duplicate"
    made.append(dict(made[21]) | {"total_cost": made[21]["total_cost"] + 1})
    expected |= {"22": "duplicate-conflict", str(len(made)): "duplicate-conflict"}
    refund = {
        "record_id": "rf",
        "settlement_id": "rf-s",
        "refund_flag": True,
        "refund_of": made[22]["settlement_id"],
    }
    made.append(dict(made[22]) | refund | {"total_cost": -made[22]["total_cost"]})
    expected |= {"23": "refund-netted", str(len(made)): "refund-netted"}
    unnamed = {"record_id": "rv", "settlement_id": "rv-s", "refund_flag": False}  # by visit, without a flag
    made.append(dict(made[23]) | unnamed | {"total_cost": -made[23]["total_cost"]})
    expected |= {"24": "refund-netted", str(len(made)): "refund-netted"}
    return made, expected


def test_every_bad_row_has_its_treatment(place: Path, plain: list[dict[str, Any]], tmp_path: Path) -> None:
    made, expected = _bad(plain)
    lake = Lake(tmp_path / "lake")
    path = support.write(tmp_path / "may.parquet", made, place / "2025-05.parquet")
    done = support.settle(lake, place, "2025-05", path, max_rejected="0.5")
    found = support.rows(lake, "SELECT * FROM rejected_current")
    assert {str(row["input_row"]): row["reason"] for row in found} == expected
    assert all(row["reason_text_zh"] and row["reason_text_en"] for row in found)
    assert {r["treatment"] for r in found if r["reason"] == "refund-netted"} == {"netted"}
    run = done.record.run
    assert run["rows_in"] == len(made) == run["cases"] + run["rejected"] + run["netted"] + run["adjusted"]
    kept = {row["input_row"] for row in support.rows(lake, "SELECT input_row FROM cases_current")}
    assert kept == set(range(1, len(made) + 1)) - {int(n) for n in expected}
    assert audit(lake).findings == [] and replay(lake, "000001").same


def test_too_many_rejected(place: Path, plain: list[dict[str, Any]], tmp_path: Path) -> None:
    made, _ = _bad(plain)
    path = support.write(tmp_path / "may.parquet", made, place / "2025-05.parquet")
    with pytest.raises(DataError, match=r"--max-rejected 0\.1"):
        support.settle(Lake(tmp_path / "lake"), place, "2025-05", path, max_rejected="0.1")
    assert not (tmp_path / "lake" / "ledger.duckdb").exists()


def test_every_reason_has_words() -> None:
    for reason in REASONS:
        assert text(reason, "zh") != text(reason, "en")
    assert "total_cost" in text("bad-amount:total_cost", "en")


def test_files_of_many_kinds_are_one_input(place: Path, plain: list[dict[str, Any]], tmp_path: Path) -> None:
    """Parquet, GB18030 and UTF-8 CSV, a level as '03' and as 3, a column of names: the same cases."""
    whole = support.write(tmp_path / "whole.parquet", plain, place / "2025-05.parquet")
    texts = [{k: v for k, v in row.items() if k != "birth_date"} for row in plain]
    for row in texts:
        row["hospital_level"] = f"0{row['hospital_level']}"
    one = support.write(tmp_path / "a.parquet", plain[:20], place / "2025-05.parquet")
    two = support.write_csv(
        tmp_path / "b.csv", [row | {"hospital_name": "市医院"} for row in texts[20:40]], "gb18030"
    )
    three = support.write_csv(tmp_path / "c.csv", texts[40:])
    first, second = Lake(tmp_path / "one"), Lake(tmp_path / "two")
    support.settle(first, place, "2025-05", whole)
    support.settle(second, place, "2025-05", one, two, three)
    sql = "SELECT record_id, hospital_level, settled_fund, case_value FROM cases_current ORDER BY 1"
    assert support.rows(first, sql) == support.rows(second, sql)
    names = support.rows(second, "SELECT * FROM records_current LIMIT 1")[0]
    assert "hospital_name" not in names


def test_a_column_of_the_wrong_type(place: Path, plain: list[dict[str, Any]], tmp_path: Path) -> None:
    """Amounts as words: each such row goes back, with the column; the others are settled."""
    made = [dict(row) for row in plain]
    made[0]["total_cost"] = "约三千"  # type: ignore[assignment]
    made[1]["discharge_date"] = "上周"  # type: ignore[assignment]
    lake = Lake(tmp_path / "lake")
    support.settle(lake, place, "2025-05", support.write_csv(tmp_path / "may.csv", made))
    found = support.rows(lake, "SELECT input_row, reason, reason_text_en FROM rejected_current")
    assert [(row["input_row"], row["reason"]) for row in found] == [(1, "bad-amount"), (2, "bad-date")]
    assert "total_cost" in found[0]["reason_text_en"]


def test_a_broken_workbook(place: Path, tmp_path: Path) -> None:
    path = tmp_path / "may.xlsx"
    path.write_bytes(b"PK\x03\x04 this is no workbook")
    with pytest.raises(DataError, match=r"may\.xlsx"):
        support.settle(Lake(tmp_path / "lake"), place, "2025-05", path)


def test_no_person_is_named_in_the_lake(place: Path, plain: list[dict[str, Any]], tmp_path: Path) -> None:
    """Names and addresses never come in; with a key, person ids do not either."""
    key = tmp_path / "key"
    key.write_bytes(b"9f2c64b1e07d38a5c4")
    key.chmod(0o600)
    made = [dict(row) | {"psn_name": "测试甲乙丙", "curr_addr": "某路一号"} for row in plain]
    made[5]["person_id"] = "PLANTED-ID-4711"
    path = support.write_csv(tmp_path / "may.csv", made)
    lake = Lake(tmp_path / "lake")
    support.settle(lake, place, "2025-05", path, pseudonymise=str(key))
    whole = b"".join(p.read_bytes() for p in lake.root.rglob("*") if p.is_file())
    dumped = "".join(
        str(support.rows(lake, f"SELECT * FROM {view}"))
        for view in ("cases_all", "records_all", "rejected_all")
    )
    for secret in ("测试甲乙丙", "某路一号", "PLANTED-ID-4711", "9f2c64b1e07d38a5c4"):
        assert secret.encode() not in whole and secret not in dumped
    hashed = support.rows(lake, "SELECT DISTINCT length(person_id) AS n FROM records_current")
    assert hashed == [{"n": 64}]
    with pytest.raises(UsageError, match="another key"):
        support.settle(lake, place, "2025-06")


def test_a_changed_past_is_seen(place: Path, tmp_path: Path) -> None:
    import duckdb

    lake = Lake(tmp_path / "lake")
    support.settle(lake, place, "2025-05")
    assert audit(lake).findings == []
    with duckdb.connect(str(lake.ledger)) as ledger:
        ledger.execute("UPDATE amounts SET fen = fen + 1 WHERE name = 'fund_due'")
    found = [f.en for f in audit(lake).findings]
    assert any("hash differs" in told for told in found) and any("statement" in told for told in found)


def test_a_yearly_budget_gives_months_their_parts(place: Path, tmp_path: Path) -> None:
    from grouper.payment.pool.revision import read_revised
    from grouper.settlement.plan.job import month_budget
    from grouper.settlement.validate import Month

    path = tmp_path / "b.toml"
    path.write_text(
        'period = "2025"\n[pools.a]\nbudget = "100.01"\nmonth_weights = [1,1,1,1,1,1,1,1,1,1,1,2]\n'
    )
    whole = read_revised(str(path), ())
    parts = [
        month_budget(whole, str(path), Month("x", dt.date(2025, m, 1), dt.date(2025, m, 28)))
        .pools["a"]
        .budget
        for m in range(1, 13)
    ]
    assert sum(parts) == 10001 and parts[11] == pytest.approx(2 * parts[0], abs=2)


def _grouper(*arguments: object) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "grouper", *map(str, arguments)], capture_output=True, text=True,
        env={**os.environ, "GROUPER_LANG": "en", "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
def test_the_commands(place: Path, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    call = [
        "settle", "--area", "tianmen", "--month", "2025-05", "--input", place / "2025-05.parquet", "--budget",
        place / "budget.toml", "--hospitals", place / "hospitals.csv", "--no-report", "--max-rejected",
        "0.3", "-o", lake,
    ]  # fmt: skip
    code, _, told = _grouper(*call, "--dry-run")
    assert code == 0 and "tianmen/2025" in told and not lake.exists()
    assert "  hospitals " in told and "point value: the budget value" in told
    code, _, told = _grouper(*call, "--dry-run", "--lang", "zh")
    names = ("输入 ", "医院表 ", "基金池 职工", "点值: 预算点值")
    assert code == 0 and all(f"  {name}" in told for name in names), told
    assert "等级系数" in told and "level_coefficient" not in told
    code, _, told = _grouper(*call, "--who", "me", "--when", "2025-06-03")
    assert code == 0 and "run 000001" in told, told
    assert _grouper(*call[:-3], "0.01", "-o", tmp_path / "other")[0] == 2
    code, told, _ = _grouper("status", lake)
    assert code == 0 and "000001  *  month" in told and "me" in told
    hospital = support.rows(Lake(lake), "SELECT min(hospital_code) AS code FROM hospitals_current")[0]["code"]
    code, told, _ = _grouper("statement", lake, "--hospital", hospital)
    assert code == 0 and "fund due" in told
    assert _grouper("statement", lake, "--hospital", "nobody")[0] == 1
    code, told, _ = _grouper("audit", lake, "--replay", "1")
    assert code == 0 and "same bytes" in told
    path = next(lake.glob("pools/*/*/*/*/*.parquet"))
    path.write_bytes(path.read_bytes() + b" ")
    assert _grouper("audit", lake)[0] == 3
