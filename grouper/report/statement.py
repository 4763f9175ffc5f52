"""The statement of one hospital (对账单): what it did, what is due, and why; as a page that prints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import islice
from pathlib import Path

from grouper.base.whole import put_text
from grouper.payment.policy import words
from grouper.payment.policy.value_words import clauses_told
from grouper.report.case_book import write_case_book
from grouper.report.cells import case_book_name, file_name
from grouper.report.data import ReportData, Row, RunInfo, plain
from grouper.report.draw.html import Html, document, el, section, table
from grouper.report.numbers import Lang, number, percent, yuan
from grouper.report.pages.money import LEVELS
from grouper.report.pages.page import style
from grouper.report.pages.quality import provenance
from grouper.report.statement_rows import (
    Statement,
    adjustment_header,
    adjustment_rows,
    group_header,
    hospitals_of,
    read_statement,
    show,
    statement_title,
    unpaid_header,
    unpaid_rows,
)
from grouper.report.workbook import write_workbook

SHOWN = 40  # unpaid cases on the page; the workbook has all
SHOWN_GROUPS = 60  # likewise


def write_statements(
    data: ReportData,
    folder: str | Path,
    lang: str = "zh",
    *,
    hospitals: Sequence[str] | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> list[Path]:
    """``CODE.xlsx``, ``CODE.html`` and ``CODE-cases.xlsx`` of every hospital, or of those named, into
    ``folder``. ``progress`` is told files written, and files in all.

    Raises UsageError for a hospital that the run does not have.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    done: list[Path] = []
    with data.open() as query:
        wanted = hospitals_of(query) if hospitals is None else hospitals
        if progress:
            progress(0, 3 * len(wanted))
        for code in wanted:
            statement = read_statement(query, code)
            page = data.place(target / f"{file_name(code)}.html")
            put_text(page, statement_page(statement, data.info, lang))
            book = data.place(target / f"{file_name(code)}.xlsx")
            write_workbook(book, statement, data, lang)
            cases = data.place(target / case_book_name(code))
            title = statement_title(statement, data.info, Lang(lang))
            write_case_book(cases, title, code, data.info, query, lang)
            done += [page, book, cases]
            if progress:
                progress(len(done), 3 * len(wanted))
    return done


def statement_page(statement: Statement, info: RunInfo, lang: str) -> str:
    """The statement as a page of A4 sheets."""
    t = Lang(lang)
    policy = t(str(info.policy.get("name", "")), str(info.policy.get("name_en", "")))
    level = t.pair(LEVELS, statement.level)
    top = el(
        "header",
        el("h1", statement_title(statement, info, t)),
        el(
            "p",
            t(
                f"医院编码 {statement.code}；级别 {level}；{info.place(t)}；{policy}；运行 {info.run}",
                f"hospital {statement.code}; {level}; {info.place(t)}; {policy}; run {info.run}",
            ),
            class_="sub",
        ),
        el("span", mark, class_="state bad") if (mark := info.draft_mark(t)) else None,
        class_="top",
    )
    sign = el("div", el("span", t("医疗机构（盖章、日期）", "hospital (stamp, date)")),
              el("span", t("经办机构（盖章、日期）", "agency (stamp, date)")), class_="sign")  # fmt: skip
    return document(
        statement_title(statement, info, t),
        t.html,
        style(),
        top,
        _summary(statement, info, t),
        _groups(statement, t),
        _unpaid(statement, info, t),
        _adjustments(statement, t),
        sign,
        provenance(info, t),
    )


def _summary(statement: Statement, info: RunInfo, t: Lang) -> Html:
    many = len(statement.lines) > 1
    header = [t("项目", "item"), *(t.pair(words.POOLS, line["pool"]) for line in statement.lines)]
    rows = []
    for pair, kind, values in statement.rows(info):
        shown = values if many else values[:-1]
        rows.append([t(*pair), *(show(value, kind) for value in shown)])
    clauses = {str(line["clauses"]) for line in statement.lines if line["clauses"]}
    notes = [
        el("p", t("依据：", "by: "), clauses_told(text, t.code), class_="sub") for text in sorted(clauses)
    ]
    if told := statement.rule(info, t):
        notes.insert(0, el("p", told, class_="sub"))
    return section(
        "summary",
        t("汇总", "Summary"),
        table([*header, *([t("合计", "all")] if many else [])], rows, class_="whole"),
        notes,
    )


def _groups(statement: Statement, t: Lang) -> Html:
    """The groups with most cases, the others in one row, and the sums of all."""
    rest = statement.groups[SHOWN_GROUPS:]
    rows = [
        _group_cells([r], str(r["code"] or ""), str(r["name"] or "")) for r in statement.groups[:SHOWN_GROUPS]
    ]
    if rest:
        others = t(f"其余 {len(rest)} 组，见工作簿", f"{len(rest)} others, in the workbook")
        rows.append(_group_cells(rest, "…", others))
    total = _group_cells(statement.groups, t("合计", "all"), "")
    names = group_header(t)
    header = [*names[:2], *names[3:6], names[7], names[8], names[10], t("支付率", "ratio")]
    return section(
        "groups", t("病组", "Groups"), table(header, rows, left=(1,), short=(0,), total=total, class_="small")
    )


def _group_cells(rows: Sequence[Row], code: str, name: str) -> list[str]:
    counts = [number(sum(r[column] for r in rows)) for column in ("cases", "high", "low")]
    cost, income = (sum((plain(r[column]) for r in rows), Decimal(0)) for column in ("cost", "income"))
    return [code, name, *counts, yuan(cost), yuan(income), yuan(income - cost, True), percent(income, cost)]


def _unpaid(statement: Statement, info: RunInfo, t: Lang) -> Html:
    title = t("未支付病例", "Cases not paid")
    if not statement.unpaid:
        return section("unpaid", title, el("p", t("没有。", "None."), class_="none"))
    rows = [
        [str(value) for value in row[:-1]] + [yuan(plain(row[-1]))]
        for row in islice(unpaid_rows(statement, info, t), SHOWN)
    ]
    lead = t(f"共 {len(statement.unpaid)} 例。", f"{len(statement.unpaid)} in all.")
    if len(statement.unpaid) > SHOWN:
        lead += t(
            f"前 {SHOWN} 例如下，全部见工作簿。", f" The first {SHOWN} are listed; all are in the workbook."
        )
    return section(
        "unpaid", title, table(unpaid_header(t), rows, left=(3,), short=(0, 1, 2), class_="small"), lead=lead
    )


def _adjustments(statement: Statement, t: Lang) -> Html:
    title = t("调整", "Adjustments")
    if not statement.adjustments:
        return section("adjustments", title, el("p", t("没有。", "None."), class_="none"))
    keep = (0, 1, 2, 4, 8, 9, 10, 11, 12, 13)
    names = adjustment_header(t)
    rows = []
    for row in adjustment_rows(statement, t):
        shown = [yuan(v, n == 10) if isinstance(v, Decimal) else str(v or "") for n, v in enumerate(row)]
        rows.append([shown[n] for n in keep])
    net = sum((plain(r["difference"]) for r in statement.adjustments), Decimal(0))
    total = [t("净额", "net"), "", "", "", "", "", yuan(net, True), "", "", ""]
    heads = [names[n] for n in keep]
    return section(
        "adjustments", title,
        table(heads, rows, left=(7, 8, 9), short=(0, 1, 2, 3), total=total, class_="small"),
    )  # fmt: skip
