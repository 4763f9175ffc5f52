"""A session of special reviews (特例单议): who may be reviewed, how many, and what the session decided.

Ranks and quotas are those of pricing (``payment.price.adjustments``): of the cases of a month that go by
group, largest cost first, in the area or in each hospital as the policy says. What a session decides becomes
a file of decisions; which of them count is said by the next run that reads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grouper.base.errors import DataError, UsageError
from grouper.base.scratch import spill_folder
from grouper.base.sql import literal, parquet_schema, scan
from grouper.base.tables_in import Row, near
from grouper.base.tables_out import csv_mark, write_rows
from grouper.base.whole import refuse_existing, write_text
from grouper.lake import views
from grouper.lake.layout import Lake
from grouper.payment.policy.policy import Policy, find_policy
from grouper.payment.price.decided import read_decisions, unfit
from grouper.report.cells import cell
from grouper.report.review_book import Candidate, Quota, read_session
from grouper.settlement.objections import listed
from grouper.settlement.plan.job import month_days

if TYPE_CHECKING:
    import duckdb

_NEEDED = ("record_id", "hospital_code", "outlier", "cost_ratio", "total_cost", "cost_considered", "pay_date",
           "method")  # fmt: skip
_TEXTS = ("group", "group_name", "hospital_name", "pay_status", "pay_reason", "review_result")
_CANDIDATE_TEXTS = ("group", "group_name", "outlier", "pay_status", "pay_reason")
_AMOUNTS = ("income", "settled_income")
_METHODS = "method IN ('group', 'tcm', 'by_cost')"  # those that pricing lets a review change
_MONTHS = re.compile(r"\d{4}-\d{2}")


@dataclass(frozen=True)
class Session:
    """What a session has before it: quotas by period (and hospital, where the policy says so), and candidates
    in the order of their ranks. ``closed``: of a lake, so that decisions are corrections of closed months."""

    policies: Mapping[str, Policy]
    quotas: list[Quota]
    candidates: list[Candidate]
    closed: bool
    area: tuple[str, str] = ("", "")
    known: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # record to its period and hospital


def of_lake(
    lake: Lake, months: Sequence[str], *, area: str = "", policy: str = "", ratio: str = ""
) -> Session:  # fmt: skip
    """The session of months that the lake has settled, as their cases are now.

    ``ratio``: cases from this multiple of their yardstick on, in place of the high outliers. A case with an
    open objection for a review is a candidate whatever its cost. Raises UsageError for a month that is not
    settled, and for a policy without special reviews.
    """
    from grouper.payment.policy.areas import area_name

    wanted = _months(months)
    with views.connect(lake.must_exist()) as connection:
        rows = connection.execute(
            "SELECT area, period, policy_id FROM runs_current WHERE kind = 'settle' "
            "AND list_contains(?, period) AND (? = '' OR area = ?) ORDER BY 1, 2",
            [wanted, area, area],
        ).fetchall()
        areas = sorted({row[0] for row in rows})
        missing = sorted(set(wanted) - {row[1] for row in rows})
        if missing or len(areas) > 1:
            raise UsageError(
                zh=f"{lake.root}：{'、'.join(missing)} 没有有效的结算" if missing
                else f"{lake.root} 有多个地区：{'、'.join(areas)}；请用 --area 指定",
                en=f"{lake.root}: no valid settlement of {', '.join(missing)}" if missing
                else f"{lake.root} has several areas: {', '.join(areas)}; name one with --area",
            )  # fmt: skip
        policies = {period: find_policy(policy or own, month_days(period)[1]) for _, period, own in rows}
        days = ", ".join(literal(period) for period in wanted)
        source = (
            "(SELECT c.*, h.hospital_name FROM cases_effective AS c LEFT JOIN (SELECT hospital_code, "
            "max(hospital_name) AS hospital_name FROM hospitals_current GROUP BY 1) AS h "
            f"USING (hospital_code) WHERE c.area = {literal(areas[0])} "
            f"AND strftime(c.pay_date, '%Y-%m') IN ({days}))"
        )
        asked = {
            one.record_id: one.id for one in listed(lake) if one.state == "open" and one.reason == "review"
        }
        made = _session(connection, source, policies, ratio, asked, closed=True)
    candidates = [replace(one, objection=asked.get(one.record_id, "")) for one in made.candidates]
    return replace(made, candidates=candidates, area=area_name(areas[0]))


def of_file(path: str, policy: str, *, ratio: str = "") -> Session:
    """The session of a file that ``grouper pay`` wrote. Raises UsageError for another file."""
    import duckdb

    hints = {"hint_zh": "；请用 grouper pay 的输出", "hint_en": "; give what grouper pay wrote"}
    names = parquet_schema(path, **hints).names
    if lacking := [name for name in _NEEDED if name not in names]:
        raise UsageError(
            zh=f"{path} 缺少列 {lacking[0]}；请用 grouper pay 的输出",
            en=f"{path} lacks the column {lacking[0]}; give what grouper pay wrote",
        )
    with duckdb.connect(config={"temp_directory": spill_folder()}) as connection:
        source = scan(path)
        sql = f"SELECT DISTINCT strftime(pay_date, '%Y-%m') FROM {source} ORDER BY 1"
        periods = [period for (period,) in connection.execute(sql).fetchall() if period]
        policies = {period: find_policy(policy, month_days(period)[1]) for period in periods}
        return _session(connection, source, policies, ratio, (), closed=False)


def _months(months: Sequence[str]) -> list[str]:
    """Months, and ranges of them (2025-04..2025-06), one by one."""
    made = []
    for text in months:
        first, _, last = text.partition("..")
        if not all(_MONTHS.fullmatch(part) for part in (first, last or first)):
            raise UsageError(
                zh=f"--month {text!r} 应为 YYYY-MM 或 YYYY-MM..YYYY-MM",
                en=f"--month {text!r} should be YYYY-MM or YYYY-MM..YYYY-MM",
            )
        start, end = (int(part[:4]) * 12 + int(part[5:]) - 1 for part in (first, last or first))
        made += [f"{n // 12:04d}-{n % 12 + 1:02d}" for n in range(start, end + 1)]
    if not made:
        raise UsageError(zh="请用 --month 指定月份", en="name the months by --month")
    return sorted(set(made))


def _session(
    connection: duckdb.DuckDBPyConnection, source: str, policies: Mapping[str, Policy], ratio: str,
    also: Iterable[str], *, closed: bool,
) -> Session:  # fmt: skip
    shares: dict[str, tuple[Fraction, bool]] = {}
    for period, policy in policies.items():
        if "special_review_quota" not in policy.parameters:
            raise UsageError(
                zh=f"政策 {policy.id} 没有特例单议（special_review_quota）",
                en=f"policy {policy.id} knows no special review (special_review_quota)",
            )
        values = policy.on(month_days(period)[1])
        shares[period] = Fraction(values.plain("special_review_quota")), values.plain("quota_base") == "pool"
    have = set(connection.sql(f"SELECT * FROM {source} LIMIT 0").columns)
    cases = f"(SELECT {_columns(have)} FROM {source} WHERE {_METHODS})"
    quotas = [quota for period in shares for quota in _quotas(connection, cases, period, *shares[period])]
    wanted = f"cost_ratio >= {_ratio(ratio)}" if ratio else "outlier IN ('high', 'extreme')"
    rows = connection.execute(
        f"SELECT * FROM {cases} WHERE ({wanted}) OR review_result IS NOT NULL "
        "OR list_contains(?, record_id) ORDER BY period, cost_considered DESC, record_id",
        [list(also)],
    )
    names = [item[0] for item in rows.description or ()]
    found = [dict(zip(names, row, strict=True)) for row in rows.fetchall()]
    places = connection.execute(f"SELECT record_id, period, hospital_code FROM {cases}").fetchall()
    known = {record: (period, hospital) for record, period, hospital in places}
    left = {(quota.period, quota.hospital): quota.allowed for quota in quotas}
    return Session(policies, quotas, _ranked(found, shares, left), closed, known=known)


def _columns(have: set[str]) -> str:
    texts = [f'"{name}"' if name in have else f'NULL::VARCHAR AS "{name}"' for name in _TEXTS]
    income = next((name for name in reversed(_AMOUNTS) if name in have), "NULL::DECIMAL(18,2)")
    numbers = ("area_cases", "hospital_cases")
    counts = [name if name in have else f"NULL::BIGINT AS {name}" for name in numbers]
    parts = [*(f'"{name}"' for name in _NEEDED if name != "pay_date"), *texts, *counts]
    return f"strftime(pay_date, '%Y-%m') AS period, {income} AS paid, {', '.join(parts)}"


def _ratio(text: str) -> Decimal:
    try:
        if (found := Decimal(text)) > 0 and found.is_finite():
            return found
    except ArithmeticError:
        pass
    raise UsageError(
        zh=f"--ratio {text!r} 应为大于 0 的数", en=f"--ratio {text!r} should be a number above 0"
    )


def _quotas(
    connection: duckdb.DuckDBPyConnection, cases: str, period: str, share: Fraction, area: bool
) -> list[Quota]:  # fmt: skip
    """What a month allows and has used: of the area, or of each hospital."""
    by = "''" if area else "hospital_code"
    rows = connection.execute(
        f"SELECT {by} AS hospital, coalesce(max({'area_cases' if area else 'hospital_cases'}), count(*)), "
        f"count(*) FILTER (review_result = 'taken') FROM {cases} WHERE period = ? GROUP BY 1 ORDER BY 1",
        [period],
    ).fetchall()
    return [Quota(period, hospital, n, share, int(share * n), used) for hospital, n, used in rows]


def _ranked(
    rows: Sequence[Mapping[str, Any]], shares: Mapping[str, tuple[Fraction, bool]],
    allowed: Mapping[tuple[str, str], int],
) -> list[Candidate]:  # fmt: skip
    """Candidates with their rank by cost, in the area or their hospital; whether the quota reaches them."""
    at: dict[tuple[str, str], int] = {}
    made = []
    for row in rows:
        period, code = str(row["period"]), str(row["hospital_code"])
        place = period, "" if shares[period][1] else code
        at[place] = at.get(place, 0) + 1
        own: dict[str, Any] = {name: str(row[name] or "") for name in _CANDIDATE_TEXTS}
        own |= {name: row[name] for name in ("cost_ratio", "total_cost", "cost_considered", "paid")}
        made.append(Candidate(
            period=period, hospital=code, name=str(row["hospital_name"] or code), **own,
            record_id=str(row["record_id"]), rank=at[place],
            within=at[place] <= allowed.get(place, 0), result=str(row["review_result"] or ""),
        ))  # fmt: skip
    return made


@dataclass(frozen=True)
class Decided:
    """What a session decided. ``over``: period, hospital or "", how many by item or adjusted, and the quota,
    where that is exceeded."""

    rows: list[Mapping[str, str]]
    over: list[tuple[str, str, int, int]]


def take_back(session: Session, path: str | Path, output: Path, *, over_quota: bool = False) -> Decided:
    """Read the workbook of a session and write its decisions: corrections of closed months (a lake), or the
    ``--decisions`` of ``grouper pay`` (a file).

    Raises DataError for a record that the session cannot review, for words and numbers that are not
    understood or that the policy cannot carry out, and where more is decided than the quota allows
    (``over_quota``: pricing then takes the largest costs).
    """
    refuse_existing(output, force=False)
    given = [(row, read_decisions(row)) for row in read_session(path)]
    seen: dict[str, int] = {}
    for row, values in given:
        _check(session, row, values, seen)
    over = _over(session, [(row.text("record_id"), values) for row, values in given])
    if over and not over_quota:
        told = [f"{period} {hospital}".strip() + f" {n} > {allowed}" for period, hospital, n, allowed in over]
        raise DataError(
            zh=f"{path}：单议支付超过名额（{'；'.join(told)}）；请减少，或用 --over-quota 照写："
            "计价时按费用从大到小取满为止",
            en=f"{path}: more than the quota ({'; '.join(told)}); take some out, or --over-quota writes them "
            "all and pricing takes the largest costs",
        )
    rows = [_line(session, row, values) for row, values in given]
    names = [*(["kind"] if session.closed else []), "record_id", "special_review", "special_review_amount",
             "special_review_points", "reason", "clause"]  # fmt: skip
    text = StringIO()
    write_rows(text, names, [[cell(line.get(name, "")) for name in names] for line in rows])
    write_text(output, csv_mark() + text.getvalue())
    return Decided(list(rows), over)


def _check(session: Session, row: Row, values: Mapping[str, str], seen: dict[str, int]) -> None:
    record = row.text("record_id")
    if record not in session.known:
        zh, en = near(record, session.known)
        raise row.error("record_id", f"{record or '（空）'} 不是该期可单议的病例{zh}",
                        f"{record or '(blank)'} is no case that the session can review{en}")  # fmt: skip
    if record in seen:
        raise row.error("record_id", f"{record} 重复（首见第 {seen[record]} 行）",
                        f"{record} is there twice (first row {seen[record]})")  # fmt: skip
    seen[record] = row.row
    wrong = unfit(session.policies[session.known[record][0]], values)
    if wrong is not None:
        raise row.error(*wrong)


def _over(
    session: Session, decided: Sequence[tuple[str, Mapping[str, str]]]
) -> list[tuple[str, str, int, int]]:  # fmt: skip
    taken = {one.record_id for one in session.candidates if one.result == "taken"}
    asked = {record for record, values in decided if values.get("special_review") in ("by_item", "adjust")}
    changed = {record for record, _ in decided}
    found = []
    for quota in session.quotas:
        own = [
            record for record in (taken - changed) | asked
            if (place := session.known[record])[0] == quota.period and quota.hospital in ("", place[1])
        ]  # fmt: skip
        if len(own) > quota.allowed:
            found.append((quota.period, quota.hospital, len(own), quota.allowed))
    return found


def _line(session: Session, row: Row, values: Mapping[str, str]) -> dict[str, str]:
    own = {name: row.text(name) for name in ("record_id", "reason", "clause")} | dict(values)
    return {"kind": "special_review", **own} if session.closed else own
