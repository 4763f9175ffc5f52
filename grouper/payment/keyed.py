"""Values of small tables by a text key, in SQL, without joins: joins do not keep the order of the cases.

A table becomes an ENUM of its keys and a list per column; a key finds its number in the ENUM, and that
its values in the lists.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

BETWEEN = "\x1f"  # between the parts of a key; alone it is the key of nothing


def joined(columns: Sequence[str]) -> str:
    """SQL of a key of several columns; null where one of them is."""
    return f" || '{BETWEEN}' || ".join(columns)


def create(
    connection: duckdb.DuckDBPyConnection, name: str, rows: str, key: str, columns: Sequence[str]
) -> None:
    """Make the lists ``name`` from ``rows``, SQL of a table whose ``key`` (SQL) is a text and unique."""
    ordered = f"(SELECT {key} AS key, * FROM {rows} WHERE {key} IS NOT NULL)"
    connection.execute(
        f"CREATE TEMP TYPE {name}_key AS ENUM "
        f"(SELECT key FROM (SELECT key FROM {ordered} UNION ALL SELECT '{BETWEEN}') ORDER BY key)"
    )
    for column in columns:
        nothing = f"SELECT '{BETWEEN}' AS key, NULL AS value"
        connection.execute(
            f"SET VARIABLE {name}_{column} = (SELECT list(value ORDER BY key) FROM "
            f'(SELECT key, "{column}" AS value FROM {ordered} UNION ALL {nothing}))'
        )


def found(name: str, key: str, column: str) -> str:
    """SQL of a value of the lists ``name`` for ``key``; null where there is no such key."""
    number = f"enum_code(TRY_CAST({key} AS {name}_key))::INTEGER"
    return f"list_extract(getvariable('{name}_{column}'), {number} + 1)"
