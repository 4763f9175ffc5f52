"""The one writer of small CSV tables: UTF-8 text with a header.

Spreadsheets take a CSV without the mark of UTF-8 for the system's old encoding and garble its Chinese. So
what a command writes in Chinese begins with the mark (``for_chinese_readers``), what it writes in English and
what the library writes does not; whatever reads tables here reads both.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from io import StringIO
from typing import Any, TextIO

_CHINESE = ContextVar("chinese_readers", default=False)


@contextmanager
def for_chinese_readers() -> Iterator[None]:
    """What is written within is for people who read Chinese, mostly in a spreadsheet."""
    before = _CHINESE.set(True)
    try:
        yield
    finally:
        _CHINESE.reset(before)


def csv_mark() -> str:
    """What a CSV file begins with: the mark of UTF-8 for Chinese readers, else nothing."""
    return "\ufeff" if _CHINESE.get() else ""


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
