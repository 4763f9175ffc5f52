"""CSV feeds of a run for other systems: UTF-8 with a byte-order mark, column names as in the lake."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from grouper.base.tables_out import write_rows
from grouper.base.whole import whole_file
from grouper.report.cells import cell
from grouper.report.data import COLUMNS, ReportData

FEEDS = ("hospitals", "pools", "rejected", "adjustments")
_ORDER = {
    "cases": "record_id",
    "hospitals": "hospital_code, pool",
    "pools": "pool",
    "rejected": "input_file, input_row, record_id",
    "adjustments": "adjustment_id, record_id",
}
PERSONAL = frozenset({"person_id"})


def columns_of(table: str, data: ReportData) -> list[str]:
    """The columns that may leave: those the reports know; person ids only as keyed hashes."""
    return [name for name in COLUMNS[table] if data.info.pseudonymised or name not in PERSONAL]


def write_feeds(data: ReportData, folder: str | Path, *, cases: bool = False) -> list[Path]:
    """One CSV a table into ``folder``; the long table of cases only when asked for. Returns the files."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    done = []
    with data.open() as query:
        for table in (*FEEDS, *(["cases"] if cases else [])):
            names = columns_of(table, data)
            listed = ", ".join(f'"{name}"' for name in names)
            source = "all_cases" if table == "cases" else table
            rows = query.stream(f"SELECT {listed} FROM {source} ORDER BY {_ORDER[table]}")
            done.append(write_csv(data.place(target / f"{table}.csv"), names, rows))
    return done


def write_csv(path: Path, names: list[str], rows: Iterable[Iterable[Any]]) -> Path:
    with whole_file(path) as part, part.open("w", encoding="utf-8-sig", newline="") as file:
        write_rows(file, names, ([cell(value) for value in row] for row in rows), end="\r\n")
    return path
