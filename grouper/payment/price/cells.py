"""Cells of grouped files that pricing reads as they stand: what is none of its kind is told with its row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from grouper.base.errors import DataError
from grouper.base.reasons import STATUS_NAMES
from grouper.base.sql import literal, quote
from grouper.base.written import day, is_text, whole
from grouper.payment.price.grouped import row_in
from grouper.payment.price.inputs import INPUTS, PLACE

if TYPE_CHECKING:
    import duckdb

# Kind of an input -> (how its texts are read, Chinese, English).
_KINDS: dict[str, tuple[Callable[[str], str], str, str]] = {
    "int": (whole, "整数", "a whole number"),
    "flag": ("TRY_CAST({} AS BOOLEAN)".format, "true 或 false", "true or false"),
    "date": (day, "日期，如 2025-07-15", "a day, such as 2025-07-15"),
    "decimal": ("TRY_CAST({} AS DECIMAL(18,6))".format, "数", "a number"),
}


def check_cells(
    connection: duckdb.DuckDBPyConnection,
    scan: str,
    columns: Sequence[tuple[str, str, pa.DataType]],
    paths: Sequence[str],
) -> None:  # fmt: skip
    """``columns``: (input, column of the files, its type). Raises DataError that names row, column and value
    for a text that is none of the input's kind, and for a status that grouping does not give."""
    for name, column, kind in columns:
        value = f"CAST({quote(column)} AS VARCHAR)"
        if name == "status":
            known = ", ".join(map(literal, STATUS_NAMES))
            wrong, zh = f"{value} NOT IN ({known})", "、".join(STATUS_NAMES)
            en = f"one of {', '.join(STATUS_NAMES)}"
        elif (is_a := INPUTS[name].kind if name in INPUTS else "date") in _KINDS and is_text(kind):
            read, zh, en = _KINDS[is_a]
            wrong = f"{value} IS NOT NULL AND {read(value)} IS NULL"
        elif is_a == "int" and pa.types.is_floating(kind):  # 4.5 days are not 5
            _, zh, en = _KINDS["int"]
            wrong = f"{quote(column)} <> trunc({quote(column)})"
        else:
            continue
        row = connection.execute(
            f"SELECT {PLACE}, {value} FROM {scan} WHERE {wrong} ORDER BY 1 LIMIT 1"
        ).fetchone()
        if row is not None:
            path, number = row_in(connection, paths, row[0])
            raise DataError(
                zh=f"{path} 第 {number} 行 {column} 列（{name}）：{row[1]!r} 应为{zh}",
                en=f"{path}, row {number}, column {column} ({name}): {row[1]!r} should be {en}",
            )
