"""What stops a month, and a clearing: too much that is not understood, or that nobody gets paid for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grouper.base.errors import DataError
from grouper.base.money import yuan_of
from grouper.base.sql import scan
from grouper.codes.book import ISSUES
from grouper.payment.policy.words import reason as reason_in_words
from grouper.payment.price.causes import cause_sql
from grouper.settlement.records import columns_of

if TYPE_CHECKING:
    import duckdb

    from grouper.payment.policy.policy import Policy
    from grouper.payment.price.pricing import Priced
    from grouper.settlement.intake import Taken
    from grouper.settlement.plan.job import Plan

# What became of codes that led to no known one; the others were understood.
NOT_KNOWN = ("unknown", "joined", "cut-short", "clinical", "unmapped", "lost-zero")
# Held because the policy sends the case to a review, not because something about it is not known.
REVIEWED = "extreme-review"
SHOWN = 20  # hospitals in a message
SHOWN_INPUTS = 5
INPUT = "case-input"  # status of the counts of cases not paid by input


def code_counts(taken: Taken) -> list[dict[str, Any]]:
    """Rows of the ledger: what was found of codes, by kind and issue; a count of codes has no cost."""
    return [
        {"status": "codes", "reason": key, "rows": number, "cost_fen": None}
        for key, number in sorted(taken.codes.items())
    ]


def check_codes(plan: Plan, taken: Taken) -> None:
    """Codes that nobody knows are within --max-unknown-codes.

    Raises DataError that names what they are: a column of several codes that is not split, mostly.
    """
    unknown = {k: n for k, n in taken.codes.items() if k.partition(":")[2] in NOT_KNOWN}
    limit = Decimal(plan.job.max_unknown_codes)
    number = sum(unknown.values())
    if number <= taken.all_codes * limit:
        return
    sides = {"diagnosis": ("诊断", "diagnoses"), "procedure": ("手术操作", "procedures")}
    zh, en = "", ""
    for key, found in sorted(unknown.items(), key=lambda item: -item[1]):
        side, _, issue = key.partition(":")
        zh += f"\n  {sides[side][0]} {found}：{ISSUES[issue][0]}"
        en += f"\n  {found} {sides[side][1]}: {ISSUES[issue][1]}"
    raise DataError(
        zh=f"{taken.all_codes} 个编码中有 {number} 个不认识，超过 --max-unknown-codes {limit}；"
        f"没有写入湖{zh}",
        en=f"{number} of {taken.all_codes} codes are not known, more than --max-unknown-codes {limit}; "
        f"nothing was written to the lake{en}",
    )


def check_deducted(connection: duckdb.DuckDBPyConnection) -> None:
    """No decision takes more off a case than it costs. Raises DataError that names record, file and row."""
    row = connection.execute(
        "SELECT d.file, d.row, d.record_id, d.deducted, c.total_cost FROM (SELECT *, "
        "coalesce(unreasonable_cost, 0) + coalesce(new_technology_cost, 0) AS deducted FROM decisions) AS d "
        "JOIN (SELECT record_id, total_cost FROM records_new UNION ALL SELECT record_id, total_cost "
        "FROM known) AS c USING (record_id) WHERE d.deducted > c.total_cost ORDER BY d.file, d.row LIMIT 1"
    ).fetchone()
    if row is not None:
        file, number, record, deducted, cost = row
        raise DataError(
            zh=f"{file} 第 {number} 行：{record} 的不合理费用与除外支付费用合计 {deducted:,.2f} 元，"
            f"超过总费用 {cost:,.2f} 元",
            en=f"{file}, row {number}: unreasonable and carved-out cost of {record} come to {deducted:,.2f} "
            f"yuan, more than its total cost of {cost:,.2f} yuan",
        )


def check_held(plan: Plan, priced: Priced, found: Sequence[Mapping[str, Any]]) -> None:
    """Cases that nobody gets paid for are within --max-held, by their cost.

    Cases that the policy itself sends to a review are not counted: a month waits for them, a clearing does
    not. ``found``: the counts of cases (``case_counts``). Raises DataError that names the causes and, of
    several, the inputs.
    """
    causes = [
        row for row in found if row["status"] == "case" and row["reason"].startswith("held:")
        and row["reason"] != f"held:{REVIEWED}"
    ]  # fmt: skip
    held, limit = yuan_of(sum(row["cost_fen"] for row in causes)), Decimal(plan.job.max_held)
    if held <= priced.total_cost * limit:
        return
    routes = {route.name: (route.zh, route.en) for route in priced.policy.routes}
    zh, en = "", ""
    for row in sorted(causes, key=lambda row: -row["cost_fen"]):
        name, number, cost = row["reason"].partition(":")[2], row["rows"], yuan_of(row["cost_fen"])
        of_inputs = inputs_told(found, row["reason"])
        zh += f"\n  {number} 例 {cost:,.2f} 元：{reason_in_words(name, 'zh', routes)} [{name}]{of_inputs}"
        en += f"\n  {number} cases, {cost:,.2f} yuan: {reason_in_words(name, 'en', routes)} [{name}]"
        en += of_inputs
    raise DataError(
        zh=f"总费用 {priced.total_cost:,.2f} 元中有 {held:,.2f} 元暂不支付，超过 --max-held {limit}；"
        f"没有写入湖{zh}",
        en=f"{held:,.2f} of {priced.total_cost:,.2f} yuan of cost are held, more than --max-held {limit}; "
        f"nothing was written to the lake{en}",
    )


def check_cleared(connection: duckdb.DuckDBPyConnection, cases: Path) -> None:
    """No case is held at the end of a year. Raises DataError that lists them by hospital."""
    rows = connection.execute(
        "SELECT hospital_code, count(*), sum(total_cost), string_agg(DISTINCT cause, ', ' ORDER BY cause) "
        f"FROM (SELECT *, {cause_sql(columns_of(connection, scan(cases)))} AS cause FROM {scan(cases)}) "
        "WHERE pay_status = 'held' GROUP BY 1 ORDER BY 3 DESC, 1"
    ).fetchall()
    if not rows:
        return
    number, cost = sum(row[1] for row in rows), sum(row[2] for row in rows)
    zh = "".join(f"\n  {h}  {n} 例  {c:,.2f} 元  {why}" for h, n, c, why in rows[:SHOWN])
    en = "".join(f"\n  {h}  {n} cases  {c:,.2f} yuan  {why}" for h, n, c, why in rows[:SHOWN])
    more = len(rows) - SHOWN
    zh += f"\n  另有 {more} 家医院" if more > 0 else ""
    en += f"\n  and {more} more hospitals" if more > 0 else ""
    raise DataError(
        zh=f"还有 {number} 例（费用 {cost:,.2f} 元）暂不支付，清算后它们的医院得不到支付；请在最后一个月用"
        f" --corrections 决定它们，或用 --held-remain 照此清算{zh}",
        en=f"{number} cases ({cost:,.2f} yuan of cost) are still held; cleared so, their hospitals get "
        f"nothing for them. Decide them by --corrections in the last month, or clear all the same by "
        f"--held-remain{en}",
    )


def review_counts(
    connection: duckdb.DuckDBPyConnection, cases: Path, of: str = "TRUE"
) -> list[dict[str, Any]]:
    """Rows of the ledger: what became of special reviews of the priced cases that pass ``of`` (SQL)."""
    source = scan(cases)
    if "review_result" not in columns_of(connection, source):
        return []
    rows = connection.execute(
        "SELECT review_result::VARCHAR, count(*), (sum(total_cost) * 100)::BIGINT "
        f"FROM {source} WHERE review_result IS NOT NULL AND {of} GROUP BY 1 ORDER BY 1"
    ).fetchall()
    return [{"status": "review", "reason": told, "rows": n, "cost_fen": int(fen)} for told, n, fen in rows]


def quota_counts(
    connection: duckdb.DuckDBPyConnection, policy: Policy, when: date, cases: Path
) -> list[dict[str, Any]]:  # fmt: skip
    """Rows of the ledger: what special reviews the policy allows the area in a month, of how many discharges,
    and how many of its cases have used. None where the policy limits each hospital, or nothing."""
    source = scan(cases)
    names = columns_of(connection, source)
    values = policy.on(when)
    if "area_cases" not in names or "special_review_quota" not in policy.parameters:
        return []
    if values.plain("quota_base") != "pool":
        return []
    row = connection.execute(
        f"SELECT coalesce(max(area_cases), 0), count(*) FILTER (review_result = 'taken') FROM {source}"
    ).fetchone()
    discharges, used = row or (0, 0)
    allowed = int(Fraction(values.plain("special_review_quota")) * discharges)
    told = {"allowed": allowed, "discharges": discharges, "used": used}
    return [
        {"status": "review-quota", "reason": name, "rows": int(n), "cost_fen": None}
        for name, n in told.items()
    ]


def summed(counts: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of the ledger, those of the same status and reason added up."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in counts:
        own = found.setdefault((row["status"], row["reason"]), {**row, "rows": 0, "cost_fen": 0})
        own["rows"] += row["rows"]
        own["cost_fen"] += row["cost_fen"]
    return [found[key] for key in sorted(found)]


def case_counts(connection: duckdb.DuckDBPyConnection, cases: str) -> list[dict[str, Any]]:
    """Rows of the ledger: cases and fen by status and cause; of those not paid also by input, where there
    are several (``INPUT``: "status:cause:input"). ``cases``: SQL of priced cases."""
    names = columns_of(connection, cases)
    of = f"(SELECT *, pay_status || ':' || ({cause_sql(names)}) AS key FROM {cases})"
    sums = "count(*), (sum(total_cost) * 100)::BIGINT"
    rows = connection.execute(f"SELECT 'case', key, {sums} FROM {of} GROUP BY 2 ORDER BY 2").fetchall()
    if "input_file" in names:
        several = f"(SELECT count(DISTINCT input_file) FROM {cases}) > 1"
        rows += connection.execute(
            f"SELECT '{INPUT}', key || ':' || input_file, {sums} FROM {of} "
            f"WHERE pay_status <> 'paid' AND {several} GROUP BY 2 ORDER BY 2"
        ).fetchall()
    return [
        {"status": status, "reason": reason, "rows": n, "cost_fen": int(fen)}
        for status, reason, n, fen in rows
    ]


def inputs_told(counts: Iterable[Mapping[str, Any]], key: str) -> str:
    """From which inputs the cases of a "status:cause" come, most first; "" where there is only one."""
    found = sorted(
        (-row["rows"], row["reason"].removeprefix(f"{key}:"))
        for row in counts
        if row["status"] == INPUT and row["reason"].startswith(f"{key}:")
    )
    told = ", ".join(f"{name} {-rows:,}" for rows, name in found[:SHOWN_INPUTS])
    more = f" +{len(found) - SHOWN_INPUTS}" if len(found) > SHOWN_INPUTS else ""
    return f"  ({told}{more})" if found else ""
