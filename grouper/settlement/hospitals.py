"""The table of hospitals that a settlement goes by: who may be paid, with level, kind and county."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from grouper.base.errors import DataError, UsageError
from grouper.settlement.intake import level

if TYPE_CHECKING:
    import duckdb

COLUMNS = (
    "hospital_code", "hospital_name", "hospital_level", "hospital_kind", "county", "hospital_coefficient",
)  # fmt: skip


def load_hospitals(connection: duckdb.DuckDBPyConnection, path: str) -> list[str]:
    """Table ``hospitals`` from a CSV; returns the columns that it gives.

    Raises UsageError for a missing column, DataError for a code that is there twice.
    """
    rows, names = _rows(path)
    connection.execute(
        "CREATE OR REPLACE TABLE hospitals (" + ", ".join(f"{n} VARCHAR" for n in COLUMNS) + ")"
    )
    if rows:
        marks = ", ".join("?" * len(COLUMNS))
        values = [[row.get(name) for name in COLUMNS] for row in rows]
        connection.executemany(f"INSERT INTO hospitals VALUES ({marks})", values)
    return names


def _rows(path: str) -> tuple[list[dict[str, str | None]], list[str]]:
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            header = [name.strip() for name in reader.fieldnames or ()]
            raw = [dict(zip(header, row.values(), strict=False)) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(
            zh=f"无法读取 {path}（--hospitals）：{error}", en=f"cannot read {path} (--hospitals): {error}"
        ) from error
    if "hospital_code" not in header:
        raise UsageError(
            zh=f"{path}（--hospitals）缺少列 hospital_code", en=f"{path} (--hospitals) lacks hospital_code"
        )
    rows = [_row(row) for row in raw]
    seen: set[str | None] = set()
    for row in rows:
        code = row["hospital_code"]
        if code is None or code in seen:
            raise DataError(
                zh=f"{path}（--hospitals）：hospital_code {code or '（空）'} 重复或为空",
                en=f"{path} (--hospitals): hospital_code {code or '(blank)'} is there twice or blank",
            )
        seen.add(code)
    return rows, [name for name in COLUMNS if name in header]


def _row(row: Mapping[str, str | None]) -> dict[str, str | None]:
    made = {name: ((row.get(name) or "").strip() or None) for name in COLUMNS}
    if made["hospital_level"]:
        made["hospital_level"] = level(made["hospital_level"])
    return made
