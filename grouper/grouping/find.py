"""One record of a file, by its id, as the kernel would see it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from grouper.base.errors import DataError, UsageError
from grouper.records.schema import GROUPING_FIELDS, LIST_FIELDS
from grouper.records.source import RecordSource, open_records

if TYPE_CHECKING:
    from grouper.grouping.api import Grouper
    from grouper.records.columns import ColumnMap


_IDS = ("record_id", "settlement_id", "visit_id", "record_no")  # the first that the file has names its rows


def _id_column(source: RecordSource, path: str) -> str:
    for field in _IDS:
        if field in source.columns.fields:
            return source.columns.fields[field].columns[0]
    raise UsageError(
        zh=f"{path} 没有记录号列（{'、'.join(_IDS)}）；请用 --columns 映射一列",
        en=f"{path} has no column of record ids ({', '.join(_IDS)}); map one with --columns",
    )


def find_record(grouper: Grouper, path: str, record_id: str, **reading: Any) -> dict[str, Any]:
    """The canonical fields and flags of the record with this id (record, settlement, visit or record number).

    ``reading`` goes to open_records. Raises UsageError when the file has no column of ids,
    DataError when no record, or more than one, has this id.
    """
    found: list[dict[str, Any]] = []
    with open_records([path], **reading) as source:
        normaliser = grouper.normaliser(source.columns, source.schema, adds=False)
        for rows in _rows(source, path, record_id):
            prepared = normaliser.prepare(rows)
            for record, flags in zip(prepared.batch.to_pylist(), prepared.flags.to_pylist(), strict=True):
                found.append({**record, "flags": flags})
    return _one(found, path, record_id)


def find_row(path: str, record_id: str, **reading: Any) -> dict[str, Any]:
    """The row with this id as a record that ``grouper.case`` takes: by the names of its columns, or with a
    column map by canonical names. Columns with personal data are not read.

    ``reading``, ids and errors as in ``find_record``.
    """
    found: list[dict[str, Any]] = []
    with open_records([path], look=True, **reading) as source:
        for rows in _rows(source, path, record_id):
            mapped = reading.get("columns") is not None
            each = (rows.slice(number, 1) for number in range(rows.num_rows))
            found += [named_row(source.columns, row) if mapped else row.to_pylist()[0] for row in each]
    return _one(found, path, record_id)


def _rows(source: RecordSource, path: str, record_id: str) -> Iterator[pa.RecordBatch]:
    """The rows with an id, batch by batch."""
    column = _id_column(source, path)
    for batch in source.batches():
        same = pc.equal(pc.cast(batch.column(column), pa.string()), record_id)
        rows = batch.filter(pc.fill_null(same, False))
        if rows.num_rows:
            yield rows


def _one(found: list[dict[str, Any]], path: str, record_id: str) -> dict[str, Any]:
    if len(found) != 1:
        raise DataError(
            zh=f"{path} 中记录号为 {record_id} 的记录有 {len(found)} 条，应为 1 条",
            en=f"{path} holds {len(found)} records with the id {record_id}; one is needed",
        )
    return found[0]


def named_row(columns: ColumnMap, rows: pa.RecordBatch) -> dict[str, Any]:
    """A row by canonical names: words by the map, fields with a transform as the normaliser reads
    them."""
    from grouper.records.normalise import NormaliseOptions, Normaliser

    made = Normaliser(columns, [n for n in GROUPING_FIELDS if not columns.ambiguous(n)], NormaliseOptions(),
                      GROUPING_FIELDS)  # fmt: skip
    prepared = made.prepare(rows).batch.to_pylist()[0]
    named = {}
    for name, source in columns.fields.items():
        if len(source.columns) == 1 and not source.transform and name not in LIST_FIELDS:
            named[name] = columns.translated(name, rows.column(source.columns[0]))[0].as_py()
        elif name in prepared:
            named[name] = prepared[name]
    return named
