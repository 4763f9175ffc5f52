"""Reader of Excel workbooks: one sheet, header in its first row unless another is named.

Excel stores 06.3100 as 6.31 when the cell is not formatted as text, so a code column with a
number in any cell is refused. Dates that arrive as serial numbers are turned into dates here,
because only Excel writes them so.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from grouper.base.books import check_book
from grouper.base.errors import DataError, UsageError
from grouper.records.columns import ColumnMap
from grouper.records.damage import DAMAGE, unreadable
from grouper.records.readers import BaseReader
from grouper.records.schema import CODE_FIELDS, DATE_FIELDS

_EPOCH = 25_569  # the serial number of 1970-01-01 in the 1900 date system
_MAX_SERIAL = 73_415  # 2100-12-31


class ExcelReader(BaseReader):
    """One sheet, held in memory; an Excel sheet has at most 1,048,576 rows."""

    def __init__(self, path: Path, label: str, sheet: str | int | None, header_row: int = 1) -> None:
        import fastexcel

        # It warns of each empty column, which is nothing to tell the user.
        logging.getLogger("fastexcel").setLevel(logging.ERROR)
        check_book(path, label, DataError)
        with _damage(label):
            self._book = fastexcel.read_excel(path)
        self._sheet = _choose(self._book.sheet_names, sheet, label)
        self._header_row = header_row
        with _damage(label):
            self._refuse_repeated(label)
            self._table = self._kept = self._load()
        super().__init__(f"{label}[{self._sheet}]", self._table.schema)
        self.num_rows = self._table.num_rows

    def _load(self, **options: Any) -> pa.RecordBatch:
        sheet = self._book.load_sheet(
            self._sheet,
            header_row=self._header_row - 1,
            schema_sample_rows=None,
            skip_whitespace_tail_rows=True,
            **options,
        )
        return _nullable(sheet.to_arrow())

    def _refuse_repeated(self, label: str) -> None:
        """Raise DataError for a name that stands twice: the library would call the second one otherwise."""
        head = self._book.load_sheet(
            self._sheet, header_row=None, skip_rows=self._header_row - 1, n_rows=1, dtypes="string"
        ).to_arrow()
        names = (
            [text for (text,) in (column.to_pylist() for column in head.columns) if text]
            if head.num_rows
            else []
        )
        if repeated := [name for name, number in Counter(names).items() if number > 1]:
            raise DataError(
                zh=f"{label}：列名重复：{'、'.join(repeated[:5])}",
                en=f"{label}: column names repeat: {', '.join(repeated[:5])}",
            )

    def select(self, keep: Sequence[str], columns: ColumnMap) -> None:
        for field in CODE_FIELDS:
            for name in columns.fields[field].columns if field in columns.fields else ():
                self._refuse_numbers(name, field)
        dated = {c for f in DATE_FIELDS if f in columns.fields for c in columns.fields[f].columns}
        arrays = {n: _serial_dates(self._table[n]) if n in dated else self._table[n] for n in keep}
        self._kept = pa.RecordBatch.from_pydict(arrays)
        self.schema = self._kept.schema

    def batches(self, batch_rows: int) -> Iterator[pa.RecordBatch]:
        yield self._kept

    def _refuse_numbers(self, name: str, field: str) -> None:
        if self._is_text(name, None):
            return
        # The shortest part of the column that is not text ends in the cell at fault.
        low, high = 1, self._table.num_rows
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self._is_text(name, middle) else (low, middle)
        row = low + self._header_row
        raise DataError(
            zh=f"{self.label} 第 {row} 行，列 {name!r}（{field}）：单元格是数值而不是文本，编码会丢失零"
            "（06.3100 变成 6.31）；请把该列设为文本格式后重新录入或导出",
            en=f"{self.label} row {row}, column {name!r} ({field}): the cell is a number, not text, so "
            "codes lose their zeros (06.3100 becomes 6.31); format the column as text and export it again",
        )

    def holds_numbers(self, name: str) -> bool:
        """Whether a cell of a column is a number."""
        return not self._is_text(name, None)

    def _is_text(self, name: str, rows: int | None) -> bool:
        """Whether the first ``rows`` cells of a column (None: all) are texts or empty."""
        import fastexcel

        try:
            part = self._load(use_columns=[name], dtype_coercion="strict", n_rows=rows)
        except fastexcel.UnsupportedColumnTypeCombinationError:
            return False
        type_ = part.schema.field(0).type
        return bool(pa.types.is_string(type_) or pa.types.is_null(type_))


def first_rows(path: Path, sheet: str | int | None, label: str, rows: int) -> list[list[str]]:
    """The first rows of a sheet as texts, the header and what is above it included."""
    import fastexcel

    check_book(path, label, DataError)
    with _damage(label):
        book = fastexcel.read_excel(path)
    name = _choose(book.sheet_names, sheet, label)
    with _damage(label):
        table = book.load_sheet(name, header_row=None, n_rows=rows, dtypes="string").to_arrow()
    return [[cell or "" for cell in row.values()] for row in table.to_pylist()]


@contextmanager
def _damage(label: str) -> Iterator[None]:
    """What the library raises for a workbook that it cannot read is a DataError."""
    import fastexcel

    try:
        yield
    except (fastexcel.FastExcelError, *DAMAGE) as error:
        raise unreadable(label, "Excel") from error


def _choose(names: list[str], sheet: str | int | None, label: str) -> str:
    if isinstance(sheet, int) and 0 <= sheet < len(names):
        return names[sheet]
    if sheet in names:
        return str(sheet)
    if sheet is None and len(names) == 1:
        return names[0]
    listed = "、".join(names)
    raise UsageError(
        zh=f"{label} 有工作表：{listed}；请用 --sheet 指定其中一个",
        en=f"{label} has the sheets {', '.join(names)}; name one of them with --sheet",
    )


def _nullable(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The same batch in a schema that allows nulls, as those of other files of a run may have them."""
    return pa.RecordBatch.from_arrays(
        batch.columns, schema=pa.schema([(f.name, f.type) for f in batch.schema])
    )


def _serial_dates(array: pa.Array) -> pa.Array:
    """Serial day numbers as dates; columns that hold anything else stay as they are."""
    if not (pa.types.is_floating(array.type) or pa.types.is_integer(array.type)):
        return array
    limits = pc.min_max(array).as_py()
    if limits["min"] is None or limits["min"] < 1 or limits["max"] >= _MAX_SERIAL + 1:
        return array
    days = pc.subtract(pc.floor(array.cast(pa.float64())), float(_EPOCH))
    return days.cast(pa.int32()).cast(pa.date32())
