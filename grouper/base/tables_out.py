"""The one writer of small CSV tables: UTF-8 text with a header."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from io import StringIO
from typing import Any, TextIO


def csv_text(header: Sequence[str], rows: Iterable[Iterable[Any]], end: str = "\n") -> str:
    """The text of a table; None is empty, truth values are true and false. ``end``: of each line."""
    out = StringIO()
    write_rows(out, header, rows, end)
    return out.getvalue()


def write_rows(file: TextIO, header: Sequence[str], rows: Iterable[Iterable[Any]], end: str = "\n") -> None:
    """The same into an open file, row by row."""
    writer = csv.writer(file, lineterminator=end)
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else value
