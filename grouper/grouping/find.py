"""One record of a file, by its id, as the kernel would see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from grouper.base.errors import DataError, UsageError
from grouper.records.source import RecordSource, open_records

if TYPE_CHECKING:
    from grouper.grouping.api import Grouper


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
        column = _id_column(source, path)
        normaliser = grouper.normaliser(source.columns, source.schema, adds=False)
        for batch in source.batches():
            same = pc.equal(pc.cast(batch.column(column), pa.string()), record_id)
            rows = batch.filter(pc.fill_null(same, False))
            if rows.num_rows:
                prepared = normaliser.prepare(rows)
                for record, flags in zip(prepared.batch.to_pylist(), prepared.flags.to_pylist(), strict=True):
                    found.append({**record, "flags": flags})
    if len(found) != 1:
        raise DataError(
            zh=f"{path} 中记录号为 {record_id} 的记录有 {len(found)} 条，应为 1 条",
            en=f"{path} holds {len(found)} records with the id {record_id}; one is needed",
        )
    return found[0]
