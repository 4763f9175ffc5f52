"""The lake as SQL views over committed runs only.

    connection = connect(Lake(Path("LAKE")))
    connection.sql("SELECT hospital_code, sum(settled_fund) FROM cases_current GROUP BY 1")

Tables ``runs``, ``inputs``, ``outputs``, ``parameters``, ``counts``, ``amounts`` are copies of the ledger's;
``runs_current`` are the valid runs. For every table of the lake: ``<table>_all`` (every committed run),
``<table>_current`` (months: the last valid run of each), ``<table>_cleared`` (years, likewise). All have the
columns area, year, month, run of their folder. ``cases_effective`` and ``records_effective`` are the current
ones without those that a later adjustment replaced.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from grouper.lake import ledger
from grouper.lake.layout import TABLES, Lake
from grouper.payment.expression import literal

if TYPE_CHECKING:
    import duckdb

_CURRENT = """CREATE OR REPLACE VIEW runs_current AS SELECT * FROM (
  SELECT * FROM runs QUALIFY row_number() OVER (PARTITION BY area, kind, period ORDER BY run DESC) = 1) AS r
WHERE NOT EXISTS (SELECT 1 FROM runs AS v WHERE v.run > r.run AND list_contains(string_split(v.voids, ','), r.run))
AND r.run NOT IN (SELECT run FROM left_out)
"""  # noqa: E501
_HIVE = "{'area': VARCHAR, 'year': INTEGER, 'month': INTEGER, 'run': VARCHAR}"


def connect(
    lake: Lake,
    *,
    before: str | None = None,
    without: Sequence[str] = (),
    pending: ledger.Record | None = None,
    connection: duckdb.DuckDBPyConnection | None = None,
) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection with the views; the ledger itself is not held open.

    ``before``: only runs older than this id. ``without``: runs that a coming one makes invalid.
    ``pending``: a run whose files are in place but which is not committed yet.
    ``connection``: where to make the views. Raises UsageError where there is no lake.
    """
    import duckdb

    made = connection or duckdb.connect()
    for table, columns in ledger.COLUMNS.items():
        told = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        made.execute(f"CREATE OR REPLACE TABLE {table} ({told})")
    if lake.ledger.is_file() or pending is None:
        _copy(made, lake.must_exist(), before)
    if pending is not None:
        ledger.insert(made, pending, "", "")
    made.execute("CREATE OR REPLACE TABLE left_out (run VARCHAR)")
    for run in without:
        made.execute("INSERT INTO left_out VALUES (?)", [run])
    made.execute(_CURRENT)
    for table in TABLES:
        _views(made, lake, table)
    return made


def _copy(made: duckdb.DuckDBPyConnection, lake: Lake, before: str | None) -> None:
    with ledger.opened(lake) as source:
        for table in ledger.COLUMNS:
            where = f" WHERE run < {literal(before)}" if before else ""
            rows = source.sql(f"SELECT * FROM {table}{where} ORDER BY ALL").to_arrow_table()
            if rows.num_rows:
                made.register("_copied", rows)
                made.execute(f"INSERT INTO {table} SELECT * FROM _copied")
                made.unregister("_copied")


def _views(made: duckdb.DuckDBPyConnection, lake: Lake, table: str) -> None:
    sql = (
        f"SELECT path FROM outputs JOIN {{}} USING (run) WHERE table_name = {literal(table)} {{}} ORDER BY 1"
    )
    for name, runs, where in (
        ("all", "runs", ""),
        ("current", "runs_current", "AND kind = 'settle'"),
        ("cleared", "runs_current", "AND kind = 'clear'"),
    ):
        paths = [str(lake.root / row[0]) for row in made.execute(sql.format(runs, where)).fetchall()]
        if paths:
            made.execute(f"CREATE OR REPLACE VIEW {table}_{name} AS SELECT * FROM {scan(paths)}")
    if table in ("cases", "records") and _has(made, f"{table}_current"):
        made.execute(
            f"CREATE OR REPLACE VIEW {table}_effective AS SELECT * FROM {table}_current AS c "
            + (
                "WHERE NOT EXISTS (SELECT 1 FROM adjustments_current AS a "
                "WHERE a.record_id = c.record_id AND a.original_run = c.run)"
                if _has(made, "adjustments_current")
                else ""
            )
        )


def scan(paths: Sequence[str]) -> str:
    """SQL that reads data files of the lake with the columns of their folders."""
    listed = ", ".join(literal(path) for path in paths)
    return f"read_parquet([{listed}], union_by_name = true, hive_partitioning = true, hive_types = {_HIVE})"


def _has(made: duckdb.DuckDBPyConnection, view: str) -> bool:
    row = made.execute("SELECT count(*) FROM duckdb_views() WHERE view_name = ?", [view]).fetchone()
    return bool(row and row[0])
