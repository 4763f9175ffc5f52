"""The table of hospitals that a settlement goes by: who may be paid, with level, kind and county."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from grouper.payment.price.hospital_table import read_hospitals
from grouper.settlement import relations

if TYPE_CHECKING:
    import duckdb

COLUMNS = relations.HOSPITALS.names


def load_hospitals(
    connection: duckdb.DuckDBPyConnection, path: str, levels: Collection[str] = ()
) -> list[str]:
    """Table ``hospitals`` from a small table; returns the columns that it gives. ``levels``: those of the
    policy.

    Raises the errors of ``read_hospitals``.
    """
    rows, names = read_hospitals(path, COLUMNS, levels)
    relations.make(connection, relations.HOSPITALS)
    if rows:
        marks = ", ".join("?" * len(COLUMNS))
        values = [[row.get(name) for name in COLUMNS] for row in rows]
        connection.executemany(f"INSERT INTO hospitals VALUES ({marks})", values)
    return names


def hospital_columns(path: str, levels: Collection[str] = ()) -> list[str]:
    """The columns that the table gives; errors as in ``load_hospitals``."""
    return read_hospitals(path, COLUMNS, levels)[1]
