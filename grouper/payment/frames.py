"""Price a dataframe: the same formulas, gate and checks as of files, and no file that anybody sees."""

from __future__ import annotations

import tempfile
from datetime import date as Date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from grouper.base.errors import GrouperError
from grouper.base.frames import Frame
from grouper.base.leftovers import tag
from grouper.base.output import SCRATCH, Output
from grouper.payment.policy.policy import Policy, find_policy
from grouper.payment.price.inputs import Files
from grouper.payment.price.pricing import Run, connect
from grouper.records.stays import Gate

if TYPE_CHECKING:
    from grouper.records import ColumnMap

_NAME = "frame.parquet"


def price(
    data: Any,
    policy: Policy | str,
    *,
    as_of: Date | None = None,
    date: str = "discharge_date",
    hospitals: str | None = None,
    decisions: str | None = None,
    columns: ColumnMap | None = None,
    interim: str = "hold",
    stay: str = "",
    threads: int | None = None,
    memory: str | None = None,
) -> Any:
    """Price grouped cases in a dataframe; the same kind comes back, a row for each row, in order.

    ``data``: as for ``Grouper.group``; the columns are those that ``pay`` writes, and the arguments mean
    what they mean there. All cases are priced together: readmissions, and shares of a hospital or the
    area, are of what is in the frame. A frame does not say which scheme grouped it, unless a column
    ``scheme`` does. Raises UsageError, TableError, DataError or ReconciliationError as ``pay``.
    """
    chosen = find_policy(policy, as_of) if isinstance(policy, str) else policy
    frame = Frame(data)
    gate = Gate(dated=as_of is None and date == "discharge_date", interim=interim, net=True)
    with tempfile.TemporaryDirectory(prefix=f"grouper.{tag()}.") as place:
        path = str(Path(place) / _NAME)
        with Output(path, SCRATCH, private=True) as out:
            table = _local(frame.table)
            writer = out.open(table.schema)
            for batch in table.to_batches():
                writer.write(batch)
        files = Files([path], columns, hospitals, decisions, date, as_of, gate, stay=stay)
        try:
            with connect(threads, memory) as connection:
                run = Run(connection, chosen, files)
                priced = pa.Table.from_batches(run.batches(), run.schema)
                run.finish()
        except GrouperError as error:  # name what the caller gave
            raise type(error)(
                zh=error.zh.replace(path, "数据表"), en=error.en.replace(path, "the frame")
            ) from error
    return frame.back(priced)


def _local(table: pa.Table) -> pa.Table:
    """Times of a zone as the clock there shows them: the day of a case is that of its hospital."""
    for place, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type) and field.type.tz:
            table = table.set_column(place, field.name, pc.local_timestamp(table[place]))
    return table
