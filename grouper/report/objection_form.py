"""The workbook in which a hospital objects to its statement: a head that tells of what, and rows to fill.

It is read back by ``read_form``, whose places and headings stand here beside those that are written.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from grouper.base.errors import DataError
from grouper.base.tables_in import Row, read_sheets
from grouper.report.cells import neutral
from grouper.report.numbers import Lang

SHEET = ("申诉", "objections")
FACTS: dict[str, tuple[str, str]] = {  # second row: label, value, label, value ...
    "token": ("校验码", "token"),
    "hospital": ("医院编码", "hospital"),
    "period": ("期间", "period"),
    "deadline": ("截止", "deadline"),
}
COLUMNS: dict[str, tuple[tuple[str, str], int]] = {  # words, width
    "record_id": (("记录号", "record"), 24),
    "reason": (("事由", "reason"), 27),
    "text": (("理由", "why"), 46),
    "evidence": (("证据", "evidence"), 30),
    "wish": (("诉求", "wish"), 16),
    "amount": (("诉求金额（元）", "amount (yuan)"), 16),
}
REASONS: dict[str, tuple[str, str]] = {
    "group": ("分组", "group"),
    "outlier": ("费用异常", "outlier"),
    "review": ("特例单议", "special review"),
    "unpaid": ("未支付", "not paid"),
    "readmission": ("再入院", "readmission"),
    "deduction": ("扣款", "deduction"),
    "amount": ("金额", "amount"),
    "other": ("其他", "other"),
}
WISHES: dict[str, tuple[str, str]] = {
    "by_item": ("按项目支付", "by item"),
    "adjust": ("调整", "adjust"),
    "pay": ("支付", "pay"),
    "correct": ("更正清单", "correct the list"),
    "other": ("其他", "other"),
}
ROWS = 200  # to fill; more may be added
_HEAD = 3  # rows above the headings
_FIXED = datetime.datetime(2000, 1, 1)  # of making; the clock would change the bytes


@dataclass(frozen=True)
class Form:
    """A form that came back. ``rows``: those with some text, by the names of COLUMNS."""

    path: str
    facts: Mapping[str, str]
    rows: Sequence[Row]


def write_form(path: Path, facts: Mapping[str, str], title: str, t: Lang) -> None:
    """Write an empty form. The same facts give the same bytes."""
    import xlsxwriter

    with xlsxwriter.Workbook(path, {"in_memory": True}) as book:
        book.set_properties({"title": title, "created": _FIXED})
        font = {"font_name": t("宋体", "Arial"), "font_size": 10}
        plain, bold = book.add_format({**font, "num_format": "@"}), book.add_format({**font, "bold": True})
        head = book.add_format({**font, "bold": True, "bg_color": "#e5f0f4", "border": 1, "text_wrap": True})
        cell = book.add_format({**font, "num_format": "@", "border": 1, "text_wrap": True, "valign": "top"})
        sheet = book.add_worksheet(t(*SHEET))
        sheet.set_paper(9)
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        sheet.write_string(0, 0, neutral(title), book.add_format({**font, "bold": True, "font_size": 14}))
        for number, (name, label) in enumerate(FACTS.items()):
            sheet.write_string(1, 2 * number, t(*label), bold)
            sheet.write_string(1, 2 * number + 1, neutral(facts.get(name, "")), plain)
        note = t(
            "每行一件；记录号照对账单填写，对扣款的申诉可留空。事由、诉求从下拉列表选择。请勿改动第二行。",
            "One objection a row; records as on the statement (blank for a deduction). Leave the second row.",
        )
        sheet.write_string(2, 0, note, plain)
        for column, (words, width) in enumerate(COLUMNS.values()):
            sheet.set_column(column, column, width)
            sheet.write_string(_HEAD, column, t(*words), head)
        for row in range(_HEAD + 1, _HEAD + 1 + ROWS):
            for column in range(len(COLUMNS)):
                sheet.write_blank(row, column, None, cell)
        for name, known in (("reason", REASONS), ("wish", WISHES)):
            place, listed = list(COLUMNS).index(name), [t(*words) for words in known.values()]
            sheet.data_validation(
                _HEAD + 1, place, _HEAD + ROWS, place, {"validate": "list", "source": listed}
            )
        sheet.freeze_panes(_HEAD + 1, 0)
        sheet.repeat_rows(_HEAD)
        sheet.print_area(0, 0, _HEAD + 30, 2 * len(FACTS) - 1)


def read_form(path: str | Path) -> Form:
    """The form as it came back. Raises DataError where its head or headings are not there."""
    told = str(path)
    sheets = read_sheets(path, DataError)
    rows = next((sheets[name] for name in SHEET if name in sheets), None)
    if rows is None or len(rows) <= _HEAD:
        raise DataError(
            zh=f"{told} 没有工作表“{SHEET[0]}”；请用随对账单发出的申诉表",
            en=f"{told} has no sheet {SHEET[1]!r}; use the form that came with the statement",
        )
    facts = _facts(rows[1])
    places = _places(told, rows[_HEAD])
    found = []
    for number, cells in enumerate(rows[_HEAD + 1 :], _HEAD + 2):
        own = {name: _plain(cells[at]) for name, at in places.items() if at < len(cells)}
        if any(own.values()):
            found.append(Row(told, number, own, DataError))
    return Form(told, facts, found)


def _facts(cells: Sequence[str]) -> dict[str, str]:
    labels = {word: name for name, words in FACTS.items() for word in words}
    return {labels[label]: _plain(value) for label, value in pairwise(cells) if label in labels}


def _places(told: str, header: Sequence[str]) -> dict[str, int]:
    found = {}
    for name, (words, _) in COLUMNS.items():
        at = next((n for n, cell in enumerate(header) if cell in words), None)
        if at is None:
            raise DataError(
                zh=f"{told} 第 {_HEAD + 1} 行缺少列 {words[0]}",
                en=f"{told}, row {_HEAD + 1}, lacks the column {words[1]}",
            )
        found[name] = at
    return found


def _plain(text: str) -> str:
    """A cell without the apostrophe that keeps a text from being a formula."""
    return text.removeprefix("'")
