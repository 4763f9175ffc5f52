"""The one reader of small tables: CSV in UTF-8 (with or without its mark) or GB18030, and Excel workbooks.

Every error names file, row and column; what stands in a row is never shown, as it may be personal. Rows
are numbered as a spreadsheet numbers them: the header is row 1, empty rows count.

A workbook stores what looks like a number as one: of 0101 it keeps 101, of 06.40 it keeps 6.4, and of a
number of more than 15 digits the first 15. Such cells are refused where they may stand for another text.
"""

from __future__ import annotations

import codecs
import csv
import difflib
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

from grouper.base.books import check_book
from grouper.base.errors import GrouperError, UsageError
from grouper.base.paths import need_plain

BOOKS = frozenset({".xlsx", ".xlsm", ".xls", ".xlsb", ".ods"})
# Columns of codes, in whatever table: a number there may have been another text.
CODES = frozenset({
    "record_id", "settlement_id", "person_id", "hospital_code", "institution", "region_code", "county",
    "code", "dip_code", "drg", "adrg", "mdc", "group", "packet", "dx", "procs", "procedures", "diagnoses",
    "source_code",
})  # fmt: skip
_TRUTHS = ("true", "false")
EXACT_DIGITS = 15  # of a number in a workbook
Rows = list[list[str]]
Cells = set[tuple[int, int]]  # of a sheet: row from 1, index of the column
Kind = type[GrouperError]
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table: its texts by column, without spaces around them."""

    path: str  # as errors call the file
    row: int
    cells: Mapping[str, str]
    kind: Kind = UsageError

    def text(self, column: str) -> str:
        """The text of a cell; "" where it is empty or its column is not there."""
        return self.cells.get(column, "")

    def error(self, column: str, zh: str, en: str) -> GrouperError:
        """The error for a cell, to be raised."""
        return cell_error(self.path, self.row, column, zh, en, self.kind)


@dataclass(frozen=True)
class _Sheet:
    """A sheet as texts; which cells are numbers, which truth values, which errors."""

    rows: Rows = field(default_factory=list)
    numbers: Cells = field(default_factory=set)
    truths: Cells = field(default_factory=set)
    errors: Cells = field(default_factory=set)


@dataclass(frozen=True)
class Table:
    """A table whose first row names its columns. ``rows``: number and cells of every row with some text."""

    path: str
    header: tuple[str, ...]
    rows: list[tuple[int, list[str]]]
    kind: Kind = field(default=UsageError)

    def __iter__(self) -> Iterator[Row]:
        for number, cells in self.rows:
            yield Row(self.path, number, dict(zip(self.header, cells, strict=True)), self.kind)

    def need(self, columns: Iterable[str]) -> Table:
        """Itself. Raises the table's error for the first of ``columns`` that it lacks."""
        for column in columns:
            if column not in self.header:
                zh, en = near(column, self.header)
                raise self.kind(
                    zh=f"{self.path} 第 1 行缺少列 {column}{zh}",
                    en=f"{self.path}, row 1, lacks the column {column}{en}",
                )
        return self

    def know(self, columns: Iterable[str], headings: Mapping[str, str] | None = None) -> Table:
        """Itself. Raises the table's error for the first column that is not among ``columns``; with
        ``headings`` it names them all, and the first heading of each."""
        known = list(dict.fromkeys(columns))
        for column in self.header:
            if column not in known:
                zh, en = near(column, known)
                if headings:
                    first = {own: heading for heading, own in reversed(list(headings.items()))}
                    told = [f"{first[name]} {name}" if name in first else name for name in known]
                    zh, en = f"{zh}；可用：{'、'.join(told)}", f"{en}; known are {', '.join(told)}"
                raise cell_error(self.path, 1, column, f"未知的列{zh}", f"unknown column{en}", self.kind)
        return self


def cell_error(path: Any, row: int, column: str, zh: str, en: str, kind: Kind = UsageError) -> GrouperError:
    """An error that names file, row and column."""
    return kind(zh=f"{path} 第 {row} 行 {column} 列：{zh}", en=f"{path}, row {row}, column {column}: {en}")


def near(name: str, names: Iterable[str]) -> tuple[str, str]:
    """A hint at the name that was meant, in Chinese and English; empty where none is near."""
    found = difflib.get_close_matches(name, list(names), 1)
    return (f"；是否为 {found[0]}？", f"; did you mean {found[0]}?") if found else ("", "")


def read_table(
    path: str | Path,
    *,
    needed: Sequence[str] = (),
    known: Sequence[str] | None = None,
    flag: str = "",
    kind: Kind = UsageError,
    strip: bool = True,
    codes: Iterable[str] = CODES,
    headings: Mapping[str, str] | None = None,
) -> Table:
    """A table from a CSV file or from the only filled sheet of a workbook.

    ``needed`` columns must be there; with ``known`` no others may be (``needed`` ones are known). ``flag``
    names the option that gave the file, ``kind`` is the error to raise. ``strip``: cells without the spaces
    around them. ``headings``: other names of columns, which stand for them. Raises ``kind`` for a file that
    cannot be read, empty rows above the header, repeated or empty names, rows of another length than the
    header, cells with a NUL, and cells of a workbook that are errors (#N/A), or numbers or truth values in
    one of the columns ``codes``.
    """
    told = f"{path} ({flag})" if flag else str(path)
    sheet = _read(path, told, kind)
    rows = [[cell.strip() for cell in row] for row in sheet.rows] if strip else sheet.rows
    header = tuple(name.strip() for name in rows[0]) if rows else ()
    header = tuple((headings or {}).get(name, name) for name in header)
    _check_top(told, rows, kind)
    _check_header(told, header, kind)
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(header) and any(row):
            raise kind(
                zh=f"{told} 第 {number} 行：应有 {len(header)} 列，实有 {len(row)} 列",
                en=f"{told}, row {number}: {len(row)} columns instead of {len(header)}",
            )
    _refuse_unreadable(told, header, sheet, kind)
    _refuse_numbers(told, header, sheet, frozenset(codes), kind)
    table = Table(told, header, [(n, row) for n, row in enumerate(rows[1:], 2) if any(row)], kind)
    table.need(needed)
    return table if known is None else table.know((*needed, *known), headings)


def read_header(path: str | Path, flag: str = "", kind: Kind = UsageError) -> tuple[str, ...]:
    """The first row of a table as it is, whatever follows; () where there is none."""
    rows = _read(path, f"{path} ({flag})" if flag else str(path), kind, first=True).rows
    return tuple(name.strip() for name in rows[0]) if rows else ()


def read_rows(path: str | Path, kind: Kind = UsageError) -> Rows:
    """All rows of a CSV file, without a thought of a header; cells without spaces around them."""
    return [[cell.strip() for cell in row] for row in _csv_rows(read_text(path, kind), str(path), kind)]


def first_row(text: str, delimiter: str, told: str, kind: Kind = UsageError) -> list[str]:
    """The cells of the first row of a text in CSV that is not blank; [] where there is none.

    For the head of a large file, which others read: a quote may be left open. Raises ``kind`` for a cell
    of more signs than CSV has.
    """
    try:
        return next((row for row in csv.reader(StringIO(text, newline=""), delimiter=delimiter) if row), [])
    except csv.Error as error:
        raise kind(
            zh=f"{told} 第 1 行：不是正确的 CSV（单元格过长）",
            en=f"{told}, row 1: no correct CSV (a cell too long)",
        ) from error


def read_text(path: str | Path, kind: Kind = UsageError, told: str = "") -> str:
    """The text of a file in UTF-8 (with or without its mark), GB18030 or UTF-16 with its mark."""
    told = told or str(path)
    need_plain(path, kind, told)
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise _unread(told, error.strerror or str(error), kind) from error
    encodings = ("utf-16",) if data.startswith(_UTF16) else ("utf-8-sig", "gb18030")
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise kind(
        zh=f"{told} 的字符编码既不是 UTF-8 也不是 GB18030；请另存为 UTF-8",
        en=f"{told} is neither in UTF-8 nor in GB18030; save it as UTF-8",
    )


def read_sheets(path: str | Path, kind: Kind = UsageError, told: str = "") -> dict[str, Rows]:
    """The sheets of a workbook by name, every cell a text; rows and columns are those of Excel.

    Raises ``kind`` for a file that cannot be read, and for a number of more digits than a workbook keeps.
    """
    return {name: sheet.rows for name, sheet in _sheets(path, kind, told or str(path)).items()}


def _sheets(path: str | Path, kind: Kind, told: str) -> dict[str, _Sheet]:
    import fastexcel

    # It warns of each empty column, which is nothing to tell the user.
    logging.getLogger("fastexcel").setLevel(logging.ERROR)
    if not Path(path).exists():
        raise _unread(told, "No such file", kind)
    check_book(path, told, kind)
    try:
        book = fastexcel.read_excel(path)
        sheets = {name: _sheet(book, name) for name in book.sheet_names}
    except (fastexcel.FastExcelError, ValueError, OSError) as error:
        raise kind(
            zh=f"{told} 不是可读的 Excel 工作簿", en=f"{told} is no workbook that can be read"
        ) from error
    for name, sheet in sheets.items():
        _refuse_long(f"{told}[{name}]", sheet.rows, sheet.numbers, kind)
    return sheets


def _sheet(book: Any, name: str) -> _Sheet:
    # skip_rows=0 keeps blank rows at the top, so that row numbers are those of Excel
    sheet = book.load_sheet(name, header_row=None, skip_rows=0, dtypes="string")
    columns = sheet.available_columns()
    if not columns or not sheet.height:
        return _Sheet()
    left = columns[0].absolute_index  # blank columns at the left are cut off
    texts, wrong = sheet.to_arrow_with_errors()
    data = [column.to_pylist() for column in texts.columns]
    errors = {(e.position[0] + 1, left + e.position[1]) for e in (wrong.errors if wrong else ())}
    rows = [[""] * left + [(cell or "").strip() for cell in row] for row in zip(*data, strict=True)]
    # Asked for truth values, it gives one for numbers and truth values and none for texts, whatever they say.
    truth = _columns(book, name, "boolean")
    known = {
        (row, left + index)
        for index, column in enumerate(truth)
        for row, value in enumerate(column, 1)
        if value is not None
    }
    truths = {(row, at) for row, at in known if data[at - left][row - 1] in _TRUTHS}
    numbers = known - truths
    if numbers:  # as texts they have nine decimals only
        floats = _columns(book, name, "float")
        for row, at in numbers:
            if (value := floats[at - left][row - 1]) is not None:
                rows[row - 1][at] = _number_text(value)
    return _Sheet(rows, numbers, truths, errors)


def _columns(book: Any, name: str, type_: str) -> list[list[Any]]:
    table = book.load_sheet(name, header_row=None, skip_rows=0, dtypes=type_).to_arrow()
    return [column.to_pylist() for column in table.columns]


def _number_text(value: float) -> str:
    """A number in plain digits, with those that a workbook keeps and no more; -0 is 0."""
    text = format(Decimal(f"{value + 0.0:.{EXACT_DIGITS}g}"), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _refuse_long(told: str, rows: Rows, numbers: Cells, kind: Kind) -> None:
    for row, index in sorted(numbers):
        whole = rows[row - 1][index].lstrip("-").partition(".")[0]
        if len(whole) > EXACT_DIGITS:
            column = rows[0][index] if row > 1 and rows[0][index] else str(index + 1)
            raise cell_error(
                told, row, column,
                f"数值超过 {EXACT_DIGITS} 位，工作簿只保留前 {EXACT_DIGITS} 位；"
                "请把该列设为文本格式后重新录入或导出",
                f"a number of more than {EXACT_DIGITS} digits, of which a workbook keeps the first "
                f"{EXACT_DIGITS}; format the column as text and enter or export it again",
                kind,
            )  # fmt: skip


def _refuse_unreadable(told: str, header: Sequence[str], sheet: _Sheet, kind: Kind) -> None:
    """Cells that are an error of the workbook, or hold a NUL: no text that somebody wrote."""
    for row, index in sorted(sheet.errors):
        raise cell_error(
            told, row, _column(header, index),
            "单元格是公式错误（如 #N/A、#DIV/0!），没有值；请改正或清空后重新导出",
            "the cell is an error (such as #N/A or #DIV/0!) and has no value; mend or empty it and export "
            "again",
            kind,
        )  # fmt: skip
    for number, cells in enumerate(sheet.rows, 1):
        for index, cell in enumerate(cells if "\0" in "".join(cells) else ()):
            if "\0" in cell:
                raise cell_error(
                    told, number, _column(header, index), "单元格含有 NUL 字符；请重新导出",
                    "the cell holds a NUL character; export the file again", kind,
                )  # fmt: skip


def _column(header: Sequence[str], index: int) -> str:
    return header[index] if index < len(header) and "\0" not in header[index] else str(index + 1)


def _refuse_numbers(
    told: str, header: Sequence[str], sheet: _Sheet, codes: frozenset[str], kind: Kind
) -> None:
    for row, index in sorted(sheet.numbers | sheet.truths):
        if row == 1 or index >= len(header) or header[index] not in codes:
            continue
        if (row, index) in sheet.truths:
            raise cell_error(
                told, row, header[index],
                "单元格是逻辑值（TRUE/FALSE）而不是文本；请把该列设为文本格式后重新录入或导出",
                "the cell is a truth value (TRUE/FALSE), not text; format the column as text and enter or "
                "export it again",
                kind,
            )  # fmt: skip
        raise cell_error(
            told, row, header[index],
            "单元格是数值而不是文本，编码可能丢失了零（0101 变成 101，06.40 变成 6.4）；"
            "请把该列设为文本格式后重新录入或导出",
            "the cell is a number, not text, and a code may have lost zeros (0101 becomes 101, 06.40 "
            "becomes 6.4); format the column as text and enter or export it again",
            kind,
        )  # fmt: skip


def _read(path: str | Path, told: str, kind: Kind, first: bool = False) -> _Sheet:
    if Path(path).suffix.lower() not in BOOKS:
        return _Sheet(_csv_rows(read_text(path, kind, told), told, kind, first))
    sheets = _sheets(path, kind, told)
    filled = {name: sheet for name, sheet in sheets.items() if sheet.errors or any(map(any, sheet.rows))}
    if len(filled) > 1:
        raise kind(
            zh=f"{told} 有多张有内容的工作表（{'、'.join(filled)}）；请只保留一张，或另存为 CSV",
            en=f"{told} has several sheets ({', '.join(filled)}); keep one of them, or save it as CSV",
        )
    return next(iter(filled.values()), _Sheet())


def _csv_rows(text: str, told: str, kind: Kind, first: bool = False) -> Rows:
    line = text.lstrip("\r\n").split("\n", 1)[0]
    delimiter = next((sign for sign in ",\t;" if sign in line), ",")
    rows: Rows = []
    try:
        for row in csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True):
            rows.append(row)
            if first and any(row):
                return [row]
    except csv.Error as error:
        raise kind(
            zh=f"{told} 第 {len(rows) + 1} 行：不是正确的 CSV（引号不成对，或单元格过长）",
            en=f"{told}, row {len(rows) + 1}: no correct CSV (a quote without its pair, or a cell too long)",
        ) from error
    return rows


def _check_top(told: str, rows: Rows, kind: Kind) -> None:
    """The header is in row 1: what stands above it, if only blanks, would move every row."""
    filled = next((number for number, row in enumerate(rows, 1) if any(row)), 1)
    if filled > 1:
        raise kind(
            zh=f"{told} 第 1 行为空：表头应在第 1 行，第 {filled} 行才有内容；请删去上面的空行",
            en=f"{told}, row 1 is empty: the header belongs there, and the first text is in row {filled}; "
            "delete the empty rows above it",
        )


def _check_header(told: str, header: Sequence[str], kind: Kind) -> None:
    if not any(header):
        raise kind(zh=f"{told}：文件为空，没有表头", en=f"{told}: the file is empty, it has no header")
    for place, name in enumerate(header, 1):
        if not name:
            raise kind(
                zh=f"{told} 第 1 行：第 {place} 列没有列名；表头应在第 1 行，上面有标题的请删去标题行",
                en=f"{told}, row 1: column {place} has no name; the header belongs in row 1: delete titles "
                "above it",
            )
    twice = [name for name, number in Counter(header).items() if number > 1]
    if twice:
        raise kind(
            zh=f"{told} 第 1 行：列名 {twice[0]} 重复",
            en=f"{told}, row 1: the column name {twice[0]} is there twice",
        )


def _unread(told: str, why: str, kind: Kind) -> GrouperError:
    if why == "No such file" or "No such file" in why:
        return kind(zh=f"没有文件 {told}", en=f"there is no file {told}")
    return kind(zh=f"无法读取 {told}：{why}", en=f"cannot read {told}: {why}")
