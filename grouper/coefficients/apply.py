"""Coefficients of a table or a batch in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from grouper.base.arrow import batches_of
from grouper.coefficients.parameters import Coefficients, load
from grouper.coefficients.step import Step, StepOptions
from grouper.records import detect_layout


def apply(data: Any, parameters: Coefficients | str | Path, **options: Any) -> pa.Table | pa.RecordBatch:
    """Grouped rows with ``auxiliary_tool``, ``_class``, ``_coefficient``, ``_hits`` and ``_missing`` behind.

    ``data``: a RecordBatch (gives one) or anything with the Arrow stream interface (gives a Table),
    with ``dip_code``, the columns that the tools read, and the day of discharge. ``options``:
    the fields of :class:`grouper.coefficients.step.StepOptions`, such as ``date_column``, ``as_of``.
    Raises UsageError for a missing column, DataError for a row whose day has no coefficients.
    """
    chosen = parameters if isinstance(parameters, Coefficients) else load(parameters)
    source = batches_of(data)
    step = Step(chosen, detect_layout(source.schema.names), source.schema, StepOptions(**options))
    made, rows = [], 0
    for batch in source:
        made.append(step.batch(batch, rows))
        rows += batch.num_rows
    if isinstance(data, pa.RecordBatch):
        return made[0]
    return pa.Table.from_batches(made, step.schema)
