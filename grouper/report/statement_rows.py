"""What the statement of a hospital (对账单) says, from the tables of a run: for page and workbook."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from grouper.base.errors import UsageError
from grouper.payment.policy import words
from grouper.report.data import Query, Row, RunInfo, plain
from grouper.report.measures import BETWEEN_YEARS, MONTHLY, SELDOM, YEARLY
from grouper.report.numbers import Lang, mean, number
from grouper.report.pages.money import CLEARING, rule
from grouper.report.pages.quality import KINDS

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
    (
        "offsite_own_cases",
        ("本地参保人在外地就医，池外（例）", "own people treated elsewhere, cases"),
        "count",
    ),
    (
        "offsite_own_fund",
        ("本地参保人在外地就医，不由本池支付（元）", "not paid from this pool (yuan)"),
        "money",
    ),
    (
        "offsite_visitor_cases",
        ("外地参保人在本院就医，池外（例）", "people insured elsewhere, cases"),
        "count",
    ),
    (
        "offsite_visitor_fund",
        ("外地参保人在本院就医，不由本池支付（元）", "of them not paid from this pool (yuan)"),
        "money",
    ),
)
_IF_ANY = tuple(name for name, _, _ in LINES if name.startswith("offsite_"))  # lines of some hospitals only


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
            if any(line[name] if name in SELDOM else line[name] is not None for line in self.lines)
        ]
        made: list[tuple[tuple[str, str], str, list[object]]] = []
        for name, pair, kind in (*LINES, *cleared):
            values: list[object] = [line[name] for line in self.lines]
            if any(values) if name in _IF_ANY else any(value is not None for value in values):
                made.append((pair, kind, [*values, self.total.get(name)]))
        return made

    def rule(self, info: RunInfo, t: Lang) -> str:
        """How it comes to what is paid; empty where the run pays nothing."""
        if all(line["prepaid"] is None for line in self.lines):
            return ""
        apart = any(line[name] for line in self.lines for name in BETWEEN_YEARS)
        return rule(info, apart, t, not info.yearly and any(line["advanced"] for line in self.lines))


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


def statement_title(statement: Statement, info: RunInfo, t: Lang) -> str:
    kind = (
        t("年度清算对账单", "statement of the year")
        if info.yearly
        else t("月度结算对账单", "statement of the month")
    )
    mark = f"（{told}）" if (told := info.draft_mark(t)) and t.code != "en" else f" ({told})" if told else ""
    return f"{statement.name} {kind} {info.period}{mark}"


def show(value: object, kind: str) -> str:
    """A figure of the summary as text."""
    if value is None or isinstance(value, str):
        return str(value or "")
    digits = {"count": 0, "index": 4, "points": 4, "money": 2}[kind]
    return number(value if isinstance(value, int | Decimal) else None, digits)


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


def unpaid_header(t: Lang) -> list[str]:
    return [
        t("记录号", "record"),
        t("病组", "group"),
        t("状态", "status"),
        t("原因", "reason"),
        t("总费用（元）", "cost (yuan)"),
    ]


def unpaid_rows(statement: Statement, info: RunInfo, t: Lang) -> Iterator[list[object]]:
    routes = {name: (zh, en) for name, (zh, en) in info.routes.items()}
    for r in statement.unpaid:
        yield [
            str(r["record_id"]),
            str(r["code"] or ""),
            t.pair(words.STATUSES, r["pay_status"]),
            words.reason(r["pay_reason"] or "", t.code, routes),
            r["total_cost"],
        ]


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
        t("文号", "document"),
    ]


def adjustment_rows(statement: Statement, t: Lang) -> Iterator[list[object]]:
    for r in statement.adjustments:
        yield [
            r["adjustment_id"],
            t.pair(KINDS, r["kind"]),
            r["record_id"],
            t.pair(words.POOLS, r["pool"]),
            r["original_period"],
            r["original_run"],
            r["points_before"],
            r["points_after"],
            r["amount_before"],
            r["amount_after"],
            r["difference"],
            r["reason"],
            r["clause"],
            r["document"],
        ]
