"""The tables of a snapshot as views over a lake: one schema each, only what counts today.

    connection = opened(lake)          # views: cases, records, hospitals, …, groups, code_values
    connection.sql("SELECT hospital_code, sum(settled_fund) FROM cases GROUP BY 1")

The views of ``grouper.lake.views`` stay reachable in the schema ``lake`` (``lake.cases_all``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from grouper.base.sql import literal, quote
from grouper.grouping.family import families
from grouper.lake import views
from grouper.lake.layout import Lake
from grouper.research import names
from grouper.research.columns import SOURCES, Column, declared

if TYPE_CHECKING:
    import duckdb

Columns = Mapping[str, Sequence[str]]  # views to their columns
LAKE = "lake"  # the schema of the lake's own views
RENAMED = {"group_code": "group"}  # a reserved word in every dialect of SQL
_FOLDERS = ("area", "year", "month", "run")
_APART = frozenset({"record_no"})  # the number of a chart is for its hospital, not for research
_BESIDE = {  # which record a case meets
    "cases": ("records_effective", "r.run = s.run"),
    "cases_cleared": ("records_all", "r.run = s.original_run"),
}


def opened(lake: Lake, connection: duckdb.DuckDBPyConnection | None = None) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection with the tables of a snapshot as views.

    Raises UsageError where there is no lake, or no month of it counts.
    """
    import duckdb

    from grouper.base.scratch import spill_folder

    made = connection or duckdb.connect(config={"temp_directory": spill_folder()})
    made.execute(f"CREATE SCHEMA IF NOT EXISTS {LAKE}")
    made.execute(f"USE {LAKE}")
    views.connect(lake, connection=made)
    made.execute("USE main")
    there = _views(made)
    for table in SOURCES:
        made.execute(f"CREATE OR REPLACE VIEW {table} AS {query(table, there)}")
    made.execute(f"CREATE OR REPLACE VIEW periods AS {periods()}")
    names.define(made)
    return made


def _views(connection: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """The lake's own views with their columns."""
    rows = connection.execute(
        f"SELECT table_name FROM information_schema.tables WHERE table_schema = {literal(LAKE)}"
    ).fetchall()
    return {name: list(connection.sql(f"SELECT * FROM {LAKE}.{name} LIMIT 0").columns) for (name,) in rows}


def query(table: str, there: Columns, *, padded: bool = False) -> str:
    """SQL of a table over the lake's own views, ``there`` with their columns; without rows where the lake has
    no such period. ``padded``: a view may have columns that its files lack, which are empty."""
    source = SOURCES[table]
    if source not in there:
        empty = (f"CAST(NULL AS {c.type}) AS {quote(c.name)}" for c in declared()[table])
        return f"SELECT {', '.join(empty)} WHERE FALSE"
    own: Sequence[str] = there[source]
    beside: Sequence[str] = ()
    priced = "original_run" if table == "cases_cleared" else "run"
    joined = f"{LAKE}.{source} AS s LEFT JOIN {LAKE}.runs AS u ON u.run = s.{priced}"
    if table in _BESIDE and _BESIDE[table][0] in there:
        other, on = _BESIDE[table]
        beside = there[other]
        joined += f" LEFT JOIN {LAKE}.{other} AS r ON {on} AND r.record_id = s.record_id"
    if table in ("hospitals", "hospitals_cleared"):
        joined += f" LEFT JOIN ({_weights(table, there)}) AS w ON w.run = s.run "
        joined += "AND w.hospital_code = s.hospital_code AND w.pool = s.pool"
    taken = [_column(each, table, own, beside, padded) for each in declared()[table]]
    known = {RENAMED.get(c.name, c.name) for c in declared()[table]} | {*_FOLDERS} | _APART
    if not padded:
        taken += [f"s.{quote(name)}" for name in sorted(set(own) - known)]
    return f"SELECT {', '.join(taken)} FROM {joined}"


def _column(column: Column, table: str, own: Sequence[str], beside: Sequence[str], padded: bool) -> str:
    name, source = column.name, RENAMED.get(column.name, column.name)
    cleared = table.endswith("_cleared")
    found = {
        "year": "printf('%04d', s.year)",
        "month": "NULL" if cleared else "printf('%02d', s.month)",
        "period": "printf('%04d', s.year)" if cleared else "printf('%04d-%02d', s.year, s.month)",
        "weighted_cases": "coalesce(w.weighted_cases, 0)",
        "weight_sum": "w.weight_sum",
        "scheme_id": "u.scheme_id",
        "packet": _counted(own),
    }.get(name)
    if found is None:
        places = [f"{letter}.{quote(source)}" for letter, columns in (("s", own), ("r", beside))
                  if source in columns]  # fmt: skip
        found = f"coalesce({', '.join(places)})" if padded and len(places) > 1 else (*places, "NULL")[0]
    return f"CAST({found} AS {column.type}) AS {quote(name)}"


def _counted(own: Sequence[str]) -> str | None:
    """The groups that indices count by, of whatever family; None for a table without them."""
    found = [f"s.{quote(each.COUNTED)}" for each in families() if each.COUNTED in own]
    return f"coalesce({', '.join(found)})" if found else None


def _weights(table: str, there: Columns) -> str:
    """What a CMI is made of, by run, hospital and pool: paid cases of the run that have a weight."""
    kind = "cleared" if table.endswith("_cleared") else "current"
    weight = "weight" if "weight" in there[f"cases_{kind}"] else "CAST(NULL AS DECIMAL(18,9))"
    own = "TRUE" if kind == "cleared" else "row_kind = 'case'"
    return (
        f"WITH owners AS (SELECT run, pool AS owner, unnest(string_split(members, ',')) AS member "
        f"FROM {LAKE}.pools_{kind}) "
        f"SELECT c.run, hospital_code, coalesce(owner, c.pool) AS pool, count({weight}) AS weighted_cases, "
        f"sum({weight}) AS weight_sum FROM {LAKE}.cases_{kind} AS c LEFT JOIN owners AS o "
        f"ON o.run = c.run AND o.member = c.pool WHERE pay_status = 'paid' AND {own} GROUP BY ALL"
    )


def periods() -> str:
    """The runs that count, as they stand in the ledger."""
    found = {
        "year": "left(period, 4)",
        "month": "nullif(substr(period, 6), '')",
    }
    columns = ", ".join(
        f"CAST({found.get(c.name, c.name)} AS {c.type}) AS {c.name}" for c in declared()["periods"]
    )
    return f"SELECT {columns} FROM {LAKE}.runs_current WHERE kind IN ('settle', 'clear')"
