"""The statement of one hospital (对账单): what it did, what is due, and why; as a page that prints."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from grouper.base.errors import UsageError
from grouper.payment.policy import words
from grouper.report.cells import file_name
from grouper.report.data import Query, ReportData, Row, RunInfo, plain
from grouper.report.draw.html import Html, document, el, section, table
from grouper.report.measures import BETWEEN_YEARS, MONTHLY, YEARLY
from grouper.report.numbers import Lang, mean, number, percent, yuan
from grouper.report.pages.money import CLEARING, LEVELS, POOLS, rule
from grouper.report.pages.page import style
from grouper.report.pages.quality import KINDS, provenance

SHOWN = 40  # unpaid cases on the page; the workbook has all
SHOWN_GROUPS = 60  # likewise

# Lines of the summary: name of the figure, its words, its kind.
LINES: tuple[tuple[str, tuple[str, str], str], ...] = (
    ("cases", ("病例数", "cases"), "count"),
    ("paid", ("其中：支付", "of them paid"), "count"),
    ("held", ("其中：暂不支付", "of them held"), "count"),
    ("outside", ("其中：不由本政策支付", "of them outside this policy"), "count"),
    ("high_cases", ("高倍率病例", "high outliers"), "count"),
    ("low_cases", ("低倍率病例", "low outliers"), "count"),
    ("cmi", ("CMI（例均权重）", "CMI (mean weight)"), "index"),
    ("points", ("点数（点）", "points"), "points"),
    ("point_value", ("点值（元／点）或标准调整系数", "point value (yuan/point), or factor"), "text"),
    ("total_cost", ("医疗总费用（元）", "total cost (yuan)"), "money"),
    ("paid_cost", ("其中：已支付病例（元）", "of the paid cases (yuan)"), "money"),
    ("person_paid", ("个人支付（元）", "paid by patients (yuan)"), "money"),
    ("other_funds", ("其他基金（元）", "other funds (yuan)"), "money"),
    ("fund_by_item", ("按项目统筹基金（元）", "fund by item (yuan)"), "money"),
    ("fund_due", ("统筹应付（元）", "fund due (yuan)"), "money"),
    ("difference", ("应付 − 按项目（元）", "due − by item (yuan)"), "money"),
    ("income", ("支付合计（元）", "payment in all (yuan)"), "money"),
)


@dataclass(frozen=True)
class Statement:
    """A hospital's figures; ``lines`` one row per pool, ``total`` their sums."""

    code: str
    name: str
    level: str
    lines: list[Row]
    total: Row
    groups: list[Row]
    unpaid: list[Row]
    adjustments: list[Row]

    def rows(self, info: RunInfo) -> list[tuple[tuple[str, str], str, list[object]]]:
        """The summary: words, kind, and the value of each pool with the sum at the end."""
        cleared = [
            (name, (f"{zh}（元）", f"{en} (yuan)"), "money")
            for name in (YEARLY if info.yearly else MONTHLY)
            for zh, en in [CLEARING[name]]
            if any(line[name] if name in BETWEEN_YEARS else line[name] is not None for line in self.lines)
        ]
        made: list[tuple[tuple[str, str], str, list[object]]] = []
        for name, pair, kind in (*LINES, *cleared):
            values: list[object] = [line[name] for line in self.lines]
            if any(value is not None for value in values):
                made.append((pair, kind, [*values, self.total.get(name)]))
        return made

    def rule(self, info: RunInfo, t: Lang) -> str:
        """How it comes to what is paid; empty where the run pays nothing."""
        if all(line["prepaid"] is None for line in self.lines):
            return ""
        return rule(info, any(line[name] for line in self.lines for name in BETWEEN_YEARS), t)


def hospitals_of(query: Query) -> list[str]:
    """Codes of the hospitals that have a statement, in order."""
    return [
        row["code"] for row in query.rows("SELECT DISTINCT hospital_code AS code FROM hospitals ORDER BY 1")
    ]


def read_statement(query: Query, code: str) -> Statement:
    """Raises UsageError for a hospital that the run does not have."""
    lines = query.rows(
        "SELECT h.*, p.point_value FROM hospitals AS h LEFT JOIN pools AS p USING (pool) "
        "WHERE hospital_code = ? ORDER BY pool", [code],
    )  # fmt: skip
    if not lines:
        raise UsageError(zh=f"本次运行没有医院 {code}", en=f"the run has no hospital {code}")
    return Statement(
        code,
        str(lines[0]["hospital_name"] or code),
        str(lines[0]["hospital_level"] or ""),
        lines,
        _sums(query, code, lines),
        query.rows(
            'SELECT coalesce(price_group, "group") AS code, max(group_name) AS name, method, '
            "count(*) AS cases, "
            "count(*) FILTER (outlier = 'high' OR outlier = 'extreme') AS high, "
            "count(*) FILTER (outlier = 'low') AS low, "
            "sum(settled_points) AS points, sum(total_cost) AS cost, sum(settled_income) AS income, "
            "sum(settled_fund) AS fund, sum(settled_income) - sum(total_cost) AS gain FROM cases "
            "WHERE hospital_code = ? AND pay_status = 'paid' GROUP BY 1, 3 ORDER BY cases DESC, code, method",
            [code],
        ),
        query.rows(
            'SELECT record_id, "group" AS code, pay_status, pay_reason, total_cost FROM cases '
            "WHERE hospital_code = ? AND pay_status <> 'paid' ORDER BY pay_status, pay_reason, record_id",
            [code],
        ),
        query.rows(
            "SELECT * FROM adjustments WHERE hospital_code = ? ORDER BY adjustment_id, record_id", [code]
        ),
    )


def _sums(query: Query, code: str, lines: Sequence[Row]) -> Row:
    total: Row = {}
    for name, _, kind in LINES:
        if kind in ("count", "money", "points"):
            values = [line[name] for line in lines if line[name] is not None]
            total[name] = sum(values, Decimal(0) if kind != "count" else 0) if values else None
    for name in (*MONTHLY, *YEARLY):
        total[name] = sum((plain(line[name]) for line in lines), Decimal(0))
    found = query.one(
        "SELECT sum(weight) AS weights, count(weight) AS weighted FROM cases "
        "WHERE hospital_code = ? AND pay_status = 'paid'",
        [code],
    )
    total["cmi"] = mean(found["weights"], found["weighted"], 4)
    total["point_value"] = None
    return total


def write_statements(
    data: ReportData,
    folder: str | Path,
    lang: str = "zh",
    *,
    hospitals: Sequence[str] | None = None,
    cases_up_to: int = 100_000,
    progress: Callable[[int, int | None], None] | None = None,
) -> list[Path]:
    """``CODE.xlsx`` and ``CODE.html`` of every hospital, or of those named, into ``folder``.

    Workbooks list their cases when the run has at most ``cases_up_to`` (100,000 take about a minute), or
    when the hospital is named; else the sheet of cases says that they are left out, and how to get them.
    ``progress`` is told files written, and files in all.

    Raises UsageError for a hospital that the run does not have.
    """
    from grouper.report.workbook import write_workbook

    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    done: list[Path] = []
    with data.open() as query:
        many = query.one("SELECT count(*) AS n FROM cases")["n"] > cases_up_to
        wanted = hospitals_of(query) if hospitals is None else hospitals
        if progress:
            progress(0, 2 * len(wanted))
        for code in wanted:
            statement = read_statement(query, code)
            page = target / f"{file_name(code)}.html"
            page.write_text(statement_page(statement, data.info, lang), encoding="utf-8", newline="\n")
            book = target / f"{file_name(code)}.xlsx"
            write_workbook(book, statement, data, query, lang, cases=hospitals is not None or not many)
            done += [page, book]
            if progress:
                progress(len(done), 2 * len(wanted))
    return done


def statement_title(statement: Statement, info: RunInfo, t: Lang) -> str:
    kind = (
        t("年度清算对账单", "statement of the year")
        if info.yearly
        else t("月度结算对账单", "statement of the month")
    )
    return f"{statement.name} {kind} {info.period}"


def show(value: object, kind: str) -> str:
    """A figure of the summary as text."""
    if value is None or isinstance(value, str):
        return str(value or "")
    digits = {"count": 0, "index": 4, "points": 4, "money": 2}[kind]
    return number(value if isinstance(value, int | Decimal) else None, digits)


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
    header = [t("项目", "item"), *(t.pair(POOLS, line["pool"]) for line in statement.lines)]
    rows = []
    for pair, kind, values in statement.rows(info):
        shown = values if many else values[:-1]
        rows.append([t(*pair), *(show(value, kind) for value in shown)])
    clauses = {str(line["clauses"]) for line in statement.lines if line["clauses"]}
    notes = [el("p", t("依据：", "by: "), text, class_="sub") for text in sorted(clauses)]
    if told := statement.rule(info, t):
        notes.insert(0, el("p", told, class_="sub"))
    return section(
        "summary",
        t("汇总", "Summary"),
        table([*header, *([t("合计", "all")] if many else [])], rows, class_="whole"),
        notes,
    )


def group_header(t: Lang) -> list[str]:
    return [
        t("病组", "group"),
        t("名称", "name"),
        t("方式", "method"),
        t("例数", "cases"),
        t("高倍率", "high"),
        t("低倍率", "low"),
        t("点数", "points"),
        t("总费用（元）", "cost (yuan)"),
        t("支付（元）", "payment (yuan)"),
        t("统筹应付（元）", "fund due (yuan)"),
        t("差额（元）", "difference (yuan)"),
    ]


def group_rows(statement: Statement, t: Lang) -> Iterator[list[object]]:
    for r in statement.groups:
        yield [
            r["code"],
            r["name"] or "",
            t.pair(words.METHODS, r["method"]),
            r["cases"],
            r["high"],
            r["low"],
            r["points"],
            r["cost"],
            r["income"],
            r["fund"],
            r["gain"],
        ]


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
    routes = {name: (zh, en) for name, (zh, en) in info.routes.items()}
    rows = [
        [str(r["record_id"]), str(r["code"] or ""), t.pair(words.STATUSES, r["pay_status"]),
         words.reason(r["pay_reason"] or "", t.code, routes), yuan(r["total_cost"])]
        for r in statement.unpaid[:SHOWN]
    ]  # fmt: skip
    header = [
        t("记录号", "record"),
        t("病组", "group"),
        t("状态", "status"),
        t("原因", "reason"),
        t("总费用（元）", "cost (yuan)"),
    ]
    lead = t(f"共 {len(statement.unpaid)} 例。", f"{len(statement.unpaid)} in all.")
    if len(statement.unpaid) > SHOWN:
        lead += t(
            f"前 {SHOWN} 例如下，全部见工作簿。", f" The first {SHOWN} are listed; all are in the workbook."
        )
    return section(
        "unpaid", title, table(header, rows, left=(3,), short=(0, 1, 2), class_="small"), lead=lead
    )


def adjustment_header(t: Lang) -> list[str]:
    return [
        t("编号", "id"),
        t("类型", "kind"),
        t("记录号", "record"),
        t("基金池", "pool"),
        t("原期", "original period"),
        t("原运行", "original run"),
        t("原点数", "points before"),
        t("现点数", "points after"),
        t("原金额（元）", "before (yuan)"),
        t("现金额（元）", "after (yuan)"),
        t("差额（元）", "difference (yuan)"),
        t("原因", "reason"),
        t("依据", "clause"),
    ]


def adjustment_rows(statement: Statement, t: Lang) -> Iterator[list[object]]:
    for r in statement.adjustments:
        yield [
            r["adjustment_id"],
            t.pair(KINDS, r["kind"]),
            r["record_id"],
            t.pair(POOLS, r["pool"]),
            r["original_period"],
            r["original_run"],
            r["points_before"],
            r["points_after"],
            r["amount_before"],
            r["amount_after"],
            r["difference"],
            r["reason"],
            r["clause"],
        ]


def _adjustments(statement: Statement, t: Lang) -> Html:
    title = t("调整", "Adjustments")
    if not statement.adjustments:
        return section("adjustments", title, el("p", t("没有。", "None."), class_="none"))
    keep = (0, 1, 2, 4, 8, 9, 10, 11, 12)
    names = adjustment_header(t)
    rows = []
    for row in adjustment_rows(statement, t):
        shown = [yuan(v, n == 10) if isinstance(v, Decimal) else str(v or "") for n, v in enumerate(row)]
        rows.append([shown[n] for n in keep])
    net = sum((plain(r["difference"]) for r in statement.adjustments), Decimal(0))
    total = [t("净额", "net"), "", "", "", "", "", yuan(net, True), "", ""]
    return section(
        "adjustments", title,
        table([names[n] for n in keep], rows, left=(7, 8), short=(0, 1, 2, 3), total=total, class_="small"),
    )  # fmt: skip
