"""The record of a session of special reviews (特例单议记录): a workbook with quotas and candidates.

The decisions are read back from the sheet of candidates by ``read_session``.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grouper.base.errors import DataError
from grouper.base.tables_in import Row, read_sheets
from grouper.payment.policy import words
from grouper.report.cells import neutral
from grouper.report.numbers import Lang

if TYPE_CHECKING:
    from xlsxwriter.format import Format
    from xlsxwriter.workbook import Workbook

SHEET, QUOTAS = ("单议记录", "session"), ("名额", "quota")
DECISION = {"by_item": ("按项目", "by_item"), "adjust": ("调整", "adjust"), "keep": ("维持", "keep")}
# Column -> words, width, whether the session fills it in.
COLUMNS: dict[str, tuple[tuple[str, str], int, bool]] = {
    "rank": (("序号", "rank"), 5, False),
    "within": (("名额内", "within"), 7, False),
    "period": (("期间", "period"), 8, False),
    "name": (("医院", "name"), 16, False),
    "record_id": (("记录号", "record"), 18, False),
    "group": (("病组", "group"), 8, False),
    "group_name": (("病组名称", "name of the group"), 21, False),
    "outlier": (("类别", "class"), 8, False),
    "cost_ratio": (("费用倍率", "multiple"), 7, False),
    "total_cost": (("总费用（元）", "cost (yuan)"), 13, False),
    "paid": (("现支付（元）", "paid now (yuan)"), 13, False),
    "state": (("现状态", "state now"), 10, False),
    "objection": (("申诉编号", "objection"), 13, False),
    "special_review": (("单议结论", "decision"), 8, True),
    "special_review_amount": (("单议金额（元）", "amount (yuan)"), 14, True),
    "special_review_points": (("单议点数", "points"), 9, True),
    "reason": (("理由", "reason"), 22, True),
    "clause": (("依据", "clause"), 12, True),
}
_KINDS = {
    "rank": "count", "cost_ratio": "ratio", "total_cost": "money", "paid": "money", "name": "wrap",
    "group_name": "wrap", "objection": "wrap", "state": "wrap", "reason": "wrap", "clause": "wrap",
    "special_review_amount": "money",
}  # fmt: skip
_HEAD = 3  # rows above the headings
_FIXED = datetime.datetime(2000, 1, 1)  # of making; the clock would change the bytes


@dataclass(frozen=True)
class Quota:
    """A month of the area, or of a hospital: discharges that go by group, the share, what that allows and
    what reviews have used."""

    period: str
    hospital: str
    discharges: int
    share: Fraction
    allowed: int
    used: int

    @property
    def left(self) -> int:
        return max(self.allowed - self.used, 0)


@dataclass(frozen=True)
class Candidate:
    """A case that a session may review. ``rank``: by cost; ``within``: the quota reaches it; ``result``: what
    became of an earlier review, or ""."""

    period: str
    hospital: str
    name: str
    record_id: str
    group: str
    group_name: str
    outlier: str
    cost_ratio: Decimal | None
    total_cost: Decimal | None
    cost_considered: Decimal | None
    paid: Decimal | None
    pay_status: str
    pay_reason: str
    rank: int
    within: bool
    result: str
    objection: str = ""

    def state(self, lang: str) -> str:
        """What became of it until now, in words."""
        told = words.REVIEWS.get(self.result) or words.STATUSES.get(self.pay_status, ("", ""))
        return told[lang == "en"]


def write_session(
    path: Path, quotas: Sequence[Quota], candidates: Sequence[Candidate], area: tuple[str, str], lang: str
) -> None:  # fmt: skip
    """Write the workbook. The same session gives the same bytes."""
    import xlsxwriter

    t = Lang(lang)
    periods = sorted({quota.period for quota in quotas})
    when = periods[0] if len(periods) == 1 else f"{periods[0]}..{periods[-1]}" if periods else ""
    title = f"{t(*area)}{t('特例单议记录', ' special reviews')} {when}"
    with xlsxwriter.Workbook(path, {"in_memory": True}) as book:
        book.set_properties({"title": title, "created": _FIXED})
        formats = _formats(book, t)
        _session_sheet(book, formats, title, quotas, candidates, t)
        _quota_sheet(book, formats, quotas, t)


def _formats(book: Workbook, t: Lang) -> dict[str, Format]:
    font = {"font_name": t("宋体", "Arial"), "font_size": 10, "valign": "vcenter"}
    box = {**font, "border": 1}
    head = {**box, "bold": True, "align": "center", "text_wrap": True}
    return {
        "title": book.add_format({**font, "bold": True, "font_size": 15}),
        "plain": book.add_format(font),
        "head": book.add_format({**head, "bg_color": "#f2f4f5"}),
        "fill": book.add_format({**head, "bg_color": "#fff6dd"}),
        "text": book.add_format({**box, "num_format": "@"}),
        "wrap": book.add_format({**box, "num_format": "@", "text_wrap": True}),
        "money": book.add_format({**box, "num_format": "#,##0.00"}),
        "ratio": book.add_format({**box, "num_format": "0.00"}),
        "count": book.add_format({**box, "num_format": "#,##0"}),
        "sign": book.add_format({**box, "bold": True, "valign": "top"}),
    }


def _session_sheet(
    book: Workbook, formats: dict[str, Format], title: str, quotas: Sequence[Quota],
    candidates: Sequence[Candidate], t: Lang,
) -> None:  # fmt: skip
    sheet = book.add_worksheet(t(*SHEET))
    sheet.set_paper(9)
    sheet.set_landscape()
    sheet.set_margins(0.3, 0.3, 0.4, 0.5)
    sheet.fit_to_pages(1, 0)
    sheet.set_footer("&R&P / &N")
    sheet.write_string(0, 0, neutral(title), formats["title"])
    blanks = ("会议日期：", "date:"), ("地点：", "place:"), ("参加专家：", "experts:")
    sheet.write_string(1, 0, (" " * 20).join(t(*words) for words in blanks), formats["plain"])
    allowed, used = sum(one.allowed for one in quotas), sum(one.used for one in quotas)
    left = sum(one.left for one in quotas)
    note = t(
        f"名额 {allowed} 例，已用 {used} 例，剩余 {left} 例。黄色列由会议填写，不单议的留空。",
        f"quota {allowed}, used {used}, left {left}. The session fills in the yellow columns.",
    )
    sheet.write_string(2, 0, note, formats["plain"])
    for column, (words_, width, fills) in enumerate(COLUMNS.values()):
        sheet.set_column(column, column, width)
        sheet.write_string(_HEAD, column, t(*words_), formats["fill" if fills else "head"])
    sheet.set_row(_HEAD, 30)
    for row, one in enumerate(candidates, _HEAD + 1):
        sheet.set_row(row, 29)
        for column, (name, (_, _, fills)) in enumerate(COLUMNS.items()):
            value: Any = None if fills else _value(one, name, t)
            kind = _KINDS.get(name, "text")
            if value is None or value == "":
                sheet.write_blank(row, column, None, formats[kind])
            elif isinstance(value, int | Decimal):
                sheet.write_number(row, column, value, formats[kind])
            else:
                sheet.write_string(row, column, neutral(value), formats[kind])
    last = _HEAD + max(len(candidates), 1)
    place = list(COLUMNS).index("special_review")
    sheet.data_validation(
        _HEAD + 1, place, last, place,
        {"validate": "list", "source": [t(*told) for told in DECISION.values()]},
    )  # fmt: skip
    sheet.freeze_panes(_HEAD + 1, 5)
    sheet.repeat_rows(_HEAD)
    # Below the rows: read_session stops at the first that is empty.
    for number, (zh, en) in enumerate(
        (("专家组签名", "experts"), ("经办人", "agency"), ("复核", "checked by"))
    ):
        sheet.merge_range(last + 2, 5 * number, last + 2, 5 * number + 4, t(zh, en), formats["sign"])
    sheet.set_row(last + 2, 50)


def _value(one: Candidate, name: str, t: Lang) -> Any:
    if name == "outlier":
        return t.pair(words.OUTLIERS, one.outlier)
    if name == "state":
        return one.state(t.code)
    if name == "within":
        return t("是", "yes") if one.within else t("否", "no")
    return getattr(one, name)


def _quota_sheet(book: Workbook, formats: dict[str, Format], quotas: Sequence[Quota], t: Lang) -> None:
    sheet = book.add_worksheet(t(*QUOTAS))
    sheet.set_paper(9)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    heads = (("期间", "period"), ("医院（空为统筹地区）", "hospital (blank: the area)"),
             ("按病种付费出院病例", "discharges by group"), ("比例", "share"), ("名额", "quota"),
             ("已用", "used"), ("剩余", "left"))  # fmt: skip
    for column, name in enumerate(heads):
        sheet.set_column(column, column, 20)
        sheet.write_string(0, column, t(*name), formats["head"])
    for row, one in enumerate(quotas, 1):
        share = f"{float(one.share * 1000):g}‰"
        for column, text in enumerate((one.period, one.hospital, None, share)):
            if text is not None:
                sheet.write_string(row, column, text, formats["text"])
        for column, value in ((2, one.discharges), (4, one.allowed), (5, one.used), (6, one.left)):
            sheet.write_number(row, column, value, formats["count"])


def read_session(path: str | Path) -> list[Row]:
    """The rows that the session decided, by the names of COLUMNS. Raises DataError for another workbook."""
    told, sheets = str(path), read_sheets(path, DataError)
    rows = next((sheets[name] for name in SHEET if name in sheets), [])
    header = rows[_HEAD] if len(rows) > _HEAD else []
    places = {name: next((n for n, text in enumerate(header) if text in pair), -1)
              for name, (pair, _, _) in COLUMNS.items()}  # fmt: skip
    needed = ["record_id", *(name for name, (_, _, fills) in COLUMNS.items() if fills)]
    if lacking := [name for name in needed if places[name] < 0]:
        zh, en = COLUMNS[lacking[0]][0]
        raise DataError(
            zh=f"{told} 的工作表“{SHEET[0]}”第 {_HEAD + 1} 行缺少列 {zh}；请用 grouper reviews 写的记录",
            en=f"{told}, sheet {SHEET[1]!r}, row {_HEAD + 1}, lacks the column {en}; use what grouper "
            "reviews wrote",
        )
    found = []
    for number, cells in enumerate(rows[_HEAD + 1 :], _HEAD + 2):
        if not any(cells):
            break
        own = {name: cells[places[name]].removeprefix("'") for name in needed}
        if any(own[name] for name in needed[1:]):
            row = Row(told, number, own, DataError)
            if not own["special_review"]:
                raise row.error("special_review", "没有单议结论", "has no decision")
            found.append(row)
    return found
