"""Parquet files of the lake: the same rows give the same bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from grouper.base.ahead import ahead
from grouper.base.output import parquet_options, scratch_options
from grouper.base.paths import local_path
from grouper.base.provenance import PROVENANCE_KEY, stamped
from grouper.base.sql import scan

if TYPE_CHECKING:
    import duckdb

GROUP_ROWS = 131_072
_TEXT, _INT, _LONG = pa.string(), pa.int32(), pa.int64()
_YUAN, _POINTS = pa.decimal128(18, 2), pa.decimal128(38, 6)

REJECTED = pa.schema(
    [("input_file", _TEXT), ("input_row", _LONG), ("record_id", _TEXT), ("settlement_id", _TEXT),
     ("visit_id", _TEXT), ("hospital_code", _TEXT), ("total_cost", _YUAN), ("reason", _TEXT),
     ("reason_text_zh", _TEXT), ("reason_text_en", _TEXT), ("treatment", _TEXT)]
)  # fmt: skip
ADJUSTMENTS = pa.schema(
    [("adjustment_id", _TEXT), ("kind", _TEXT), ("record_id", _TEXT), ("settlement_id", _TEXT),
     ("original_run", _TEXT), ("original_period", _TEXT), ("hospital_code", _TEXT), ("pool", _TEXT),
     ("points_before", _POINTS), ("points_after", _POINTS), ("amount_before", _YUAN),
     ("amount_after", _YUAN), ("difference", _YUAN), ("total_cost", _YUAN), ("reason", _TEXT),
     ("clause", _TEXT), ("score", _TEXT), ("source_file", _TEXT), ("source_row", _LONG),
     ("document", _TEXT)]
)  # fmt: skip


def write(
    path: Path,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    about: Mapping[str, Any] | None = None,
    progress: Callable[[int], None] | None = None,
    *,
    scratch: bool = False,
) -> int:
    """Write ``batches`` in row groups of a fixed size; returns the rows. ``about`` goes to the metadata,
    ``progress`` is told the rows written. ``scratch``: the file goes with the run."""
    options = scratch_options(schema) if scratch else parquet_options(schema)
    made = json.dumps(stamped(**(about or {})), ensure_ascii=False, sort_keys=True)
    rows = 0
    with (
        ahead(iter(batches)) as coming,
        pq.ParquetWriter(local_path(path), schema, **options) as writer,
    ):
        for table in _regrouped(coming, schema):
            writer.write_table(table, row_group_size=GROUP_ROWS)
            rows += table.num_rows
            if progress:
                progress(rows)
        writer.add_key_value_metadata({PROVENANCE_KEY: made})
    return rows


def _regrouped(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """The same rows in tables of GROUP_ROWS, however the batches were cut."""
    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        while batch.num_rows:
            taken = batch.slice(0, GROUP_ROWS - rows)
            held.append(taken)
            rows += taken.num_rows
            batch = batch.slice(taken.num_rows)
            if rows == GROUP_ROWS:
                yield _table(held, schema)
                held, rows = [], 0
    yield _table(held, schema)


def _table(batches: list[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    """One chunk per column, so that dictionaries are the same however the batches were cut."""
    plain = [batch.cast(schema) if batch.schema != schema else batch for batch in batches]
    return pa.Table.from_batches(plain, schema).combine_chunks()


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """Dictionaries as their values, all fields nullable; no metadata."""
    fields = []
    for item in schema:
        kind = item.type.value_type if pa.types.is_dictionary(item.type) else item.type
        fields.append(pa.field(item.name, kind))
    return pa.schema(fields)


def write_sql(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    path: Path,
    about: Mapping[str, Any] | None = None,
    schema: pa.Schema | None = None,
    progress: Callable[[int], None] | None = None,
    *,
    scratch: bool = False,
) -> int:
    """Write what a query gives, in its order; streams."""
    connection.execute("SET preserve_insertion_order = true")
    reader = connection.sql(sql).to_arrow_reader(GROUP_ROWS)
    if progress:
        progress(0)
    return write(path, schema or plain_schema(reader.schema), reader, about, progress, scratch=scratch)


def write_parts(
    connection: duckdb.DuckDBPyConnection,
    parts: Sequence[str],
    path: Path,
    about: Mapping[str, Any] | None = None,
    progress: Callable[[int], None] | None = None,
    *,
    scratch: bool = False,
) -> int:
    """Write what queries give, one after the other, each in its order; columns that one lacks are empty."""
    connection.execute("SET preserve_insertion_order = true")
    if len({tuple(connection.sql(part).columns) for part in parts}) > 1:
        parts = _alike(connection, parts)
    first = connection.sql(parts[0]).to_arrow_reader(GROUP_ROWS)
    rest = (batch for part in parts[1:] for batch in connection.sql(part).to_arrow_reader(GROUP_ROWS))
    return write(path, plain_schema(first.schema), chain(first, rest), about, progress, scratch=scratch)


def write_after(
    connection: duckdb.DuckDBPyConnection,
    first: tuple[pa.Schema, Iterator[pa.RecordBatch]],
    parts: Sequence[str],
    path: Path,
    about: Mapping[str, Any] | None = None,
    progress: Callable[[int], None] | None = None,
) -> int:
    """``write_parts`` of what is on its way in ``first`` and of what queries give after it."""
    schema, batches = first
    if {tuple(connection.sql(part).columns) for part in parts} - {tuple(schema.names)}:
        stand_in = path.with_name("first.parquet")
        write(stand_in, schema, [], scratch=True)
        whole, *parts = _alike(connection, [f"SELECT * FROM {scan(stand_in)}", *parts])
        schema = plain_schema(connection.sql(whole).to_arrow_reader().schema)
        batches = (_put(batch, schema) for batch in batches)
    rest = (batch for part in parts for batch in connection.sql(part).to_arrow_reader(GROUP_ROWS))
    return write(path, schema, chain(batches, rest), about, progress)


def _put(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch with all columns of ``schema``; those that it lacks are empty."""
    columns = [
        batch[f.name].cast(f.type) if f.name in batch.schema.names else pa.nulls(batch.num_rows, f.type)
        for f in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _alike(connection: duckdb.DuckDBPyConnection, parts: Sequence[str]) -> list[str]:
    """The queries with the columns of all of them."""
    empty = [f"SELECT * FROM ({part}) WHERE FALSE" for part in parts]
    names = ", ".join(f'"{name}"' for name in connection.sql(" UNION ALL BY NAME ".join(empty)).columns)
    others = [" UNION ALL BY NAME ".join([*empty[:n], *empty[n + 1 :]]) for n in range(len(parts))]
    return [
        f"SELECT {names} FROM (SELECT * FROM ({part}) UNION ALL BY NAME {other})"
        for part, other in zip(parts, others, strict=True)
    ]


def copy(
    source: Path, path: Path, about: Mapping[str, Any], progress: Callable[[int], None] | None = None
) -> int:
    """Write a file again, in its order, as a file of the lake."""
    with pq.ParquetFile(local_path(source)) as file:
        schema = plain_schema(file.schema_arrow)
        return write(path, schema, file.iter_batches(GROUP_ROWS), about, progress)
