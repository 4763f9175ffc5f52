"""The statement of a hospital as a workbook: sheets summary, groups, cases not paid, adjustments."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grouper.base.output import close_book
from grouper.base.whole import whole_file
from grouper.payment.policy import words
from grouper.report.cells import case_book_name, neutral
from grouper.report.data import ReportData
from grouper.report.draw.svg import text_width
from grouper.report.numbers import Lang, short_digest
from grouper.report.pages.money import LEVELS
from grouper.report.statement_rows import (
    Statement,
    adjustment_header,
    adjustment_rows,
    group_header,
    group_rows,
    statement_title,
    unpaid_header,
    unpaid_rows,
)

if TYPE_CHECKING:
    import xlsxwriter
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

ROWS = 1_048_575  # of a sheet below its header
_FIXED = datetime.datetime(
    2000, 1, 1
)  # a workbook must have a date of making; the clock would change the bytes
_MONEY, _POINTS, _COUNT, _RATIO = "#,##0.00", "#,##0.0000", "#,##0", "0.0000"
_FORMATS = {"money": _MONEY, "points": _POINTS, "count": _COUNT, "index": _RATIO, "text": "@"}


def write_workbook(path: Path, statement: Statement, data: ReportData, lang: str) -> None:
    """Write the workbook. The same tables give the same bytes."""
    import xlsxwriter

    t = Lang(lang)
    with whole_file(path) as part:
        book = xlsxwriter.Workbook(part, {"in_memory": True})
        try:
            book.set_properties({"title": statement_title(statement, data.info, t), "created": _FIXED})
            _fill(_Sheets(book, statement, data, t))
        finally:
            close_book(book)


def _fill(sheets: _Sheets) -> None:
    """The sheets in their order."""
    t, statement = sheets.t, sheets.statement
    sheets.summary()
    sheets.listing(
        t("病组", "groups"), group_header(t), _GROUP_KINDS, _GROUP_WIDTHS, group_rows(statement, t)
    )
    sheets.listing(
        t("未支付病例", "not paid"), unpaid_header(t), _UNPAID_KINDS, _UNPAID_WIDTHS,
        unpaid_rows(statement, sheets.data.info, t),
    )  # fmt: skip
    sheets.listing(
        t("调整", "adjustments"),
        adjustment_header(t),
        _ADJUSTMENT_KINDS,
        _ADJUSTMENT_WIDTHS,
        adjustment_rows(statement, t),
    )


_GROUP_KINDS = (
    "text",
    "text",
    "text",
    "count",
    "count",
    "count",
    "points",
    "money",
    "money",
    "money",
    "money",
)
_GROUP_WIDTHS = (12, 34, 12, 8, 8, 8, 14, 15, 15, 15, 15)
_UNPAID_KINDS = ("text", "text", "text", "text", "money")
_UNPAID_WIDTHS = (22, 12, 16, 34, 16)
_ADJUSTMENT_KINDS = ("text",) * 6 + ("points", "points", "money", "money", "money", "text", "text", "text")
_ADJUSTMENT_WIDTHS = (12, 12, 20, 10, 10, 10, 13, 13, 14, 14, 14, 28, 28, 20)


class _Sheets:
    """A workbook being written, sheet by sheet and row by row."""

    def __init__(self, book: xlsxwriter.Workbook, statement: Statement, data: ReportData, t: Lang) -> None:
        self.book, self.statement, self.data, self.t = book, statement, data, t
        font = {"font_name": t("微软雅黑", "Arial"), "font_size": 10}
        self.title = book.add_format({**font, "bold": True, "font_size": 14})
        self.plain = book.add_format(font)
        self.soft = book.add_format({**font, "font_color": "#5c6b76", "text_wrap": True, "valign": "top"})
        head = {
            **font,
            "bold": True,
            "bg_color": "#e5f0f4",
            "bottom": 1,
            "text_wrap": True,
            "valign": "vcenter",
        }
        self.head = book.add_format(head)
        self.head_right = book.add_format({**head, "align": "right"})
        self.formats: dict[str, Format] = {
            kind: book.add_format({**font, "num_format": pattern}) for kind, pattern in _FORMATS.items()
        }

    def _sheet(self, name: str, landscape: bool) -> Worksheet:
        sheet = self.book.add_worksheet(name)
        sheet.set_paper(9)
        if landscape:
            sheet.set_landscape()
        sheet.set_margins(0.5, 0.5, 0.6, 0.6)
        sheet.fit_to_pages(1, 0)
        info = self.data.info
        sheet.set_header("&L" + statement_title(self.statement, info, self.t).replace("&", "&&")[:200])
        sheet.set_footer(f"&L{info.run} {info.policy.get('id', '')}".replace("&amp;", "&&") + "&R&P / &N")
        return sheet

    def _write(self, sheet: Worksheet, row: int, column: int, value: Any, kind: str) -> None:
        """Numbers as numbers, everything else as a neutral text; never a formula or a link."""
        if value is None or value == "":
            sheet.write_blank(row, column, None, self.formats[kind])
        elif isinstance(value, int | Decimal) and kind != "text":
            sheet.write_number(row, column, value, self.formats[kind])
        else:
            sheet.write_string(row, column, neutral(str(value))[:32_767], self.formats["text"])

    def summary(self) -> None:
        statement, info, t = self.statement, self.data.info, self.t
        sheet = self._sheet(t("汇总", "summary"), landscape=False)
        sheet.set_column(0, 0, 34)
        sheet.set_column(1, len(statement.lines) + 1, 19)
        sheet.write_string(0, 0, neutral(statement_title(statement, info, t)), self.title)
        facts = [
            (t("医院编码", "hospital"), statement.code),
            (t("级别", "level"), t.pair(LEVELS, statement.level)),
            (t("地区、期间", "area, period"), f"{info.place(t)} {info.period}"),
            (
                t("支付政策", "policy"),
                f"{info.policy.get('id', '')} [{short_digest(str(info.policy.get('sha256', '')))}]",
            ),
            (
                t("分组方案", "scheme"),
                f"{info.scheme.get('id', '')} [{short_digest(str(info.scheme.get('sha256', '')))}]",
            ),
            (
                t("运行、软件", "run, software"),
                f"{info.run}; {info.software.get('name', '')} {info.software.get('version', '')}",
            ),
            (t("操作人、时间", "who, when"), f"{info.who} {info.when}".strip()),
            (t("链印", "seal of the chain"), info.seal),
            (t("病例明细", "list of cases"), case_book_name(statement.code)),
        ]
        row = 2
        for name, value in facts:
            sheet.write_string(row, 0, name, self.plain)
            sheet.write_string(row, 1, neutral(value), self.plain)
            row += 1
        row += 1
        pools = [t.pair(words.POOLS, line["pool"]) for line in statement.lines]
        sheet.write_string(row, 0, t("项目", "item"), self.head)
        for column, name in enumerate([*pools, t("合计", "all")], 1):
            sheet.write_string(row, column, neutral(name), self.head_right)
        sheet.freeze_panes(row + 1, 1)
        for pair, kind, values in statement.rows(info):
            row += 1
            sheet.write_string(row, 0, t(*pair), self.plain)
            for column, figure in enumerate(values, 1):
                self._write(sheet, row, column, _value(figure, kind), _kind(kind))
        clauses = sorted({str(line["clauses"]) for line in statement.lines if line["clauses"]})
        for text in (statement.rule(info, t), *(t("依据：", "by: ") + clause for clause in clauses)):
            if text:
                row += 2
                sheet.merge_range(row, 0, row, len(pools) + 1, "", self.soft)
                sheet.set_row(row, 15 * (1 + int(text_width(text, 10) // 480)))
                sheet.write_string(row, 0, neutral(text), self.soft)

    def listing(
        self,
        name: str,
        header: Sequence[str],
        kinds: Sequence[str],
        widths: Sequence[int],
        rows: Iterable[Sequence[Any]],
    ) -> None:
        """A sheet of rows under a header that stays in sight; a second one where the first is full."""
        sheet = self._listing_sheet(name, header, kinds, widths)
        row, number = 0, 1
        for values in rows:
            if row == ROWS:
                self._filter(sheet, row, len(header))
                row, number = 0, number + 1
                sheet = self._listing_sheet(f"{name} {number}", header, kinds, widths)
            row += 1
            for column, (value, kind) in enumerate(zip(values, kinds, strict=True)):
                self._write(sheet, row, column, value, kind)
        self._filter(sheet, row, len(header))

    @staticmethod
    def _filter(sheet: Worksheet, row: int, columns: int) -> None:
        if row:
            sheet.autofilter(0, 0, row, columns - 1)

    def _listing_sheet(
        self, name: str, header: Sequence[str], kinds: Sequence[str], widths: Sequence[int]
    ) -> Worksheet:
        sheet = self._sheet(name, landscape=True)
        for column, width in enumerate(widths):
            sheet.set_column(column, column, width)
        sheet.set_row(0, 30)
        for column, (text, kind) in enumerate(zip(header, kinds, strict=True)):
            sheet.write_string(0, column, text, self.head if kind == "text" else self.head_right)
        sheet.freeze_panes(1, 1)
        sheet.repeat_rows(0)
        return sheet


def _kind(kind: str) -> str:
    return "index" if kind == "text" else kind


def _value(value: object, kind: str) -> object:
    """The point value is a text in the table; in the sheet it is a number."""
    return Decimal(value) if kind == "text" and isinstance(value, str) else value
