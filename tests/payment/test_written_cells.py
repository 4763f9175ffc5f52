"""Cells of grouped CSV files: what people write is read, and what is none of it is told with file, row and
column."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from .pay_support import grouper, write_cases, write_policy


def files(place: Path, column: str, text: str) -> None:
    """``a.csv`` as grouping wrote it, ``b.csv`` with ``text`` in its second row."""
    write_policy(place)
    write_cases(place)
    table = pq.read_table(place / "grouped.parquet")
    names = [*table.column_names, "refund_flag"]
    rows: list[dict[str, Any]] = [row | {"refund_flag": "否"} for row in table.to_pylist()]
    for row in rows:
        row |= {n: "|".join(v) for n, v in row.items() if isinstance(v, list)}
    later = [row | {"record_id": f"b{row['record_id']}"} for row in rows]
    later[1][column] = text
    for name, listed in (("a.csv", rows), ("b.csv", later)):
        with (place / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(listed)


def pay_both(place: Path, *more: str) -> tuple[int, str]:
    code, _, err = grouper(
        "pay", "a.csv", "b.csv", "--policy", "policy.toml", "-o", "o.parquet", *more, cwd=place
    )
    return code, err


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("total_cost", "1e3"), ("total_cost", "5000,00"), ("total_cost", "1_000"), ("total_cost", "1.005"),
        ("los_days", "4.5"), ("los_days", "0x10"), ("discharge_date", "2025-02-30"), ("refund_flag", "也许"),
        ("insurance_type", "什么"),
    ],
)  # fmt: skip
def test_what_nobody_writes_is_told_with_file_row_and_column(tmp_path: Path, column: str, text: str) -> None:
    files(tmp_path, column, text)
    code, err = pay_both(tmp_path)
    assert code == 2 and f"b.csv 第 2 行 {column} 列" in err and text in err, err


def test_the_day_that_chooses_the_parameters_is_told_alike(tmp_path: Path) -> None:
    files(tmp_path, "discharge_date", "2025-02-01")
    for name in ("a.csv", "b.csv"):
        head, *body = (tmp_path / name).read_text(encoding="utf-8").splitlines()
        days = ["2025年2月1日"] * len(body) if name == "a.csv" else ["2025-02-01", "2025-02-30"] * 9
        lines = [f"{line},{day}" for line, day in zip(body, days, strict=False)]
        (tmp_path / name).write_text("\n".join([f"{head},settlement_date", *lines]) + "\n", encoding="utf-8")
    code, err = pay_both(tmp_path, "--date", "settlement_date")
    assert code == 2 and "b.csv 第 2 行 settlement_date 列" in err and "2025-02-30" in err, err


@pytest.mark.parametrize(
    ("column", "text"), [("total_cost", "￥15,000.00元"), ("discharge_date", "2025年2月10日")]
)
def test_what_people_write_is_read(tmp_path: Path, column: str, text: str) -> None:
    files(tmp_path, column, text)
    code, err = pay_both(tmp_path)
    assert code == 0, err
    paid = {row["record_id"]: row for row in pq.read_table(tmp_path / "o.parquet").to_pylist()}
    assert len(paid) == 12
    if column == "total_cost":
        second = list(paid)[7]
        files(tmp_path, column, "15000.00")
        assert pay_both(tmp_path)[0] == 0
        plain = {row["record_id"]: row for row in pq.read_table(tmp_path / "o.parquet").to_pylist()}
        assert paid[second]["amount"] == plain[second]["amount"] is not None


def test_rows_of_one_settlement_that_differ_are_told_by_any_name_of_their_columns(tmp_path: Path) -> None:
    write_policy(tmp_path)
    write_cases(tmp_path)
    table = pq.read_table(tmp_path / "grouped.parquet")
    rows = table.to_pylist()
    rows.append(rows[0] | {"total_cost": rows[0]["total_cost"] + 1})
    table = pa.Table.from_pylist(rows, schema=table.schema)
    names = {"record_id": "结算编号", "total_cost": "总费用"}
    pq.write_table(
        table.rename_columns([names.get(n, n) for n in table.column_names]), tmp_path / "g.parquet"
    )
    fields = '[fields]\nrecord_id = "结算编号"\ntotal_cost = "总费用"\n'
    (tmp_path / "map.toml").write_text(f'base = "canonical"\n{fields}', encoding="utf-8")
    code, _, err = grouper(
        "pay",
        "g.parquet",
        "--columns",
        "map.toml",
        "--policy",
        "policy.toml",
        "-o",
        "o.parquet",
        cwd=tmp_path,
    )
    assert code == 0 and "[duplicate-conflict]" in err, err


def test_half_days_of_a_parquet_file_are_told(tmp_path: Path) -> None:
    write_policy(tmp_path)
    write_cases(tmp_path)
    table = pq.read_table(tmp_path / "grouped.parquet")
    place = table.column_names.index("los_days")
    half = pa.array([4.5] * len(table), pa.float64())
    pq.write_table(table.set_column(place, "los_days", half), tmp_path / "grouped.parquet")
    code, _, err = grouper(
        "pay", "grouped.parquet", "--policy", "policy.toml", "-o", "o.parquet", cwd=tmp_path
    )
    assert code == 2 and "第 1 行 los_days 列" in err and "4.5" in err
