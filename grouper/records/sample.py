"""The beginning of a file: where its header stands, and which values its columns hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from grouper.base.errors import DataError
from grouper.base.tables_in import first_row
from grouper.records.encoding import detect_encoding, named_encoding, open_utf8
from grouper.records.propose import Sample, known_names
from grouper.records.scalars import is_number, is_text, plain
from grouper.records.source import file_kind, open_file, spooled

_TITLE_ROWS = 12  # a header is looked for in so many rows
_ROWS = 50_000  # so many rows are looked at
_HEAD_BYTES = 1 << 18


def read_sample(
    path: str | Path,
    file_format: str | None = None,
    encoding: str | None = None,
    sheet: str | int | None = None,
) -> Sample:
    """The columns of a file with the values of its first rows.

    Raises UsageError or DataError when the file cannot be opened.
    """
    with spooled(path, file_format) as (found, label):
        kind = file_kind(found, label, file_format)
        row = header_row(_first_rows(found, label, kind, encoding, sheet))
        reader = open_file(found, label, file_format, encoding, sheet, row)
        header = list(reader.schema.names)
        cells: dict[str, Counter[str]] = {name: Counter() for name in header}
        rows = 0
        for batch in reader.batches(_ROWS):
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                cells[name].update(_counted(column))
            rows += batch.num_rows
            if rows >= _ROWS:
                break
        holds = getattr(reader, "holds_numbers", lambda name: is_number(reader.schema.field(name).type))
        return Sample(header, cells, frozenset(name for name in header if holds(name)), row)


def header_row(rows: Sequence[Sequence[str]]) -> int:
    """Which row holds the names, from 1: the first, unless a later one has more names that are known."""
    known = [known_names(row) for row in rows]
    best = max(range(len(rows)), key=lambda number: known[number], default=0)
    return best + 1 if rows and known[best] > max(known[0], 1) else 1


def _first_rows(
    path: Path, label: str, kind: str, encoding: str | None, sheet: str | int | None
) -> list[list[str]]:
    if not path.is_file():
        return []
    if kind == "xlsx":
        from grouper.records.excel import first_rows

        return first_rows(path, sheet, label, _TITLE_ROWS)
    if kind != "csv":
        return []
    named = named_encoding(encoding) if encoding else detect_encoding(path, label)
    with open_utf8(path, named) as stream:
        text = stream.read(_HEAD_BYTES).decode("utf-8", errors="ignore").lstrip("\ufeff")
    lines = text.split("\n")[:_TITLE_ROWS]
    rows = []
    for line in lines:
        delimiter = max(",\t;", key=line.count)
        rows.append(first_row(line, delimiter, label, DataError))
    return rows


def _counted(column: pa.Array) -> Counter[str]:
    column = plain(column)
    if pa.types.is_nested(column.type) or pa.types.is_binary(column.type):
        return Counter()
    texts = column if is_text(column.type) else column.cast(pa.string())
    counted = pc.value_counts(texts.drop_null()).to_pylist()
    return Counter({entry["values"]: entry["counts"] for entry in counted})
