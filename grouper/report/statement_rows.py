"""What the statement of a hospital (对账单) says, from the tables of a run: for page and workbook."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from grouper.base.capitals import capitals
from grouper.base.errors import UsageError
from grouper.base.money import fen_of
from grouper.base.sql import literal
from grouper.payment.policy import words
from grouper.report.advice import what_to_send
from grouper.report.data import CAUSE, Query, Row, RunInfo, plain
from grouper.report.measures import BETWEEN_YEARS, MONTHLY, SELDOM, YEARLY
from grouper.report.names import group_name
from grouper.report.numbers import Lang, mean, number
from grouper.report.pages.money import CLEARING, LEVELS, YEAR, rule
from grouper.report.pages.quality import KINDS, why

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
    """A hospital's figures; ``lines`` one row per pool, ``total`` their sums. ``changes``: adjustments of
    cases; ``deductions``: those that order money to be taken; ``months``: what each month of the year paid.
    """

    code: str
    name: str
    level: str
    lines: list[Row]
    total: Row
    groups: list[Row]
    unpaid: list[Row]
    changes: list[Row]
    deductions: list[Row]
    months: list[Row]

    @property
    def charted(self) -> bool:
        """Some case has the number of its chart."""
        return any(row["record_no"] for row in (*self.unpaid, *self.changes))

    @property
    def months_paid(self) -> str:
        """The months that the payment covers where they are several, as 4–6; else empty."""
        listed = next((str(r["paid_months"]).split(",") for r in self.lines if r["paid_months"]), [])
        return f"{listed[0]}–{listed[-1]}" if len(listed) > 1 else ""

    def facts(self, info: RunInfo, t: Lang) -> list[tuple[str, str]]:
        """What stands above the summary: what is paid in words, the score, the last day of objections."""
        name = "final" if info.yearly else "payable"
        level = t.pair(LEVELS, self.level) if self.level else t("无", "none")
        told = [
            (t("地区、期间", "area, period"), f"{info.place(t)} {info.period}"),
            (t("医院编码", "hospital"), self.code),
            (t("等级", "level"), level),
        ]
        if any(line[name] is not None for line in self.lines):
            amount = plain(self.total[name])
            told.append((t(CLEARING[name][0] + "（元）", CLEARING[name][1]), number(amount, 2)))
            told.append((t("大写金额", "in words"), capitals(fen_of(amount))))
        scores = dict.fromkeys(str(line["score"]) for line in self.lines if line["score"])
        if scores:
            told.append((t("考核得分", "score"), "、".join(scores)))
        due = info.deadline or t("　　　　年　　月　　日", "")
        return [*told, (t("核对和申诉截止", "objections until"), due)]

    def taken(self, info: RunInfo) -> list[tuple[tuple[str, str], str, Decimal]]:
        """What the summary's audit deductions are made of: words, document and reason, yuan."""
        if all(line["audit"] is None for line in self.lines):
            return []
        found = [
            (("稽核扣款", "audit deduction"), why(row, Lang("zh")), -plain(row["difference"]))
            for row in self.deductions
        ]
        before = plain(self.total.get("carried_in"))
        if info.yearly:
            last = max((row["period"] for row in self.months), default="")
            before = -sum((plain(r["carried"]) for r in self.months if r["period"] == last), Decimal(0))
        if before:
            found.append((("上期结转扣减", "carried in"), "以前月份未扣完的", before))
        rest = plain(self.total["audit"]) - sum((amount for *_, amount in found), Decimal(0))
        if rest:
            found.append((("其他扣减", "others"), "预算文件列明的扣款，或以前多付、少付的差额", rest))
        return found

    def rows(self, info: RunInfo) -> list[tuple[tuple[str, str], str, list[object]]]:
        """The summary: words, kind, and the value of each pool with the sum at the end."""
        cleared = [
            (name, (f"{zh}（元）", f"{en} (yuan)"), "money")
            for name in (YEARLY if info.yearly else MONTHLY)
            for zh, en in [(YEAR.get(name) if info.yearly else None) or CLEARING[name]]
            if any(line[name] if name in SELDOM else line[name] is not None for line in self.lines)
        ]
        made: list[tuple[tuple[str, str], str, list[object]]] = []
        for name, pair, kind in (*LINES, *cleared):
            values: list[object] = [line[name] for line in self.lines]
            if any(values) if name in _IF_ANY else any(value is not None for value in values):
                made.append((pair, kind, [*values, self.total.get(name)]))
            if name == "deposit" and self.months_paid and not info.yearly:
                shared = [sum((plain(line[part]) for part in ("deposit", "prepaid", "deferred")), Decimal(0))
                          for line in self.lines]  # fmt: skip
                own = f"{self.months_paid}月应付合计（元）", f"due of months {self.months_paid} (yuan)"
                made.insert(-1, (own, "money", [*shared, sum(shared, Decimal(0))]))
        return made

    def rule(self, info: RunInfo, t: Lang) -> str:
        """How it comes to what is paid; empty where the run pays nothing."""
        if all(line["prepaid"] is None for line in self.lines):
            return ""
        apart = any(line[name] for line in self.lines for name in BETWEEN_YEARS)
        advanced = not info.yearly and any(line["advanced"] for line in self.lines)
        return rule(info, apart, t, advanced, self.months_paid)


def hospitals_of(query: Query) -> list[str]:
    """Codes of the hospitals that have a statement, in order."""
    return [
        row["code"] for row in query.rows("SELECT DISTINCT hospital_code AS code FROM hospitals ORDER BY 1")
    ]


def read_statement(query: Query, code: str, info: RunInfo) -> Statement:
    """Raises UsageError for a hospital that the run does not have."""
    return next(read_statements(query, [code], info))


def read_statements(query: Query, codes: Sequence[str], info: RunInfo) -> Iterator[Statement]:
    """The statements of ``codes`` in their order; each table is read once for all of them.

    Raises UsageError for a hospital that the run does not have.
    """
    ours = among(codes)

    def found(sql: str) -> dict[str, list[Row]]:
        """Rows by hospital, which is the first column (``owner``) of the query."""
        rows: dict[str, list[Row]] = {}
        for row in query.rows(sql):
            rows.setdefault(row.pop("owner"), []).append(row)
        return rows

    lines = found(
        "SELECT h.hospital_code AS owner, h.*, p.point_value FROM hospitals AS h LEFT JOIN pools AS p "
        f"USING (pool) WHERE {ours} ORDER BY pool"
    )
    for code in codes:
        if code not in lines:
            raise UsageError(zh=f"本次运行没有医院 {code}", en=f"the run has no hospital {code}")
    weights = found(
        "SELECT hospital_code AS owner, sum(weight) AS weights, count(weight) AS weighted FROM cases "
        f"WHERE {ours} AND pay_status = 'paid' GROUP BY 1"
    )
    groups = found(
        'SELECT hospital_code AS owner, coalesce(price_group, "group") AS code, max(group_name) AS name, '
        "method, count(*) AS cases, "
        "count(*) FILTER (outlier = 'high' OR outlier = 'extreme') AS high, "
        "count(*) FILTER (outlier = 'low') AS low, "
        "sum(settled_points) AS points, sum(total_cost) AS cost, sum(settled_income) AS income, "
        "sum(settled_fund) AS fund, sum(settled_income) - sum(total_cost) AS gain FROM cases "
        f"WHERE {ours} AND pay_status = 'paid' GROUP BY 1, 2, method ORDER BY cases DESC, code, method"
    )
    unpaid = found(
        f'SELECT hospital_code AS owner, record_id, record_no, "group" AS code, discharge_date, pay_status, '
        f"pay_reason, {CAUSE} AS cause, total_cost FROM cases LEFT JOIN charts USING (record_id) "
        f"WHERE {ours} AND pay_status <> 'paid' ORDER BY pay_status, cause, record_id"
    )
    changes = found(f"{_CHANGES.format(ours=ours)} ORDER BY adjustment_id, record_id")
    deductions = found(
        f"SELECT hospital_code AS owner, * FROM adjustments WHERE {ours} AND kind = 'audit_deduction' "
        "ORDER BY adjustment_id"
    )
    for code in codes:
        own = lines[code]
        yield Statement(
            code,
            str(own[0]["hospital_name"] or code),
            str(own[0]["hospital_level"] or ""),
            own,
            _sums(own, *weights.get(code, ())),
            groups.get(code, []),
            unpaid.get(code, []),
            changes.get(code, []),
            deductions.get(code, []),
            [dict(row) for row in info.months if row["hospital_code"] == code],
        )


def among(codes: Sequence[str]) -> str:
    """SQL: the row is of one of these hospitals. The range lets groups of rows of a file be passed over."""
    span = f"hospital_code BETWEEN {literal(min(codes))} AND {literal(max(codes))}"
    return f"{span} AND hospital_code IN ({', '.join(map(literal, codes))})"


# Adjustments of cases, with the case as it is now; a refunded one is in no table of the run.
_CHANGES = (
    "SELECT hospital_code AS owner, a.*, n.record_no, c.code, c.name FROM adjustments AS a "
    "LEFT JOIN charts AS n USING (record_id) LEFT JOIN (SELECT hospital_code, record_id, "
    'any_value(coalesce(price_group, "group")) AS code, any_value(group_name) AS name FROM all_cases '
    "WHERE {ours} AND record_id IN (SELECT record_id FROM adjustments) GROUP BY 1, 2) AS c "
    "USING (hospital_code, record_id) WHERE {ours} AND a.kind NOT IN ('quality', 'audit_deduction')"
)


def _sums(lines: Sequence[Row], weights: Row | None = None) -> Row:
    total: Row = {}
    for name, _, kind in LINES:
        if kind in ("count", "money", "points"):
            values = [line[name] for line in lines if line[name] is not None]
            total[name] = sum(values, Decimal(0) if kind != "count" else 0) if values else None
    for name in (*MONTHLY, *YEARLY):
        total[name] = sum((plain(line[name]) for line in lines), Decimal(0))
    total["cmi"] = mean(weights["weights"], weights["weighted"], 4) if weights else None
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
            *group_told(r, t),
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


def group_told(row: Row, t: Lang) -> tuple[str, str]:
    """Code and name of a group; cases in none stand as what they are paid by."""
    way = t.pair(words.METHODS, row["method"])
    code = str(row["code"] or t("未入组", "no group"))
    return code, group_name(row["name"], t) or way


def unpaid_header(t: Lang) -> list[str]:
    return [
        t("记录号", "record"),
        t("病案号", "chart"),
        t("病组", "group"),
        t("出院", "discharge"),
        t("状态", "status"),
        t("原因", "reason"),
        t("请医院报送", "what to send"),
        t("总费用（元）", "cost (yuan)"),
    ]


def unpaid_rows(statement: Statement, info: RunInfo, t: Lang) -> Iterator[list[object]]:
    routes = {name: (zh, en) for name, (zh, en) in info.routes.items()}
    for r in statement.unpaid:
        reason = str(r["pay_reason"] or "")
        yield [
            str(r["record_id"]),
            str(r["record_no"] or ""),
            str(r["code"] or t("未入组", "no group")),
            str(r["discharge_date"] or "")[:10],
            t.pair(words.STATUSES, r["pay_status"]),
            t.own(words.reason(r["cause"] or "", t.code, routes)),
            what_to_send(reason, str(r["pay_status"]), t),
            r["total_cost"],
        ]


def change_header(t: Lang) -> list[str]:
    return [
        t("编号", "id"),
        t("类型", "kind"),
        t("记录号", "record"),
        t("病案号", "chart"),
        t("病组", "group"),
        t("基金池", "pool"),
        t("原期", "original period"),
        t("总费用（元）", "cost (yuan)"),
        t("原点数", "points before"),
        t("现点数", "points after"),
        t("原统筹（元）", "before (yuan)"),
        t("现统筹（元）", "after (yuan)"),
        t("差额（元）", "difference (yuan)"),
        t("原因；条款；文号", "reason; clause; document"),
    ]


def change_rows(statement: Statement, t: Lang) -> Iterator[list[object]]:
    """Every case of a closed month that moved money: late, corrected, taken back, reviewed, readmitted."""
    for r in statement.changes:
        yield [
            r["adjustment_id"],
            t.pair(KINDS, r["kind"]),
            r["record_id"],
            r["record_no"],
            r["code"] or "",
            t.pool(r["pool"]),
            r["original_period"],
            r["total_cost"],
            r["points_before"],
            r["points_after"],
            r["amount_before"],
            r["amount_after"],
            r["difference"],
            why(r, t),
        ]


def deduction_header(t: Lang) -> list[str]:
    return [t("扣减项目", "deduction"), t("原因；条款；文号", "reason; clause; document"),
            t("金额（元）", "amount (yuan)")]  # fmt: skip


def deduction_rows(statement: Statement, info: RunInfo, t: Lang) -> Iterator[list[object]]:
    """What the summary's audit deductions come from."""
    for pair, reason, amount in statement.taken(info):
        yield [t(*pair), reason, amount]


_MONTH = ("fund_due", "adjustments", "deposit", "prepaid", "deferred", "earlier_years", "advanced", "advance",
          "audit", "payable", "carried")  # fmt: skip


def month_columns(statement: Statement) -> list[str]:
    """The amounts of months that are not zero everywhere."""
    return [n for n in _MONTH if n in ("fund_due", "payable") or any(r[n] for r in statement.months)]


def month_header(statement: Statement, t: Lang) -> list[str]:
    names = {"fund_due": ("统筹应付", "fund due"), **CLEARING}
    return [t("月份", "month"), *(t(f"{names[n][0]}（元）", names[n][1]) for n in month_columns(statement))]


def month_rows(statement: Statement) -> list[list[object]]:
    """The months of the year so far, pools together, and their sums."""
    names = month_columns(statement)
    rows: list[list[object]] = []
    for period in dict.fromkeys(row["period"] for row in statement.months):
        own = [row for row in statement.months if row["period"] == period]
        rows.append([period, *(sum((plain(row[n]) for row in own), Decimal(0)) for n in names)])
    return rows
