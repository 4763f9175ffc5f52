"""Orders of a fund as a workbook: a sheet with the summary, and one with the order of each hospital."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grouper.base.capitals import capitals
from grouper.base.money import Fen, yuan_of
from grouper.base.whole import put_text
from grouper.report.cells import neutral
from grouper.report.numbers import Lang
from grouper.report.order import ACCOUNT, SIGN, Order, OrderLine, formula, order_page, pool_words

if TYPE_CHECKING:
    from xlsxwriter.format import Format
    from xlsxwriter.workbook import Workbook
    from xlsxwriter.worksheet import Worksheet

_FIXED = datetime.datetime(2000, 1, 1)  # of making; the clock would change the bytes
_FORM_ROWS = 17  # of an order; two a sheet of A4
_MONEY = "#,##0.00;-#,##0.00"


def write_orders(orders: Sequence[Order], folder: Path, lang: str) -> list[Path]:
    """A workbook and a page for each fund; returns them. The same orders give the same bytes."""
    t = Lang(lang)
    done = []
    for order in orders:
        book, page = (folder / f"{order.file_stem(t)}.{end}" for end in ("xlsx", "html"))
        write_book(book, order, t)
        put_text(page, order_page(order, lang))
        done += [book, page]
    return done


def write_book(path: Path, order: Order, t: Lang) -> None:
    """Write the workbook; amounts are numbers, and the sums are written as what they are, not as formulas."""
    import xlsxwriter

    with xlsxwriter.Workbook(path, {"in_memory": True}) as book:
        book.set_properties({"title": order.title(t), "created": _FIXED})
        writer = _Book(book, order, t)
        writer.summary()
        writer.forms()


class _Book:
    """The sheets of a workbook, cell by cell."""

    def __init__(self, book: Workbook, order: Order, t: Lang) -> None:
        self.book, self.order, self.t = book, order, t
        font = {"font_name": t("宋体", "Arial"), "font_size": 10, "valign": "vcenter"}
        box = {**font, "border": 1}
        self.formats: dict[str, Format] = {
            "title": book.add_format({**font, "font_size": 16, "bold": True, "align": "center"}),
            "fact": book.add_format(font),
            "note": book.add_format({**font, "font_size": 9, "font_color": "#4b5964"}),
            "head": book.add_format(
                {**box, "bold": True, "align": "center", "text_wrap": True, "bg_color": "#f2f4f5"}
            ),
            "pool": book.add_format({**box, "bold": True}),
            "text": book.add_format({**box, "text_wrap": True, "num_format": "@", "indent": 1}),
            "center": book.add_format({**box, "align": "center"}),
            "money": book.add_format({**box, "num_format": _MONEY}),
            "sum": book.add_format({**box, "bold": True, "num_format": _MONEY}),
            "words": book.add_format({**box, "bold": True, "font_size": 11, "text_wrap": True}),
            "sign": book.add_format({**box, "bold": True, "valign": "top"}),
        }  # fmt: skip

    def _text(self, sheet: Worksheet, row: int, column: int, text: str, kind: str = "text") -> None:
        if text:
            sheet.write_string(row, column, neutral(text), self.formats[kind])
        else:
            sheet.write_blank(row, column, None, self.formats[kind])

    def _money(self, sheet: Worksheet, row: int, column: int, fen: Fen, kind: str = "money") -> None:
        value: Decimal = yuan_of(fen)
        sheet.write_number(row, column, value, self.formats[kind])

    def _merge(self, sheet: Worksheet, row: int, first: int, last: int, text: str, kind: str) -> None:
        sheet.merge_range(row, first, row, last, neutral(text), self.formats[kind])

    def _sheet(self, name: str, widths: list[float], across: bool) -> Worksheet:
        sheet = self.book.add_worksheet(name)
        sheet.set_paper(9)
        if across:
            sheet.set_landscape()
        sheet.set_margins(0.4, 0.4, 0.5, 0.6)
        sheet.fit_to_pages(1, 0)
        sheet.center_horizontally()
        sheet.set_footer("&L" + self.order.facts(self.t)[1] + "&R&P / &N")
        for column, width in enumerate(widths):
            sheet.set_column(column, column, width)
        return sheet

    def summary(self) -> None:
        order, t, names = self.order, self.t, self.order.columns
        last = len(names) + 6
        widths = [5, 15, 24, *(14.0 for _ in names), 15, 22, 22, 22]
        sheet = self._sheet(t("汇总表", "summary"), widths, across=True)
        self._merge(sheet, 0, 0, last, f"{order.title(t)}{t('拨付汇总表', ': summary of payments')}", "title")
        sheet.set_row(0, 28)
        self._merge(sheet, 1, 0, last, "    ".join(order.facts(t)), "fact")
        heads = [t("序号", "no."), t("医院编码", "code"), t("医院名称", "hospital"),
                 *(t(*own) for own, _ in names.values()), t("本期应拨", "to pay"),
                 *(t(*name) for name in ACCOUNT)]  # fmt: skip
        for column, text in enumerate(heads):
            self._text(sheet, 2, column, text, "head")
        sheet.set_row(2, 32)
        sheet.freeze_panes(3, 3)
        sheet.repeat_rows(0, 2)
        row = 3
        for pool in order.pools:
            row = self._pool(sheet, row, pool, last)
        row = self._sum(sheet, row, t("合计", "total"), order.lines)
        self._merge(sheet, row, 0, 2, t("合计大写", "in words"), "head")
        self._merge(sheet, row, 3, last, capitals(order.total), "words")
        sheet.set_row(row, 24)
        self._merge(sheet, row + 1, 0, last, formula(order, t), "note")
        self._boxes(sheet, row + 3, _quarters(last + 1))

    def _pool(self, sheet: Worksheet, row: int, pool: str, last: int) -> int:
        own = self.order.of(pool)
        self._merge(sheet, row, 0, last, pool_words(pool, self.t), "pool")
        row += 1
        for number, line in enumerate(own, 1):
            sheet.write_number(row, 0, number, self.formats["center"])
            self._text(sheet, row, 1, line.hospital)
            self._text(sheet, row, 2, line.name)
            for column, name in enumerate(self.order.columns, 3):
                self._money(sheet, row, column, line.shown.get(name, 0))
            self._money(sheet, row, last - 3, line.pays, "sum")
            for column, text in enumerate(line.account, last - 2):
                self._text(sheet, row, column, text)
            row += 1
        if len(self.order.pools) > 1:
            row = self._sum(sheet, row, self.t("小计", "subtotal"), own)
        return row

    def _sum(self, sheet: Worksheet, row: int, text: str, lines: Any) -> int:
        self._merge(sheet, row, 0, 2, text, "head")
        column = 3
        for name in self.order.columns:
            self._money(sheet, row, column, sum(line.shown.get(name, 0) for line in lines), "sum")
            column += 1
        self._money(sheet, row, column, sum(line.pays for line in lines), "sum")
        for blank in range(column + 1, column + 4):
            self._text(sheet, row, blank, "")
        return row + 1

    def forms(self) -> None:
        order = self.order
        sheet = self._sheet(self.t("拨付单", "orders"), [18, 34, 18, 24], across=False)
        paid = [line for line in order.lines if line.pays]
        row, breaks = 0, []
        for number, line in enumerate(paid):
            if number and number % 2 == 0:
                breaks.append(row)
            row = self._form(sheet, row, line) + 2
        sheet.set_h_pagebreaks(breaks)

    def _form(self, sheet: Worksheet, row: int, line: OrderLine) -> int:
        order, t = self.order, self.t
        self._merge(sheet, row, 0, 3, f"{order.title(t)}{t('拨付单', ': payment order')}", "title")
        sheet.set_row(row, 26)
        facts = [f"{t('编号', 'no.')} {line.number}", *order.facts(t)]
        self._merge(sheet, row + 1, 0, 3, "   ".join(facts[:4]), "fact")
        self._merge(sheet, row + 2, 0, 3, "   ".join(facts[4:]), "fact")
        row += 3
        self._text(sheet, row, 0, t("收款单位", "to"), "head")
        self._text(sheet, row, 1, f"{line.name}（{line.hospital}）")
        self._text(sheet, row, 2, t("险种", "insurance"), "head")
        self._text(sheet, row, 3, pool_words(line.pool, t), "center")
        sheet.set_row(row, 30)
        for name, value in zip(ACCOUNT, line.account, strict=True):
            row += 1
            self._text(sheet, row, 0, t(*name), "head")
            self._merge(sheet, row, 1, 3, value, "text")
            sheet.set_row(row, 20)
        row += 1
        self._text(sheet, row, 0, t("用途", "for"), "head")
        self._merge(sheet, row, 1, 3, order.purpose(t), "text")
        sheet.set_row(row, 20)
        names = [(t(*own), line.shown.get(name, 0)) for name, (own, _) in order.columns.items()]
        for number, (text, fen) in enumerate(names):
            row, column = row + (number % 2 == 0), 2 * (number % 2)
            self._text(sheet, row, column, text, "head")
            self._money(sheet, row, column + 1, fen)
            sheet.set_row(row, 20)
        if len(names) % 2:
            self._text(sheet, row, 2, "", "head")
            self._text(sheet, row, 3, "")
        row += 1
        self._text(sheet, row, 0, t("金额（大写）", "in words"), "head")
        self._text(sheet, row, 1, capitals(line.pays), "words")
        self._text(sheet, row, 2, t("本期应拨（小写）", "in figures"), "head")
        self._money(sheet, row, 3, line.pays, "sum")
        sheet.set_row(row, 34)
        self._merge(sheet, row + 1, 0, 3, formula(order, t), "note")
        return self._boxes(sheet, row + 2, [(0, 0), (1, 1), (2, 2), (3, 3)])

    def _boxes(self, sheet: Worksheet, row: int, places: list[tuple[int, int]]) -> int:
        """The boxes to sign in; returns the row after them."""
        for name, (first, last) in zip(SIGN, places, strict=True):
            text = f"{self.t(*name)}{self.t('（签名、日期）', ' (signature, date)')}"
            if first == last:
                self._text(sheet, row, first, text, "sign")
            else:
                self._merge(sheet, row, first, last, text, "sign")
        sheet.set_row(row, 48)
        return row + 1


def _quarters(columns: int) -> list[tuple[int, int]]:
    """Columns in four parts, one after the other."""
    cuts = [columns * n // 4 for n in range(5)]
    return [(first, last - 1) for first, last in pairwise(cuts)]
