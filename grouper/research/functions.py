"""The kernel as a function in SQL: ``drg(diagnoses, procedures, sex := …)``, equal to ``group`` row by row.

    register(connection, load_scheme("chs-drg-2.0"))
    connection.sql("SELECT drg(diagnoses, procedures, sex := sex, age_years := age_years).drg FROM records")

Columns that the scheme reads and that are not given are missing, as empty cells of a file are. The function
is named after the family of the scheme; its result is a struct of the result columns of ``group``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from grouper.base.arrow import plain_type
from grouper.records.schema import CANONICAL, CODE_FIELDS, GROUPING_FIELDS

if TYPE_CHECKING:
    import duckdb

    from grouper.grouping.api import Bound, Grouper

# What a scheme may read, and the dates that ages and stays are checked against and made of.
FIELDS = (*GROUPING_FIELDS, "birth_date", "admission_date", "discharge_date")
_TYPES = ((pa.types.is_boolean, "BOOLEAN"), (pa.types.is_int32, "INTEGER"), (pa.types.is_floating, "DOUBLE"),
          (pa.types.is_list, "VARCHAR[]"), (pa.types.is_date, "DATE"),
          (pa.types.is_timestamp, "TIMESTAMP"))  # fmt: skip


def register(connection: duckdb.DuckDBPyConnection, grouper: Grouper, name: str = "") -> str:
    """Make the function of a scheme in a connection, in the place of an earlier one; returns its name."""
    from duckdb.func import FunctionNullHandling, PythonUDFType

    name = name or grouper.engine.kind
    bare = replace(grouper, options=replace(grouper.options, prefix="", allow_missing=()))
    given = ", ".join(f"{field} {_sql(CANONICAL[field])}" for field in FIELDS)
    made = ", ".join(f"{field.name} {_sql(plain_type(field.type))}" for field in bare.result_fields)
    inner = f"_{name}"
    connection.execute(f"DROP MACRO IF EXISTS {name}")
    try:
        connection.remove_function(inner)
    except Exception as error:
        if inner not in str(error):
            raise
    connection.create_function(
        inner,
        grouped(bare),
        [f"STRUCT({given})"],
        f"STRUCT({made})",
        type=PythonUDFType.ARROW,
        null_handling=FunctionNullHandling.SPECIAL,
    )
    parameters = ", ".join(f if f in CODE_FIELDS else f"{f} := NULL" for f in FIELDS)
    packed = ", ".join(f"'{field}': {field}" for field in FIELDS)
    connection.execute(
        f"CREATE OR REPLACE MACRO {name}({parameters}) AS {inner}(CAST({{{packed}}} AS STRUCT({given})))"
    )
    return name


def grouped(grouper: Grouper) -> Callable[[pa.ChunkedArray], pa.Array]:
    """From structs of canonical fields to structs of results, with plain texts."""
    bound: Bound | None = None
    plainly = replace(grouper, options=replace(grouper.options, plain=True))
    names = plainly.result_names

    def call(rows: pa.ChunkedArray) -> pa.Array:
        nonlocal bound
        struct = rows.combine_chunks() if isinstance(rows, pa.ChunkedArray) else rows
        batch = pa.RecordBatch.from_arrays(struct.flatten(), names=[field.name for field in struct.type])
        bound = bound or plainly.bind(batch.schema)
        return pa.StructArray.from_arrays(bound.results(batch), names)

    return call


def _sql(type_: pa.DataType) -> str:
    """An Arrow type as DuckDB calls it."""
    if pa.types.is_decimal(type_):
        return f"DECIMAL({type_.precision},{type_.scale})"
    return next((name for test, name in _TYPES if test(type_)), "VARCHAR")
