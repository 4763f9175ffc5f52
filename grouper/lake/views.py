"""The lake as SQL views over committed runs only.

    connection = connect(Lake(Path("LAKE")))
    connection.sql("SELECT hospital_code, sum(settled_fund) FROM cases_current GROUP BY 1")

Tables ``runs``, ``inputs``, ``outputs``, ``parameters``, ``counts``, ``amounts`` are copies of the ledger's;
``runs_current`` are the valid runs: no steps, and no drafts that nobody approved. For every table of the
lake: ``<table>_all`` (every committed run), ``<table>_current`` (months: the last valid run of each),
``<table>_cleared`` (years, likewise). All have the columns area, year, month, run of their folder.
``cases_effective`` and ``records_effective`` are the current ones without those that a later adjustment
replaced.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from grouper.base.machine import database_memory
from grouper.base.scratch import spill_folder
from grouper.base.sql import literal, scan
from grouper.lake import ledger, steps
from grouper.lake.layout import TABLES, Lake

if TYPE_CHECKING:
    import duckdb

_CURRENT = """CREATE OR REPLACE VIEW runs_current AS
WITH counted AS (SELECT * FROM runs WHERE run NOT IN (SELECT run FROM uncounted))
SELECT * FROM (SELECT * FROM counted
  QUALIFY row_number() OVER (PARTITION BY area, kind, period ORDER BY run DESC) = 1) AS r
WHERE NOT EXISTS (
  SELECT 1 FROM counted AS v WHERE v.run > r.run AND list_contains(string_split(v.voids, ','), r.run))
AND r.run NOT IN (SELECT run FROM left_out)
"""
KINDS = ("all", "current", "cleared")
# The last folders of a path; those above the lake may have names like these and say nothing.
_FOLDERS = {"area": "VARCHAR", "year": "INTEGER", "month": "INTEGER", "run": "VARCHAR"}
_PATH = "_path"
_FOLDER = "CAST(regexp_extract(_path, '.*[/\\\\]{name}=([^/\\\\]*)[/\\\\]', 1) AS {kind}) AS {name}"


def connect(
    lake: Lake | str | Path,
    *,
    before: str | None = None,
    without: Sequence[str] = (),
    pending: ledger.Record | None = None,
    connection: duckdb.DuckDBPyConnection | None = None,
    kinds: Collection[str] = KINDS,
) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection with the views; the ledger itself is not held open.

    ``before``: only runs older than this id. ``without``: runs that a coming one makes invalid.
    ``pending``: a run whose files are in place but which is not committed yet.
    ``connection``: where to make the views. ``kinds``: those that are wanted; each opens its files.
    Raises UsageError where there is no lake.
    """
    import duckdb

    lake = lake if isinstance(lake, Lake) else Lake(Path(lake))
    made = connection or _bounded(duckdb.connect(config={"temp_directory": spill_folder()}))
    for table, columns in ledger.COLUMNS.items():
        told = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        made.execute(f"CREATE OR REPLACE TABLE {table} ({told})")
    if lake.ledger.is_file() or pending is None:
        _copy(made, lake.must_exist(), before)
    if pending is not None:
        ledger.insert(made, pending, "", "")
    _list(made, "left_out", without)
    _list(made, "uncounted", _uncounted(made, pending))
    made.execute(_CURRENT)
    paths = _paths(made, lake)
    for table in TABLES:
        for kind in kinds:
            if found := paths.get((table, kind)):
                made.execute(f"CREATE OR REPLACE VIEW {table}_{kind} AS SELECT * FROM {scan_parts(found)}")
    if "current" in kinds:
        _effective(made, paths)
    return made


def _bounded(made: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    if limit := database_memory():
        made.execute("SET memory_limit = ?", [limit])
    return made


def _list(made: duckdb.DuckDBPyConnection, table: str, runs: Collection[str]) -> None:
    made.execute(f"CREATE OR REPLACE TABLE {table} (run VARCHAR)")
    for run in runs:
        made.execute(f"INSERT INTO {table} VALUES (?)", [run])


def _uncounted(made: duckdb.DuckDBPyConnection, pending: ledger.Record | None) -> list[str]:
    """Steps, and drafts that nobody approved; the coming run itself counts, draft or not."""
    done = made.execute("SELECT * FROM runs ORDER BY run")
    names = [item[0] for item in done.description or ()]
    found = [steps.entry_of(dict(zip(names, row, strict=True))) for row in done.fetchall()]
    own = pending.run["run"] if pending else None
    return sorted(run for run in steps.uncounted(found) if run != own)


def _copy(made: duckdb.DuckDBPyConnection, lake: Lake, before: str | None) -> None:
    with ledger.opened(lake) as source:
        for table in ledger.COLUMNS:
            where = f" WHERE run < {literal(before)}" if before else ""
            rows = source.sql(f"SELECT * FROM {table}{where} ORDER BY ALL").to_arrow_table()
            if rows.num_rows:
                made.register("_copied", rows)
                made.execute(f"INSERT INTO {table} BY NAME SELECT * FROM _copied")
                made.unregister("_copied")
    made.execute("UPDATE runs SET format = 1 WHERE format IS NULL")  # ledgers of 0.1.0 do not say it


def _paths(made: duckdb.DuckDBPyConnection, lake: Lake) -> dict[tuple[str, str], list[str]]:
    """Table and kind of view to the files that it reads."""
    rows = made.execute(
        "SELECT table_name, path, c.kind FROM outputs LEFT JOIN runs_current AS c USING (run) ORDER BY path"
    ).fetchall()
    views = {"settle": "current", "clear": "cleared"}
    found: dict[tuple[str, str], list[str]] = {}
    for table, path, kind in rows:
        for name in ("all", *([views[kind]] if kind in views else [])):
            found.setdefault((table, name), []).append(str(lake.root / path))
    return found


def _effective(made: duckdb.DuckDBPyConnection, paths: Mapping[tuple[str, str], Sequence[str]]) -> None:
    """The current rows without those that an adjustment replaced."""
    replaced = (
        " WHERE NOT EXISTS (SELECT 1 FROM adjustments_current AS a "
        "WHERE a.record_id = c.record_id AND a.original_run = c.run)"
    )
    where = replaced if ("adjustments", "current") in paths else ""
    for table in ("cases", "records"):
        if (table, "current") in paths:
            made.execute(
                f"CREATE OR REPLACE VIEW {table}_effective AS SELECT * FROM {table}_current AS c{where}"
            )


def as_cleared(connection: duckdb.DuckDBPyConnection, area: str, year: int, run: str) -> None:
    """``cases_effective`` and ``pools_current`` with the cleared year, by its clearing ``run``, in place of
    its months: a case in the month of its ``pay_date`` with the run that priced it, pools in December.

    ``connection``: of ``connect`` with the kinds current and cleared.
    """
    own = f"area = {literal(area)} AND run = {literal(run)}"
    connection.execute("ALTER VIEW cases_effective RENAME TO cases_of_months")
    connection.execute("ALTER VIEW pools_current RENAME TO pools_of_months")
    connection.execute(
        "CREATE VIEW cases_effective AS SELECT * REPLACE (year(pay_date) AS year, month(pay_date) AS month, "
        f"original_run AS run) FROM cases_cleared WHERE {own} UNION ALL BY NAME "
        f"SELECT * FROM cases_of_months WHERE NOT (area = {literal(area)} AND year(pay_date) = {year})"
    )
    connection.execute(
        f"CREATE VIEW pools_current AS SELECT * REPLACE (12 AS month) FROM pools_cleared WHERE {own} "
        "UNION ALL BY NAME "
        f"SELECT * FROM pools_of_months WHERE NOT (area = {literal(area)} AND year = {year})"
    )


def scan_parts(paths: Sequence[str]) -> str:
    """SQL that reads data files of the lake with the columns of their folders."""
    folders = ", ".join(_FOLDER.format(name=name, kind=kind) for name, kind in _FOLDERS.items())
    return f"(SELECT * EXCLUDE ({_PATH}), {folders} FROM {scan(*paths, named=_PATH)})"
