"""Writing results: Parquet, CSV, JSONL and XLSX, streaming, and visible only when whole."""

from __future__ import annotations

import errno
import json
import re
import sys
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, TypeGuard

import pyarrow as pa
import pyarrow.compute as pc

from grouper.base.errors import DataError, UsageError
from grouper.base.leftovers import clear_parts, tag
from grouper.base.plain import passes, target_of
from grouper.base.provenance import PROVENANCE_KEY as PROVENANCE_KEY
from grouper.base.whole import part_of, place, unwritten

FORMATS = ("parquet", "csv", "jsonl", "xlsx")
SCRATCH = "scratch"  # Parquet between two steps of one run
_EXTENSIONS = {".parquet": "parquet", ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".xlsx": "xlsx"}
FORMULA_SIGNS = "=+-@\t\r\n＝＋－＠"  # what a cell begins with that spreadsheets take for a formula
_FORMULA = rf"^[\s\p{{Z}}]*[{re.escape(FORMULA_SIGNS)}]"
_NO_FORMULA = r"^(?:[+-]?[0-9][0-9,]*(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|[-－]+)$"
_EXCEL_ROWS = 1_048_575  # rows of a sheet below its header


def output_format(path: str, chosen: str | None) -> str:
    """The format of an output, by option or by extension.

    Raises UsageError when neither says it.
    """
    if chosen:
        return chosen
    found = _EXTENSIONS.get(Path(path).suffix.lower())
    if found is None:
        raise UsageError(
            zh=f"无法由文件名 {path} 判断输出格式；请用扩展名 {'、'.join(_EXTENSIONS)}，或用 --to 指定格式",
            en=f"the name {path} does not tell the output format; use one of {', '.join(_EXTENSIONS)}, "
            "or name the format with --to",
        )
    return found


class Output:
    """A file that appears under its name only when it was written to the end.

    Used as a context manager: leaving it normally puts the file in place, leaving it by an
    exception removes what was written and keeps the old file. ``-`` is standard output. ``private``: a new
    file may be read by its owner only, one that is written again by those who could read it before.
    """

    def __init__(self, path: str, format_: str, *, private: bool = False) -> None:
        self.path = path
        self._private = private
        self.format = format_
        self._part: Path | None = None
        self._writer: Writer | None = None
        self._file: BinaryIO | None = None

    def __enter__(self) -> Output:
        if self.path == "-":
            self._file = sys.stdout.buffer
            return self
        try:
            clear_parts(target_of(self.path))
            self._part = part_of(self.path)
            self._file = self._open(self._part)
        except OSError as error:
            self._gone()
            raise unwritten(self.path, error) from error
        return self

    def _open(self, part: Path) -> BinaryIO:
        if not self._private:
            return part.open("wb")
        part.unlink(missing_ok=True)  # it would keep its mode
        part.touch(0o600, exist_ok=False)
        before = target_of(self.path)
        if before.is_file() and not passes(self.path):
            part.chmod(before.stat().st_mode & 0o777)
        return part.open("wb")

    def open(self, schema: pa.Schema) -> Writer:
        """The writer for batches of ``schema``."""
        assert self._file is not None
        self._writer = _WRITERS[self.format](self._file, schema)
        return self._writer

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, *_: Any) -> None:
        assert self._file is not None
        try:
            if kind is None and self._writer:
                self._writer.finish()
            elif self._writer:
                with suppress(Exception):
                    self._writer.abandon()
            self._close(kind is None)
        except OSError as trouble:
            if self._part is None:  # whoever reads standard output may have left
                raise
            raise unwritten(self.path, trouble) from trouble
        finally:
            self._gone()
        if self._part is not None and _unwritten(error):
            raise unwritten(self.path, error) from error

    def _close(self, good: bool) -> None:
        assert self._file is not None
        if self._part is None:
            self._file.flush()
        elif good:
            self._file.close()
            place(self._part, self.path)

    def _gone(self) -> None:
        """Nothing is left of what was written and did not get its name, also on a full disk."""
        if self._part is not None:
            with suppress(OSError, AttributeError):
                self._file.close()  # type: ignore[union-attr]  # it may not be open yet
            with suppress(OSError):
                self._part.unlink(missing_ok=True)


def _unwritten(error: BaseException | None) -> TypeGuard[OSError]:
    """Whether an error says that there is no room: the disk is where the output goes."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Writer(ABC):
    """Takes batches of one schema; ``provenance`` is kept where the format has a place for it."""

    def __init__(self, file: BinaryIO, schema: pa.Schema) -> None:
        self.file = file
        self.schema = schema
        self.provenance: dict[str, Any] = {}

    @abstractmethod
    def write(self, batch: pa.RecordBatch) -> None: ...

    @abstractmethod
    def finish(self) -> None: ...

    @abstractmethod
    def abandon(self) -> None:
        """Give up: release what the format holds open."""


def parquet_options(schema: pa.Schema) -> dict[str, Any]:
    """Settings of the Parquet writer; measured in benchmarks/.

    The Arrow schema is not stored, so readers see plain texts whatever the dictionaries of
    the input were. Batches of 65,536 values spare calls. Minima and maxima are kept for numbers
    and dates and for the hospital, by which files are sorted; for other texts, dictionaries and
    lists they prune nothing and cost as much as the writing. Amounts of up to 18 digits are whole
    numbers of 8 bytes inside and seldom repeat: no dictionary; their bytes by place take half the
    time and a tenth less room.
    """
    amounts = {f.name for f in schema if pa.types.is_decimal(f.type) and f.type.precision <= 18}
    pruned = [f.name for f in schema if _in_order(f) and f.name not in amounts]
    return {
        "compression": "zstd", "store_schema": False, "write_batch_size": 65_536,
        "store_decimal_as_integer": True,
        "use_dictionary": [_leaf(f) for f in schema if f.name not in amounts],
        "column_encoding": dict.fromkeys(sorted(amounts), "BYTE_STREAM_SPLIT") or None,
        "write_statistics": pruned or False,
    }  # fmt: skip


def scratch_options(schema: pa.Schema) -> dict[str, Any]:
    """The same for a file that is read at once and goes then: no time for making it small."""
    return parquet_options(schema) | {"compression": "none"}


def _in_order(field: pa.Field) -> bool:
    """Minima and maxima of the column may prune."""
    if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
        return bool(field.name == "hospital_code")
    return not (_is_list(field.type) or pa.types.is_dictionary(field.type))


def _leaf(field: pa.Field) -> str:
    """The name of a field's values inside a Parquet file."""
    return f"{field.name}.list.element" if _is_list(field.type) else field.name


class ParquetFile(Writer):
    """zstd, one row group per batch, dictionaries kept."""

    options = staticmethod(parquet_options)

    def __init__(self, file: BinaryIO, schema: pa.Schema) -> None:
        import pyarrow.parquet as pq

        super().__init__(file, schema)
        self._writer = pq.ParquetWriter(pa.PythonFile(file, "w"), schema, **self.options(schema))

    def write(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(batch, row_group_size=max(1, batch.num_rows))

    def finish(self) -> None:
        self._writer.add_key_value_metadata({PROVENANCE_KEY: json.dumps(self.provenance, ensure_ascii=False)})
        self._writer.close()

    def abandon(self) -> None:
        self._writer.close()


class ScratchFile(ParquetFile):
    """Parquet that is read at once and goes then."""

    options = staticmethod(scratch_options)


class CsvFile(Writer):
    """UTF-8 with a header; lists joined by ``|``.

    A text that a spreadsheet would take for a formula gets an apostrophe before it; numbers written as texts
    stay what they are. Parquet and JSONL keep every text.
    """

    def __init__(self, file: BinaryIO, schema: pa.Schema) -> None:
        import pyarrow.csv as csv

        super().__init__(file, schema)
        self._flat = pa.schema([pa.field(f.name, _flat_type(f.type)) for f in schema])
        header = neutral_texts(pa.array(schema.names, pa.string())).to_pylist()
        named = pa.schema([f.with_name(name) for f, name in zip(self._flat, header, strict=True)])
        options = csv.WriteOptions(quoting_style="needed")
        self._writer = csv.CSVWriter(pa.PythonFile(file, "w"), named, write_options=options)
        self._named = named

    def write(self, batch: pa.RecordBatch) -> None:
        flat = flat_batch(batch, self._flat)
        columns = [neutral_texts(c) if _is_text(c.type) else c for c in flat.columns]
        self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._named))

    def finish(self) -> None:
        self._writer.close()

    def abandon(self) -> None:
        self._writer.close()


class JsonLines(Writer):
    """One object a line; lists stay lists."""

    def write(self, batch: pa.RecordBatch) -> None:
        lines = (json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in batch.to_pylist())
        self.file.write("".join(lines).encode())

    def finish(self) -> None:
        pass

    def abandon(self) -> None:
        pass


class ExcelFile(Writer):
    """One sheet, texts as texts; lists joined by ``|``. For small results."""

    def __init__(self, file: BinaryIO, schema: pa.Schema) -> None:
        import xlsxwriter

        super().__init__(file, schema)
        # where rows wait for their place: private, and gone at the end whatever happens
        self._rows_kept = TemporaryDirectory(prefix=f"grouper.{tag()}.", ignore_cleanup_errors=True)
        options = {
            "tmpdir": self._rows_kept.name,
            "constant_memory": True,
            "strings_to_numbers": False,
            "strings_to_formulas": False,
            "strings_to_urls": False,
        }
        self._book = xlsxwriter.Workbook(file, options)
        self._sheet = self._book.add_worksheet("grouped")
        self._sheet.write_row(0, 0, schema.names)
        self._sheet.freeze_panes(1, 0)
        self._flat = pa.schema([pa.field(f.name, _flat_type(f.type)) for f in schema])
        self._rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        if self._rows + batch.num_rows > _EXCEL_ROWS:
            raise DataError(
                zh=f"Excel 工作表最多 {_EXCEL_ROWS} 行数据；请输出 Parquet 或 CSV",
                en=f"an Excel sheet holds at most {_EXCEL_ROWS} rows; write Parquet or CSV",
            )
        for row in flat_batch(batch, self._flat).to_pylist():
            self._rows += 1
            for column, value in enumerate(row.values()):
                if isinstance(value, str):
                    self._sheet.write_string(self._rows, column, value)
                elif value is not None:
                    number = isinstance(value, bool | int | float)
                    self._sheet.write(self._rows, column, value if number else str(value))

    def finish(self) -> None:
        properties = {"comments": json.dumps(self.provenance, ensure_ascii=False)}
        self._book.set_properties(properties)
        self._close()

    def abandon(self) -> None:
        self._close()

    def _close(self) -> None:
        try:
            close_book(self._book)
        finally:
            self._rows_kept.cleanup()


def close_book(book: Any) -> None:
    """Write a workbook out. Raises OSError where it cannot be, as of any other file."""
    from xlsxwriter.exceptions import FileCreateError

    try:
        book.close()
    except FileCreateError as error:
        book.fileclosed = True  # else it is tried again, with a word on stderr, when it is forgotten
        inner = error.args[0] if error.args else None
        raise inner if isinstance(inner, OSError) else OSError(str(error)) from error


_WRITERS: dict[str, type[Writer]] = {
    "parquet": ParquetFile,
    SCRATCH: ScratchFile,
    "csv": CsvFile,
    "jsonl": JsonLines,
    "xlsx": ExcelFile,
}


def neutral_texts(column: pa.Array) -> pa.Array:
    """Texts as they may stand in the cells of a CSV file: none begins as a formula does.

    Numbers as texts, and dashes that stand for nothing, are no formulas and stay.
    """
    risky = pc.match_substring_regex(column, _FORMULA)
    if not pc.any(risky).as_py():
        return column
    risky = pc.and_(risky, pc.invert(pc.match_substring_regex(column, _NO_FORMULA)))
    quote, nothing = (pa.scalar(text, column.type) for text in ("'", ""))
    return pc.if_else(risky, pc.binary_join_element_wise(quote, column, nothing), column)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _flat_type(kind: pa.DataType) -> pa.DataType:
    if _is_list(kind) or pa.types.is_dictionary(kind) or pa.types.is_string_view(kind):
        return pa.string()
    return kind


def flat_batch(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Lists joined by ``|`` and dictionaries as texts, for formats that know neither."""
    columns = []
    for column in batch.columns:
        if _is_list(column.type):
            column = pc.binary_join(_with_blanks(column.cast(pa.list_(pa.string()))), "|")
        elif column.type != _flat_type(column.type):
            column = column.cast(pa.string())
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _with_blanks(column: pa.ListArray) -> pa.ListArray:
    """Lists with blank texts for nulls: a blank principal diagnosis keeps its place and the others."""
    values = column.flatten()
    if not values.null_count:
        return column
    lengths = pc.fill_null(pc.list_value_length(column), 0)
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(lengths).cast(pa.int32())])
    return pa.ListArray.from_arrays(offsets, pc.fill_null(values, ""), mask=pc.is_null(column))
