"""Views and macros in SQL: over an open lake, and as ``views.sql`` for whoever has DuckDB alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from grouper.research.columns import TABLES
from grouper.research.measures import MACROS, VIEWS

if TYPE_CHECKING:
    import duckdb


def statements() -> Iterator[str]:
    """The measures, over the tables of a snapshot."""
    for name, (sql, *_) in VIEWS.items():
        yield f"CREATE OR REPLACE VIEW {name} AS\n{sql}"
    for name, (parameters, sql, *_) in MACROS.items():
        yield f"CREATE OR REPLACE MACRO {name}({parameters}) AS TABLE\n{sql}"


def define(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the views and macros of the measures."""
    for statement in statements():
        connection.execute(statement)


def snapshot_sql() -> str:
    """``views.sql`` of a snapshot: its tables as views, and the measures."""
    lines = [
        "-- 在本目录运行 / run in this folder:  duckdb -init views.sql",
        "-- 在其他目录，先于本文件 / from elsewhere, before this file:",
        "--   SET VARIABLE snapshot = '/path/to/this/folder';",
        "SET VARIABLE snapshot = coalesce(getvariable('snapshot'), '.');",
    ]
    for table in TABLES:
        source = f"read_parquet(getvariable('snapshot') || '/{table}/*.parquet', hive_partitioning = false)"
        lines.append(f"CREATE OR REPLACE VIEW {table} AS SELECT * FROM {source};")
    lines += [f"{statement};" for statement in statements()]
    return "\n".join(lines) + "\n"
