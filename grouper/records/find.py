"""One record of a file, by its id, as the kernel would see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from grouper.errors import DataError, UsageError
from grouper.records.source import open_records

if TYPE_CHECKING:
    from grouper.api import Grouper


def find_record(grouper: Grouper, path: str, record_id: str, **reading: Any) -> dict[str, Any]:
    """The canonical fields and flags of the record with this ``record_id``.

    ``reading`` goes to open_records. Raises UsageError when the file has no column of ids,
    DataError when no record, or more than one, has this id.
    """
    found: list[dict[str, Any]] = []
    with open_records([path], **reading) as source:
        if "record_id" not in source.columns.fields:
            raise UsageError(
                zh=f"{path} 没有记录号列（record_id）；请用 --columns 映射一列",
                en=f"{path} has no column of record ids (record_id); map one with --columns",
            )
        (column,) = source.columns.fields["record_id"].columns
        normaliser = grouper.normaliser(source.columns, source.schema)
        for batch in source.batches():
            same = pc.equal(pc.cast(batch.column(column), pa.string()), record_id)
            rows = batch.filter(pc.fill_null(same, False))
            if rows.num_rows:
                prepared = normaliser.prepare(rows)
                for record, flags in zip(prepared.batch.to_pylist(), prepared.flags.to_pylist(), strict=True):
                    found.append({**record, "flags": flags})
    if len(found) != 1:
        raise DataError(
            zh=f"{path} 中 record_id 为 {record_id} 的记录有 {len(found)} 条，应为 1 条",
            en=f"{path} holds {len(found)} records with record_id {record_id}; one is needed",
        )
    return found[0]
