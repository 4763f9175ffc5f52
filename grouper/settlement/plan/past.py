"""Closed months as they were settled: their policy, scheme, point values, hospitals and known settlements.

A month of an earlier year may have gone by another policy, another scheme and other pools than the open
one. What an adjustment needs of it comes from the lake and its ledger, never from the open month's files.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grouper.base.errors import GrouperError, UsageError
from grouper.base.sql import literal, scan
from grouper.payment.policy.legacy_digest import digest_in
from grouper.payment.policy.policy import Policy, find_policy
from grouper.payment.pool.budget import Budget, PoolBudget
from grouper.settlement import relations
from grouper.settlement.intake import Taken, read_files
from grouper.settlement.offsite import kind_sql, regions_of
from grouper.settlement.plan.job import Job, Plan, load_grouper, month_days
from grouper.settlement.records import OF_HOSPITAL, columns_of, records_sql

if TYPE_CHECKING:
    import duckdb

    from grouper.grouping.api import Grouper

PERIOD = "strftime({}discharge_date, '%Y-%m')"  # the month that a record belongs to
LATE = "f.fate IN ('late', 'corrected')"
_REACH = 366  # days before a stay in which no rule looks for an earlier one


@dataclass
class Past:
    """Rules of closed months, each loaded once. ``used``: (role, period, id, SHA-256) of what was taken
    though the open month goes by another; ``changed``: what is no longer as its run had it, for the ledger's
    assumptions."""

    connection: duckdb.DuckDBPyConnection
    plan: Plan
    used: set[tuple[str, str, str, str]] = field(default_factory=set)
    changed: dict[str, str] = field(default_factory=dict)
    _policies: dict[str, Policy] = field(default_factory=dict)

    def run_of(self, period: str) -> dict[str, Any]:
        """What the ledger has of the run of a closed month."""
        names = ("run", "policy_id", "policy_sha256", "scheme_id", "scheme_sha256", "options_json", "format")
        row = self.connection.execute(
            f"SELECT {', '.join(names)} FROM runs WHERE run = ?", [self.plan.closed[period]]
        ).fetchone()
        assert row is not None
        return dict(zip(names, row, strict=True))

    def policy(self, period: str) -> Policy:
        """The policy that a closed month was settled by.

        Raises UsageError that names the month when there is none any more.
        """
        run = self.run_of(period)
        key = run["policy_sha256"]
        if key == digest_in(self.plan.policy, run["format"]):
            return self.plan.policy
        if key not in self._policies:
            job = Job.from_json(run["options_json"], run["format"])
            try:
                self._policies[key] = find_policy(job.policy or job.area, month_days(period)[1])
            except GrouperError as error:
                raise _lost(period, "政策", "policy", run["policy_id"], error) from error
        found = self._policies[key]
        same = digest_in(found, run["format"]) == key
        self._note("policy", period, found.id, digest_in(found, self.plan.format), same, run["run"])
        return found

    def grouper(self, period: str) -> Grouper:
        """The scheme that a closed month was grouped by, with its options. Raises as ``policy``."""
        run = self.run_of(period)
        job = Job.from_json(run["options_json"], run["format"])
        try:
            found = load_grouper(job, self.policy(period), month_days(period)[1])
        except GrouperError as error:
            raise _lost(period, "分组方案", "scheme", run["scheme_id"], error) from error
        scheme = found.engine.scheme.digest
        self._note("scheme", period, found.id, scheme, scheme == run["scheme_sha256"], run["run"])
        return found

    def _note(self, role: str, period: str, name: str, found: str, same: bool, run: str) -> None:
        self.used.add((role, period, name, found))
        if not same:
            self.changed[f"{role} {period}"] = f"{name}, changed since run {run}"

    def inputs(self) -> list[dict[str, Any]]:
        """``used`` as rows of the ledger."""
        return [
            {"role": role, "path": f"{period} {name}", "bytes": 0, "sha256": sha}
            for role, period, name, sha in sorted(self.used)
        ]

    def reaches(self, first: date | None) -> dict[str, int]:
        """Closed months to the days within which their policy looks for the next stay of a person.

        ``first``: the earliest admission that may be such a stay.
        """
        found = {}
        for period in sorted(self.plan.closed):
            if first is None or (first - month_days(period)[1]).days > _REACH:
                continue
            dated = self.policy(period).parameters.get("readmission_days")
            if dated is not None:
                found[period] = int(max(value.value for value in dated.values))
        return found

    def by_policy(self, periods: Sequence[str]) -> list[list[str]]:
        """Months that the same policy settles, together."""
        groups: dict[str, list[str]] = {}
        for period in periods:
            groups.setdefault(self.policy(period).digest, []).append(period)
        return list(groups.values())


def _lost(period: str, zh: str, en: str, name: str, error: GrouperError) -> UsageError:
    return UsageError(
        zh=f"{period} 的病例须按当月{zh} {name} 重算：{error.zh}；请恢复它，或去掉涉及该月的行",
        en=f"cases of {period} are priced again by its {en} {name}: {error.en}; restore it, or leave out "
        "the rows that concern that month",
    )


def make_known(connection: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """Table ``known``: the effective records of closed months, of any year, that this input may mean.

    Only those are taken whose ids or visits the input, a withdrawal or a decision names, or whose person a
    refund names: the table grows with the input, not with the lake. Reads ``rows``, ``withdrawals`` and
    ``decided``. Table ``waiting_bills``: interim bills of such visits that wait in closed months;
    ``taken_back``: what closed months took back of what refunds of this input name.
    """
    relations.make(connection, relations.WAITING_BILLS)
    relations.make(connection, relations.TAKEN_BACK)
    if not plan.closed:
        relations.make(connection, relations.KNOWN)
        return
    relations.make(
        connection,
        relations.NAMED,
        "SELECT id FROM ("
        "SELECT unnest([record_id, settlement_id, refund_of]) AS id FROM rows "
        "UNION SELECT id FROM withdrawals UNION SELECT id FROM decided) WHERE id IS NOT NULL",
    )
    relations.make(
        connection,
        relations.REFUNDERS,
        "SELECT DISTINCT visit_id, person_id FROM rows WHERE refund_flag OR total_cost < 0",
    )
    own = columns_of(connection, "records_effective")
    made = [name if name in own else f"NULL::VARCHAR AS {name}" for name in relations.KNOWN.names[:-1]]
    tests = [f"{name} IN (SELECT id FROM named)" for name in ("record_id", "settlement_id")]
    for name in ("visit_id", "person_id"):
        if name in own:
            tests.append(f"{name} IN (SELECT {name} FROM refunders WHERE {name} IS NOT NULL)")
    if "visit_id" in own:
        tests.append("visit_id IN (SELECT visit_id FROM rows WHERE visit_id IS NOT NULL)")
    relations.make(
        connection,
        relations.KNOWN,
        f"SELECT {', '.join(made)}, {PERIOD.format('')} AS period "
        f"FROM records_effective WHERE {folders(plan)} AND ({' OR '.join(tests)})",
    )
    if "visit_id" in columns_of(connection, "rejected_current"):
        connection.execute(
            "INSERT INTO waiting_bills SELECT DISTINCT visit_id, hospital_code, settlement_id "
            f"FROM rejected_current WHERE {folders(plan)} AND reason = 'interim' "
            "AND visit_id IN (SELECT visit_id FROM rows)"
        )
    _taken_back(connection, plan)


def _taken_back(connection: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """Fill ``taken_back``: pairs and parts that met in an earlier month, and records that one took back."""
    named = "IN (SELECT unnest([refund_of, settlement_id, record_id]) FROM rows WHERE total_cost < 0)"
    if columns_of(connection, "rejected_current"):
        connection.execute(
            "INSERT INTO taken_back SELECT DISTINCT id, total_cost < 0 FROM (SELECT *, "
            f"coalesce(settlement_id, record_id) AS id FROM rejected_current) WHERE {folders(plan)} AND id "
            f"{named} AND (reason = 'refund-netted' OR reason = 'refund-joined' AND total_cost < 0)"
        )
    if columns_of(connection, "adjustments_current"):
        connection.execute(
            "INSERT INTO taken_back SELECT DISTINCT id, FALSE FROM (SELECT *, "
            "unnest([settlement_id, record_id]) AS id FROM adjustments_current) "
            f"WHERE {folders(plan)} AND id {named} AND kind IN ('refund', 'withdrawal')"
        )


def folders(plan: Plan, first: str = "0000-00", table: str = "") -> str:
    """SQL: kept in the folder of a month from ``first`` on and before the open one. No record is kept in an
    earlier folder than that of its own month.

    Year and month are compared apart: of what computes with both, DuckDB does not see which files it spares.
    """
    own, area = (f"{table}{name}" for name in ("year", "area"))

    def beyond(period: str, sign: str, last: str) -> str:
        year, month = int(period[:4]), int(period[5:])
        return f"({own} {sign} {year} OR ({own} = {year} AND {table}month {last} {month}))"

    bounds = f"{beyond(first, '>', '>=')} AND {beyond(plan.month.period, '<', '<')}"
    return f"({bounds} AND {area} = {literal(plan.month.area)})"


def late_sql(past: Past, taken: Taken, given: tuple[Collection[str], Sequence[str]], staged: Path) -> str:
    """SQL of the late and corrected records of this input, each grouped by the scheme of its month.

    Where that is another scheme than the open month's, the input is read and grouped once more by it.
    """
    connection, plan = past.connection, past.plan
    missing = plan.job.allow_missing
    rows = connection.execute(
        f"SELECT DISTINCT {PERIOD.format('j.')} FROM fate AS f JOIN judged AS j USING (n) WHERE {LATE} "
        "ORDER BY 1"
    ).fetchall()
    other: dict[str, list[str]] = {}
    for (period,) in rows:
        scheme = past.run_of(period)["scheme_sha256"]
        if scheme != plan.grouper.engine.scheme.digest:
            other.setdefault(scheme, []).append(period)
    apart = [period for periods in other.values() for period in periods]
    kinds = offsite_sql(plan, taken.present, given[0])
    where = f"{LATE} AND NOT {_within('r.', apart)}"
    parts = [records_sql(taken.present, *given, missing, where=where, offsite=kinds)]
    for number, periods in enumerate(other.values(), 1):
        path = staged / f"rows-{number}.parquet"
        again = read_files(plan.files, past.grouper(periods[0]), path)
        view = relations.numbered(relations.ROWS_AGAIN, number)
        relations.make(connection, view, f"SELECT * FROM {scan(path)}")
        where = f"{LATE} AND {_within('r.', periods)}"
        parts.append(records_sql(again.present, *given, missing, where=where, rows=view.name, offsite=kinds))
    return " UNION ALL BY NAME ".join(parts)


def offsite_sql(plan: Plan, present: Collection[str], hospital_columns: Collection[str]) -> str:
    """SQL of who is treated where; empty for runs of formats that did not tell."""
    if plan.format < 4:
        return ""
    return kind_sql(present, hospital_columns, regions_of(plan.budget, plan.month.area))


def _within(table: str, periods: Collection[str]) -> str:
    listed = ", ".join(literal(period) for period in sorted(periods))
    return f"{PERIOD.format(table)} IN ({listed})" if listed else "FALSE"


def as_then(connection: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """Late and corrected records take level, kind, county and coefficient of their hospital as its month had
    them, where all its cases of that month agree."""
    own = columns_of(connection, "late_records")
    had = columns_of(connection, "records_effective")
    names = [name for name in OF_HOSPITAL if name in own and name in had]
    if not names:
        return
    found = ", ".join(f"min({n}) AS {n}, count(DISTINCT {n}) < 2 AS same_{n}" for n in names)
    put = ", ".join(f"CASE WHEN o.same_{n} THEN o.{n} ELSE l.{n} END AS {n}" for n in names)
    row = connection.execute(f"SELECT min({PERIOD.format('')}) FROM late_records").fetchone()
    if row is None or row[0] is None:
        return
    relations.make(
        connection,
        relations.LATE_RECORDS,
        f"SELECT l.* REPLACE ({put}) FROM late_records AS l "
        f"LEFT JOIN (SELECT hospital_code, {PERIOD.format('')} AS period, {found} FROM records_effective "
        f"WHERE {folders(plan, row[0])} AND row_kind = 'case' "
        f"AND (hospital_code, {PERIOD.format('')}) IN "
        f"(SELECT (hospital_code, {PERIOD.format('')}) FROM late_records) GROUP BY 1, 2) AS o "
        f"ON o.hospital_code = l.hospital_code AND o.period = {PERIOD.format('l.')}",
    )


def old_budget(connection: duckdb.DuckDBPyConnection, plan: Plan, period: str) -> Budget:
    """The pools of a closed month with the point values that it paid. Money is not shared out again."""
    had = columns_of(connection, "pools_current")
    names = [name if name in had else f"NULL AS {name}" for name in ("members", "pay_ratio")]
    rows = connection.execute(
        f"SELECT pool, point_value_exact, {', '.join(names)} FROM pools_current WHERE run = ? ORDER BY 1",
        [plan.closed[period]],
    ).fetchall()
    pools = {}
    for name, value, members, ratio in rows:
        now = plan.budget.pools.get(name)
        given = now.point_value if now and period[:4] == plan.month.period[:4] else None
        pools[name] = PoolBudget(
            name, 0, 0, (), tuple(members.split(",")) if members else now.members if now else (name,),
            Fraction(value) if value else given, Fraction(ratio) if ratio else None, "", {},
        )  # fmt: skip
    return Budget(plan.month.area, period, pools, {}, plan.budget.where)


def check_pools(plan: Plan, members: Mapping[str, str]) -> None:
    """Every pool that adjustments enter is one of the open month's budget. ``members``: pool of the policy
    to a period that has it. Raises UsageError that names the key to add."""
    for member, period in sorted(members.items()):
        try:
            plan.budget.pool_of(member)
        except UsageError as error:
            raise UsageError(
                zh=f"{error.zh}（{period} 的调整要记入它）",
                en=f"{error.en} (adjustments of {period} enter it)",
            ) from error
