"""``grouper lake export``: what counts in a lake today, as plain Parquet that every tool reads right.

FOLDER/cases/lishui_2025-06.parquet      one file a period; the period is in columns, too
FOLDER/groups/all.parquet                tables of names
FOLDER/views.sql  FOLDER/README.md
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grouper.base.errors import ReconciliationError
from grouper.base.sql import literal
from grouper.base.whole import refuse_existing, refuse_inside, whole_folder, write_text
from grouper.lake.layout import Lake
from grouper.research import readme, views
from grouper.research.columns import SOURCES, TABLES
from grouper.research.current import opened
from grouper.settlement.tables import write_sql

if TYPE_CHECKING:
    import duckdb

_WHOLE = "_whole"  # a table read once, then written by period
VIEWS_FILE, README_FILE = "views.sql", "README.md"
_ORDER = {
    **dict.fromkeys(("cases", "records", "cases_cleared"), "hospital_code, discharge_date, record_id"),
    **dict.fromkeys(("hospitals", "hospitals_cleared"), "hospital_code, pool"),
    **dict.fromkeys(("pools", "pools_cleared"), "pool"),
    **dict.fromkeys(("adjustments", "adjustments_cleared"), "adjustment_id"),
    "rejected": "input_file, input_row",
}


@dataclass
class Exported:
    """What was written: ``rows`` by table, ``head`` of the lake's chain."""

    folder: Path
    head: str
    rows: dict[str, int] = field(default_factory=dict)
    files: int = 0


def export(lake: Lake, folder: Path) -> Exported:
    """Write a snapshot; an older one in its place, unchanged since, is replaced.

    Raises UsageError for a folder that holds anything else or lies in the lake, ReconciliationError where the
    rows are not those of the ledger.
    """
    refuse_existing(folder, force=True, folder=True)
    lake.must_exist()
    refuse_inside(folder, [str(lake.root)])
    with opened(lake) as connection:
        made = Exported(folder, _head(connection))
        _check(connection)
        with whole_folder(folder) as part:
            if lake.private:
                part.chmod(0o700)
            for table in TABLES:
                connection.execute(f"CREATE OR REPLACE TEMP TABLE {_WHOLE} AS SELECT * FROM {table}")
                for path, sql in _files(connection, part / table, table):
                    path.parent.mkdir(exist_ok=True)
                    about = {"table": table, "kind": "snapshot", "head": made.head}
                    made.rows[table] = made.rows.get(table, 0) + write_sql(connection, sql, path, about)
                    made.files += 1
            connection.execute(f"DROP TABLE {_WHOLE}")
            write_text(part / VIEWS_FILE, views.snapshot_sql())
            write_text(part / README_FILE, readme.snapshot(made.head, made.rows, _totals(connection)))
            if lake.private:
                for path in part.rglob("*"):
                    path.chmod(0o700 if path.is_dir() else 0o600)
    return made


def _head(connection: duckdb.DuckDBPyConnection) -> str:
    rows = connection.execute("SELECT hash FROM lake.runs ORDER BY run DESC LIMIT 1").fetchall()
    return str(rows[0][0]) if rows else ""


def _files(connection: duckdb.DuckDBPyConnection, folder: Path, table: str) -> Sequence[tuple[Path, str]]:
    """The files of a table with their SQL: one a period, or one for all."""
    if table not in SOURCES:
        return [(folder / "all.parquet", f"SELECT * FROM {_WHOLE} ORDER BY ALL")]
    kind = "clear" if table.endswith("_cleared") else "settle"
    periods = connection.execute(
        f"SELECT area, period, run FROM periods WHERE kind = {literal(kind)} ORDER BY ALL"
    ).fetchall()
    if not periods:
        return [(folder / "none.parquet", f"SELECT * FROM {_WHOLE} WHERE FALSE")]
    return [
        (folder / f"{area}_{period}.parquet",
         f"SELECT * FROM {_WHOLE} WHERE run = {literal(run)} ORDER BY {_ORDER[table]}")
        for area, period, run in periods
    ]  # fmt: skip


def _check(connection: duckdb.DuckDBPyConnection) -> None:
    """The cases of each month with those that later ones replaced are the ledger's, in rows and in fen."""
    rows = connection.execute(
        """SELECT p.run, p.cases, p.cases_cost_fen, count(c.run), coalesce(sum(c.total_cost) * 100, 0)
        FROM periods AS p LEFT JOIN lake.cases_current AS c ON c.run = p.run AND c.row_kind = 'case'
        WHERE p.kind = 'settle' GROUP BY ALL
        UNION ALL SELECT p.run, p.cases, p.cases_cost_fen, count(c.run), coalesce(sum(c.total_cost) * 100, 0)
        FROM periods AS p LEFT JOIN cases_cleared AS c ON c.run = p.run WHERE p.kind = 'clear' GROUP BY ALL
        UNION ALL SELECT 'records', count(*), 0, (SELECT count(*) FROM records), 0 FROM cases ORDER BY 1"""
    ).fetchall()
    for run, number, fen, found, cost in rows:
        if (number, fen) != (found, cost):
            raise ReconciliationError(
                zh=f"{run}：账本有 {number} 例、{fen} 分，表中为 {found} 例、{cost} 分；没有写出",
                en=f"{run}: the ledger has {number} cases and {fen} fen, the tables {found} and {cost}; "
                "nothing was written",
            )


def _totals(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[Any, ...]]:
    """Totals by which a reader sees that nothing is missing or double."""
    columns = "count(*), sum(total_cost), sum(settled_fund)"
    return {
        table: connection.execute(f"SELECT {columns} FROM {table}").fetchall()[0]
        for table in ("cases", "cases_cleared")
    }
