"""The figures of a report: sums by pool, hospital, group, outlier and reason. docs/reports.md defines each.

Amounts are Decimal yuan, exact; nothing is computed in floats. "Paid" is pay_status = 'paid'. ``gain`` is
income less cost of the paid cases: what the payment leaves a hospital over its bills, or lacks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from grouper.report.data import CAUSE, Query, ReportData, Row, plain

TOP_CASES = 15
TOP_ADJUSTMENTS = 40
BINS = 60  # of 0.05, to 3; one more for what is above
_STEP = Decimal("0.05")
CLASSES = ("normal", "low", "high", "extreme")
_SUMS = (
    "cases", "paid", "held", "outside", "total_cost", "paid_cost", "income", "person_paid", "other_funds",
    "fund_by_item", "fund_due", "difference",
)  # fmt: skip
MONTHLY = (
    "adjustments", "due_total", "deposit", "prepaid", "deferred", "earlier_years", "advanced", "advance",
    "audit", "carried_in", "payable", "carried",
)  # fmt: skip
YEARLY = (
    "prepaid", "paid_later", "deposit", "balance", "returned", "forfeited", "advance", "audit", "final",
    "earlier_years",
)  # fmt: skip
BETWEEN_YEARS = ("earlier_years", "paid_later")
SELDOM = (*BETWEEN_YEARS, "advanced")  # shown only where they are there


@dataclass(frozen=True)
class Check:
    """An identity of the run: two sums that should be the same, in yuan or in cases."""

    zh: str
    en: str
    found: Decimal
    expected: Decimal

    @property
    def holds(self) -> bool:
        return self.found == self.expected


@dataclass(frozen=True)
class Measures:
    """Everything that the pages show; each a list of rows, largest first where order matters."""

    total: Row
    pools: list[Row]
    hospitals: list[Row]
    statement: list[Row]
    groups: list[Row]
    methods: list[Row]
    outliers: list[Row]
    hospital_outliers: list[Row]
    ratios: list[dict[str, int]]
    excess: list[Row]
    months: list[Row]
    reasons: list[Row]
    grouping: list[Row]
    rejected: list[Row]
    adjustments: list[Row]
    largest_adjustments: list[Row]
    checks: list[Check]
    offsite: list[Row]

    @property
    def cleared(self) -> bool:
        """The clearing's lines are there."""
        return any(row["prepaid"] is not None for row in self.statement)


def measure(data: ReportData) -> Measures:
    """All figures of a run, in one connection."""
    with data.open() as query:
        statement = _statement(query)
        pools = query.rows("SELECT * FROM pools ORDER BY pool")
        total = _total(query, statement)
        return Measures(
            total=total,
            pools=pools,
            hospitals=_hospitals(query),
            statement=statement,
            groups=_groups(query),
            methods=_paid_by(query, "route, method", "cases DESC, route, method"),
            outliers=_outliers(query),
            hospital_outliers=_hospital_outliers(query),
            ratios=_ratios(query),
            excess=_excess(query),
            months=_paid_by(query, "strftime(pay_date, '%Y-%m') AS month", "month")
            if data.info.yearly
            else [],
            reasons=_unpaid(query),
            grouping=_counts(query, "cases", "status, reason"),
            rejected=_rejected(query),
            adjustments=_adjustments(query),
            largest_adjustments=_largest_adjustments(query),
            checks=_checks(total, statement, pools),
            offsite=_offsite(query),
        )


def _offsite(query: Query) -> list[Row]:
    """Who is not both insured and treated here, by kind (settlement.offsite) and status."""
    return query.rows(
        "SELECT offsite, pay_status, count(*) AS cases, sum(total_cost) AS total_cost, "
        "coalesce(sum(pool_paid), 0) AS fund FROM cases WHERE offsite <> 'local' GROUP BY ALL ORDER BY ALL"
    )


def _statement(query: Query) -> list[Row]:
    """One row per hospital and pool, by hospital."""
    return query.rows("SELECT * FROM hospitals ORDER BY hospital_code, pool")


def _total(query: Query, statement: Sequence[Row]) -> Row:
    found: Row = {name: sum((plain(row[name]) for row in statement), Decimal(0)) for name in _SUMS}
    found |= query.one(
        "SELECT count(*) AS rows, coalesce(sum(total_cost), 0) AS rows_cost, "
        "coalesce(sum(settled_fund) FILTER (pay_status = 'paid'), 0) AS rows_fund, "
        "coalesce(sum(settled_income) FILTER (pay_status = 'paid'), 0) AS rows_income, "
        f"{_INDEX} FROM cases"
    )
    found["hospitals"] = len({row["hospital_code"] for row in statement if row["cases"]})
    found["gain"] = found["income"] - found["paid_cost"]
    return found


# Sums from which CMI (mean weight) and mean points are made.
_INDEX = (
    "sum(weight) FILTER (pay_status = 'paid') AS weights, "
    "count(weight) FILTER (pay_status = 'paid') AS weighted, "
    "sum(settled_points) FILTER (pay_status = 'paid') AS points, "
    "count(settled_points) FILTER (pay_status = 'paid') AS pointed"
)


def _hospitals(query: Query) -> list[Row]:
    """One row per hospital over its pools, with CMI or mean points; most cases first."""
    sums = ", ".join(f"coalesce(sum({name}), 0) AS {name}" for name in _SUMS)
    cleared = ", ".join(f"sum({name}) AS {name}" for name in dict.fromkeys((*MONTHLY, *YEARLY)))
    return query.rows(
        f"SELECT s.*, income - paid_cost AS gain, i.* EXCLUDE (hospital_code) FROM ("
        "SELECT hospital_code, max(hospital_name) AS name, max(hospital_level) AS level, "
        f"max(score) AS score, {sums}, {cleared} "
        "FROM hospitals GROUP BY 1) AS s LEFT JOIN ("
        f"SELECT hospital_code, {_INDEX} FROM cases GROUP BY 1) AS i USING (hospital_code) "
        "ORDER BY paid DESC, hospital_code"
    )


_PAID = (
    "count(*) AS cases, sum(total_cost) AS cost, sum(settled_income) AS income, "
    "sum(settled_income) - sum(total_cost) AS gain, sum(settled_fund) AS fund"
)


def _groups(query: Query) -> list[Row]:
    """Groups that paid cases were priced by; ordered by gain."""
    return query.rows(
        f'SELECT coalesce(price_group, "group") AS code, max(group_name) AS name, {_PAID}, '
        "avg(los_days) AS los FROM cases "
        "WHERE pay_status = 'paid' AND method IN ('group', 'tcm') GROUP BY 1 ORDER BY gain, code"
    )


def _paid_by(query: Query, keys: str, order: str) -> list[Row]:
    return query.rows(
        f"SELECT {keys}, {_PAID} FROM cases WHERE pay_status = 'paid' GROUP BY ALL ORDER BY {order}"
    )


def _outliers(query: Query) -> list[Row]:
    """Cases paid by group, by class of outlier."""
    return query.rows(
        f"SELECT outlier, {_PAID} FROM cases WHERE pay_status = 'paid' AND outlier IS NOT NULL "
        "GROUP BY 1 ORDER BY list_position(['normal', 'low', 'high', 'extreme'], outlier), outlier"
    )


def _hospital_outliers(query: Query) -> list[Row]:
    """Counts by class and hospital; the largest share of high ones first, among those with enough cases."""
    counts = ", ".join(f"count(*) FILTER (outlier = '{name}') AS {name}" for name in CLASSES)
    return query.rows(
        f"SELECT hospital_code, count(*) AS cases, {counts}, "
        "coalesce(sum(total_cost - settled_income) FILTER (outlier IN ('high', 'extreme')), 0) AS lacking "
        "FROM cases WHERE pay_status = 'paid' AND outlier IS NOT NULL GROUP BY 1 "
        "ORDER BY cases DESC, hospital_code"
    )


def _ratios(query: Query) -> list[dict[str, int]]:
    """Cases by multiple (cost over its yardstick) in bins of 0.05, by class; the last bin is 3 and more."""
    rows = query.rows(
        f"SELECT CAST(least(floor(cost_ratio / {_STEP}), {BINS}) AS INTEGER) AS bin, outlier, count(*) AS n "
        "FROM cases WHERE pay_status = 'paid' AND outlier IS NOT NULL AND cost_ratio IS NOT NULL "
        "GROUP BY 1, 2 ORDER BY 1, 2"
    )
    bins: list[dict[str, int]] = [{} for _ in range(BINS + 1)]
    for row in rows:
        bins[max(row["bin"], 0)][row["outlier"]] = row["n"]
    return bins


def _excess(query: Query) -> list[Row]:
    """The paid cases whose cost exceeds their income most."""
    return query.rows(
        'SELECT record_id, hospital_code, coalesce(price_group, "group") AS code, group_name, method, '
        "outlier, los_days, cost_ratio, total_cost, settled_income, settled_income - total_cost AS gain "
        "FROM cases WHERE pay_status = 'paid' AND settled_income < total_cost "
        f"ORDER BY gain, record_id LIMIT {TOP_CASES}"
    )


def _counts(query: Query, table: str, keys: str, where: str = "") -> list[Row]:
    return query.rows(
        f"SELECT {keys}, count(*) AS cases, sum(total_cost) AS cost FROM {table} {where} "
        f"GROUP BY {keys} ORDER BY cases DESC, {keys}"
    )


def _unpaid(query: Query) -> list[Row]:
    """Cases not paid by status and cause, and from which inputs they come where there are several."""
    several = query.one("SELECT count(DISTINCT input_file) AS n FROM cases")["n"] > 1
    inputs = "string_agg(DISTINCT input_file, ', ' ORDER BY input_file)" if several else "NULL::VARCHAR"
    return query.rows(
        f"SELECT pay_status, {CAUSE} AS cause, count(*) AS cases, sum(total_cost) AS cost, "
        f"{inputs} AS inputs FROM cases WHERE pay_status <> 'paid' GROUP BY 1, 2 ORDER BY cost DESC, 1, 2"
    )


def _rejected(query: Query) -> list[Row]:
    return query.rows(
        "SELECT reason, treatment, max(reason_text_zh) AS zh, max(reason_text_en) AS en, count(*) AS cases, "
        "sum(total_cost) AS cost FROM rejected GROUP BY 1, 2 ORDER BY cases DESC, reason, treatment"
    )


def _adjustments(query: Query) -> list[Row]:
    return query.rows(
        "SELECT kind, count(*) AS cases, count(DISTINCT hospital_code) AS hospitals, "
        "sum(points_after - points_before) AS points, sum(difference) AS difference, "
        "coalesce(sum(difference) FILTER (difference > 0), 0) AS up, "
        "coalesce(sum(difference) FILTER (difference < 0), 0) AS down "
        "FROM adjustments GROUP BY 1 ORDER BY kind"
    )


def _largest_adjustments(query: Query) -> list[Row]:
    return query.rows(
        "SELECT * FROM adjustments ORDER BY abs(difference) DESC NULLS LAST, adjustment_id, record_id "
        f"LIMIT {TOP_ADJUSTMENTS}"
    )


def _checks(total: Row, statement: Sequence[Row], pools: Sequence[Row]) -> list[Check]:
    """The sums of the tables held against each other, from the files as they are."""

    def over(rows: Sequence[Mapping[str, Any]], name: str) -> Decimal:
        return sum((plain(row[name]) for row in rows), Decimal(0))

    parts = Decimal(0)
    for name in ("reserve", "carve_outs", "distributable"):
        parts += over(pools, name)
    payers = over(statement, "person_paid") + over(statement, "other_funds") + over(statement, "fund_due")
    return [
        Check(
            "病例数：病例表 = 医院表",
            "cases: table of cases = hospitals",
            Decimal(total["rows"]),
            total["cases"],
        ),
        Check(
            "总费用（元）：病例表 = 医院表",
            "cost (yuan): cases = hospitals",
            plain(total["rows_cost"]),
            total["total_cost"],
        ),
        Check(
            "统筹应付（元）：病例表 = 医院表",
            "fund due (yuan): cases = hospitals",
            plain(total["rows_fund"]),
            total["fund_due"],
        ),
        Check(
            "统筹应付（元）：医院表 = 基金池表",
            "fund due (yuan): hospitals = pools",
            total["fund_due"],
            over(pools, "fund_due"),
        ),
        Check(
            "收入（元）= 个人支付 + 其他基金 + 统筹应付",
            "income (yuan) = patients + other funds + fund due",
            total["income"],
            payers,
        ),
        Check(
            "预算（元）= 调剂金 + 单列 + 可分配",
            "budget (yuan) = reserve + carve-outs + distributable",
            over(pools, "budget"),
            parts,
        ),
    ]
