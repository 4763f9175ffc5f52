"""The result of a query as a file, with what made it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from grouper.base.output import Output, output_format
from grouper.base.provenance import stamped
from grouper.base.whole import refuse_inside
from grouper.research.open import OpenLake
from grouper.settlement.tables import GROUP_ROWS, plain_schema


def write(lake: str | Path, query: str, output: str, to: str | None = None, *, scheme: str = "") -> int:
    """Write what a query over a lake gives; returns the rows.

    Raises UsageError for a query that DuckDB does not take, and for an output in the lake.
    """
    format_ = output_format(output, to)
    with OpenLake(lake, scheme=scheme) as opened:
        if output != "-":
            refuse_inside(Path(output).parent, [str(opened.lake.root)])
        reader = opened.sql(query).to_arrow_reader(GROUP_ROWS)
        schema = plain_schema(reader.schema)
        rows = 0
        with Output(output, format_, private=opened.lake.private) as out:
            writer = out.open(schema)
            for batch in reader:
                writer.write(pa.RecordBatch.from_arrays(
                    [column.cast(field.type) for column, field in zip(batch.columns, schema, strict=True)],
                    schema=schema,
                ))  # fmt: skip
                rows += batch.num_rows
            writer.provenance = stamped(kind="sql", query=query, head=opened.head)
    return rows
