"""Cells of grouped files that pricing reads as they stand: what is none of its kind is told with its row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from grouper.base.errors import DataError
from grouper.base.reasons import STATUS_NAMES
from grouper.base.sql import literal
from grouper.payment.price.inputs import INPUTS

if TYPE_CHECKING:
    import duckdb

# Kind of an input -> (SQL type of its texts, Chinese, English).
_KINDS = {
    "int": ("INTEGER", "整数", "a whole number"),
    "flag": ("BOOLEAN", "true 或 false", "true or false"),
    "date": ("DATE", "日期，如 2025-07-15", "a day, such as 2025-07-15"),
    "decimal": ("DECIMAL(18,6)", "数", "a number"),
}


def check_cells(
    connection: duckdb.DuckDBPyConnection,
    scan: str,
    columns: Sequence[tuple[str, str, pa.DataType]],
    path: str,
) -> None:  # fmt: skip
    """``columns``: (input, column of the files, its type). Raises DataError that names row, column and value
    for a text that is none of the input's kind, and for a status that grouping does not give."""
    for name, column, kind in columns:
        value = f'CAST("{column}" AS VARCHAR)'
        if name == "status":
            known = ", ".join(map(literal, STATUS_NAMES))
            wrong, zh = f"{value} NOT IN ({known})", "、".join(STATUS_NAMES)
            en = f"one of {', '.join(STATUS_NAMES)}"
        elif INPUTS[name].kind in _KINDS and pa.types.is_string(kind):
            cast, zh, en = _KINDS[INPUTS[name].kind]
            wrong = f"{value} IS NOT NULL AND TRY_CAST({value} AS {cast}) IS NULL"
        else:
            continue
        row = connection.execute(
            f"SELECT row_number, value FROM (SELECT row_number() OVER () AS row_number, {value} AS value, "
            f"{wrong} AS wrong FROM {scan}) WHERE wrong LIMIT 1"
        ).fetchone()
        if row is not None:
            raise DataError(
                zh=f"{path} 第 {row[0]} 行 {column} 列（{name}）：{row[1]!r} 应为{zh}",
                en=f"{path}, row {row[0]}, column {column} ({name}): {row[1]!r} should be {en}",
            )
