"""Arrow arrays as plain buffers for the kernel, and numbers back as arrays. No values are copied twice."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from grouper.base.errors import DataError

INT32_LIMIT = 2**31 - 1


Kind = Literal["i", "q", "d"]  # int32, int64, float64
_SIZES: dict[str, int] = {"i": 4, "q": 8, "d": 8}


def raw(buffer: pa.Buffer | None) -> memoryview:
    """The bytes of a buffer; none where there is no buffer."""
    return memoryview(buffer if buffer is not None else b"").cast("B")


def values_of(buffer: pa.Buffer | None, kind: Kind) -> memoryview[Any]:
    """A buffer as a flat memoryview of numbers; a ragged end is cut off."""
    size = _SIZES[kind]
    whole = raw(buffer)
    return whole[: len(whole) // size * size].cast(kind)


def bitmap(buffer: pa.Buffer | None) -> memoryview | None:
    """A validity bitmap, None where every value is valid."""
    return None if buffer is None else raw(buffer)


def empty(kind: Kind, length: int) -> memoryview[Any]:
    """A writable buffer of ``length`` numbers, with whatever is in memory there."""
    return memoryview(pa.allocate_buffer(_SIZES[kind] * length)).cast("B").cast(kind)


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


def numbered(values: Sequence[str]) -> tuple[pa.Array, pa.Array]:
    """Distinct texts, and for each number the position of its text; see :func:`pick`."""
    distinct = list(dict.fromkeys(values))
    where = {value: position for position, value in enumerate(distinct)}
    return text_array(distinct), number_array([where[value] for value in values], "i")


def pick(table: tuple[pa.Array, pa.Array], numbers: pa.Array) -> pa.Array:
    """A dictionary column: the text of each number of a :func:`numbered` table, null for null."""
    return pa.DictionaryArray.from_arrays(pc.take(table[1], numbers), table[0], safe=False)


def int32_field(column: pa.Array) -> memoryview:
    """The values of an int32 column without nulls."""
    return values_of(column.buffers()[1], "i")[column.offset : column.offset + len(column)]


def number_field(column: pa.Array) -> memoryview:
    """A numeric column as float64 values with NaN for null.

    Raises pyarrow.ArrowException for a column whose buffers do not hold what they say.
    """
    column.validate(full=not pa.types.is_primitive(column.type))  # a cast of broken texts ends the process
    if not column.type.equals(pa.float64()):
        column = pc.cast(column, pa.float64())
    if column.null_count:
        column = pc.fill_null(column, float("nan"))
    return values_of(column.buffers()[1], "d")[column.offset : column.offset + len(column)]


def text_field(column: pa.Array, texts: tuple[str, ...]) -> memoryview:
    """A text column as the position of each value in ``texts``, -1 for others, NaN for null.

    Raises pyarrow.ArrowException for a column whose buffers do not hold what they say.
    """
    column.validate(full=True)
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
    offsets = values_of(column.buffers()[1], "i" if pa.types.is_list(kind) else "q")
    if not len(offsets):
        # An empty array may come without offsets.
        offsets = memoryview(bytearray(4 * (column.offset + 1))).cast("i")
    return offsets, column.values


def sound(batch: pa.RecordBatch, where: str = "") -> pa.RecordBatch:
    """The same batch, when its buffers hold what they say: nothing may compute with it before.

    A dictionary with a null among its values, which is rarely understood, comes back without it. Raises
    DataError for offsets, indices or views that lead out of their buffers, for texts that are no UTF-8, for
    decimals and dates beyond their type. ``where``: what the message begins with.
    """
    try:
        batch.validate(full=True)
    except (pa.ArrowException, ValueError) as error:
        zh, en = f"{where}：" if where else "", f"{where}: " if where else ""
        name = _unsound(batch)
        raise DataError(
            zh=f"{zh}列 {name} 的内容损坏（偏移、索引或文本编码不对）；请重新导出",
            en=f"{en}the content of column {name} is damaged (wrong offsets or texts); export it again",
        ) from error
    found = [_without_null_entry(column) for column in batch.columns]
    if all(new is old for new, old in zip(found, batch.columns, strict=True)):
        return batch
    return pa.RecordBatch.from_arrays(found, schema=batch.schema)


def _unsound(batch: pa.RecordBatch) -> str:
    """The name of the first column that is not sound."""
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            column.validate(full=True)
        except (pa.ArrowException, ValueError):
            return repr(name)
    return "?"


def _without_null_entry(column: pa.Array) -> pa.Array:
    """A dictionary, or a list of one, whose values hold no null: a null is one of the indices."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        if not column.dictionary.null_count:
            return column
        words = column.dictionary
        known = pc.is_valid(words)
        places = pc.subtract(pc.cumulative_sum(known.cast(pa.int64())), 1)
        indices = pc.take(pc.if_else(known, places, pa.scalar(None, pa.int64())), column.indices)
        plain = words.cast(pa.large_string()) if pa.types.is_string_view(words.type) else words
        kept = plain.drop_null().cast(words.type)
        return pa.DictionaryArray.from_arrays(indices.cast(kind.index_type), kept, ordered=kind.ordered)
    if (pa.types.is_list(kind) or pa.types.is_large_list(kind)) and pa.types.is_dictionary(kind.value_type):
        if not column.values.dictionary.null_count:
            return column
        whole = column.take(pa.arange(0, len(column)))  # without an offset
        values = _without_null_entry(whole.values)
        return type(whole).from_arrays(whole.offsets, values, mask=whole.is_null()).cast(kind)
    return column


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
        en=f"cannot read data of type {type(data).__name__}: a dataframe with the Arrow stream "
        "interface is needed",
    )


def plain_type(kind: pa.DataType) -> pa.DataType:
    """The type of the values, where a type is a dictionary of them."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def plain(column: pa.Array) -> pa.Array:
    """A dictionary column as its values."""
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def plain_table(table: pa.Table) -> pa.Table:
    """Dictionary columns as plain values."""
    return table.cast(pa.schema([f.with_type(plain_type(f.type)) for f in table.schema]))


def in_lots(schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Callable[[int], pa.RecordBatch]:
    """``take(n)``: the next n rows of ``batches``, all of ``schema``, as one batch; fewer where they end."""
    held: list[pa.RecordBatch] = []

    def take(rows: int) -> pa.RecordBatch:
        there = sum(batch.num_rows for batch in held)
        while there < rows and (batch := next(batches, None)) is not None:
            held.append(batch)
            there += batch.num_rows
        table = pa.Table.from_batches(held, schema)
        held[:] = table.slice(rows).to_batches()
        found = table.slice(0, rows).combine_chunks()
        return pa.RecordBatch.from_arrays(
            [_one_chunk(column) for column in found.columns], found.schema.names
        )

    return take


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks else pa.array([], column.type)
