"""Readers of Parquet, Arrow IPC and CSV files: a schema at once, then batches one at a time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from grouper.base.errors import DataError
from grouper.base.paths import local_path
from grouper.base.tables_in import first_row
from grouper.records.columns import ColumnMap
from grouper.records.encoding import detect_encoding, encoding_error, named_encoding, open_utf8
from grouper.records.footer import Chunk, chunks
from grouper.records.scalars import is_number
from grouper.records.schema import CODE_FIELDS

_CSV_BLOCK = 16 << 20  # bytes of text that become one batch
_HEADER_BYTES = 1 << 20
_RAGGED = re.compile(r"^CSV parse error: (?:Row #(\d+): )?Expected (\d+) columns, got (\d+)")


class Reader(Protocol):
    """One file (or one set of files that make one table)."""

    label: str  # what errors call the file
    schema: pa.Schema  # all columns before select(), the kept ones after it
    num_rows: int | None  # None where counting would mean reading
    counts: Counter[str]  # what the reader itself normalised, complete when batches() ends

    def select(self, keep: Sequence[str], columns: ColumnMap) -> None:
        """Keep these columns only, in this order; ``columns`` says which hold codes and dates."""

    def batches(self, batch_rows: int) -> Iterator[pa.RecordBatch]:
        """The rows in file order, in batches of about ``batch_rows`` at most."""


class BaseReader:
    """What the readers share."""

    def __init__(self, label: str, schema: pa.Schema) -> None:
        self.label = label
        self.schema = self._all = schema
        self.num_rows: int | None = None
        self.counts: Counter[str] = Counter()

    def select(self, keep: Sequence[str], columns: ColumnMap) -> None:
        self.schema = pa.schema([self._all.field(name) for name in keep])


class ParquetReader(BaseReader):
    """Parquet, with the dictionaries of code lists kept as they are in the file."""

    def __init__(self, path: Path, label: str) -> None:
        self._path = path
        self._dictionaries: list[str] = []
        with self._open() as file:
            super().__init__(label, file.schema_arrow.remove_metadata())
            self.num_rows = file.metadata.num_rows
            self._leaves = [file.schema.column(i).path for i in range(len(file.schema))]
        _refuse_repeated(label, self.schema.names)

    def _open(self) -> pa.parquet.ParquetFile:
        # Sums of pages are checked where the file has them: a flipped bit is no other amount.
        return pa.parquet.ParquetFile(
            local_path(self._path), read_dictionary=self._dictionaries, page_checksum_verification=True
        )

    def select(self, keep: Sequence[str], columns: ColumnMap) -> None:
        coded = {
            name for field in CODE_FIELDS if field in columns.fields for name in columns.fields[field].columns
        }
        # The path of a list's leaf goes on behind the name: .list.element, .list.item in older files.
        self._dictionaries = [p for p in self._leaves if "." in p and p.partition(".")[0] in coded]
        of_column: dict[str, list[Chunk]] = {}
        for chunk in chunks(self._path):
            of_column.setdefault(chunk.path, []).append(chunk)
        with self._open() as file:
            self._dictionaries += _few_texts(file.schema, of_column, set(keep))
        with self._open() as file:
            self._all = file.schema_arrow.remove_metadata()
        for name in coded:
            if is_number(self._all.field(name).type) and _only_nulls(of_column.get(name, []), self.num_rows):
                # Some tools write an empty column of texts as one of numbers.
                empty = pa.field(name, pa.string())
                self._all = self._all.set(self._all.get_field_index(name), empty)
        super().select(keep, columns)

    def batches(self, batch_rows: int) -> Iterator[pa.RecordBatch]:
        with self._open() as file:
            # A list with a dictionary cannot span row groups, as each has a dictionary of its own.
            for group in range(file.num_row_groups):
                for batch in file.iter_batches(batch_rows, [group], columns=self.schema.names):
                    yield batch.select(self.schema.names)


def _few_texts(
    schema: pa.parquet.ParquetSchema, of_column: Mapping[str, Sequence[Chunk]], keep: set[str]
) -> list[str]:
    """Text columns stored as dictionaries throughout: quicker to pass on as they are.

    A column whose dictionary overflowed goes on in plain text and takes more bytes a value
    than indices would.
    """
    texts = [
        leaf.path
        for leaf in map(schema.column, range(len(schema)))
        if leaf.path in keep and leaf.name == leaf.path and str(leaf.logical_type) == "String"
    ]
    return [
        path for path in texts
        if path in of_column
        and all(c.dictionary and c.uncompressed < 3 * c.values + 10_000 for c in of_column[path])
    ]  # fmt: skip


class ArrowReader(BaseReader):
    """Arrow IPC, file or stream format. Read, not mapped: a file that is cut off meanwhile is an error."""

    def __init__(self, path: Path, label: str) -> None:
        self._path = path
        with pa.OSFile(str(path)) as source:
            self._is_file = source.read(6) == b"ARROW1"
            super().__init__(label, self._open(source).schema.remove_metadata())
            if self._is_file:
                file = self._open(source, [0])
                self.num_rows = sum(file.get_batch(i).num_rows for i in range(file.num_record_batches))
        _refuse_repeated(label, self.schema.names)

    def _open(self, source: pa.NativeFile, fields: Sequence[int] = ()) -> Any:
        """The reader of these columns (none: all)."""
        source.seek(0)
        options = pa.ipc.IpcReadOptions(included_fields=list(fields))
        opened = pa.ipc.open_file if self._is_file else pa.ipc.open_stream
        return opened(source, options=options)

    def batches(self, batch_rows: int) -> Iterator[pa.RecordBatch]:
        fields = sorted(self._all.get_field_index(name) for name in self.schema.names)
        with pa.OSFile(str(self._path)) as source:
            file = self._open(source, fields)
            batches = map(file.get_batch, range(file.num_record_batches)) if self._is_file else file
            for batch in batches:
                yield batch.select(self.schema.names)


class CsvReader(BaseReader):
    """CSV, every column as text; an empty cell is null."""

    def __init__(self, path: Path, label: str, encoding: str | None, header_row: int = 1) -> None:
        self._path = path
        self._titles = header_row - 1
        self.encoding = named_encoding(encoding) if encoding else detect_encoding(path, label)
        self._header, self._delimiter = self._read_header(label)
        super().__init__(label, pa.schema([(name, pa.string()) for name in self._header]))

    def _read_header(self, label: str) -> tuple[list[str], str]:
        try:
            with open_utf8(self._path, self.encoding) as stream:
                text = stream.read(_HEADER_BYTES).decode("utf-8", errors="ignore")
        except (UnicodeError, pa.ArrowInvalid):
            raise encoding_error(label, self.encoding) from None
        text = _below(text, self._titles)
        line = text.lstrip("\r\n").split("\n", 1)[0]
        self._blank = text[: len(text) - len(text.lstrip("\r\n"))].count("\n")  # lines above the header
        delimiter = max(",\t;", key=line.count)  # the comma where none occurs
        header = first_row(text, delimiter, label, DataError)
        if not any(name.strip() for name in header):
            raise DataError(
                zh=f"{label}：文件为空，没有表头", en=f"{label}: the file is empty, it has no header"
            )
        named = [name or f"column_{i}" for i, name in enumerate(header, 1)]
        _refuse_repeated(label, named)
        return named, delimiter

    def batches(self, batch_rows: int) -> Iterator[pa.RecordBatch]:
        try:
            with open_utf8(self._path, self.encoding) as stream:
                yield from self._open(stream)
        except (pa.ArrowInvalid, UnicodeError) as error:
            # The library shows the row, which may hold personal data.
            if told := _RAGGED.match(str(error)):
                raise self._ragged(told[1] and int(told[1]), int(told[2]), int(told[3])) from None
            if isinstance(error, UnicodeError) or "UTF8" in str(error):
                raise encoding_error(self.label, self.encoding) from None
            raise DataError(
                zh=f"{self.label}：不是正确的 CSV（引号不成对，或一行过长）",
                en=f"{self.label}: no correct CSV (a quote without its pair, or a row too long)",
            ) from None

    def _open(self, stream: pa.NativeFile) -> pa.csv.CSVStreamingReader:
        return pa.csv.open_csv(
            stream,
            # Without threads the parser knows the numbers of its rows.
            pa.csv.ReadOptions(
                use_threads=False,
                block_size=_CSV_BLOCK,
                column_names=self._header,
                skip_rows=self._titles,
                skip_rows_after_names=1 + self._blank,
            ),
            # A handler of invalid rows would be given their text, which may be none.
            pa.csv.ParseOptions(delimiter=self._delimiter, newlines_in_values=True),
            pa.csv.ConvertOptions(
                column_types={name: pa.string() for name in self._header},
                include_columns=self.schema.names,
                null_values=[""],
                strings_can_be_null=True,
            ),
        )

    def _ragged(self, number: int | str | None, expected: int, found: int) -> DataError:
        # The row itself is not shown: it may hold personal data.
        zh, en = (f" 第 {number} 行", f" row {number}") if number else ("", "")
        return DataError(
            zh=f"{self.label}{zh}：应有 {expected} 列，实有 {found} 列",
            en=f"{self.label}{en}: {found} columns instead of {expected}",
        )


def _below(text: str, lines: int) -> str:
    """``text`` without its first ``lines`` lines."""
    for _ in range(lines):
        text = text.partition("\n")[2]
    return text


def _only_nulls(found: Sequence[Chunk], rows: int | None) -> bool:
    """Whether the chunks of a column of so many rows say that it holds nothing."""
    return sum(chunk.rows for chunk in found) == rows and all(chunk.nulls == chunk.rows for chunk in found)


def _refuse_repeated(label: str, names: Sequence[str]) -> None:
    repeated = [name for name, number in Counter(names).items() if number > 1]
    if repeated:
        raise DataError(
            zh=f"{label}：列名重复：{'、'.join(repeated[:5])}",
            en=f"{label}: column names repeat: {', '.join(repeated[:5])}",
        )
