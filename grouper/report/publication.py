"""Sheets for publication (公示): point values, coefficients, weights (scores) of groups, assessments."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from grouper.base.whole import put_text, whole_file
from grouper.report.cells import neutral
from grouper.report.data import Query, ReportData, RunInfo, plain
from grouper.report.draw.html import Html, document, el, table
from grouper.report.names import group_name
from grouper.report.numbers import Lang, number
from grouper.report.pages.money import LEVELS, POOL_METHODS
from grouper.report.pages.page import style
from grouper.report.statement import boxes, origin

_FIXED = datetime.datetime(2000, 1, 1)  # of making; the clock would change the bytes


@dataclass(frozen=True)
class Sheet:
    """One table that is published. ``digits``: of each column, None of a text."""

    name: str
    title: str
    header: list[str]
    digits: tuple[int | None, ...]
    rows: list[list[Any]]
    note: str = ""


def write_publication(data: ReportData, folder: Path, lang: str = "zh") -> list[Path]:
    """A workbook and a page that prints, from a settled month or a cleared year; returns them.

    The same run gives the same bytes.
    """
    t = data.info.lang(lang)
    with data.open() as query:
        made = sheets(query, data.info, t)
    stem = f"{t('公示', 'publication')}-{data.info.period}"
    book, page = (data.place(folder / f"{stem}.{end}") for end in ("xlsx", "html"))
    _write_book(book, made, data.info, t)
    put_text(page, _page(made, data.info, t))
    return [book, page]


def sheets(query: Query, info: RunInfo, t: Lang) -> list[Sheet]:
    """What is published of a run; a table without rows is left out."""
    found = [_values(query, info, t), _coefficients(query, info, t), _weights(query, info, t),
             _scores(query, info, t)]  # fmt: skip
    return [sheet for sheet in found if sheet.rows]


def _title(info: RunInfo, t: Lang, zh: str, en: str) -> str:
    year, _, month = info.period.partition("-")
    when = t(f"{year}年" + (f"{int(month)}月" if month else "度"), info.period)
    return t(f"{info.place(t)}{when}{zh}公示表", f"{info.place(t)}: {en}, {when}")


def _values(query: Query, info: RunInfo, t: Lang) -> Sheet:
    rows = [
        [t.pool(r["pool"]), r["distributable"], r["paid"],
         *([r["points"]] if r["points"] else []),
         Decimal(r["point_value"]), t.pair(POOL_METHODS, r["method"])]
        for r in query.rows("SELECT * FROM pools WHERE point_value IS NOT NULL ORDER BY pool")
    ]  # fmt: skip
    pointed = bool(rows) and len(rows[0]) == 6
    header = [t("基金池", "pool"), t("可分配基金（元）", "distributable (yuan)"), t("支付病例", "paid cases"),
              *([t("总点数", "points")] if pointed else []),
              t("点值（元／点）", "value (yuan/point)") if pointed else t("标准调整系数", "factor"),
              t("方式", "method")]  # fmt: skip
    digits = (None, 2, 0, *((4,) if pointed else ()), 4, None)
    zh, en = ("点值", "point values") if pointed else ("标准调整系数", "factors on standards")
    return Sheet(t(zh, en), _title(info, t, zh, en), header, digits, rows)


def _coefficients(query: Query, info: RunInfo, t: Lang) -> Sheet:
    """Of each hospital; where it differs by group, its least and its greatest, and the rates of cases."""
    found = query.rows(
        "SELECT c.hospital_code, max(h.name) AS name, max(h.level) AS level, min(coefficient) AS least, "
        "max(coefficient) AS most, min(base_rate) AS low, max(base_rate) AS high FROM cases AS c LEFT JOIN "
        "(SELECT hospital_code, max(hospital_name) AS name, max(hospital_level) AS level FROM hospitals "
        "GROUP BY 1) AS h USING (hospital_code) WHERE method = 'group' AND coefficient IS NOT NULL "
        "GROUP BY 1 ORDER BY 1"
    )
    rated = any(r["low"] for r in found)
    differ = any(r["least"] != r["most"] for r in found)
    header = [t("医院编码", "code"), t("医院名称", "hospital"), t("等级", "level")]
    if differ:
        header += [t("最低系数", "least"), t("最高系数", "greatest")]
    else:
        header.append(t("系数", "coefficient"))
    if rated:
        header += [t("最低费率（元）", "lowest rate (yuan)"), t("最高费率（元）", "highest rate (yuan)")]
    rows = [
        [r["hospital_code"], r["name"] or "", t.pair(LEVELS, r["level"]) if r["level"] else "",
         r["least"], *([r["most"]] if differ else []), *([r["low"], r["high"]] if rated else [])]
        for r in found
    ]  # fmt: skip
    note = t(
        "系数随病组不同的（如基础病组），列最低和最高。", "Where it differs by group: least and greatest."
    )
    digits = (None, None, None, 4, *((4,) if differ else ()), *((2, 2) if rated else ()))
    title = _title(info, t, "医疗机构系数", "coefficients of hospitals")
    return Sheet(t("机构系数", "coefficients"), title, header, digits, rows, note if differ else "")


def _weights(query: Query, info: RunInfo, t: Lang) -> Sheet:
    """Of each group that cases of the period were priced by."""
    found = query.rows(
        "SELECT coalesce(price_group, \"group\") AS code, max(group_name) AS name, weight, "
        "CASE WHEN base_rate IS NULL THEN base END AS base, count(*) AS cases FROM cases "
        "WHERE method = 'group' AND coalesce(weight, base) IS NOT NULL GROUP BY ALL "
        "ORDER BY code, weight, base"
    )  # fmt: skip
    weighted = any(r["weight"] is not None for r in found)
    pointed = any(r["base"] is not None for r in found)
    zh, en = ("病组权重", "weights of groups") if weighted else ("病组点数", "scores of groups")
    header = [t("病组编码", "code"), t("名称", "name"), *([t("权重", "weight")] if weighted else []),
              *([t("基准点数", "base points") if weighted else t("点数", "score")] if pointed else []),
              t("本期例数", "cases")]  # fmt: skip
    rows = [
        [r["code"], group_name(r["name"], t), *([r["weight"]] if weighted else []),
         *([r["base"]] if pointed else []), r["cases"]]
        for r in found
    ]  # fmt: skip
    note = t("本期病例实际适用的病组。", "The groups that cases of the period were priced by.")
    digits = (None, None, *((4,) if weighted else ()), *((4,) if pointed else ()), 0)
    return Sheet(t(zh, en), _title(info, t, zh, en), header, digits, rows, note)


def _scores(query: Query, info: RunInfo, t: Lang) -> Sheet:
    rows = [
        [r["hospital_code"], r["name"] or "", t.pair(LEVELS, r["level"]) if r["level"] else "",
         r["score"], r["deposit"], r["returned"]]
        for r in query.rows(
            "SELECT hospital_code, max(hospital_name) AS name, max(hospital_level) AS level, "
            "max(score) AS score, sum(deposit) AS deposit, sum(returned) AS returned FROM hospitals "
            "WHERE score IS NOT NULL GROUP BY 1 ORDER BY 1"
        )
    ]  # fmt: skip
    header = [t("医院编码", "code"), t("医院名称", "hospital"), t("等级", "level"),
              t("考核得分", "score"), t("预留保证金（元）", "deposit (yuan)"),
              t("返还保证金（元）", "returned (yuan)")]  # fmt: skip
    return Sheet(t("考核得分", "scores"), _title(info, t, "考核得分和保证金返还", "assessment"), header,
                 (None, None, None, None, 2, 2), rows)  # fmt: skip


def _term(t: Lang) -> str:
    return t(
        "公示期：　　　　年　　月　　日至　　　　年　　月　　日　　监督电话：",
        "Published from                to                ; telephone:",
    )


def _page(made: Sequence[Sheet], info: RunInfo, t: Lang) -> str:
    title = _title(info, t, "", "publication")
    parts: list[Html] = []
    for sheet in made:
        texts = [n for n, digits in enumerate(sheet.digits) if digits is None]
        rows = [
            [str(value) if digits is None else number(plain(value), digits)
             for value, digits in zip(row, sheet.digits, strict=True)]
            for row in sheet.rows
        ]  # fmt: skip
        parts.append(el(
            "section", el("h1", sheet.title), el("p", _term(t), class_="sub"), _draft(info, t),
            table(sheet.header, rows, left=texts[1:], short=texts[:1], class_="small"),
            el("p", sheet.note, class_="sub") if sheet.note else None, boxes(t, stamps=False),
            id=f"sheet-{len(parts) + 1}", class_="page" if parts else None,
        ))  # fmt: skip
    return document(title, t.html, style(), parts, origin(info, t))


def _draft(info: RunInfo, t: Lang) -> Html | None:
    return el("span", mark, class_="state bad") if (mark := info.draft_mark(t)) else None


def _write_book(path: Path, made: Sequence[Sheet], info: RunInfo, t: Lang) -> None:
    """Each table on a sheet that prints on A4, its header on every page."""
    import xlsxwriter

    with whole_file(path) as part, xlsxwriter.Workbook(part, {"in_memory": True}) as book:
        book.set_properties({"title": _title(info, t, "", "publication"), "created": _FIXED})
        font = {"font_name": t("宋体", "Arial"), "font_size": 10, "valign": "vcenter"}
        big = book.add_format({**font, "font_size": 16, "bold": True, "align": "center"})
        plain_, boxed = book.add_format(font), {**font, "border": 1}
        head = book.add_format({**boxed, "bold": True, "align": "center", "text_wrap": True})
        formats = {None: book.add_format({**boxed, "num_format": "@", "text_wrap": True})} | {
            n: book.add_format({**boxed, "num_format": "#,##0" + (f".{'0' * n}" if n else "")})
            for n in (0, 2, 4)
        }  # fmt: skip
        for each in made:
            sheet = book.add_worksheet(each.name)
            sheet.set_paper(9)
            sheet.fit_to_pages(1, 0)
            sheet.set_margins(0.5, 0.5, 0.6, 0.6)
            sheet.set_footer("&C&P / &N")
            last = len(each.header) - 1
            sheet.merge_range(0, 0, 0, last, neutral(each.title), big)
            sheet.set_row(0, 28)
            mark = info.draft_mark(t)
            sheet.write_string(1, 0, neutral(f"{mark}　{_term(t)}" if mark else _term(t)), plain_)
            for column, text in enumerate(each.header):
                wide = 34 if column == 1 else 16
                sheet.set_column(column, column, wide)
                sheet.write_string(2, column, text, head)
            for row, values in enumerate(each.rows, 3):
                for column, (value, digits) in enumerate(zip(values, each.digits, strict=True)):
                    if digits is None or value is None:
                        sheet.write_string(row, column, neutral(str(value or "")), formats[None])
                    else:
                        sheet.write_number(row, column, value, formats[digits])
            end = len(each.rows) + 4
            for text in (
                each.note,
                t("制表：　　　　　　复核：　　　　　　审批：", "made, checked, approved by:"),
            ):
                sheet.write_string(end, 0, neutral(text), plain_)
                end += 1
            sheet.repeat_rows(2)
            sheet.freeze_panes(3, 0)
