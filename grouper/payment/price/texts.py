"""Files of texts as tables of DuckDB, read as records are: in the encodings and with the errors of those."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from grouper.base.errors import UsageError
from grouper.base.sql import quote

if TYPE_CHECKING:
    import duckdb

TEXTS = frozenset({".csv", ".tsv", ".txt"})
_BATCH = 100_000  # rows


def load_texts(connection: duckdb.DuckDBPyConnection, path: str, table: str) -> str:
    """A CSV in UTF-8 or GB18030 as the temporary table ``table``, every column a text; returns its name.

    An empty cell is null. Raises UsageError for a file that is not there, DataError for one that is no
    CSV, in another encoding, with repeated names or with rows of another length.
    """
    from grouper.records.readers import CsvReader

    if not Path(path).is_file():
        raise UsageError(zh=f"没有文件 {path}", en=f"there is no file {path}")
    try:
        reader = CsvReader(Path(path), path, None)
    except OSError as error:
        raise UsageError(
            zh=f"无法读取 {path}：{error.strerror}", en=f"cannot read {path}: {error.strerror}"
        ) from error
    columns = ", ".join(f"{quote(name)} VARCHAR" for name in reader.schema.names)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} ({columns})")
    for batch in reader.batches(_BATCH):
        connection.register("_coming", pa.Table.from_batches([batch]))
        connection.execute(f"INSERT INTO {table} FROM _coming")
        connection.unregister("_coming")
    return table
