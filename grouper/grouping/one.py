"""One record as it may be given by hand: through the same normaliser as a file."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from grouper.base.errors import DataError, UsageError
from grouper.records.columns import ColumnMap, aliases, detect_layout, fold, layout_map
from grouper.records.schema import CANONICAL, CODE_FIELDS, GROUPING_FIELDS
from grouper.records.settlement_list import message_nodes

if TYPE_CHECKING:
    from grouper.records.normalise import NormaliseOptions


class Reader(Protocol):
    """Whoever says which fields are needed and how they are derived: a loaded scheme."""

    @property
    def required(self) -> tuple[str, ...]: ...
    @property
    def normalise_options(self) -> NormaliseOptions: ...


_READ = frozenset((*GROUPING_FIELDS, "birth_date", "admission_date", "discharge_date"))  # others stay unread
_CODE_KEYS = ("diag_code", "oprn_oprt_code", "code", "编码")


def prepare_record(
    reader: Reader, record: Mapping[str, Any], columns: ColumnMap | None = None
) -> dict[str, Any]:
    """The canonical fields and flags of one record, as a file with this one row would give them.

    ``record``: values by column names of any known layout, or a 4101 message. Columns that are not
    there are missing. Raises UsageError or DataError for what a file would be refused for.
    """
    if message_nodes(record) is not None:
        return message_record(reader, record)[0]
    names = tuple(map(str, record))
    bound = columns.bind(names) if columns else known_layout(names)
    read = {name for field in _READ & bound.fields.keys() for name in bound.fields[field].columns}
    return prepared_row(reader, bound, _batch({k: v for k, v in record.items() if str(k) in read}))


def record_batch(record: Mapping[str, Any]) -> tuple[ColumnMap, pa.RecordBatch]:
    """One record as a batch of one row with all its columns, and the map of their layout.

    ``record`` as ``prepare_record`` takes it. Raises UsageError or DataError.
    """
    if message_nodes(record) is not None:
        return message_batch(record)
    bound = known_layout(tuple(map(str, record)))
    read = {name for source in bound.fields.values() for name in source.columns}
    return bound, _batch({name: value for name, value in record.items() if str(name) in read})


def prepared_row(reader: Reader, bound: ColumnMap, batch: pa.RecordBatch) -> dict[str, Any]:
    """The canonical fields and flags of a batch of one row; every field but diagnoses may be missing."""
    from grouper.records.normalise import Normaliser

    made = Normaliser(bound, reader.required, reader.normalise_options, GROUPING_FIELDS)
    made.check(batch.schema)
    prepared = made.prepare(batch)
    return {**prepared.batch.to_pylist()[0], "flags": prepared.flags[0].as_py()}


def message_record(reader: Reader, message: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The canonical fields of a 4101 message, and all its columns by canonical name."""
    columns, batch = message_batch(message)
    row = batch.to_pylist()[0]
    plain = {
        name: row[given.columns[0]]
        for name, given in columns.fields.items()
        if given.columns[0] in row and not columns.ambiguous(name)
    }
    return prepared_row(reader, columns, batch), plain


def message_batch(message: Mapping[str, Any]) -> tuple[ColumnMap, pa.RecordBatch]:
    """A 4101 message as a batch of one row, and the columns of its fields; columns with personal data are
    none of them. Raises DataError for a message that a file would be refused for."""
    from grouper.records.settlement_list import MessageReader

    found = MessageReader(message, "4101")
    columns = layout_map("settlement-list", found.schema.names)
    return columns, next(found.batches(1))


def check_keys(record: Mapping[str, Any], also: Collection[str] = ()) -> None:
    """Raise UsageError for keys that no layout knows, with the canonical one that each stands for or looks
    like. Labels of papers (主要诊断) belong to no layout: they are named with their canonical key."""
    from grouper.records.propose import field_named

    layouts = (a.column for a in aliases() if a.layout != "label")
    known = {fold(name): name for name in (*CANONICAL, *also, *layouts)}
    unknown = [key for key in record if fold(key) not in known and not numbered(key)]
    if not unknown:
        return
    zh, en = [], []
    for key in unknown:
        field = field_named(key)
        near = [field] if field else difflib.get_close_matches(key, [*CANONICAL, *also], 1, cutoff=0.4)
        zh.append(f"{key!r}" + (f"（请写 {field}）" if field else f"（是否为 {near[0]}）" if near else ""))
        en.append(f"{key!r}" + (f" (did you mean {near[0]})" if near else ""))
    raise UsageError(
        zh=f"记录中有不认识的字段：{'、'.join(zh)}；标准列见 docs/zh/records.md",
        en=f"the record has keys that are not known: {', '.join(en)}; the canonical columns are in "
        "docs/records.md",
    )


def numbered(key: str) -> bool:
    """Whether a key is a column with a running number of some layout."""
    from grouper.records.columns import running_number

    folded = fold(key)
    return any("{n}" in a.column and running_number(fold(a.column)).fullmatch(folded) for a in aliases())


@lru_cache(maxsize=64)
def known_layout(names: tuple[str, ...]) -> ColumnMap:
    """The known layout of a record with these keys; a row of records mostly has the same ones."""
    try:
        return detect_layout(names)
    except UsageError as error:
        raise DataError(
            zh="记录缺少 diagnoses（编码列表，或用 | 分隔的文本）",
            en="the record lacks diagnoses (a list of codes, or a text joined by |)",
        ) from error


def _batch(record: Mapping[str, Any]) -> pa.RecordBatch:
    arrays = {}
    for name, value in record.items():
        try:
            arrays[str(name)] = _array(str(name), value)
        except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
            raise DataError(
                zh=f"记录的 {name} 无法读取：{error}", en=f"the record's {name} cannot be read: {error}"
            ) from error
    return pa.RecordBatch.from_pydict(arrays)


def _array(name: str, value: Any) -> pa.Array:
    if isinstance(value, Sequence) and not isinstance(value, str | bytes) and name in CODE_FIELDS:
        value = [_code(name, entry) for entry in value]
    return one_row(value)


def one_row(value: Any) -> pa.Array:
    """A value of a record as a column of one row. Raises whatever Arrow raises for what it cannot hold."""
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return pa.array([list(value)]) if len(value) > 0 else pa.array([[]], pa.list_(pa.string()))
    if value is None:
        return pa.nulls(1, pa.string())
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**63:
        value = str(value)
    return pa.array([value])


def _code(name: str, entry: Any) -> Any:
    """The code of an entry that is an object, as the nodes of a settlement list have them."""
    if not isinstance(entry, Mapping):
        return entry
    for key in _CODE_KEYS:
        if isinstance(entry.get(key), str):
            return entry[key]
    raise DataError(
        zh=f"记录的 {name} 中有一项没有编码（{'、'.join(_CODE_KEYS)}）",
        en=f"an entry of {name} has no code ({', '.join(_CODE_KEYS)})",
    )
