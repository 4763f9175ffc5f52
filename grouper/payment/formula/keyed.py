"""Values of small tables by a text key, in SQL, so that the cases keep their order.

A scalar subquery is a single join in DuckDB: one row out for each row in, in order where one thread works.
A left join moves rows without a match behind the others. (An ENUM of the keys would need no join, but a
text that is none of its words takes time with every word.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

BETWEEN = "\x1f"  # between the parts of a key


def joined(columns: Sequence[str]) -> str:
    """SQL of a key of several columns; null where one of them is."""
    return f" || '{BETWEEN}' || ".join(columns)


def create(
    connection: duckdb.DuckDBPyConnection, name: str, rows: str, key: str, columns: Sequence[str]
) -> None:
    """Keep ``columns`` of ``rows``, SQL of a table whose ``key`` (SQL) is a text and unique, as ``name``."""
    kept = "".join(f', "{column}"' for column in columns)
    chosen = f'SELECT {key} AS "key_of_row"{kept} FROM {rows} WHERE {key} IS NOT NULL'
    connection.execute(f"CREATE TEMP TABLE {name}_by_key AS {chosen}")


def found(name: str, key: str, column: str) -> str:
    """SQL of a value of ``name`` for ``key``; null where there is no such key."""
    return f'(SELECT k."{column}" FROM {name}_by_key AS k WHERE k."key_of_row" = {key})'
