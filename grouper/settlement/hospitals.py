"""The table of hospitals that a settlement goes by: who may be paid, with level, kind and county."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from grouper.base.errors import DataError
from grouper.base.tables_in import cell_error, read_table
from grouper.records.words import WordReader
from grouper.settlement import relations

if TYPE_CHECKING:
    import duckdb

COLUMNS = relations.HOSPITALS.names


def load_hospitals(connection: duckdb.DuckDBPyConnection, path: str, levels: Iterable[str] = ()) -> list[str]:
    """Table ``hospitals`` from a CSV; returns the columns that it gives. ``levels``: those of the policy.

    Raises UsageError for a missing column, DataError for a code that is there twice or a level that
    nobody knows.
    """
    rows, names = _rows(path, WordReader("hospital_level", levels))
    relations.make(connection, relations.HOSPITALS)
    if rows:
        marks = ", ".join("?" * len(COLUMNS))
        values = [[row.get(name) for name in COLUMNS] for row in rows]
        connection.executemany(f"INSERT INTO hospitals VALUES ({marks})", values)
    return names


def hospital_columns(path: str, levels: Iterable[str] = ()) -> list[str]:
    """The columns that the table gives; errors as in ``load_hospitals``."""
    return _rows(path, WordReader("hospital_level", levels))[1]


def _rows(path: str, level: WordReader) -> tuple[list[dict[str, str | None]], list[str]]:
    table = read_table(path, needed=("hospital_code",), flag="--hospitals")
    rows = [_row(row.cells, level, path, row.row) for row in table]
    seen: set[str | None] = set()
    for (number, _), row in zip(table.rows, rows, strict=True):
        code = row["hospital_code"]
        if code is None or code in seen:
            raise cell_error(
                table.path, number, "hospital_code", f"{code or '（空）'} 重复或为空",
                f"{code or '(blank)'} is there twice or blank", DataError,
            )  # fmt: skip
        seen.add(code)
    return rows, [name for name in COLUMNS if name in table.header]


def _row(row: Mapping[str, str | None], level: WordReader, path: str, number: int) -> dict[str, str | None]:
    made = {name: ((row.get(name) or "").strip() or None) for name in COLUMNS}
    word = made["hospital_level"]
    if word:
        parsed = level(word)
        if parsed.bad:
            known = level.known()
            raise DataError(
                zh=f"{path}（--hospitals）第 {number} 行：hospital_level {word!r} 无法识别；可用：{known}",
                en=f"{path} (--hospitals), row {number}: hospital_level {word!r} is not understood; "
                f"known are {known}",
            )
        made["hospital_level"] = parsed.value
    return made
