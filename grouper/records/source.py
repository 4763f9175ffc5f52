"""Opening records: which reader a file needs, which columns are kept, and one stream of batches."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

import pyarrow as pa

from grouper.base.errors import DataError, UsageError
from grouper.base.leftovers import tag
from grouper.base.paths import need_plain
from grouper.records.code_columns import unread_codes
from grouper.records.columns import ColumnMap, detect_layout, fold, layout_map
from grouper.records.damage import DAMAGE, unreadable, whole_batches
from grouper.records.joined import JoinedReader, joinable
from grouper.records.jsonfile import JsonLinesReader, JsonReader, first_object, json_encoding, objects
from grouper.records.normalise import refuse_numbers
from grouper.records.private import Asked, appeared, by_header, by_values, unread
from grouper.records.readers import ArrowReader, CsvReader, ParquetReader, Reader
from grouper.records.schema import CODE_FIELDS
from grouper.records.settlement_list import (
    FlatTablesReader,
    SettlementJsonReader,
    is_ignored,
    message_nodes,
    table_kind,
)

FORMATS = ("parquet", "arrow", "csv", "jsonl", "json", "xlsx")
_SUFFIXES = {
    ".parquet": "parquet", ".pq": "parquet",
    ".arrow": "arrow", ".ipc": "arrow", ".feather": "arrow", ".arrows": "arrow",
    ".csv": "csv", ".tsv": "csv", ".txt": "csv",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json",
    ".xlsx": "xlsx", ".xlsm": "xlsx", ".xls": "xlsx", ".xlsb": "xlsx",
}  # fmt: skip
_STDIN = "-"
_LOOKED_AT = 10_000  # rows in which personal values are looked for before all


def open_records(
    paths: Sequence[str | Path] | str | Path,
    *,
    layout: str | None = None,
    columns: ColumnMap | None = None,
    file_format: str | None = None,
    encoding: str | None = None,
    sheet: str | int | None = None,
    header_row: int | None = None,
    batch_rows: int = 250_000,
    keep_personal: bool = False,
    keep: Sequence[str] = (),
    drop: Sequence[str] = (),
    look: bool = False,
) -> RecordSource:
    """Open files (or a folder, or "-" for standard input) as one stream of records.

    Several files must have the same columns; their rows follow each other. The tables of a
    settlement list (setlinfo, diseinfo, oprninfo …) are joined instead. ``columns`` is a map
    that the user wrote; else ``layout`` names a known one; else it is found from the header, which is in
    ``header_row`` (from 1; default: what the map says, else the first row of CSV and Excel).
    Columns with personal data are left out, but for those that ``columns`` reads and those in ``keep``
    (``keep_personal``: all); those in ``drop`` are left out whatever they are. ``look``: also columns whose
    values are personal, by the first rows; when such values come later, ``batches`` raises DataError.
    Raises UsageError for a call that cannot be carried out, DataError for a file that cannot be
    read or whose codes are numbers.
    """
    if file_format is not None and file_format not in FORMATS:
        raise UsageError(
            zh=f"未知的文件格式 {file_format!r}（--format）；可用：{'、'.join(FORMATS)}",
            en=f"unknown file format {file_format!r} (--format); known are {', '.join(FORMATS)}",
        )
    spools: list[Path] = []
    try:
        files = _expand([paths] if isinstance(paths, str | Path) else paths, file_format, spools)
        row = header_row or (columns.header_row if columns is not None else 1)
        readers = [open_file(path, label, file_format, encoding, sheet, row) for path, label in files]
        base = columns.base if columns is not None else layout
        if (columns is None and layout is None) or base == "settlement-list":
            readers = _join_tables(readers, [path for path, _ in files], layout)
        asked = Asked(keep_personal, tuple(keep), tuple(drop), look and not keep_personal)
        return RecordSource(readers, layout, columns, batch_rows, asked, spools)
    except BaseException:
        _remove(spools)
        raise


@contextmanager
def spooled(path: str | Path, file_format: str | None) -> Iterator[tuple[Path, str]]:
    """One file (the first of a folder) and its name in errors; standard input is kept for the while."""
    spools: list[Path] = []
    try:
        (found, label), *_ = _expand([path], file_format, spools)
        yield found, label
    finally:
        _remove(spools)


class RecordSource:
    """An opened stream of records; a context manager.

    ``schema`` are the kept source columns, ``dropped`` those left out as personal data (``kinds``: of which
    kind), ``noticed`` those that are kept because a field is read from them, though they hold such,
    ``columns`` the map from canonical fields, ``unread`` columns of codes (by the first rows) from which no
    field is read and of which field they are, ``paths`` what was opened, ``num_rows`` their rows
    (None where counting would mean reading). ``counts`` is what the readers themselves
    normalised, complete when the batches have been read.
    """

    def __init__(
        self,
        readers: Sequence[Reader],
        layout: str | None,
        columns: ColumnMap | None,
        batch_rows: int,
        asked: Asked,
        spools: list[Path],
    ) -> None:
        self._readers, self._batch_rows, self._spools = readers, batch_rows, spools
        _widen(readers)
        header = readers[0].schema.names
        try:
            joined = readers[0].columns if isinstance(readers[0], JoinedReader) and columns is None else None
            self.columns = joined.bind(header) if joined else _bind(header, layout, columns)
        except UsageError as error:
            label = readers[0].label
            raise UsageError(zh=f"{label}：{error.zh}", en=f"{label}: {error.en}") from error
        self.layout = self.columns.layout
        self.paths = [reader.label for reader in readers]
        self.columns, self.kinds, self.noticed = by_header(self.columns, header, asked)
        self._names = [self._same_names(reader, header) for reader in readers]
        self._select(header)
        self._refuse_odd_types()
        self._watched: list[str] = []
        self.unread: dict[str, str] = {}
        self._look = asked.look
        if asked.look:
            free = unread(self.columns, self.schema, asked.keep)
            sample = self._first_rows() if free else None
            self.unread = unread_codes(sample, free) if sample is not None else {}
            if sample is not None and (found := by_values(sample, free)):
                self.kinds |= found
                self._select(header)
            self._watched = [name for name in free if name not in self.kinds]
        for field in CODE_FIELDS:
            for name in self.columns.fields[field].columns if field in self.columns.fields else ():
                refuse_numbers(name, self.schema.field(name).type, field, f"{self.paths[0]} ")
        known = [reader.num_rows for reader in readers]
        self.num_rows = sum(n for n in known if n is not None) if None not in known else None
        self.counts: Counter[str] = Counter()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows in order, in batches of at most ``batch_rows``, with the columns of ``schema``."""
        self.counts.clear()
        row = 1
        for reader in self._readers:
            reader.counts.clear()
            for batch in whole_batches(reader.batches(self._batch_rows), reader.label):
                aligned = self._aligned(batch)
                for start in range(0, aligned.num_rows, self._batch_rows):
                    part = aligned.slice(start, self._batch_rows)
                    if row == 1 and self._look:
                        read = [name for name in self._keep if name not in self._watched]
                        self.noticed |= by_values(part.slice(0, _LOOKED_AT), read)
                    if found := by_values(part, self._watched):
                        raise appeared(found, row)
                    yield part
                    row += part.num_rows
            self.counts.update(reader.counts)

    def close(self) -> None:
        """Remove what was kept of standard input."""
        _remove(self._spools)

    def __enter__(self) -> RecordSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _select(self, header: Sequence[str]) -> None:
        """Have the readers keep what is not left out."""
        self.dropped = tuple(name for name in header if name in self.kinds)
        self._keep = [name for name in header if name not in self.kinds]
        for reader, names in zip(self._readers, self._names, strict=True):
            reader.select([names[name] for name in self._keep], _renamed(self.columns, names))
        self.schema = self._unified()

    def _first_rows(self) -> pa.RecordBatch | None:
        """Some rows of the first file that has any."""
        for reader in self._readers:
            for batch in whole_batches(reader.batches(_LOOKED_AT), reader.label):
                if batch.num_rows:
                    return self._aligned(batch.slice(0, _LOOKED_AT))
        return None

    def _same_names(self, reader: Reader, header: Sequence[str]) -> dict[str, str]:
        """Name in the first file -> name in this file, which may differ in case."""
        theirs = {fold(name): name for name in reader.schema.names}
        ours = {fold(name): name for name in header}
        for name in (ours.keys() - theirs.keys()) | (theirs.keys() - ours.keys()):
            lacking, other = (reader, self._readers[0]) if name in ours else (self._readers[0], reader)
            column = ours.get(name) or theirs[name]
            raise DataError(
                zh=f"{lacking.label} 没有列 {column!r}，而 {other.label} 有；一起读取的文件须有相同的列；"
                "请各用各的 --columns 分别处理，settle 用 --inputs 逐个写明列映射",
                en=f"{lacking.label} has no column {column!r}, but {other.label} has; files that are read "
                "together must have the same columns: take each alone with its own --columns, or give "
                "settle a map for each with --inputs",
            )
        return {name: theirs[folded] for folded, name in ours.items()}

    def _unified(self) -> pa.Schema:
        fields = list(self._readers[0].schema)
        for reader in self._readers[1:]:
            for i, theirs in enumerate(reader.schema):
                ours = fields[i]
                if ours.type != theirs.type:  # a column may be a dictionary in one file only
                    ours, theirs = _without_dictionary(ours), _without_dictionary(theirs)
                try:
                    both = [pa.schema([ours]), pa.schema([theirs.with_name(ours.name)])]
                    fields[i] = pa.unify_schemas(both, promote_options="permissive").field(0)
                except pa.ArrowException:
                    raise DataError(
                        zh=f"{reader.label}：列 {ours.name!r} 的类型 {theirs.type} "
                        f"与前面文件的 {ours.type} 不一致",
                        en=f"{reader.label}: column {ours.name!r} has the type {theirs.type}, in the files "
                        f"before it {ours.type}",
                    ) from None
        return pa.schema(fields)

    def _aligned(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if batch.schema.equals(self.schema):
            return batch
        arrays = [
            array if array.type == field.type else self._cast(array, field)
            for array, field in zip(batch.columns, self.schema, strict=True)
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _refuse_odd_types(self) -> None:
        """Raise DataError for a type that only a damaged file has, and no output takes."""
        for field in self.schema:
            if pa.types.is_decimal(field.type) and not 0 <= field.type.scale <= field.type.precision:
                raise DataError(
                    zh=f"{self.paths[0]}：列 {field.name!r} 的类型 {field.type} 无法读取；文件可能损坏",
                    en=f"{self.paths[0]}: column {field.name!r} has the type {field.type}, which cannot be "
                    "read; the file may be damaged",
                )

    def _cast(self, array: pa.Array, field: pa.Field) -> pa.Array:
        """A column in the type that it has in all files together."""
        try:
            return array.cast(field.type)
        except pa.ArrowException as error:
            raise DataError(
                zh=f"列 {field.name!r} 的类型 {array.type} 与前面文件的 {field.type} 不一致",
                en=f"column {field.name!r} has the type {array.type}, in the files before it {field.type}",
            ) from error


def _without_dictionary(field: pa.Field) -> pa.Field:
    """The field with the type of its values where it is a dictionary, or a list of one."""
    type_ = field.type
    if pa.types.is_dictionary(type_):
        return field.with_type(type_.value_type)
    if pa.types.is_list(type_) and pa.types.is_dictionary(type_.value_type):
        return field.with_type(pa.list_(type_.value_type.value_type))
    return field


def _bind(header: Sequence[str], layout: str | None, columns: ColumnMap | None) -> ColumnMap:
    if columns is not None:
        return columns.bind(header)
    return layout_map(layout, header) if layout is not None else detect_layout(header)


def _widen(readers: Sequence[Reader]) -> None:
    """Give JSON files the columns of each other: what has no value may be left out of them."""
    of_json = [reader for reader in readers if isinstance(reader, JsonReader)]
    if len(of_json) == len(readers):
        fields = [field for reader in of_json for field in reader.schema]
        for reader in of_json:
            reader.widen({fold(field.name): field for field in reversed(fields)}.values())


def _renamed(columns: ColumnMap, names: dict[str, str]) -> ColumnMap:
    fields = {
        field: source._replace(columns=tuple(names[column] for column in source.columns))
        for field, source in columns.fields.items()
    }
    return ColumnMap(columns.layout, fields, values=columns.values)


def _expand(
    paths: Sequence[str | Path], file_format: str | None, spools: list[Path]
) -> list[tuple[Path, str]]:
    """The files to read with the names that errors call them by; folders give their data files."""
    files: list[tuple[Path, str]] = []
    for given in paths:
        if str(given) == _STDIN:
            if file_format is None:
                raise UsageError(
                    zh="从标准输入读取时须用 --format 指定格式（csv、jsonl、json、parquet、arrow）",
                    en="reading from standard input needs --format (csv, jsonl, json, parquet or arrow)",
                )
            spools.append(_spool())
            files.append((spools[-1], "<stdin>"))
            continue
        path = Path(given)
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in _SUFFIXES and p.is_file())
            files += [(p, str(p)) for p in inside]
        else:
            files.append((path, str(path)))
    if not files:
        raise UsageError(zh="没有可读的输入文件", en="there are no input files")
    return files


def _spool() -> Path:
    """Standard input in a temporary file: most formats are read from both ends, or twice."""
    with tempfile.NamedTemporaryFile(prefix=f"grouper.{tag()}.", delete=False) as target:
        shutil.copyfileobj(sys.stdin.buffer, target)
    return Path(target.name)


def _remove(spools: list[Path]) -> None:
    while spools:
        with suppress(OSError):
            spools.pop().unlink()


def file_kind(path: Path, label: str, file_format: str | None) -> str:
    """The format of a file, as named or by its suffix. Raises UsageError when it cannot be told."""
    kind = file_format or _SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise UsageError(
            zh=f"{label}：无法从扩展名判断格式；请用 --format 指定（{'、'.join(FORMATS)}）",
            en=f"{label}: the format cannot be told from the file name; name it with --format "
            f"({', '.join(FORMATS)})",
        )
    return kind


def open_file(
    path: Path,
    label: str,
    file_format: str | None,
    encoding: str | None,
    sheet: str | int | None,
    header_row: int = 1,
) -> Reader:
    """The reader of one file. Raises UsageError or DataError when it cannot be opened."""
    kind = file_kind(path, label, file_format)
    need_plain(path, told=label)
    _there(path, label)
    try:
        if kind == "parquet":
            return ParquetReader(path, label)
        if kind == "arrow":
            return ArrowReader(path, label)
        if kind == "csv":
            return CsvReader(path, label, encoding, header_row)
        if kind == "xlsx":
            from grouper.records.excel import ExcelReader

            return ExcelReader(path, label, sheet, header_row)
        return _open_json(path, label, encoding, array=kind == "json")
    except DAMAGE as error:
        if isinstance(error, OSError) and error.strerror:  # the system's own, not a library's
            raise UsageError(
                zh=f"{label} 无法打开：{error.strerror}", en=f"{label} cannot be opened: {error.strerror}"
            ) from error
        raise unreadable(label, kind) from error


def _there(path: Path, label: str) -> None:
    """A reader of workbooks takes a file that is not there for a damaged one."""
    if not path.exists():
        raise UsageError(zh=f"没有文件 {label}", en=f"there is no file {label}")


def _open_json(path: Path, label: str, encoding: str | None, *, array: bool) -> Reader:
    found = objects(path, label, json_encoding(path, label, encoding))
    first = first_object(found)
    if first is not None and message_nodes(first) is not None:
        return SettlementJsonReader(path, label, encoding)
    return JsonLinesReader(path, label, encoding, array=array)


def _join_tables(readers: list[Reader], paths: list[Path], layout: str | None) -> list[Reader]:
    """The tables of one settlement list as one reader; any other readers as they are."""
    lists = [reader for reader in readers if isinstance(reader, SettlementJsonReader)]
    if lists:
        rows = [reader for reader in readers if not isinstance(reader, SettlementJsonReader)]
        return [JoinedReader(lists, rows[0])] if joinable(lists, rows) else readers
    kinds = [table_kind(reader, path) for reader, path in zip(readers, paths, strict=True)]
    if not {"setlinfo", "diseinfo", "oprninfo"} & set(kinds) or (layout is None and None in kinds):
        return readers
    if all(_has_diagnoses(reader) for reader in readers):
        return readers
    tables: dict[str, Reader] = {}
    for reader, kind in zip(readers, kinds, strict=True):
        if kind is None or kind in tables:
            raise UsageError(
                zh=f"{reader.label}：" + ("不是结算清单的分表" if kind is None else f"{kind} 表出现了两次"),
                en=f"{reader.label}: "
                + ("not a table of the settlement list" if kind is None else f"a second table {kind}"),
            )
        if not is_ignored(kind):
            tables[kind] = reader
    return [FlatTablesReader(tables)]


def _has_diagnoses(reader: Reader) -> bool:
    try:
        detect_layout(reader.schema.names)
    except UsageError:
        return False
    return True
