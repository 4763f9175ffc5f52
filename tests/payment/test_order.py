"""Rows come out in the order in which they came, however their file is cut into row groups."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from grouper.payment import pay

from .pay_support import SCHEMA, case, write_policy

NUMBER, GROUP = 4200, 2070  # DuckDB takes 2,048 rows at a time: 22 are left at the end of each group
Row = dict[str, Any]


def plain(rows: list[Row]) -> list[Row]:
    return rows


def refunded(rows: list[Row]) -> list[Row]:
    """One stay with its refund, which are no cases."""
    rows[7] |= {"hospital_code": "C"}
    rows[8] |= {"hospital_code": "C", "total_cost": -rows[7]["total_cost"]}
    return rows


def of_two_times(rows: list[Row]) -> list[Row]:
    """Every fortieth is of days with other parameters."""
    return [
        row | {"discharge_date": dt.datetime(2025, 7, 1)} if n % 40 == 3 else row
        for n, row in enumerate(rows)
    ]


@pytest.mark.parametrize("kind", [plain, refunded, of_two_times])
@pytest.mark.parametrize("files", [1, 2])
def test_rows_keep_their_order(kind: Callable[[list[Row]], list[Row]], files: int, tmp_path: Path) -> None:
    rows = kind([case(f"{n:05}", "15000.00", hospital_code=f"H{n % 50}") for n in range(NUMBER)])
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    paths = [str(tmp_path / f"in-{n}.parquet") for n in range(files)]
    for n, path in enumerate(paths):
        part = table if files == 1 else table.slice(n * GROUP, GROUP if n == 0 else None)
        pq.write_table(part, path, row_group_size=GROUP)
    pay(paths, str(write_policy(tmp_path)), str(tmp_path / "out.parquet"))
    found = pq.read_table(tmp_path / "out.parquet", columns=["record_id"])["record_id"].to_pylist()
    assert found == table["record_id"].to_pylist()
