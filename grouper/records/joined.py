"""Settlement lists (4101 messages) joined to the settlement rows of an agency, by the id of the settlement.

The lists have the codes, the rows have what was paid. The rows lead: each comes out once, with the
codes of its list where there is one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from grouper.base.errors import DataError
from grouper.records.columns import LAYOUTS, ColumnMap, fold, layout_map
from grouper.records.damage import whole_batches
from grouper.records.readers import BaseReader, Reader
from grouper.records.scalars import is_number, plain
from grouper.records.schema import LIST_FIELDS
from grouper.records.settlement_list import SettlementJsonReader


def rows_map(header: Sequence[str]) -> ColumnMap:
    """The known layout that takes most columns of a table of settlements, which has no codes."""
    maps = [layout_map(layout, header) for layout in LAYOUTS]
    return max(maps, key=lambda found: len(found.fields))


def joinable(lists: Sequence[Reader], rows: Sequence[Reader]) -> bool:
    """Whether these are messages and one table of settlements without codes."""
    if len(rows) != 1 or not lists or not all(isinstance(r, SettlementJsonReader) for r in lists):
        return False
    fields = rows_map(rows[0].schema.names).fields
    return "settlement_id" in fields and "diagnoses" not in fields


class JoinedReader(BaseReader):
    """The rows of a table of settlements with the columns of their lists behind them.

    ``columns`` is the map: what the rows give stands before what the lists give, the codes aside.
    """

    def __init__(self, lists: Sequence[SettlementJsonReader], rows: Reader) -> None:
        self._lists, self._rows = lists, rows
        fields = [field for reader in lists for field in reader.schema]
        for reader in lists:
            reader.widen(fields)
        own = {fold(name) for name in rows.schema.names}
        self._added = [field for field in lists[0].schema if fold(field.name) not in own]
        super().__init__(rows.label, pa.schema([*rows.schema, *self._added]))
        self.num_rows = rows.num_rows
        of_rows, of_lists = rows_map(rows.schema.names), layout_map("settlement-list", lists[0].schema.names)
        self._key = of_rows.fields["settlement_id"].columns[0]
        self._list_key = of_lists.fields["settlement_id"].columns[0]
        kept = {name: s for name, s in of_rows.fields.items() if name not in LIST_FIELDS}
        header = set(self.schema.names)
        from_lists = {n: s for n, s in of_lists.fields.items() if header.issuperset(s.columns)}
        self.columns = ColumnMap("settlement-list", {**from_lists, **kept}, (*of_rows.drop, *of_lists.drop))

    def select(self, keep: Sequence[str], columns: ColumnMap) -> None:
        own = set(self._rows.schema.names)
        fields = {name: s for name, s in columns.fields.items() if own.issuperset(s.columns)}
        super().select(keep, columns)
        self._rows.select(self._rows.schema.names, ColumnMap(columns.layout, fields))

    def batches(self, batch_rows: int) -> Iterator[pa.RecordBatch]:
        self.counts.clear()
        keys, lists = self._table()
        counted = pc.value_counts(keys)
        twice = counted.filter(pc.greater(counted.field("counts"), 1))
        if len(twice):
            value = twice[0]["values"].as_py()
            raise DataError(
                zh=f"{self._lists[0].label}：结算 {value!r} 的清单不止一份，无法与结算行连接",
                en=f"{self._lists[0].label}: settlement {value!r} has several lists, or none is named",
            )
        found: list[pa.Array] = []
        for batch in whole_batches(self._rows.batches(batch_rows), self._rows.label):
            where = pc.index_in(_texts(batch.column(self._key)), value_set=keys)
            found.append(where)
            if missing := where.null_count:
                self.counts["settlement-without-list"] += missing
            arrays = [
                lists[name].combine_chunks().take(where) if name in lists.schema.names else batch.column(name)
                for name in self.schema.names
            ]
            yield pa.RecordBatch.from_arrays(arrays, schema=self.schema)
        used = pc.count_distinct(pa.chunked_array(found, pa.int32())).as_py() if found else 0
        if lost := len(keys) - used:
            self.counts["list-without-settlement"] += lost

    def _table(self) -> tuple[pa.Array, pa.Table]:
        """The keys of all lists, and the columns of theirs that are added."""
        tables = []
        for reader in self._lists:
            tables.append(pa.Table.from_batches(list(reader.batches(1 << 20)), reader.schema))
            self.counts += reader.counts
        table = pa.concat_tables(tables)
        keys = _texts(table[self._list_key].combine_chunks())
        return keys, table.select([field.name for field in self._added])


def _texts(keys: pa.Array) -> pa.Array:
    keys = plain(keys)
    return pc.utf8_trim_whitespace(
        (keys.cast(pa.int64()) if is_number(keys.type) else keys).cast(pa.string())
    )
