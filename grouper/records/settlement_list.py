"""Readers of the settlement list (interfaces 4101 and 4101A): JSON messages and flat tables.

Both give one row per settlement: the columns of ``setlinfo`` as they are, and the canonical
columns that its other nodes fill.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from grouper.base.errors import DataError, UsageError
from grouper.records.columns import ColumnMap, Source, fold
from grouper.records.damage import whole_batches
from grouper.records.jsonfile import JsonReader, Number, json_encoding, objects, textual
from grouper.records.nodes import MADE, MADE_TYPES, NODES, PARTS, made_columns
from grouper.records.normalise import refuse_numbers
from grouper.records.readers import BaseReader, Reader
from grouper.records.scalars import is_number

_MESSAGES_PER_BATCH = 4_000
_KEYS = ("setl_id", "mdtrt_id")
_IGNORED = ("opspdiseinfo", "bldinfo")  # outpatient diagnoses and blood: not used in grouping
_CODES = {"diseinfo": ("diagnoses", "diag_code"), "oprninfo": ("procedures", "oprn_oprt_code")}


def message_nodes(message: Mapping[str, Any]) -> dict[str, Any] | None:
    """The nodes of a 4101 message by lower-case name, None when it is something else."""
    nodes = {fold(name): value for name, value in message.items()}
    if "setlinfo" not in nodes and isinstance(nodes.get("input"), Mapping):
        nodes = {fold(name): value for name, value in nodes["input"].items()}
    info = nodes.get("setlinfo")
    if isinstance(info, list) and len(info) == 1:
        nodes["setlinfo"] = info = info[0]
    return nodes if isinstance(info, Mapping) else None


class SettlementJsonReader(JsonReader):
    """4101 messages. Opening reads the file once: fields without a value are often left out."""

    def __init__(self, path: Path, label: str, encoding: str | None) -> None:
        self._path = path
        self.label = label
        self._encoding = json_encoding(path, label, encoding)
        self._open(label)

    def _open(self, label: str) -> None:
        names: dict[str, str] = {}
        present: set[str] = set()
        kinds: set[str] = set()
        rows = 0
        for nodes in self._messages():
            rows += 1
            present |= nodes.keys()
            kinds |= _kinds_of(nodes)
            for name in nodes["setlinfo"]:
                names.setdefault(fold(name), name)
        self._made = _made_names([node for node in NODES if node in present], names, label, kinds)
        fields = [(name, pa.string()) for name in names.values()]
        made = [(name, MADE_TYPES[name]) for made in self._made.values() for name in made]
        super().__init__(label, pa.schema(fields + made))
        self.num_rows = rows

    def batches(self, batch_rows: int) -> Iterator[pa.RecordBatch]:
        messages = self._messages()
        number = 0
        while batch := list(islice(messages, min(batch_rows, _MESSAGES_PER_BATCH))):
            yield self._batch(batch, number)
            number += len(batch)

    def _objects(self) -> Iterator[dict[str, Any]]:
        return objects(self._path, self.label, self._encoding)

    def _messages(self) -> Iterator[dict[str, Any]]:
        for number, message in enumerate(self._objects(), 1):
            nodes = message_nodes(message)
            if nodes is None:
                raise DataError(
                    zh=f"{self.label} 第 {number} 个对象：没有 setlinfo 节点",
                    en=f"{self.label} object {number}: there is no setlinfo node",
                )
            for node in NODES:
                if not _is_entries(nodes.get(node)):
                    raise DataError(
                        zh=f"{self.label} 第 {number} 个对象：{node} 应为对象的列表",
                        en=f"{self.label} object {number}: {node} should be a list of objects",
                    )
            yield nodes

    def _batch(self, messages: list[dict[str, Any]], first: int) -> pa.RecordBatch:
        columns: dict[str, pa.Array] = {}
        infos = [{fold(name): value for name, value in m["setlinfo"].items()} for m in messages]
        for node in self._made:
            entries = self._entries(messages, node, first)
            known = pa.array([isinstance(m.get(node), list | dict) for m in messages], pa.bool_())
            made = made_columns(node, entries, known, self.counts)
            columns |= {name: made[name] for name in self._made[node]}
        for name, type_ in zip(self.schema.names, self.schema.types, strict=True):
            if name not in columns and pa.types.is_string(type_):
                key = fold(name)
                columns[name] = pa.array([_text(info.get(key)) for info in infos], pa.string())
            elif name not in columns:  # made of a node that only another file has
                columns[name] = pa.nulls(len(messages), type_)
        return pa.RecordBatch.from_arrays([columns[n] for n in self.schema.names], schema=self.schema)

    def _entries(self, messages: list[dict[str, Any]], node: str, first: int) -> pa.Table:
        """All entries of one node in these messages, as texts with the row of their message."""
        rows: list[int] = []
        values: dict[str, list[str | None]] = {name: [] for name in NODES[node]}
        code = _CODES.get(node, ("", ""))[1]
        for row, message in enumerate(messages):
            entries = message.get(node) or []
            for entry in [entries] if isinstance(entries, Mapping) else entries:
                folded = {fold(name): value for name, value in entry.items()}
                if isinstance(folded.get(code), Number):
                    raise self._number_for_code(first + row + 1, node, code)
                rows.append(row)
                for name, column in values.items():
                    column.append(_text(folded.get(name)))
        return pa.table(
            {"row": pa.array(rows, pa.int64())}
            | {name: pa.array(column, pa.string()) for name, column in values.items()}
        )

    def _number_for_code(self, number: int, node: str, column: str) -> DataError:
        return DataError(
            zh=f"{self.label} 第 {number} 个对象，{node}.{column}：编码是数值而不是文本，会丢失零",
            en=f"{self.label} object {number}, {node}.{column}: the code is a number, not text, "
            "and has lost its zeros",
        )


class MessageReader(SettlementJsonReader):
    """One 4101 message that is in memory; nothing of it reaches the disk."""

    def __init__(self, message: Mapping[str, Any], label: str) -> None:
        self._message = textual(message)
        self.label = label
        self._open(label)

    def _objects(self) -> Iterator[dict[str, Any]]:
        yield self._message


def _is_entries(value: Any) -> bool:
    """Whether a node is left out, or one entry, or a list of them."""
    if isinstance(value, list):
        return all(isinstance(entry, Mapping) for entry in value)
    return value is None or value == "" or isinstance(value, Mapping)


def _kinds_of(nodes: Mapping[str, Any]) -> set[str]:
    """Which nodes of a message say of an entry what it is for."""
    found = set()
    for node, (column, _) in PARTS.items():
        entries = nodes.get(node) or []
        for entry in [entries] if isinstance(entries, Mapping) else entries:
            if any(fold(name) == column and value not in (None, "") for name, value in entry.items()):
                found.add(node)
                break
    return found


def _made_names(
    nodes: Sequence[str], names: Mapping[str, str], label: str, kinds: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """Node -> the columns made of it; sums that ``setlinfo`` holds itself are not made.

    ``kinds``: the nodes whose entries say what they are for.
    """
    made = {}
    for node in nodes:
        whole = (*MADE[node], *(PARTS[node][1] if node in kinds else ()))
        clash = [name for name in MADE[node] if name in names]
        if clash and node in _CODES:
            raise DataError(
                zh=f"{label}：setlinfo 中的列 {clash[0]!r} 与 {node} 节点冲突",
                en=f"{label}: column {clash[0]!r} of setlinfo clashes with the node {node}",
            )
        if own := tuple(name for name in whole if name not in names):
            made[node] = own
    return made


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value if type(value) is not Number else str(value)
    return json.dumps(value, ensure_ascii=False)


def table_kind(reader: Reader, path: Path) -> str | None:
    """Which table of the settlement list a file holds, by its name or its columns; None for others."""
    stem = path.stem.casefold()
    for kind in ("opspdiseinfo", "setlinfo", *NODES, "bldinfo"):
        if kind in stem:
            return kind
    names = {fold(name) for name in reader.schema.names}
    if "diag_code" in names and "oprn_oprt_code" in names and "maindiag_flag" not in names:
        return "opspdiseinfo"
    if "diag_code" in names and names & {"maindiag_flag", "diag_type"}:
        return "diseinfo"
    if "oprn_oprt_code" in names and names & {"main_oprn_flag", "oprn_oprt_type", "oprn_oprt_name"}:
        return "oprninfo"
    for column, kind in (
        ("scs_cutd_sum_dura", "icuinfo"),
        ("med_chrgitm", "iteminfo"),
        ("fund_payamt", "payinfo"),
    ):
        if column in names:
            return kind
    return "setlinfo" if names & set(_KEYS) and names & {"adm_time", "dscg_time", "act_ipt_days"} else None


class FlatTablesReader(BaseReader):
    """``setlinfo`` read as a stream, with the other tables joined to it by ``setl_id`` (or ``mdtrt_id``).

    The codes of the other tables are held in memory.
    """

    def __init__(self, tables: Mapping[str, Reader]) -> None:
        for kind in ("setlinfo", "diseinfo"):
            if kind not in tables:
                raise UsageError(
                    zh=f"结算清单分表缺少 {kind}；请同时给出 setlinfo、diseinfo、oprninfo 文件或其所在文件夹",
                    en=f"the tables of the settlement list lack {kind}; name the files setlinfo, diseinfo "
                    "and oprninfo, or their folder",
                )
        self._info = tables["setlinfo"]
        self._nodes = {kind: tables[kind] for kind in NODES if kind in tables}
        names = {fold(name): name for name in self._info.schema.names}
        self._key = self._common_key(names)
        kinds = [
            node
            for node, reader in self._nodes.items()
            if node in PARTS and PARTS[node][0] in {fold(name) for name in reader.schema.names}
        ]
        self._made = _made_names(list(self._nodes), names, self._info.label, kinds)
        for node in self._made:
            self._select_node(node)
        # The keys are read now, because select() may leave their column out later.
        self._rows = self._keys(self._info, names[self._key])
        made = [pa.field(name, MADE_TYPES[name]) for made in self._made.values() for name in made]
        super().__init__(self._info.label, pa.schema([*self._info.schema, *made]))
        self.num_rows = len(self._rows)

    def _common_key(self, names: Mapping[str, str]) -> str:
        tables = [set(names), *({fold(n) for n in r.schema.names} for r in self._nodes.values())]
        for key in _KEYS:
            if all(key in table for table in tables):
                return key
        raise DataError(
            zh=f"结算清单各分表没有共同的键列（{'、'.join(_KEYS)}）",
            en=f"the tables of the settlement list have no key in common ({', '.join(_KEYS)})",
        )

    def _keys(self, reader: Reader, column: str) -> pa.Array:
        schema = reader.schema
        reader.select([column], ColumnMap("", {}))
        keys = pa.chunked_array([b.column(0) for b in _batches(reader)], schema.field(column).type)
        reader.select(schema.names, ColumnMap("", {}))
        return self._unique(_key_text(keys.combine_chunks()), reader.label, column)

    def _unique(self, keys: pa.Array, label: str, column: str) -> pa.Array:
        counted = pc.value_counts(keys)
        repeated = counted.filter(pc.greater(counted.field("counts"), 1))
        if keys.null_count or len(repeated):
            value = repeated[0]["values"].as_py() if len(repeated) else None
            raise DataError(
                zh=f"{label}：键列 {column!r} 的值 {value!r} 为空或重复，无法与其他分表连接",
                en=f"{label}: the key {column!r} is empty or repeated ({value!r}), so that the other tables "
                "cannot be joined",
            )
        return keys

    def select(self, keep: Sequence[str], columns: ColumnMap) -> None:
        own = set(self._info.schema.names)
        fields = {f: s for f, s in columns.fields.items() if own.issuperset(s.columns)}
        super().select(keep, columns)
        self._info.select([name for name in keep if name in own], ColumnMap(columns.layout, fields))

    def batches(self, batch_rows: int) -> Iterator[pa.RecordBatch]:
        self.counts = Counter()
        made: dict[str, pa.Array] = {}
        known = pa.repeat(pa.scalar(True), len(self._rows))
        for node in self._made:
            columns = made_columns(node, self._entries(node), known, self.counts)
            made |= {name: columns[name] for name in self._made[node]}
        start = 0
        for batch in self._info.batches(batch_rows):
            arrays = [
                made[name].slice(start, batch.num_rows) if name in made else batch.column(name)
                for name in self.schema.names
            ]
            start += batch.num_rows
            yield pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _entries(self, node: str) -> pa.Table:
        """All entries of one table, as texts with the row of their settlement."""
        reader = self._nodes[node]
        names = {fold(name): name for name in reader.schema.names}
        table = pa.Table.from_batches(list(_batches(reader)), reader.schema)
        keys = _key_text(table[names[self._key]].combine_chunks())
        rows = pc.index_in(keys, value_set=self._rows).cast(pa.int64())
        found = pc.is_valid(rows)
        if orphans := rows.null_count:
            if orphans == len(rows):
                raise DataError(
                    zh=f"{reader.label}：没有一个 {self._key} 与 {self._info.label} 相符",
                    en=f"{reader.label}: no {self._key} is found in {self._info.label}",
                )
            self.counts[f"{node}-without-settlement"] += orphans
        columns = {"row": rows.filter(found)}
        for column in NODES[node]:
            values = table[names[column]].combine_chunks() if column in names else pa.nulls(len(rows))
            columns[column] = values.cast(pa.string()).filter(found)
        return pa.table(columns)

    def _select_node(self, node: str) -> None:
        """Keep the columns that are read; refuse a table that lacks one, or has numbers for codes."""
        reader = self._nodes[node]
        names = {fold(name): name for name in reader.schema.names}
        needed = ("diag_code", "maindiag_flag") if node == "diseinfo" else NODES[node][:1]
        for column in needed:
            if column not in names:
                raise UsageError(
                    zh=f"{reader.label}：{node} 表缺少列 {column}",
                    en=f"{reader.label}: {node} lacks the column {column}",
                )
        wanted = [names[column] for column in (self._key, *NODES[node]) if column in names]
        if node not in _CODES:
            reader.select(wanted, ColumnMap("", {}))
            return
        field, column = _CODES[node][0], names[_CODES[node][1]]
        reader.select(wanted, ColumnMap("", {field: Source((column,))}))
        refuse_numbers(column, reader.schema.field(column).type, field, f"{reader.label} ")


def _batches(reader: Reader) -> Iterator[pa.RecordBatch]:
    return whole_batches(reader.batches(1 << 20), reader.label)


def _key_text(keys: pa.Array) -> pa.Array:
    if is_number(keys.type):
        keys = keys.cast(pa.float64()).cast(pa.string())
    return pc.utf8_trim_whitespace(keys.cast(pa.string()))


def is_ignored(kind: str) -> bool:
    """Whether a table of the settlement list is known but not used."""
    return kind in _IGNORED
