"""The table of hospitals that a settlement goes by: who may be paid, with level, kind and county."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from grouper.base.errors import DataError, UsageError
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
    rows = [_row(row, level, path, number) for number, row in enumerate(raw, 2)]
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
