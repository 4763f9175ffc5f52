"""``views.sql`` of a lake: what counts in it, for whoever has DuckDB and not this package.

It is the same for every lake: which files count is asked of the ledger when it is run, so it stays true
whatever is settled later. ``python -P -m grouper.research.standalone tables/lake/views.sql`` makes the text
that ``grouper.lake.guide`` puts into lakes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from grouper.base.sql import literal, quote
from grouper.base.whole import write_text
from grouper.lake.layout import TABLES as PLACED
from grouper.research.columns import SOURCES, declared
from grouper.research.current import RENAMED, periods, query
from grouper.research.names import HOSPITALS
from grouper.research.views import statements

_HEAD = """-- 结算湖的有效数据与标准指标。只需 DuckDB 2.x；在湖的目录中运行： duckdb -init views.sql
-- What counts in this lake, and the standard measures. DuckDB 2.x is enough; in the folder of the lake.
-- 在其他目录，先运行 / from elsewhere, first:  SET VARIABLE lake = '/path/to/lake';
-- 账本只读取一次，不会被占用 / the ledger is read once and not held.
SET VARIABLE lake = coalesce(getvariable('lake'), '.');
CREATE SCHEMA IF NOT EXISTS lake;
ATTACH getvariable('lake') || '/ledger.duckdb' AS _ledger (READ_ONLY);
CREATE OR REPLACE TABLE lake.runs AS SELECT * REPLACE (coalesce(format, 1) AS format)
FROM (SELECT CAST(NULL AS BIGINT) AS format WHERE FALSE UNION ALL BY NAME SELECT * FROM _ledger.runs);
CREATE OR REPLACE TABLE lake.outputs AS FROM _ledger.outputs;
DETACH _ledger;"""
_RUNS = """CREATE OR REPLACE VIEW lake.runs_current AS
WITH told AS (
  SELECT *, CASE WHEN json_valid(options_json) THEN options_json ELSE '{}' END AS said FROM lake.runs
), counted AS (
  SELECT * EXCLUDE (said) FROM told WHERE kind IN ('settle', 'clear') AND (
    json_extract_string(said, '$.draft') IS DISTINCT FROM 'true'
    OR run IN (SELECT json_extract_string(said, '$.of') FROM told WHERE kind = 'approve'))
)
SELECT * FROM (SELECT * FROM counted
  QUALIFY row_number() OVER (PARTITION BY area, kind, period ORDER BY run DESC) = 1) AS r
WHERE NOT EXISTS (
  SELECT 1 FROM counted AS v WHERE v.run > r.run AND list_contains(string_split(v.voids, ','), r.run))"""
_KINDS = {"current": "settle", "cleared": "clear"}
_FOLDERS = {"area": "VARCHAR", "year": "INTEGER", "month": "INTEGER", "run": "VARCHAR"}
_MADE = {"weighted_cases", "weight_sum", "scheme_id", "period"}  # no file has them


def script() -> str:
    """The whole text."""
    return _HEAD + "\n" + "\n".join(f"{statement};" for statement in _statements())


def _statements() -> Iterator[str]:
    yield _RUNS
    there = {}
    for table in PLACED:
        names = _names(table)
        listed = "SELECT list(getvariable('lake') || '/' || path ORDER BY path) FROM lake.outputs"
        yield f"SET VARIABLE {table}_files = ({listed} WHERE table_name = {literal(table)})"
        yield f"CREATE OR REPLACE VIEW lake.{table}_all AS\n{_files(table, names)}"
        for name, kind in _KINDS.items():
            runs = f"SELECT run FROM lake.runs_current WHERE kind = {literal(kind)}"
            yield (
                f"CREATE OR REPLACE VIEW lake.{table}_{name} AS "
                f"SELECT * FROM lake.{table}_all WHERE run IN ({runs})"
            )
            there[f"{table}_{name}"] = there[f"{table}_all"] = [*names, *_FOLDERS]
    for table in ("cases", "records"):
        there[f"{table}_effective"] = there[f"{table}_all"]
        yield (
            f"CREATE OR REPLACE VIEW lake.{table}_effective AS SELECT * FROM lake.{table}_current AS c\n"
            "WHERE NOT EXISTS (SELECT 1 FROM lake.adjustments_current AS a\n"
            "  WHERE a.record_id = c.record_id AND a.original_run = c.run)"
        )
    for table in SOURCES:
        yield f"CREATE OR REPLACE VIEW {table} AS\n{query(table, there, padded=True)}"
    yield f"CREATE OR REPLACE VIEW periods AS\n{periods()}"
    yield f"CREATE OR REPLACE VIEW hospital_names AS\n{HOSPITALS}"
    yield from statements()


def _names(table: str) -> list[str]:
    """The columns that files of a table may have, of months and of years."""
    found = {
        RENAMED.get(column.name, column.name): None
        for name in (table, f"{table}_cleared")
        for column in declared().get(name, ())
        if column.name not in _MADE
    }
    return [name for name in found if name not in _FOLDERS]


def _types(table: str) -> dict[str, str]:
    return {
        RENAMED.get(column.name, column.name): column.type
        for name in (table, f"{table}_cleared")
        for column in declared().get(name, ())
    }


def _files(table: str, names: list[str]) -> str:
    """All files of a table, with the columns that any of them may have and those of their folders."""
    types = _types(table)
    empty = ", ".join(f"CAST(NULL AS {types[name]}) AS {quote(name)}" for name in names)
    folders = ", ".join(
        f"CAST(regexp_extract(_path, '.*[/\\\\]{name}=([^/\\\\]*)[/\\\\]', 1) AS {kind}) AS {name}"
        for name, kind in _FOLDERS.items()
    )
    return f"""SELECT * EXCLUDE (_path), {folders}
FROM (SELECT {empty}, CAST(NULL AS VARCHAR) AS _path WHERE FALSE
  UNION ALL BY NAME SELECT * FROM read_parquet(getvariable('{table}_files'), union_by_name = true,
    hive_partitioning = false, filename = '_path'))"""


def main() -> None:
    for path in sys.argv[1:]:
        write_text(path, script())


if __name__ == "__main__":
    main()
