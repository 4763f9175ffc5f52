"""Arrow arrays as plain buffers for the kernel, and numbers back as arrays. No values are copied twice."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from grouper.errors import DataError

INT32_LIMIT = 2**31 - 1


def view(buffer: pa.Buffer | None, kind: str = "B") -> memoryview | None:
    """A buffer as a flat memoryview of ``kind`` (a struct letter); a ragged end is cut off."""
    if buffer is None:
        return None
    raw = memoryview(buffer).cast("B")
    if kind == "B":
        return raw
    size = 8 if kind in "qdQ" else 4
    return raw[: len(raw) // size * size].cast(kind)


def empty(kind: str, length: int) -> memoryview:
    """A writable buffer of ``length`` values of 4 or 8 bytes."""
    size = 8 if kind in "qdQ" else 4
    return memoryview(bytearray(size * length)).cast(kind)


def int32_array(values: memoryview, length: int) -> pa.Array:
    """The first ``length`` values of an int32 buffer as an Arrow array, not copied."""
    return pa.Array.from_buffers(pa.int32(), length, [None, pa.py_buffer(values)])


def text_array(values: Sequence[str]) -> pa.Array:
    """Texts as an Arrow array. Unlike ``pa.array`` this does not import pandas where it is installed."""
    encoded = [value.encode() for value in values]
    offsets = array("i", accumulate(map(len, encoded), initial=0))
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(encoded), buffers)


def number_array(values: Sequence[float], kind: str = "d") -> pa.Array:
    """Numbers as a float64 ("d") or int32 ("i") array; see :func:`text_array`."""
    type_ = pa.float64() if kind == "d" else pa.int32()
    return pa.Array.from_buffers(type_, len(values), [None, pa.py_buffer(array(kind, values))])


def int32_field(column: pa.Array) -> memoryview:
    """The values of an int32 column without nulls."""
    values = view(column.buffers()[1], "i")
    return values[column.offset : column.offset + len(column)] if values is not None else empty("i", 0)


def number_field(column: pa.Array) -> memoryview:
    """A numeric column as float64 values with NaN for null."""
    if not column.type.equals(pa.float64()):
        column = pc.cast(column, pa.float64())
    if column.null_count:
        column = pc.fill_null(column, float("nan"))
    values = view(column.buffers()[1], "d")
    return values[column.offset : column.offset + len(column)] if values is not None else empty("d", 0)


def text_field(column: pa.Array, texts: tuple[str, ...]) -> memoryview:
    """A text column as the position of each value in ``texts``, -1 for others, NaN for null."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if not pa.types.is_string(column.type):
        column = pc.cast(column, pa.string())
    where = pc.fill_null(pc.index_in(column, value_set=text_array(texts)), -1)
    numbers = pc.cast(where, pa.float64())
    return number_field(pc.if_else(pc.is_valid(column), numbers, pa.scalar(None, pa.float64())))


def list_parts(column: pa.Array) -> tuple[memoryview, pa.Array]:
    """Offsets (from the column's first row on) and values of a list or large_list column.

    Raises DataError when the column is of another type.
    """
    kind = column.type
    if pa.types.is_fixed_size_list(kind) or pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind):
        column = pc.cast(column, pa.large_list(kind.value_type))
        kind = column.type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        raise DataError(
            zh=f"编码列的类型应为字符串列表，实为 {kind}",
            en=f"a code column must be a list of strings, but it is {kind}",
        )
    offsets = view(column.buffers()[1], "i" if pa.types.is_list(kind) else "q")
    if offsets is None or not len(offsets):
        offsets = empty("i", column.offset + 1)  # an empty array may come without offsets
    return offsets, column.values


def batches_of(data: Any) -> pa.RecordBatchReader:
    """Any dataframe as a stream of record batches, by the Arrow stream capsule.

    Raises DataError when the object does not offer one.
    """
    if isinstance(data, pa.RecordBatchReader):
        return data
    if isinstance(data, pa.RecordBatch):
        return pa.RecordBatchReader.from_batches(data.schema, [data])
    if isinstance(data, pa.Table):
        return data.to_reader()
    if hasattr(data, "__arrow_c_stream__"):
        return pa.RecordBatchReader.from_stream(data)
    if hasattr(data, "to_arrow_reader"):  # a duckdb relation
        return data.to_arrow_reader()
    raise DataError(
        zh=f"无法读取类型 {type(data).__name__} 的数据：需要支持 Arrow 流接口的数据表",
        en=f"cannot read data of type {type(data).__name__}: a dataframe with the Arrow stream interface is needed",
    )
