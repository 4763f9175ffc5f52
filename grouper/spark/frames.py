"""Spark dataframes: grouped batch by batch in the workers, priced area by area."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from grouper.base.arrow import plain_table, plain_type
from grouper.base.errors import UsageError
from grouper.grouping.api import Grouper, load_scheme
from grouper.payment.frames import price as price_frame
from grouper.payment.policy.policy import Policy, find_policy
from grouper.payment.price.build import build
from grouper.payment.price.pricing import step_type

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from grouper.records import ColumnMap


def group(df: DataFrame, scheme: Grouper | str, *, columns: ColumnMap | None = None) -> DataFrame:
    """The rows of ``df`` with the result columns behind their own, by ``mapInArrow``; nothing is shuffled.

    ``scheme``: a grouper, or the id of a scheme. A task is sent the scheme's id and loads its tables once in
    each Python worker. Raises UsageError and DataError as ``Grouper.group``, here and not in the workers, but
    for what only the rows show.
    """
    from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema

    grouper = load_scheme(scheme) if isinstance(scheme, str) else scheme
    plain = replace(grouper, options=replace(grouper.options, plain=True))  # Spark has no dictionaries
    plain.bind(to_arrow_schema(df.schema, timezone="UTC"), columns=columns)  # raises before a job runs
    added = from_arrow_schema(pa.schema(plain.result_fields))
    made = type(df.schema)([*df.schema.fields, *added.fields])

    def work(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from plain.group_batches(batches, columns=columns)

    return df.mapInArrow(work, made)


def price(df: DataFrame, policy: Policy | str, *, by: Sequence[str], **options: Any) -> DataFrame:
    """Price the grouped cases of ``df``: all rows with the same values of ``by`` together, in one worker.

    ``by``: columns that part the cases into what one run of ``pay`` takes: the area, and the month. What a
    policy counts over cases (readmissions, shares of hospital and area) is counted within a part. It must
    fit into the memory of a worker. ``options``: as of ``grouper.price``; files that they name must be there
    for all workers. Returned: ``by``, record_id, hospital_code, pay_date and every column that the policy
    makes, in no certain order. Raises UsageError for a column that is not there.
    """
    from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema

    lacking = [name for name in (*by, "record_id") if name not in df.columns]
    if lacking or not by:
        raise UsageError(
            zh=f"by 应为数据表的列（如统筹区、月份），另需 record_id；缺少 {'、'.join(lacking) or 'by'}",
            en="by takes columns of the dataframe (area, month), and there must be a record_id; lacking: "
            + (", ".join(lacking) or "by"),
        )
    chosen = find_policy(policy) if isinstance(policy, str) else policy
    given = to_arrow_schema(df.schema, timezone="UTC")
    own = [field for field in _made(chosen) if field.name not in by]
    schema = pa.schema([*(given.field(name) for name in by), *own])

    def work(part: pa.Table) -> pa.Table:
        priced = price_frame(part, chosen, **options)
        keys = {
            name: pa.array([part[name][0].as_py()] * part.num_rows, given.field(name).type) for name in by
        }
        columns = [keys[f.name] if f.name in keys else _column(priced, f) for f in schema]
        return pa.table(columns, schema=schema)

    return df.groupBy(*by).applyInArrow(work, from_arrow_schema(schema))


def _made(policy: Policy) -> list[pa.Field]:
    """The columns that a policy makes on any of its days, in types that Spark has."""
    steps = {
        step.name: step
        for start, _ in policy.epochs(policy.valid_from, policy.valid_to)
        for step in build(policy, policy.on(start))
    }
    own = [("record_id", pa.string()), ("hospital_code", pa.string()), ("pay_date", pa.date32())]
    made = [(step.name, _spark_type(step_type(step))) for step in steps.values()]
    return [pa.field(name, type_) for name, type_ in (*own, *made)]


def _spark_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_decimal(kind):
        return pa.decimal128(kind.precision, kind.scale)
    return plain_type(kind)


def _column(priced: pa.Table, field: pa.Field) -> pa.ChunkedArray | pa.Array:
    """A column of the priced rows; empty where the days of these rows do not make it."""
    if field.name not in priced.column_names:
        return pa.nulls(priced.num_rows, field.type)
    return plain_table(priced.select([field.name]))[0].cast(field.type)
