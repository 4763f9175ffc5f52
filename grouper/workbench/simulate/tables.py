"""The tables of a simulation, the same for the workbook and the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from grouper.base.errors import ReconciliationError
from grouper.base.reasons import STATUS_NAMES, STATUS_ZH
from grouper.payment.policy import words
from grouper.report.names import group_name, row_reason
from grouper.report.numbers import Lang, yuan
from grouper.workbench.simulate.cases import DIMENSIONS, EDGE, Grounds

if TYPE_CHECKING:
    import duckdb

    from grouper.payment.policy.policy import Policy

LOSSES = 50
EDGES = 5000  # cases near a limit that are listed, the nearest first; all are in the list of cases
STANDINGS: dict[str, tuple[str, str]] = {
    "paid": ("支付", "paid"),
    "estimated": ("估计（未结算）", "estimated (not settled)"),
    "held": ("暂不支付", "held"),
    "outside": ("不由本政策支付", "outside this policy"),
    "left": ("不作病例", "no case"),
}
DIMENSION_WORDS: dict[str, tuple[str, str]] = {
    "department": ("科室", "department"),
    "doctor": ("医师", "doctor"),
    "group": ("病组", "group"),
    "ward": ("病区", "ward"),
}


@dataclass(frozen=True)
class Column:
    """``kind``: text, count, money, ratio (4 digits), or percent."""

    title: str
    kind: str = "text"
    width: int = 12


@dataclass(frozen=True)
class Table:
    """One sheet. ``note`` stands above the rows, ``total`` below them."""

    name: str
    title: str
    columns: Sequence[Column]
    rows: list[list[Any]]
    total: list[Any] | None = None
    note: str = ""


@dataclass
class Totals:
    """All rows by standing: number, yuan of cost, of expected income and of result."""

    rows: int
    cost: Decimal
    by_standing: dict[str, tuple[int, Decimal, Decimal, Decimal]] = field(default_factory=dict)

    def of(self, *standings: str) -> tuple[int, Decimal, Decimal, Decimal]:
        """The sums over some standings."""
        found = [self.by_standing[name] for name in standings if name in self.by_standing]
        zero = Decimal("0.00")
        return (
            sum(each[0] for each in found),
            sum((each[1] for each in found), zero),
            sum((each[2] for each in found), zero),
            sum((each[3] for each in found), zero),
        )


_NONE = Decimal("0.00")
_SUMS = """count(*) AS rows, count(*) FILTER (counted) AS cases,
  coalesce(sum(total_cost) FILTER (counted), 0)::DECIMAL(38,2) AS cost,
  coalesce(sum(expected), 0)::DECIMAL(38,2) AS expected,
  coalesce(sum(result), 0)::DECIMAL(38,2) AS result,
  count(*) FILTER (result < 0) AS losing,
  coalesce(sum(result) FILTER (result < 0), 0)::DECIMAL(38,2) AS lost,
  count(*) FILTER (counted AND outlier IN ('high', 'extreme')) AS high,
  count(*) FILTER (counted AND outlier = 'low') AS low,
  sum(weight) FILTER (counted) AS weight, count(weight) FILTER (counted) AS weighed,
  count(*) FILTER (standing = 'estimated') AS estimated,
  count(*) FILTER (standing = 'held') AS held,
  coalesce(sum(total_cost) FILTER (standing = 'held'), 0)::DECIMAL(38,2) AS held_cost,
  count(*) FILTER (standing = 'outside') AS outside,
  coalesce(sum(total_cost) FILTER (standing = 'outside'), 0)::DECIMAL(38,2) AS outside_cost,
  count(*) FILTER (standing = 'left') AS left_rows,
  coalesce(sum(total_cost) FILTER (standing = 'left'), 0)::DECIMAL(38,2) AS left_cost"""


class Reader:
    """The tables of the database of one run, in one language."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, policy: Policy, grounds: Grounds, t: Lang
    ) -> None:
        self.connection, self.policy, self.grounds, self.t = connection, policy, grounds, t
        self.routes = {route.name: (route.zh, route.en) for route in policy.routes}

    def rows(self, sql: str) -> list[dict[str, Any]]:
        cursor = self.connection.execute(sql)
        names = [item[0] for item in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def why(self, cause: Any) -> str:
        """A reason of payment or grouping in words."""
        return row_reason(words.reason(str(cause or ""), self.t.code, self.routes), self.t)

    def totals(self) -> Totals:
        found = self.rows(f"SELECT standing, {_SUMS}, sum(total_cost) AS whole FROM cases GROUP BY 1")
        totals = Totals(sum(r["rows"] for r in found), sum((r["whole"] or _NONE for r in found), _NONE))
        for r in found:
            totals.by_standing[r["standing"]] = (r["rows"], r["whole"] or _NONE, r["expected"], r["result"])
        return totals

    def whole(self) -> dict[str, Any]:
        """The sums of ``_SUMS`` over all rows."""
        return self.rows(f"SELECT {_SUMS} FROM cases")[0]

    def standing(self) -> Table:
        """Every row by what becomes of it and why."""
        t = self.t
        found = self.rows(
            "SELECT standing, cause, count(*) AS n, sum(total_cost) AS cost, sum(expected) AS expected, "
            "sum(result) AS result FROM cases GROUP BY ALL ORDER BY n DESC, cause"
        )
        found.sort(key=lambda r: list(STANDINGS).index(r["standing"]))
        rows = [
            [
                t(*STANDINGS[r["standing"]]),
                self.why(r["cause"]),
                r["n"],
                r["cost"],
                r["expected"],
                r["result"],
            ]
            for r in found
        ]
        columns = [
            Column(t("去向", "standing"), width=18),
            Column(t("原因", "reason"), width=44),
            Column(t("行数", "rows"), "count", 10),
            Column(t("总费用（元）", "total cost (yuan)"), "money", 18),
            Column(t("应得收入（元）", "income due (yuan)"), "money", 18),
            Column(t("收益（元）", "profit (yuan)"), "money", 18),
        ]
        sums = [sum((r[name] or _NONE for r in found), _NONE) for name in ("cost", "expected", "result")]
        total = [t("合计", "all"), "", sum(r["n"] for r in found), *sums]
        note = t(
            "每一行都在此表中。暂不支付、不由本政策支付和不作病例的行没有应得收入，不计入收益。",
            "Every row is in this table. Rows that are held, outside or no cases have no income an"
            "d no profit.",
        )
        return Table(
            t("去向", "standing"), t("全部行的去向", "What becomes of every row"), columns, rows, total, note
        )

    def dimension(self, name: str) -> Table:
        """Profit and loss by department, doctor, group or ward, the dearest loss first."""
        t = self.t
        key = quote_dimension(name)
        more = ", any_value(group_name) AS group_name" if name == "group" else ""
        found = self.rows(
            f"SELECT {key} AS key{more}, {_SUMS} FROM cases GROUP BY {key} ORDER BY result, key"
        )
        rows = [[*self._heads(name, r), *_figures(r)] for r in found]
        sums = self.whole()
        _tie(name, found, sums)
        heads = [Column(t(*DIMENSION_WORDS[name]), width=16)]
        heads += [Column(t("名称", "name"), width=34)] if name == "group" else []
        blank = [""] * (len(heads) - 1)
        total = [t("合计", "all"), *blank, *_figures(sums)]
        title = t(f"按{t(*DIMENSION_WORDS[name])}的收益", f"Profit and loss by {DIMENSION_WORDS[name][1]}")
        return Table(
            t(*DIMENSION_WORDS[name]), title, [*heads, *self._columns()], rows, total, self.meaning()
        )

    def meaning(self) -> str:
        return self.t(
            "收益 = 应得收入 − 总费用。CMI 是按病组支付病例的平均权重。",
            "Profit = income due − total cost. CMI is the mean weight of cases paid by their group.",
        )

    def _heads(self, name: str, r: dict[str, Any]) -> list[str]:
        if name == "group":
            return [r["key"] or self.t("（无病组）", "(no group)"), group_name(r["group_name"], self.t)]
        return [r["key"] or self.t("（未填）", "(blank)")]

    def _columns(self) -> list[Column]:
        t = self.t
        return [
            Column(t("行数", "rows"), "count", 8),
            Column(t("计入病例", "cases counted"), "count", 9),
            Column(t("总费用（元）", "total cost (yuan)"), "money", 16),
            Column(t("应得收入（元）", "income due (yuan)"), "money", 16),
            Column(t("收益（元）", "profit (yuan)"), "money", 16),
            Column(t("例均收益（元）", "profit a case (yuan)"), "money", 13),
            Column(t("亏损例数", "losing cases"), "count", 9),
            Column(t("亏损额（元）", "losses (yuan)"), "money", 15),
            Column("CMI", "ratio", 9),
            Column(t("总权重", "weights"), "ratio", 12),
            Column(t("高倍率", "high"), "count", 8),
            Column(t("低倍率", "low"), "count", 8),
            Column(t("其中估计", "estimated"), "count", 9),
            Column(t("暂不支付", "held"), "count", 9),
            Column(t("暂不支付费用（元）", "cost held (yuan)"), "money", 16),
            Column(t("不由本政策支付", "outside"), "count", 9),
            Column(t("其费用（元）", "its cost (yuan)"), "money", 16),
            Column(t("不作病例", "no case"), "count", 9),
            Column(t("其费用（元）", "its cost (yuan)"), "money", 16),
        ]

    def dimensions(self) -> list[Table]:
        return [
            self.dimension(name)
            for name in ("department", "doctor", "group", "ward")
            if name == "group" or name in self.grounds.columns
        ]

    def losses(self) -> Table:
        """The dearest losses, each with why."""
        t = self.t
        found = self.rows(f"SELECT * FROM cases WHERE result < 0 ORDER BY result, row LIMIT {LOSSES}")
        columns = [
            Column(t("记录号", "record"), width=20),
            *self.places_columns(),
            Column(t("病组", "group"), width=9),
            Column(t("病组名称", "name of the group"), width=30),
            Column(t("天数", "days"), "count", 6),
            Column(t("总费用（元）", "total cost (yuan)"), "money", 14),
            Column(t("应得收入（元）", "income due (yuan)"), "money", 14),
            Column(t("收益（元）", "profit (yuan)"), "money", 14),
            Column(t("原因", "reason"), width=52),
        ]
        rows = [
            [
                r["record_id"],
                *self.places(r),
                r["group"] or "",
                group_name(r["group_name"], t),
                r["los_days"],
                r["total_cost"],
                r["expected"],
                r["result"],
                self.loss_reason(r),
            ]
            for r in found
        ]
        lost = self.whole()
        note = t(
            f"亏损病例共 {lost['losing']:,} 例，亏损额 {yuan(-lost['lost'])} 元；以下是亏损最大的"
            f" {len(rows)} 例。",
            f"{lost['losing']:,} cases lose {-lost['lost']:,.2f} yuan; these are the {len(rows)} dearest.",
        )
        name = t(f"亏损前{LOSSES}", f"dearest {LOSSES}")
        return Table(
            name, t(f"亏损最大的 {LOSSES} 例", f"The {LOSSES} dearest losses"), columns, rows, None, note
        )

    def places_columns(self) -> list[Column]:
        return [
            Column(self.t(*DIMENSION_WORDS[name]), width=12)
            for name in DIMENSIONS
            if name in self.grounds.columns
        ]

    def places(self, r: dict[str, Any]) -> list[str]:
        return [r[name] or "" for name in DIMENSIONS if name in self.grounds.columns]

    def loss_reason(self, r: dict[str, Any]) -> str:
        """Why a case loses, in words."""
        t, parts = self.t, []
        outlier, high = r["outlier"], r["high_yuan"]
        if outlier in ("high", "extreme") and high is not None:
            over = r["total_cost"] - high
            parts.append(
                t(
                    f"{t.pair(words.OUTLIERS, outlier)}：费用比界限 {high:,.2f} 元高 {over:,.2f} 元",
                    f"{t.pair(words.OUTLIERS, outlier)}: {over:,.2f} yuan above the limit of {high:,.2f}",
                )
            )
        elif outlier == "normal" and r["method"] == "group":
            ratio = r["total_cost"] / r["expected"] if r["expected"] else None
            parts.append(
                t(
                    f"按病组标准支付，费用是应得收入的 {ratio:.2f} 倍，未到高倍率",
                    f"paid by the standard of its group; the cost is {ratio:.2f} times the income, "
                    "no outlier",
                )
                if ratio
                else t("按病组标准支付，应得收入为 0", "paid by its group; the income is 0")
            )
        elif outlier == "low":
            parts.append(t("低倍率病例，按低倍率办法支付", "a low outlier, paid as the policy says"))
        else:
            parts.append(self.why(r["cause"]))
        if r["status"] != "grouped":
            parts.append(self.status_words(r))
        if r["standing"] == "estimated":
            parts.append(t("未结算，按应付总额估计", "not settled; estimated by the amount due"))
        return t("；", "; ").join(parts)

    def status_words(self, r: dict[str, Any]) -> str:
        """Status and reason of grouping in words."""
        return f"{self.status_word(r['status'])}{self.t('：', ': ')}{self.why(r['reason'])}"

    def status_word(self, status: str) -> str:
        place = STATUS_NAMES.index(status)
        return self.t(STATUS_ZH[place], STATUS_NAMES[place])

    def edges(self) -> Table:
        """Cases near a limit, the nearest by share first."""
        t = self.t
        limit = "CASE edge WHEN 'high' THEN high_yuan ELSE low_yuan END"
        [counts] = self.rows(
            "SELECT count(*) FILTER (edge = 'high') AS high, count(*) FILTER (edge = 'low') AS low FROM cases"
        )
        found = self.rows(
            f"SELECT *, {limit} AS at FROM cases WHERE edge IS NOT NULL "
            f"ORDER BY abs(distance) / {limit}, row LIMIT {EDGES}"
        )
        sides = {"high": ("高倍率", "high"), "low": ("低倍率", "low")}
        rows = [
            [
                r["record_id"],
                *self.places(r),
                r["group"] or "",
                group_name(r["group_name"], t),
                t.pair(sides, r["edge"]),
                r["total_cost"],
                r["at"],
                r["distance"],
                t("已超过", "above")
                if r["distance"] > 0
                else t("未到", "below")
                if r["distance"] < 0
                else t("相等", "at it"),
                t.pair(words.OUTLIERS, r["outlier"]),
                r["result"],
            ]
            for r in found
        ]
        columns = [
            Column(t("记录号", "record"), width=20),
            *self.places_columns(),
            Column(t("病组", "group"), width=9),
            Column(t("病组名称", "name of the group"), width=30),
            Column(t("界限", "limit"), width=9),
            Column(t("总费用（元）", "total cost (yuan)"), "money", 14),
            Column(t("界限金额（元）", "limit (yuan)"), "money", 14),
            Column(t("相差（元）", "difference (yuan)"), "money", 14),
            Column(t("位置", "place"), width=8),
            Column(t("现类别", "class"), width=10),
            Column(t("收益（元）", "profit (yuan)"), "money", 14),
        ]
        none = [
            w
            for w, name in ((t("低倍率", "low"), "low"), (t("高倍率", "high"), "high"))
            if name not in self.grounds.limits
        ]
        note = t(
            f"费用在界限上下 {EDGE}% 以内：高倍率 {counts['high']:,} 例，低倍率 {counts['low']:,} "
            "例。供核查费用是否真实合理，"
            "不是调整费用的建议。",
            f"Costs within {EDGE} % of a limit: {counts['high']:,} high, {counts['low']:,} low. To "
            "check that "
            "costs are right, never advice to change them.",
        )
        if none:
            note += t(
                f"本政策没有{'、'.join(none)}界限。",
                f" The policy has no limit of {', '.join(none)} outliers.",
            )
        if len(rows) == EDGES:
            note += t(f"列出最近的 {EDGES} 例，全部见病例清单。", f" The nearest {EDGES} are listed.")
        return Table(
            t("临界病例", "near limits"),
            t("费用临近倍率界限的病例", "Cases near a limit"),
            columns,
            rows,
            None,
            note,
        )

    def reviews(self) -> Table | None:
        """Outliers against what special reviews the policy allows, by month; None where it knows none."""
        t = self.t
        if "special_review_quota" not in self.policy.parameters:
            return None
        found = self.rows(
            "SELECT strftime(pay_date, '%Y-%m') AS period, max(pay_date) AS day, count(*) AS n, "
            "count(*) FILTER (outlier IN ('high', 'extreme')) AS high, "
            "sum(result) FILTER (outlier IN ('high', 'extreme')) AS result FROM cases "
            "WHERE counted AND method IN ('group', 'tcm') GROUP BY 1 ORDER BY 1"
        )
        rows, pooled = [], False
        for r in found:
            values = self.policy.on(r["day"])
            share = Fraction(values.plain("special_review_quota"))
            pooled = pooled or values.plain("quota_base") == "pool"
            allowed = int(share * r["n"])
            rows.append(
                [
                    r["period"],
                    r["n"],
                    r["high"],
                    Decimal(share.numerator) * 100 / share.denominator,
                    allowed,
                    max(r["high"] - allowed, 0),
                    r["result"],
                ]
            )
        columns = [
            Column(t("月份", "month")),
            Column(t("按病组病例", "cases by group"), "count"),
            Column(t("高倍率病例", "high outliers"), "count"),
            Column(t("单议比例上限", "quota"), "percent"),
            Column(t("名额（例）", "allowed"), "count"),
            Column(t("超出名额（例）", "beyond it"), "count"),
            Column(t("高倍率收益（元）", "profit of high outliers (yuan)"), "money", 18),
        ]
        note = t(
            "特例单议名额 = 按病组病例数 × 比例上限，向下取整。",
            "Quota: cases by group × share, rounded down.",
        )
        if pooled:
            note += t(
                "本政策的名额按全统筹地区计算；此处按本文件的病例折算，仅供参考。",
                " The policy counts it over the pooling area; here it is of this file only.",
            )
        return Table(
            t("特例单议", "reviews"),
            t("高倍率病例与特例单议名额", "High outliers and the quota of reviews"),
            columns,
            rows,
            None,
            note,
        )


def quote_dimension(name: str) -> str:
    return '"group"' if name == "group" else name


def _figures(r: dict[str, Any]) -> list[Any]:
    mean = r["result"] / r["cases"] if r["cases"] else None
    cmi = r["weight"] / r["weighed"] if r["weighed"] else None
    return [
        r["rows"],
        r["cases"],
        r["cost"],
        r["expected"],
        r["result"],
        mean,
        r["losing"],
        r["lost"],
        cmi,
        r["weight"],
        r["high"],
        r["low"],
        r["estimated"],
        r["held"],
        r["held_cost"],
        r["outside"],
        r["outside_cost"],
        r["left_rows"],
        r["left_cost"],
    ]


def _tie(name: str, found: Sequence[dict[str, Any]], sums: dict[str, Any]) -> None:
    """The rows of a table are all rows of the run, to the fen."""
    for column in ("rows", "cost", "expected", "result", "held_cost", "outside_cost", "left_cost"):
        total = sum((r[column] for r in found), type(sums[column])(0))
        if total != sums[column]:
            raise ReconciliationError(
                zh=f"对不上：按 {name} 汇总的 {column} 为 {total}，应为 {sums[column]}；没有写出结果",
                en=f"does not add up: {column} by {name} is {total}, not {sums[column]}; nothing was written",
            )
