"""The workbook of a simulation: a sheet for each table, and beside it the list of all rows."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from grouper.base.output import close_book
from grouper.base.whole import whole_file
from grouper.payment.policy import words
from grouper.report.case_book import each_text, neutral_column, write_list
from grouper.report.cells import neutral
from grouper.report.names import group_name
from grouper.report.numbers import Lang
from grouper.workbench.simulate.cases import DIMENSIONS
from grouper.workbench.simulate.tables import DIMENSION_WORDS, STANDINGS, Reader, Table

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.format import Format

_FIXED = datetime.datetime(2000, 1, 1)  # of making; the clock would change the bytes
_PATTERNS = {
    "text": "@",
    "count": "#,##0",
    "money": "#,##0.00;[Red]-#,##0.00",
    "ratio": "0.0000",
    "points": "0.00",
    "percent": '0.0"%"',
}

# Columns of the list of all rows: name in the database, words, number format, width.
CASES: tuple[tuple[str, tuple[str, str], str, int], ...] = (
    ("row", ("行", "row"), "count", 8),
    ("record_id", ("记录号", "record"), "text", 20),
    *((name, DIMENSION_WORDS[name], "text", 12) for name in DIMENSIONS),
    ("group", ("病组", "group"), "text", 10),
    ("group_name", ("病组名称", "name of the group"), "text", 28),
    ("status", ("分组状态", "status"), "text", 10),
    ("reason", ("分组原因", "reason of grouping"), "text", 22),
    ("standing", ("去向", "standing"), "text", 14),
    ("cause", ("原因", "reason"), "text", 24),
    ("outlier", ("倍率", "outlier"), "text", 10),
    ("los_days", ("天数", "days"), "count", 6),
    ("weight", ("权重（分值）", "weight"), "points", 12),
    ("total_cost", ("总费用（元）", "cost (yuan)"), "money", 14),
    ("amount", ("应付总额（元）", "amount due (yuan)"), "money", 14),
    ("expected", ("应得收入（元）", "income due (yuan)"), "money", 14),
    ("result", ("收益（元）", "profit (yuan)"), "money", 14),
    ("low_yuan", ("低倍率界限（元）", "limit of low (yuan)"), "money", 14),
    ("high_yuan", ("高倍率界限（元）", "limit of high (yuan)"), "money", 14),
    ("edge", ("临近界限", "near"), "text", 10),
    ("distance", ("与界限相差（元）", "difference (yuan)"), "money", 14),
)
_EDGES = {"high": ("高倍率", "high"), "low": ("低倍率", "low")}


def write_book(
    path: Path,
    title: str,
    facts: Sequence[tuple[str, Any]],
    tables: Sequence[Table],
    origin: Sequence[tuple[str, Any]],
    t: Lang,
) -> None:
    """Write the workbook: a summary of facts, the tables, and what made them.

    The same tables give the same bytes.
    """
    import xlsxwriter

    with whole_file(path) as part:
        book = xlsxwriter.Workbook(part, {"in_memory": True, "strings_to_formulas": False})
        try:
            book.set_properties({"title": title, "created": _FIXED})
            writer = _Writer(book, title, t)
            writer.facts(t("汇总", "summary"), facts)
            for table in tables:
                writer.table(table)
            writer.facts(t("来历", "provenance"), origin)
        finally:
            close_book(book)


class _Writer:
    def __init__(self, book: Workbook, title: str, t: Lang) -> None:
        self.book, self.title, self.t = book, title, t
        font = {"font_name": t("微软雅黑", "Arial"), "font_size": 10}
        self.big = book.add_format({**font, "bold": True, "font_size": 14})
        self.soft = book.add_format({**font, "font_color": "#5c6b76", "text_wrap": True, "valign": "top"})
        self.label = book.add_format({**font, "font_color": "#5c6b76"})
        head = {
            **font,
            "bold": True,
            "bg_color": "#e5f0f4",
            "bottom": 1,
            "text_wrap": True,
            "valign": "vcenter",
        }
        self.head, self.head_right = book.add_format(head), book.add_format({**head, "align": "right"})
        self.formats: dict[str, Format] = {
            kind: book.add_format({**font, "num_format": pattern}) for kind, pattern in _PATTERNS.items()
        }
        self.wrapped = book.add_format({**font, "num_format": "@", "text_wrap": True, "valign": "top"})
        self.totals: dict[str, Format] = {
            kind: book.add_format({**font, "bold": True, "top": 1, "num_format": pattern})
            for kind, pattern in _PATTERNS.items()
        }

    def _sheet(self, name: str, landscape: bool = True) -> Any:
        sheet = self.book.add_worksheet(name)
        sheet.set_paper(9)
        if landscape:
            sheet.set_landscape()
        sheet.set_margins(0.5, 0.5, 0.6, 0.6)
        sheet.fit_to_pages(1, 0)
        sheet.set_header("&L" + self.title.replace("&", "&&")[:200])
        sheet.set_footer("&R&P / &N")
        return sheet

    def facts(self, name: str, facts: Sequence[tuple[str, Any]]) -> None:
        """Facts, one a line; a name without a value is a heading of its own."""
        sheet = self._sheet(name, landscape=False)
        sheet.set_column(0, 0, 30)
        sheet.set_column(1, 1, 74)
        sheet.write_string(0, 0, neutral(self.title), self.big)
        wrapped = self.wrapped
        for row, (label, value) in enumerate(facts, 2):
            if value is None:
                sheet.write_string(row, 0, label, self.head)
                sheet.write_blank(row, 1, None, self.head)
            else:
                sheet.write_string(row, 0, label, self.label)
                sheet.write_string(row, 1, neutral(str(value)), wrapped)

    def table(self, table: Table) -> None:
        sheet = self._sheet(table.name)
        for column, each in enumerate(table.columns):
            sheet.set_column(column, column, each.width)
        sheet.write_string(0, 0, neutral(table.title), self.big)
        sheet.merge_range(1, 0, 1, max(len(table.columns) - 1, 1), "", self.soft)
        sheet.write_string(1, 0, neutral(table.note), self.soft)
        sheet.set_row(1, 34)
        sheet.set_row(2, 32)
        for column, each in enumerate(table.columns):
            sheet.write_string(2, column, each.title, self.head if each.kind == "text" else self.head_right)
        row = 2
        for values in table.rows:
            row += 1
            self._row(sheet, row, table, values, self.formats)
        if table.rows:
            sheet.autofilter(2, 0, row, len(table.columns) - 1)
        if table.total is not None:
            self._row(sheet, row + 1, table, table.total, self.totals)
        sheet.freeze_panes(3, 1)
        sheet.repeat_rows(2)

    def _row(self, sheet: Any, row: int, table: Table, values: Sequence[Any], formats: Any) -> None:
        """Numbers as numbers, everything else as a neutral text; never a formula or a link."""
        for column, (value, each) in enumerate(zip(values, table.columns, strict=True)):
            if value is None or value == "":
                sheet.write_blank(row, column, None, formats[each.kind])
            elif isinstance(value, int | Decimal) and each.kind != "text":
                sheet.write_number(row, column, value, formats[each.kind])
            else:
                long = each.width > 40 and formats is self.formats
                told = neutral(str(value))[:32_767]
                sheet.write_string(row, column, told, self.wrapped if long else formats["text"])


def write_cases(path: Path, title: str, footer: str, reader: Reader) -> None:
    """The list of all rows as a workbook, in the order of the input."""
    table, shown = listed(reader)
    kinds, widths = [kind for _, _, kind, _ in shown], [width for *_, width in shown]
    write_list(path, table, reader.t("病例清单", "cases"), kinds, widths, title, footer, reader.t)


def shown_columns(reader: Reader) -> list[tuple[str, tuple[str, str], str, int]]:
    """The columns of the list; dimensions that the input lacks are left out."""
    return [each for each in CASES if each[0] not in DIMENSIONS or each[0] in reader.grounds.columns]


def listed(reader: Reader) -> tuple[pa.Table, list[tuple[str, tuple[str, str], str, int]]]:
    """All rows in words, by headings."""
    t, shown = reader.t, shown_columns(reader)
    names = ", ".join(f'"{name}"' for name, *_ in shown)
    table = reader.connection.sql(f"SELECT {names} FROM cases ORDER BY row").to_arrow_table()
    pairs = {"standing": STANDINGS, "outlier": words.OUTLIERS, "edge": _EDGES}
    columns = []
    for name, _, kind, _ in shown:
        column = table[name].combine_chunks()
        if kind != "text":
            columns.append(pc.cast(column, pa.int64() if kind == "count" else pa.float64()))
        elif name in ("cause", "reason"):
            columns.append(each_text(column, reader.why))
        elif name == "status":
            columns.append(each_text(column, reader.status_word))
        elif name == "group_name":
            columns.append(each_text(column, lambda text: neutral(group_name(text, t))))
        elif name in pairs:
            columns.append(each_text(column, partial(t.pair, pairs[name])))
        else:
            columns.append(neutral_column(pc.cast(column, pa.string())))
    return pa.table(columns, names=[t(*pair) for _, pair, _, _ in shown]), shown
