"""The statement of one hospital (对账单): what it did, what is due, and why; as a page that prints."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from itertools import islice
from pathlib import Path

from grouper.base.whole import put_text
from grouper.payment.policy.value_words import clauses_told
from grouper.report.case_book import list_cases, write_case_book
from grouper.report.cells import case_book_name, file_name
from grouper.report.data import Query, ReportData, Row, RunInfo, plain
from grouper.report.draw.html import Html, document, el, section, table
from grouper.report.numbers import Lang, number, percent, yuan
from grouper.report.pages.page import style
from grouper.report.pages.sources import cited, code
from grouper.report.statement_rows import (
    Statement,
    change_header,
    change_rows,
    deduction_header,
    deduction_rows,
    group_header,
    group_told,
    hospitals_of,
    month_header,
    month_rows,
    read_statements,
    show,
    statement_title,
    unpaid_header,
    unpaid_rows,
)
from grouper.report.workbook import write_workbook

SHOWN = 40  # unpaid cases on the page; the workbook has all
SHOWN_GROUPS = 60  # likewise
LOT = 250_000  # cases that are read together


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
    t = data.info.lang(lang)
    with data.open() as query:
        wanted = hospitals_of(query) if hospitals is None else hospitals
        if progress:
            progress(0, 3 * len(wanted))
        for codes in _lots(query, wanted):
            listed = list_cases(query, codes, data.info, t)
            for statement in read_statements(query, codes, data.info):
                page = data.place(target / f"{file_name(statement.code)}.html")
                put_text(page, statement_page(statement, data.info, lang))
                book = data.place(target / f"{file_name(statement.code)}.xlsx")
                write_workbook(book, statement, data, lang)
                cases = data.place(target / case_book_name(statement.code))
                title = statement_title(statement, data.info, t)
                write_case_book(cases, title, listed, statement.code, data.info, t)
                done += [page, book, cases]
                if progress:
                    progress(len(done), 3 * len(wanted))
    return done


def _lots(query: Query, codes: Sequence[str]) -> Iterator[list[str]]:
    """The hospitals, as many at a time as have some LOT cases together: the tables are read once for each
    lot, not for each hospital, and in bounded memory."""
    cases = {
        row["code"]: row["n"]
        for row in query.rows("SELECT hospital_code AS code, count(*) AS n FROM all_cases GROUP BY 1")
    }
    lot, rows = list[str](), 0
    for hospital in codes:
        rows += cases.get(hospital, 0)
        if lot and rows > LOT:
            yield lot
            lot, rows = [], cases.get(hospital, 0)
        lot.append(hospital)
    if lot:
        yield lot


def statement_page(statement: Statement, info: RunInfo, lang: str) -> str:
    """The statement as a page of A4 sheets."""
    t = info.lang(lang)
    policy = t(str(info.policy.get("name", "")), str(info.policy.get("name_en", "")))
    top = el(
        "header",
        el("h1", statement_title(statement, info, t)),
        el("p", t(f"{policy}；运行 {info.run}", f"{policy}; run {info.run}"), class_="sub"),
        el("span", mark, class_="state bad") if (mark := info.draft_mark(t)) else None,
        el("dl", ([el("dt", name), el("dd", value)] for name, value in statement.facts(info, t))),
        class_="top",
    )
    return document(
        statement_title(statement, info, t), t.html, style(), top, _summary(statement, info, t),
        _months(statement, t), _groups(statement, t), _unpaid(statement, info, t),
        _changes(statement, info.yearly, t), _deductions(statement, info, t), boxes(t), origin(info, t),
    )  # fmt: skip


def boxes(t: Lang, stamps: bool = True) -> Html:
    """Where the agency signs, and where both sides stamp."""
    made = [t("制表", "made by"), t("复核", "checked by"), t("审批", "approved by")]
    sign = el("div", (el("div", el("b", name), el("i", t("签名、日期", "signature, date"))) for name in made),
              class_="boxes")  # fmt: skip
    if not stamps:
        return sign
    places = [t("医疗机构（核对无误，盖章、日期）", "hospital (agreed, stamp, date)"),
              t("经办机构（盖章、日期）", "agency (stamp, date)")]  # fmt: skip
    return el("div", sign, el("div", (el("span", text) for text in places), class_="sign"), class_="whole")


def origin(info: RunInfo, t: Lang) -> Html:
    """By what the page can be found again, in two lines; the whole stands in the ledger."""
    software = f"{info.software.get('name', '')} {info.software.get('version', '')}"
    parts = [(t("政策", "policy"), info.policy), (t("分组方案", "scheme"), info.scheme)]
    told: list[Html | str] = [
        t(f"来历：运行 {info.run}；软件 ", f"Made by run {info.run}; software "),
        code(software),
    ]
    for name, item in parts:
        if item.get("id"):
            told += [t(f"；{name} ", f"; {name} "), cited(item)]
    if info.seal:
        told += [t("；链印 ", "; seal "), code(info.seal)]
    return el("footer", el("p", told, class_="sub small"), id="provenance")


def _summary(statement: Statement, info: RunInfo, t: Lang) -> Html:
    many = len(statement.lines) > 1
    header = [t("项目", "item"), *(t.pool(line["pool"]) for line in statement.lines)]
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
    rows = [_group_cells([r], *group_told(r, t)) for r in statement.groups[:SHOWN_GROUPS]]
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


def _months(statement: Statement, t: Lang) -> Html | None:
    """What the months of the year shared out and paid; nothing where they are not known."""
    title = t("本年各月拨付", "The months of the year")
    rows = month_rows(statement)
    if not rows:
        return None
    shown = [[str(row[0]), *(yuan(plain(value)) for value in row[1:])] for row in rows]
    sums = [yuan(sum((plain(row[n]) for row in rows), Decimal(0))) for n in range(1, len(rows[0]))]
    total = [t("合计", "all"), *sums]
    return section(
        "paid-months", title, table(month_header(statement, t), shown, total=total, class_="small whole")
    )


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
    heads, rows = _without(unpaid_header(t), rows, () if statement.charted else (1,))
    places = len(heads) - 3
    return section(
        "unpaid", title,
        table(heads, rows, left=(places, places + 1), short=range(places), class_="small"), lead=lead,
    )  # fmt: skip


def _without(
    heads: list[str], rows: Sequence[list[str]], places: Sequence[int]
) -> tuple[list[str], list[list[str]]]:
    """The table without some columns."""
    keep = [n for n in range(len(heads)) if n not in places]
    return [heads[n] for n in keep], [[row[n] for n in keep] for row in rows]


def _changes(statement: Statement, yearly: bool, t: Lang) -> Html | None:
    """Every case of closed months that moved money; its sum is that of the summary."""
    title = t("病例调整", "Adjustments of cases")
    if not statement.changes and yearly:  # they are in the statements of the months
        return None
    if not statement.changes:
        return section("changes", title, el("p", t("没有。", "None."), class_="none"))
    rows = []
    for row in change_rows(statement, t):
        rows.append([yuan(v, n == 12) if n in (7, 10, 11, 12) and isinstance(v, Decimal) else str(v or "")
                     for n, v in enumerate(row)])  # fmt: skip
    net = sum((plain(r["difference"]) for r in statement.changes), Decimal(0))
    total = [t("合计", "all"), *[""] * 11, yuan(net, True), ""]
    hidden = (5, 8, 9) if statement.charted else (3, 5, 8, 9)
    heads, rows = _without(change_header(t), [*rows, total], hidden)
    last = len(heads) - 1
    lead = t("合计等于汇总中的“调整”与“往年调整”之和。", "The sum is that of adjustments in the summary.")
    return section(
        "changes", title,
        table(heads, rows[:-1], left=(last,), short=range(last - 4), total=rows[-1], class_="small"),
        lead=lead,
    )  # fmt: skip


def _deductions(statement: Statement, info: RunInfo, t: Lang) -> Html | None:
    """What was taken off the payment and by what document; its sum is that of the summary."""
    found = list(deduction_rows(statement, info, t))
    if not found:
        return None
    rows = [[str(name), str(reason), yuan(plain(amount))] for name, reason, amount in found]
    total = [t("合计", "all"), "", yuan(sum((plain(row[2]) for row in found), Decimal(0)))]
    lead = t("合计等于汇总中的“稽核扣款”。", "The sum is that of audit deductions in the summary.")
    return section(
        "deductions", t("扣款", "Deductions"),
        table(deduction_header(t), rows, left=(0, 1), total=total, class_="small"), lead=lead,
    )  # fmt: skip
