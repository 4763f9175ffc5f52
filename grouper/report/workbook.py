"""The statement of a hospital as a workbook: sheets summary, groups, cases, adjustments."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from grouper.base.leftovers import tag
from grouper.base.output import close_book
from grouper.base.whole import whole_file
from grouper.payment.policy import words
from grouper.report.cells import neutral
from grouper.report.data import Query, ReportData
from grouper.report.draw.svg import text_width
from grouper.report.feeds import PERSONAL
from grouper.report.numbers import Lang, short_digest
from grouper.report.pages.money import LEVELS
from grouper.report.statement_rows import (
    Statement,
    adjustment_header,
    adjustment_rows,
    group_header,
    group_rows,
    statement_title,
)

if TYPE_CHECKING:
    import xlsxwriter
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

ROWS = 1_048_575  # of a sheet below its header
_LARGE = 20_000  # cases from which a workbook is written row by row through files, in bounded memory
_FIXED = datetime.datetime(
    2000, 1, 1
)  # a workbook must have a date of making; the clock would change the bytes
_MONEY, _POINTS, _COUNT, _RATIO = "#,##0.00", "#,##0.0000", "#,##0", "0.0000"
_FORMATS = {"money": _MONEY, "points": _POINTS, "count": _COUNT, "index": _RATIO, "text": "@"}

# Columns of the sheet of cases: name in the table, words, number format, width.
CASES: tuple[tuple[str, tuple[str, str], str, int], ...] = (
    ("record_id", ("记录号", "record"), "text", 20),
    ("settlement_id", ("结算号", "settlement"), "text", 20),
    ("person_id", ("人员（假名）", "person (pseudonym)"), "text", 20),
    ("pool", ("基金池", "pool"), "text", 10),
    ("admission_date", ("入院", "admission"), "text", 11),
    ("discharge_date", ("出院", "discharge"), "text", 11),
    ("los_days", ("天数", "days"), "count", 6),
    ("group", ("病组", "group"), "text", 10),
    ("group_name", ("病组名称", "name of the group"), "text", 28),
    ("price_group", ("计价病组", "group priced"), "text", 10),
    ("row_kind", ("记录种类", "kind of row"), "text", 10),
    ("route", ("支付路径", "route"), "text", 16),
    ("method", ("方式", "method"), "text", 10),
    ("outlier", ("倍率", "outlier"), "text", 10),
    ("cost_ratio", ("费用倍率", "multiple"), "index", 10),
    ("total_cost", ("总费用（元）", "cost (yuan)"), "money", 14),
    ("case_value", ("病例价值（点或元）", "value (points or yuan)"), "points", 16),
    ("settled_points", ("结算点数", "points"), "points", 14),
    ("person_paid", ("个人支付（元）", "patients (yuan)"), "money", 14),
    ("other_funds", ("其他基金（元）", "other funds (yuan)"), "money", 14),
    ("pool_paid", ("按项目统筹（元）", "fund by item (yuan)"), "money", 14),
    ("settled_fund", ("统筹应付（元）", "fund due (yuan)"), "money", 14),
    ("settled_income", ("支付（元）", "payment (yuan)"), "money", 14),
    ("pay_status", ("状态", "status"), "text", 12),
    ("pay_reason", ("原因", "reason"), "text", 20),
)
_WORDS = {
    "method": words.METHODS,
    "outlier": words.OUTLIERS,
    "pay_status": words.STATUSES,
    "pool": words.POOLS,
}


def write_workbook(
    path: Path, statement: Statement, data: ReportData, query: Query, lang: str, *, cases: bool = True
) -> None:
    """Write the workbook, with its ``cases`` or a line that tells where they are.

    The same tables give the same bytes.
    """
    import xlsxwriter

    t = Lang(lang)
    large = (statement.total["cases"] or 0) > _LARGE
    with whole_file(path) as part, TemporaryDirectory(prefix=f"grouper.{tag()}.") as rows:
        kept = {"constant_memory" if large else "in_memory": True, "tmpdir": rows}
        book = xlsxwriter.Workbook(part, kept)
        try:
            book.set_properties({"title": statement_title(statement, data.info, t), "created": _FIXED})
            _fill(_Sheets(book, statement, data, t), query if cases else None)
        finally:
            close_book(book)


def _fill(sheets: _Sheets, query: Query | None) -> None:
    """The sheets in their order; without a ``query``, that of the cases says where they are."""
    t, statement = sheets.t, sheets.statement
    sheets.summary()
    sheets.listing(
        t("病组", "groups"), group_header(t), _GROUP_KINDS, _GROUP_WIDTHS, group_rows(statement, t)
    )
    sheets.cases(query) if query else sheets.no_cases()
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
_ADJUSTMENT_KINDS = ("text",) * 6 + ("points", "points", "money", "money", "money", "text", "text")
_ADJUSTMENT_WIDTHS = (12, 12, 20, 10, 10, 10, 13, 13, 14, 14, 14, 28, 28)


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

    def no_cases(self) -> None:
        """A run too large for lists of cases says so, and how to get the one that is wanted."""
        code, t = self.statement.code, self.t
        sheet = self._sheet(t("病例", "cases"), landscape=False)
        sheet.set_column(0, 0, 90)
        sheet.write_string(
            0,
            0,
            t(
                f"本次运行病例较多，未列明细；请用 grouper statement LAKE --hospital {code} "
                "单独生成本院对账单。",
                f"Too many cases in this run to list; grouper statement LAKE --hospital {code} makes this "
                "hospital's statement with them.",
            ),
            self.plain,
        )

    def cases(self, query: Query) -> None:
        """All cases of the hospital; without the person unless person ids are keyed hashes."""
        t = self.t
        shown = [c for c in CASES if self.data.info.pseudonymised or c[0] not in PERSONAL]
        listed = ", ".join(
            f'left("{name}", 10) AS "{name}"' if name.endswith("_date") else f'"{name}"' for name, *_ in shown
        )
        rows = query.stream(
            f"SELECT {listed} FROM cases WHERE hospital_code = ? ORDER BY record_id", [self.statement.code]
        )
        routes = {name: (zh, en) for name, (zh, en) in self.data.info.routes.items()}

        def worded(row: list[Any]) -> list[Any]:
            for n, (name, *_) in enumerate(shown):
                if name in _WORDS and row[n]:
                    row[n] = t.pair(_WORDS[name], row[n])
                elif name in ("pay_reason", "route") and row[n]:
                    row[n] = words.reason(row[n], t.code, routes)
            return row

        self.listing(
            t("病例", "cases"), [t(*pair) for _, pair, _, _ in shown], [kind for _, _, kind, _ in shown],
            [width for *_, width in shown], map(worded, rows),
        )  # fmt: skip


def _kind(kind: str) -> str:
    return "index" if kind == "text" else kind


def _value(value: object, kind: str) -> object:
    """The point value is a text in the table; in the sheet it is a number."""
    return Decimal(value) if kind == "text" and isinstance(value, str) else value
