"""Texts and names as SQL; files as relations that nothing is guessed of."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq


def literal(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def quote(name: str) -> str:
    """A column's name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def rows_of(*paths: Path | str) -> int:
    """The rows of files, by what they say of themselves."""
    return sum(pq.read_metadata(path).num_rows for path in paths)


def scan(*paths: Path | str) -> str:
    """SQL that reads files of one run."""
    listed = ", ".join(literal(str(path)) for path in paths)
    return f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"
