"""What changes settlements of closed months: it enters the open month as adjustments.

The months' own rules are asked again: records of the closed month as they are now (late and corrected ones
added, withdrawn ones gone, decisions made, with the next stays of the same persons beside them) go through
the same pricing, and what comes out otherwise than before is settled at the point value of that month.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grouper.base.money import Fen, fen_of, yuan_of
from grouper.base.sql import literal, scan
from grouper.payment.price.cases import CONTEXT
from grouper.payment.price.inputs import Files, sources
from grouper.settlement import relations, tables
from grouper.settlement.corrections import Item
from grouper.settlement.limits import review_counts
from grouper.settlement.plan import past
from grouper.settlement.plan.job import Plan
from grouper.settlement.plan.past import PERIOD, Past
from grouper.settlement.records import ORDER, UNDECIDED, cases_sql, columns_of

if TYPE_CHECKING:
    import duckdb

    from grouper.payment.policy.policy import Policy

_COMPARED = (
    "pay_status", "pay_reason", "method", "group", "case_value", "amount", "person_paid", "other_funds",
    "fund_due", "total_cost", "hospital_code", "pool",
)  # fmt: skip
_PERIOD = PERIOD.format("")
_LINES = "kind IN ('quality', 'audit_deduction')"


@dataclass
class Adjusted:
    """Files of the late and corrected cases and of their records; rows of the ledger on special reviews of
    closed months that are decided now."""

    cases: list[Path]
    records: list[Path]
    reviews: list[dict[str, Any]] = field(default_factory=list)


def adjust(rules: Past, late: str, staged: Path) -> Adjusted:
    """Make table ``adjustments_new`` and the files of late and corrected cases.

    ``rules``: of the closed months; ``late``: SQL of the late and corrected records of this input. Reads
    ``records_new`` (cases of the open month), ``known``, ``fate``, ``decisions``, ``withdrawals``.
    """
    connection, plan = rules.connection, rules.plan
    relations.make(connection, relations.ADJUSTMENTS_NEW)
    done = Adjusted([], [])
    if plan.closed:
        relations.make(connection, relations.LATE_RECORDS, late)
        past.as_then(connection, plan)
        _touched(rules)
        periods = _periods(connection)
        if periods:
            _closed(rules, periods, staged, done)
    _lines(connection, plan)
    return done


def _touched(rules: Past) -> None:
    """Table ``touched``: records whose price may change, with why; table ``removed``: those that leave."""
    connection = rules.connection
    relations.make(
        connection,
        relations.REMOVED,
        """SELECT f.partner AS record_id, any_value(f.fate) AS kind, any_value(r.input_file) AS file,
          any_value(r.input_row) AS row, NULL::VARCHAR AS reason, NULL::VARCHAR AS clause
        FROM fate AS f JOIN rows AS r USING (n) WHERE f.fate IN ('refund', 'corrected') GROUP BY 1
        UNION ALL SELECT k.record_id, 'withdrawal', any_value(w.file), any_value(w.row), any_value(w.reason),
          any_value(w.clause) FROM withdrawals AS w JOIN known AS k ON w.id IN (k.record_id, k.settlement_id)
        GROUP BY k.record_id""",
    )
    relations.make(
        connection,
        relations.TOUCHED,
        f"""SELECT record_id, {_PERIOD} AS period,
          CASE row_kind WHEN 'late' THEN 'late' ELSE 'correction' END AS kind,
          input_file AS file, input_row AS row, NULL::VARCHAR AS reason, NULL::VARCHAR AS clause
        FROM late_records
        UNION ALL SELECT r.record_id, k.period, r.kind, r.file, r.row, r.reason, r.clause
          FROM removed AS r JOIN known AS k USING (record_id) WHERE r.kind <> 'corrected'
        UNION ALL SELECT record_id, period, CASE kind WHEN 'special_review' THEN kind ELSE 'correction' END,
          file, row, reason, clause FROM decisions WHERE period IS NOT NULL""",
    )
    _readmitted(rules)


def _readmitted(rules: Past) -> None:
    """Earlier stays of persons who came again (or, as it turns out, did not) within their policy's limit."""
    connection, plan = rules.connection, rules.plan
    if "person_id" not in columns_of(connection, "records_new"):
        return
    names = "record_id, person_id, admission_date"
    gone = "SELECT min(period) FROM known WHERE record_id IN (SELECT record_id FROM removed)"
    (since,) = connection.execute(gone).fetchall()[0]  # before it none of them is kept
    relations.make(
        connection,
        relations.STAYS,
        f"SELECT {names} FROM records_new UNION ALL "
        f"SELECT {names} FROM late_records UNION ALL "
        f"SELECT {names} FROM records_effective WHERE {past.folders(plan, since or plan.month.period)} "
        "AND record_id IN (SELECT record_id FROM removed)",
    )
    first = connection.execute("SELECT min(admission_date) FROM stays").fetchone()
    reaches = rules.reaches(first[0] if first else None)
    if not reaches:
        return
    listed = ", ".join(f"({literal(period)}, {days})" for period, days in reaches.items())
    period = PERIOD.format("e.")
    connection.execute(
        f"""INSERT INTO touched SELECT DISTINCT e.record_id, {period}, 'readmission', NULL, NULL, NULL, NULL
        FROM records_effective AS e JOIN stays AS x ON x.person_id = e.person_id
        JOIN (VALUES {listed}) AS reach(period, days) ON reach.period = {period}
        WHERE {past.folders(plan, min(reaches), "e.")}
          AND x.record_id <> e.record_id AND x.admission_date >= e.admission_date
          AND date_diff('day', e.discharge_date, x.admission_date) <= reach.days
          AND e.record_id NOT IN (SELECT record_id FROM touched)"""
    )


def _periods(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute("SELECT DISTINCT period FROM touched ORDER BY 1").fetchall()
    return [row[0] for row in rows]


def _closed(rules: Past, periods: Sequence[str], staged: Path, done: Adjusted) -> None:
    """The adjustments of closed months: those of one policy together, or each alone where a hospital's
    reviews are ranked."""
    connection, plan = rules.connection, rules.plan
    gone = "record_id NOT IN (SELECT record_id FROM removed)"
    kept = f"SELECT * FROM records_effective WHERE {past.folders(plan, periods[0])} AND {gone}"
    changed = _decided_sql(connection, f"({kept})")
    relations.make(
        connection,
        relations.WORLD,
        f"SELECT * FROM ({changed}) "
        "UNION ALL BY NAME SELECT * FROM late_records UNION ALL BY NAME SELECT * FROM records_new",
    )
    reviewed = "special_review" in columns_of(connection, "world")
    for group in [[period] for period in periods] if reviewed else rules.by_policy(periods):
        place = staged / f"closed-{group[0]}"
        place.mkdir()
        records = place / "records.parquet"
        policy = rules.policy(group[0])
        if _scope(connection, group, policy, reviewed, records):
            _again(connection, plan, policy, group, records, place, done)
        for period in group:
            _removals(connection, plan, period)


def _scope(
    connection: duckdb.DuckDBPyConnection,
    periods: Sequence[str],
    policy: Policy,
    reviewed: bool,
    output: Path,
) -> int:
    """Write the records to price again, with the later stays of their persons as context."""
    names = columns_of(connection, "world")
    within = f"{_PERIOD} IN ({', '.join(literal(p) for p in periods)})"
    own = _columns(connection, within, names)
    scope = "record_id IN (SELECT record_id FROM touched)"
    if reviewed and _by_area(policy):  # reviews are ranked within the area: its month is priced as a whole
        scope = f"EXISTS (SELECT 1 FROM world WHERE {within} AND {scope})"
    elif reviewed:  # within a hospital: it is priced as a whole
        hospitals = f"SELECT hospital_code FROM world WHERE {within} AND {scope}"
        scope = f"({scope} OR hospital_code IN ({hospitals}))"
    relations.make(connection, relations.SCOPED, f"SELECT record_id FROM world WHERE {within} AND {scope}")
    columns = ", ".join(f'"{n}"' for n in own)
    # a context row only tells when a stay began; the policy need not be valid on the day that it ended
    last = f"least(discharge_date, DATE '{policy.valid_to}') AS discharge_date"
    told = {"hospital_code": f"{literal(CONTEXT)} AS hospital_code", "discharge_date": last}
    if reviewed:
        told["special_review"] = "NULL AS special_review"
    context = ", ".join(told.get(n, f'"{n}"') for n in own)
    sql = f"SELECT {columns} FROM world WHERE record_id IN (SELECT record_id FROM scoped)"
    if "person_id" in names:
        persons = "SELECT person_id FROM world WHERE record_id IN (SELECT record_id FROM scoped)"
        sql += (
            f" UNION ALL SELECT {context} FROM world WHERE person_id IN ({persons}) "
            "AND record_id NOT IN (SELECT record_id FROM scoped)"
        )
    tables.write_sql(connection, f"SELECT * FROM ({sql}) ORDER BY {ORDER}", output, scratch=True)
    row = connection.execute("SELECT count(*) FROM scoped").fetchone()
    return row[0] if row else 0


def _by_area(policy: Policy) -> bool:
    """Whether special reviews are ever ranked within the whole area."""
    base = policy.parameters.get("quota_base")
    return base is not None and any(dated.value == "pool" for dated in base.values)


def _columns(connection: duckdb.DuckDBPyConnection, within: str, names: Sequence[str]) -> list[str]:
    """The columns of ``world`` without those of folders, and without the groups of another kind: an area that
    went from one scheme to another has DRGs in some months and DIP groups in others."""
    kinds = [n for n in sources("group") if n in names]
    counted = ", ".join(f'count("{n}")' for n in kinds) or "0"
    row = connection.execute(f"SELECT {counted} FROM world WHERE {within}").fetchone()
    empty = [n for n, count in zip(kinds, row or (), strict=False) if not count]
    others = empty if len(empty) < len(kinds) else []
    return [n for n in names if n not in ("area", "year", "month", "run", *others)]


def _decided_sql(connection: duckdb.DuckDBPyConnection, source: str) -> str:
    """Records with the decisions about closed months put in."""
    given = [
        name for name in columns_of(connection, "decisions")
        if name not in ("id", "kind", "file", "row", "reason", "clause", "record_id", "period")
        and connection.execute(f"SELECT 1 FROM decisions WHERE {name} IS NOT NULL LIMIT 1").fetchone()
    ]  # fmt: skip
    if not given:
        return f"SELECT * FROM {source}"
    own = columns_of(connection, source)
    made = []
    for name in given:
        parts = [f"d.{name}", *([f"e.{name}"] if name in own else []), UNDECIDED.get(name, "NULL")]
        made.append(f"coalesce({', '.join(parts)}) AS {name}")
    both = ", ".join(name for name in given if name in own)
    rest = f"e.* EXCLUDE ({both})" if both else "e.*"
    return (
        f"SELECT {rest}, {', '.join(made)} FROM {source} AS e "
        "LEFT JOIN decisions AS d ON d.record_id = e.record_id AND d.period IS NOT NULL"
    )


def _again(
    connection: duckdb.DuckDBPyConnection,
    plan: Plan,
    policy: Policy,
    periods: Sequence[str],
    records: Path,
    place: Path,
    done: Adjusted,
) -> None:
    """Price the scope, and settle by its month what came out otherwise."""
    from grouper.payment.pool.settle import settle_cases
    from grouper.payment.price.pricing import price_files

    priced = place / "priced.parquet"
    files = Files([str(records)], hold_above=plan.format > 2)
    price_files(policy, files, str(priced), threads=plan.job.threads, scratch=True)
    now = "record_id IN (SELECT record_id FROM decisions WHERE period IS NOT NULL)"
    of = f"hospital_code <> {literal(CONTEXT)} AND {now}"
    done.reviews += review_counts(connection, priced, of)
    for period in periods:
        changed, settled = (place / f"{name}-{period}.parquet" for name in ("changed", "settled"))
        if not tables.write_sql(
            connection, _changed_sql(connection, plan, period, priced), changed, scratch=True
        ):
            continue
        settle_cases(
            policy,
            [str(changed)],
            past.old_budget(connection, plan, period),
            str(settled),
            value="budget",
            threads=plan.job.threads,
            memory=plan.job.memory or None,
            scratch=True,
        )
        _keep(connection, plan, period, records, settled, place, done)


def _changed_sql(connection: duckdb.DuckDBPyConnection, plan: Plan, period: str, priced: Path) -> str:
    """The priced cases of a month that are new, were replaced, or now cost something else."""
    names = columns_of(connection, scan(priced))
    before = columns_of(connection, "cases_effective")
    differs = " OR ".join(
        f'p."{n}" IS DISTINCT FROM c."{n}"' for n in _COMPARED if n in names and n in before
    )
    replaced = "SELECT record_id FROM removed WHERE kind = 'corrected'"
    return (
        f"SELECT p.* FROM {scan(priced)} AS p LEFT JOIN cases_effective AS c "
        f"ON c.record_id = p.record_id AND {past.folders(plan, period, 'c.')} "
        f"WHERE p.hospital_code <> {literal(CONTEXT)} "
        f"AND strftime(p.pay_date, '%Y-%m') = {literal(period)} "
        f"AND (c.record_id IS NULL OR {differs} OR p.record_id IN ({replaced})) "
        "ORDER BY p.hospital_code, p.record_id"
    )


def _keep(
    connection: duckdb.DuckDBPyConnection, plan: Plan, period: str, records: Path, settled: Path,
    place: Path, done: Adjusted,
) -> None:  # fmt: skip
    """The changed cases as rows of the open month, and their adjustments."""
    kept = place / f"kept-{period}.parquet"
    kind = "CASE WHEN row_kind = 'late' THEN 'late' ELSE 'corrected' END"
    changed = f"SELECT record_id FROM {scan(settled)}"
    tables.write_sql(
        connection,
        f"SELECT * REPLACE ({kind} AS row_kind) FROM {scan(records)} "
        f"WHERE hospital_code <> {literal(CONTEXT)} AND record_id IN ({changed}) ORDER BY {ORDER}",
        kept,
        scratch=True,
    )
    cases = place / f"cases-{period}.parquet"
    tables.write_sql(connection, cases_sql(connection, scan(settled), scan(kept)), cases, scratch=True)
    done.cases.append(cases)
    done.records.append(kept)
    _difference(connection, plan, period, scan(cases))


def _difference(connection: duckdb.DuckDBPyConnection, plan: Plan, period: str, cases: str) -> None:
    """Before and after of every changed case."""
    connection.execute(
        f"""INSERT INTO adjustments_new BY NAME
        SELECT coalesce(t.kind, 'correction') AS kind, n.record_id, n.settlement_id, c.run AS original_run,
          {literal(period)} AS original_period, n.hospital_code, n.pool, c.settled_points AS points_before,
          n.settled_points AS points_after, c.settled_fund AS amount_before, n.settled_fund AS amount_after,
          coalesce(n.settled_fund, 0) - coalesce(c.settled_fund, 0) AS difference, n.total_cost,
          coalesce(t.reason, CASE t.kind WHEN 'late' THEN 'late' WHEN 'readmission' THEN 'readmission'
            WHEN 'special_review' THEN 'special_review' ELSE 'correction' END) AS reason,
          t.clause, t.file AS source_file, t.row AS source_row
        FROM {cases} AS n LEFT JOIN cases_effective AS c
          ON c.record_id = n.record_id AND {past.folders(plan, period, "c.")}
        LEFT JOIN (SELECT record_id, min_by(kind, rank) AS kind, min_by(reason, rank) AS reason,
            min_by(clause, rank) AS clause, min_by(file, rank) AS file, min_by(row, rank) AS row
          FROM (SELECT *, CASE kind WHEN 'readmission' THEN 1 ELSE 0 END AS rank FROM touched) GROUP BY 1
        ) AS t ON t.record_id = n.record_id"""
    )


def _removals(connection: duckdb.DuckDBPyConnection, plan: Plan, period: str) -> None:
    """Refunds and withdrawals: nothing is paid any more."""
    connection.execute(
        f"""INSERT INTO adjustments_new BY NAME
        SELECT r.kind, c.record_id, c.settlement_id, c.run AS original_run,
          {literal(period)} AS original_period,
          c.hospital_code, c.pool, c.settled_points AS points_before, 0 AS points_after,
          c.settled_fund AS amount_before, 0 AS amount_after, -coalesce(c.settled_fund, 0) AS difference,
          -c.total_cost AS total_cost, coalesce(r.reason, r.kind) AS reason, r.clause, r.file AS source_file,
          r.row AS source_row
        FROM removed AS r JOIN cases_effective AS c USING (record_id)
        WHERE r.kind <> 'corrected' AND {past.folders(plan, period, "c.")}
          AND strftime(c.discharge_date, '%Y-%m') = {literal(period)}"""
    )


def _lines(connection: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """Pools as the budget has them; scores and audit deductions, which concern hospitals, not cases."""
    entered = connection.execute(
        "SELECT pool, min(original_period) FROM adjustments_new WHERE difference <> 0 GROUP BY 1"
    ).fetchall()
    past.check_pools(plan, dict(entered))
    owner = plan.budget.owner_sql(otherwise="pool")
    connection.execute(f"UPDATE adjustments_new SET pool = {owner}")
    for item in plan.corrections.of("quality", "audit_deduction"):
        connection.execute(
            "INSERT INTO adjustments_new BY NAME SELECT ? AS kind, ? AS hospital_code, ? AS pool, "
            "CAST(? AS DECIMAL(18,2)) AS difference, ? AS score, ? AS reason, ? AS clause, ? AS source_file, "
            "? AS source_row, ? AS document",
            _line(item),
        )


def _line(item: Item) -> Sequence[Any]:
    difference = -yuan_of(item.amount_fen) if item.kind == "audit_deduction" else None
    return [
        item.kind, item.hospital, item.pool, difference, item.score or None, item.reason or item.kind,
        item.clause or None, item.file, item.row, item.document or None,
    ]  # fmt: skip


def amounts(
    connection: duckdb.DuckDBPyConnection, plan: Plan
) -> tuple[dict[tuple[str, str], Fen], dict[tuple[str, str], Fen]]:
    """Fen by hospital and pool that adjustments of cases add to the month: of this year, of earlier years."""
    rows = connection.execute(
        f"SELECT hospital_code, pool, original_period >= ?, sum(difference) FROM adjustments_new "
        f"WHERE NOT {_LINES} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        [str(plan.month.first.year)],
    ).fetchall()
    found: tuple[dict[tuple[str, str], Fen], ...] = ({}, {})
    for hospital, pool, own, amount in rows:
        if amount or pool in plan.budget.pools:  # a case that is never paid may be of any pool
            found[0 if own else 1][hospital, pool] = fen_of(amount)
    return found[0], found[1]
