"""Sheets of text cells: an ``.xlsx`` workbook, one ``.csv`` file, or a folder of them.

Cells keep their address, so that every complaint can name sheet, row and column.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from grouper.base.errors import UsageError
from grouper.base.findings import Finding, Severity
from grouper.base.tables_in import BOOKS, read_rows, read_sheets
from grouper.base.tables_out import csv_text
from grouper.base.whole import write_text

HEADER_ROWS = 10  # a title may stand above the header: it is looked for in so many rows
_BREAKS = re.compile(r"\s*(?:_x000D_|\r|\n)+\s*")
_MARKS = re.compile(r"[\s_/、（）()＿\-]+|_x000D_")


@dataclass(frozen=True)
class Sheet:
    """A sheet as rows of text, blank rows included, so that ``rows[0]`` is row 1."""

    name: str
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Column:
    """A column of a table: the name that programs use and the headers that people write.

    The first header is the Chinese one that an export writes.
    """

    key: str
    headers: tuple[str, ...]
    required: bool = True


@dataclass(frozen=True)
class Row:
    """One row: its number in the sheet and its cells by column key, absent columns empty."""

    number: int
    cells: Mapping[str, str]

    def __getitem__(self, key: str) -> str:
        return self.cells.get(key, "")


@dataclass
class Table:
    """A sheet whose header is understood."""

    sheet: Sheet
    header: int  # index in sheet.rows
    places: dict[str, int]  # column key -> index

    def rows(self) -> Iterator[Row]:
        """The rows below the header that are not blank."""
        for index in range(self.header + 1, len(self.sheet.rows)):
            cells = self.sheet.rows[index]
            if any(cells):
                known = {key: at for key, at in self.places.items() if at < len(cells)}
                yield Row(index + 1, {key: _cell(key, cells[at]) for key, at in known.items()})

    def header_of(self, key: str) -> str:
        """The header of a column as it stands in the sheet."""
        return self.sheet.rows[self.header][self.places[key]].strip() if key in self.places else ""

    def address(self, number: int, key: str) -> str:
        """``ADRG!E7``; a column that is not there gives the row only."""
        column = column_letters(self.places[key]) if key in self.places else ""
        return f"{self.sheet.name}!{column}{number}"


@dataclass
class Notes:
    """Findings collected while one scheme is read."""

    scheme: str
    findings: list[Finding] = field(default_factory=list)

    def add(
        self, severity: Severity, kind: str, place: str, zh: str, en: str, details: Iterable[str] = ()
    ) -> None:
        self.findings.append(Finding(severity, kind, self.scheme, place, zh, en, tuple(details)))

    def error(self, kind: str, place: str, zh: str, en: str) -> None:
        self.add("error", kind, place, zh, en)

    def info(self, kind: str, place: str, zh: str, en: str, details: Iterable[str] = ()) -> None:
        self.add("info", kind, place, zh, en, details)


def column_letters(index: int) -> str:
    """Excel's name of a column, from index 0: A, B, …, Z, AA."""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def plain_name(text: str) -> str:
    """A sheet name or header as it is compared: no spaces and marks, lower case."""
    return _MARKS.sub("", text).lower()


def _cell(key: str, text: str) -> str:
    """A cell on one line: line breaks and ``_x000D_`` out, spaces trimmed; rules stay as they are."""
    if key != "rule" and ("\n" in text or "\r" in text or "_x000D_" in text):
        text = _BREAKS.sub("", text)
    return text.strip()


# --- reading --------------------------------------------------------------------------------


def read_book(path: Path) -> dict[str, Sheet]:
    """The sheets of a workbook, of a folder of CSV files, or of one CSV file, by name.

    Raises UsageError when the path is none of these or cannot be read.
    """
    if path.is_dir():
        files = sorted(path.glob("*.csv"))
        if not files:
            raise UsageError(zh=f"目录 {path} 中没有 CSV 文件", en=f"folder {path} holds no CSV file")
        return {file.stem: _read_csv(file) for file in files}
    if not path.is_file():
        raise UsageError(zh=f"没有文件 {path}", en=f"there is no file {path}")
    if path.suffix.lower() == ".csv":
        return {path.stem: _read_csv(path)}
    if path.suffix.lower() in BOOKS:
        return {name: Sheet(name, rows) for name, rows in read_sheets(path).items()}
    raise UsageError(
        zh=f"{path}：应为 .xlsx 工作簿、.csv 文件或 CSV 目录",
        en=f"{path}: expected an .xlsx workbook, a .csv file or a folder of CSV files",
    )


def _read_csv(path: Path) -> Sheet:
    return Sheet(path.stem, read_rows(path))


def find_table(sheet: Sheet, columns: Sequence[Column], notes: Notes) -> Table | None:
    """The table of a sheet, its header found by names; None and an error when there is none."""
    best: dict[str, int] = {}
    for index, cells in enumerate(sheet.rows[:HEADER_ROWS]):
        places = _match(cells, columns)
        if all(column.key in places for column in columns if column.required):
            return Table(sheet, index, places)
        if len(places) > len(best):
            best = places
    missing = [column for column in columns if column.required and column.key not in best]
    wanted_zh = "；".join(" / ".join(column.headers) for column in missing)
    notes.error("header", f"{sheet.name}!1", f"表头缺少列：{wanted_zh}", f"columns missing: {wanted_zh}")
    return None


def _match(cells: Sequence[str], columns: Sequence[Column]) -> dict[str, int]:
    """Column key -> index of the leftmost cell with one of its headers, the first header first."""
    at: dict[str, int] = {}
    for index, cell in enumerate(cells):
        at.setdefault(plain_name(cell), index)
    places: dict[str, int] = {}
    for column in columns:
        known = (at[name] for header in column.headers if (name := plain_name(header)) in at)
        found = next((place for place in known if place not in places.values()), None)
        if found is not None:
            places[column.key] = found
    return places


# --- writing --------------------------------------------------------------------------------

Book = Mapping[str, Sequence[Sequence[str]]]


def write_book(book: Book, path: Path, form: Literal["xlsx", "csv"]) -> None:
    """Sheets of text cells, the header first, as one workbook or as a folder of CSV files."""
    if form == "csv":
        path.mkdir(parents=True, exist_ok=True)
        for name, rows in book.items():
            text = csv_text(rows[0], rows[1:]) if rows else ""
            write_text(path / f"{name}.csv", text, "utf-8-sig")
        return
    import xlsxwriter

    with xlsxwriter.Workbook(path, {"constant_memory": True}) as workbook:
        workbook.set_properties({"created": datetime(2000, 1, 1)})  # same tables, same bytes
        for name, rows in book.items():
            sheet = workbook.add_worksheet(name)
            sheet.freeze_panes(1, 0)
            for number, row in enumerate(rows):
                for index, cell in enumerate(row):
                    sheet.write_string(number, index, cell)  # text: Excel turns 00.5500 into 0.55
