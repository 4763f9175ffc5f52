"""The statement of a hospital as a workbook: sheets summary, groups, cases not paid, adjustments."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grouper.base.output import close_book
from grouper.base.whole import whole_file
from grouper.payment.policy.value_words import clauses_told
from grouper.report.cells import case_book_name, neutral
from grouper.report.data import ReportData
from grouper.report.draw.svg import text_width
from grouper.report.numbers import Lang, short_digest
from grouper.report.statement_rows import (
    Statement,
    change_header,
    change_rows,
    deduction_header,
    deduction_rows,
    group_header,
    group_rows,
    month_header,
    month_rows,
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

    t = data.info.lang(lang)
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
    months = month_header(statement, t)
    sheets.listing(
        t("各月拨付", "months"), months, ["text", *["money"] * (len(months) - 1)],
        [10, *[16] * (len(months) - 1)], month_rows(statement),
    )  # fmt: skip
    sheets.listing(
        t("病组", "groups"), group_header(t), _GROUP_KINDS, _GROUP_WIDTHS, group_rows(statement, t)
    )
    sheets.listing(
        t("未支付病例", "not paid"), unpaid_header(t), _UNPAID_KINDS, _UNPAID_WIDTHS,
        unpaid_rows(statement, sheets.data.info, t),
    )  # fmt: skip
    sheets.listing(
        t("病例调整", "adjustments"), change_header(t), _CHANGE_KINDS, _CHANGE_WIDTHS,
        change_rows(statement, t),
    )  # fmt: skip
    sheets.listing(
        t("扣款", "deductions"), deduction_header(t), ("text", "text", "money"), (18, 60, 16),
        deduction_rows(statement, sheets.data.info, t),
    )  # fmt: skip
    sheets.origin()


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
_UNPAID_KINDS = ("text",) * 7 + ("money",)
_UNPAID_WIDTHS = (22, 14, 12, 12, 16, 30, 40, 16)
_CHANGE_KINDS = ("text",) * 7 + ("money", "points", "points", "money", "money", "money", "text")
_CHANGE_WIDTHS = (16, 10, 20, 14, 12, 10, 10, 14, 13, 13, 14, 14, 14, 40)


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
        self.box = book.add_format({**font, "border": 1, "valign": "vcenter"})
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
        row = 2
        for name, value in statement.facts(info, t):
            sheet.write_string(row, 0, name, self.plain)
            sheet.write_string(row, 1, neutral(value), self.plain)
            row += 1
        row += 1
        pools = [t.pool(line["pool"]) for line in statement.lines]
        sheet.write_string(row, 0, t("项目", "item"), self.head)
        for column, name in enumerate([*pools, t("合计", "all")], 1):
            sheet.write_string(row, column, neutral(name), self.head_right)
        for pair, kind, values in statement.rows(info):
            row += 1
            sheet.write_string(row, 0, t(*pair), self.plain)
            for column, figure in enumerate(values, 1):
                self._write(sheet, row, column, _value(figure, kind), _kind(kind))
        clauses = sorted({str(line["clauses"]) for line in statement.lines if line["clauses"]})
        for text in (
            statement.rule(info, t),
            *(t("依据：", "by: ") + clauses_told(clause, t.code) for clause in clauses),
        ):
            if text:
                row += 2
                sheet.merge_range(row, 0, row, len(pools) + 1, "", self.soft)
                sheet.set_row(row, 15 * (1 + int(text_width(text, 10) // 480)))
                sheet.write_string(row, 0, neutral(text), self.soft)

        row += 2
        signs = (
            ("制表", "made by"), ("复核", "checked by"), ("审批", "approved by"),
            ("医疗机构（盖章）", "hospital (stamp)"), ("经办机构（盖章）", "agency (stamp)"),
        )  # fmt: skip
        for number, pair in enumerate(signs):
            sheet.set_row(row + number, 30)
            sheet.write_string(row + number, 0, t(*pair), self.box)
            sheet.merge_range(row + number, 1, row + number, len(pools) + 1, "", self.box)

    def origin(self) -> None:
        """By what the workbook can be found again."""
        info, t = self.data.info, self.t
        sheet = self._sheet(t("来历", "provenance"), landscape=False)
        sheet.set_column(0, 0, 20)
        sheet.set_column(1, 1, 80)
        facts = [
            (t("运行、软件", "run, software"),
             f"{info.run}; {info.software.get('name', '')} {info.software.get('version', '')}"),
            (t("支付政策", "policy"), _cited(info.policy)),
            (t("分组方案", "scheme"), _cited(info.scheme)),
            (t("操作人、时间", "who, when"), f"{info.who} {info.when}".strip()),
            (t("链印", "seal of the chain"), info.seal),
            (t("病例明细", "list of cases"), case_book_name(self.statement.code)),
        ]  # fmt: skip
        shown = [(name, value) for name, value in facts if value]
        for row, (name, value) in enumerate(shown):
            sheet.write_string(row, 0, name, self.plain)
            sheet.write_string(row, 1, neutral(value), self.plain)

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


def _cited(item: Mapping[str, Any]) -> str:
    """Id and digest; "" of what the run does not have."""
    digest = short_digest(str(item.get("sha256") or ""))
    return f"{item['id']} [{digest}]" if item.get("id") and digest else str(item.get("id") or "")


def _kind(kind: str) -> str:
    return "index" if kind == "text" else kind


def _value(value: object, kind: str) -> object:
    """The point value is a text in the table; in the sheet it is a number."""
    return Decimal(value) if kind == "text" and isinstance(value, str) else value
