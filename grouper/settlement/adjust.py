"""What changes settlements of closed months: it enters the open month as adjustments.

The months' own rules are asked again: records of the closed month as they are now (late and corrected ones
added, withdrawn ones gone, decisions made, with the next stays of the same persons beside them) go through
the same pricing, and what comes out otherwise than before is settled at the point value of that month.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grouper.payment.budget import Budget, PoolBudget
from grouper.payment.cases import Files
from grouper.payment.expression import literal
from grouper.settlement import tables
from grouper.settlement.corrections import Item
from grouper.settlement.plan import Plan
from grouper.settlement.records import ORDER, UNDECIDED, cases_sql, columns_of

if TYPE_CHECKING:
    import duckdb

_CONTEXT = "~context"  # hospital of rows that only say when a person came again
_COMPARED = (
    "pay_status", "pay_reason", "method", "group", "case_value", "amount", "person_paid", "other_funds",
    "fund_due", "total_cost", "hospital_code", "pool",
)  # fmt: skip
_PERIOD = "strftime(discharge_date, '%Y-%m')"


@dataclass
class Adjusted:
    """Files of the late and corrected cases and of their records ("" where there are none)."""

    cases: list[Path]
    records: list[Path]


def adjust(connection: duckdb.DuckDBPyConnection, plan: Plan, late: str, staged: Path) -> Adjusted:
    """Make table ``adjustments_new`` and the files of late and corrected cases.

    ``late``: SQL of the late and corrected records of this input. Reads ``records_new`` (cases of the open
    month), ``known``, ``fate``, ``decisions``, ``withdrawals``.
    """
    schema = ", ".join(
        f"{f.name} {_sql_type(f.type)}" for f in tables.ADJUSTMENTS if f.name != "adjustment_id"
    )
    connection.execute(f"CREATE OR REPLACE TABLE adjustments_new ({schema})")
    done = Adjusted([], [])
    if plan.closed:
        connection.execute(f"CREATE OR REPLACE TABLE late_records AS {late}")
        _touched(connection, plan)
        periods = _periods(connection)
        if periods:
            _closed(connection, plan, periods, staged, done)
    _lines(connection, plan)
    return done


def _sql_type(kind: Any) -> str:
    import pyarrow as pa

    if pa.types.is_decimal(kind):
        return f"DECIMAL({kind.precision},{kind.scale})"
    return "BIGINT" if pa.types.is_integer(kind) else "VARCHAR"


def _touched(connection: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """Table ``touched``: records whose price may change, with why; table ``removed``: those that leave."""
    connection.execute(
        """CREATE OR REPLACE TABLE removed AS
        SELECT f.partner AS record_id, any_value(f.fate) AS kind, any_value(r.input_file) AS file,
          any_value(r.input_row) AS row, NULL::VARCHAR AS reason, NULL::VARCHAR AS clause
        FROM fate AS f JOIN rows AS r USING (n) WHERE f.fate IN ('refund', 'corrected') GROUP BY 1
        UNION ALL SELECT k.record_id, 'withdrawal', any_value(w.file), any_value(w.row), any_value(w.reason),
          any_value(w.clause) FROM withdrawals AS w JOIN known AS k ON w.id IN (k.record_id, k.settlement_id)
        GROUP BY k.record_id"""
    )
    connection.execute(
        f"""CREATE OR REPLACE TABLE touched AS
        SELECT record_id, {_PERIOD} AS period,
          CASE row_kind WHEN 'late' THEN 'late' ELSE 'correction' END AS kind,
          input_file AS file, input_row AS row, NULL::VARCHAR AS reason, NULL::VARCHAR AS clause
        FROM late_records
        UNION ALL SELECT r.record_id, k.period, r.kind, r.file, r.row, r.reason, r.clause
          FROM removed AS r JOIN known AS k USING (record_id) WHERE r.kind <> 'corrected'
        UNION ALL SELECT record_id, period, CASE kind WHEN 'special_review' THEN kind ELSE 'correction' END,
          file, row, reason, clause FROM decisions WHERE period IS NOT NULL"""
    )
    _readmitted(connection, plan)


def _readmitted(connection: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """Earlier stays of persons who came again (or, as it turns out, did not) within the policy's limit."""
    dated = plan.policy.parameters.get("readmission_days")
    if dated is None or "person_id" not in columns_of(connection, "records_new"):
        return
    limit = max(value.value for value in dated.values)
    names = "record_id, person_id, admission_date"
    connection.execute(
        f"""INSERT INTO touched SELECT DISTINCT e.record_id, {_PERIOD.replace("discharge", "e.discharge")},
          'readmission', NULL, NULL, NULL, NULL
        FROM records_effective AS e JOIN (
          SELECT {names} FROM records_new UNION ALL SELECT {names} FROM late_records UNION ALL
          SELECT {names} FROM records_effective WHERE record_id IN (SELECT record_id FROM removed)) AS x
        ON x.person_id = e.person_id
        WHERE e.area = {literal(plan.month.area)} AND e.year = {plan.month.first.year}
          AND x.record_id <> e.record_id AND x.admission_date >= e.admission_date
          AND date_diff('day', e.discharge_date, x.admission_date) <= {int(limit)}
          AND {_PERIOD.replace("discharge", "e.discharge")} < {literal(plan.month.period)}
          AND e.record_id NOT IN (SELECT record_id FROM touched)"""
    )


def _periods(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute("SELECT DISTINCT period FROM touched ORDER BY 1").fetchall()
    return [row[0] for row in rows]


def _closed(
    connection: duckdb.DuckDBPyConnection, plan: Plan, periods: Sequence[str], staged: Path, done: Adjusted
) -> None:
    """The adjustments of closed months: together, or each alone where a hospital's reviews are ranked."""
    area = f"area = {literal(plan.month.area)} AND year = {plan.month.first.year}"
    gone = "record_id NOT IN (SELECT record_id FROM removed)"
    changed = _decided_sql(connection, f"(SELECT * FROM records_effective WHERE {area} AND {gone})")
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW world AS SELECT * FROM ({changed}) "
        "UNION ALL BY NAME SELECT * FROM late_records UNION ALL BY NAME SELECT * FROM records_new"
    )
    reviewed = "special_review" in columns_of(connection, "world")
    for group in [[period] for period in periods] if reviewed else [list(periods)]:
        place = staged / f"closed-{group[0]}"
        place.mkdir()
        records = place / "records.parquet"
        if _scope(connection, group, reviewed, records):
            _again(connection, plan, group, records, place, done)
        for period in group:
            _removals(connection, plan, period)


def _scope(
    connection: duckdb.DuckDBPyConnection, periods: Sequence[str], reviewed: bool, output: Path
) -> int:
    """Write the records to price again, with the other stays of their persons as context."""
    names = columns_of(connection, "world")
    own = [n for n in names if n not in ("area", "year", "month", "run")]
    within = f"{_PERIOD} IN ({', '.join(literal(p) for p in periods)})"
    scope = "record_id IN (SELECT record_id FROM touched)"
    if reviewed:  # reviews are ranked within a hospital: it is priced as a whole
        hospitals = f"SELECT hospital_code FROM world WHERE {within} AND {scope}"
        scope = f"({scope} OR hospital_code IN ({hospitals}))"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE scoped AS SELECT record_id FROM world WHERE {within} AND {scope}"
    )
    columns = ", ".join(f'"{n}"' for n in own)
    context = ", ".join(f"{literal(_CONTEXT)} AS {n}" if n == "hospital_code" else f'"{n}"' for n in own)
    sql = f"SELECT {columns} FROM world WHERE record_id IN (SELECT record_id FROM scoped)"
    if "person_id" in names:
        persons = "SELECT person_id FROM world WHERE record_id IN (SELECT record_id FROM scoped)"
        sql += (
            f" UNION ALL SELECT {context} FROM world WHERE person_id IN ({persons}) "
            "AND record_id NOT IN (SELECT record_id FROM scoped)"
        )
    tables.write_sql(connection, f"SELECT * FROM ({sql}) ORDER BY {ORDER}", output)
    row = connection.execute("SELECT count(*) FROM scoped").fetchone()
    return row[0] if row else 0


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
    periods: Sequence[str],
    records: Path,
    place: Path,
    done: Adjusted,
) -> None:
    """Price the scope, and settle by its month what came out otherwise."""
    from grouper.payment.pricing import price_files
    from grouper.payment.settle import settle_cases

    priced = place / "priced.parquet"
    price_files(plan.policy, Files([str(records)]), str(priced), threads=plan.job.threads)
    for period in periods:
        changed, settled = (place / f"{name}-{period}.parquet" for name in ("changed", "settled"))
        if not tables.write_sql(connection, _changed_sql(connection, plan, period, priced), changed):
            continue
        settle_cases(
            plan.policy,
            [str(changed)],
            _old_budget(connection, plan, period),
            str(settled),
            value="budget",
            threads=plan.job.threads,
            memory=plan.job.memory or None,
        )
        _keep(connection, period, records, settled, place, done)


def _changed_sql(connection: duckdb.DuckDBPyConnection, plan: Plan, period: str, priced: Path) -> str:
    """The priced cases of a month that are new, were replaced, or now cost something else."""
    names = columns_of(connection, tables.scan(priced))
    before = columns_of(connection, "cases_effective")
    differs = " OR ".join(
        f'p."{n}" IS DISTINCT FROM c."{n}"' for n in _COMPARED if n in names and n in before
    )
    replaced = "SELECT record_id FROM removed WHERE kind = 'corrected'"
    return (
        f"SELECT p.* FROM {tables.scan(priced)} AS p LEFT JOIN cases_effective AS c "
        f"ON c.record_id = p.record_id AND c.area = {literal(plan.month.area)} "
        f"WHERE p.hospital_code <> {literal(_CONTEXT)} "
        f"AND strftime(p.pay_date, '%Y-%m') = {literal(period)} "
        f"AND (c.record_id IS NULL OR {differs} OR p.record_id IN ({replaced})) "
        "ORDER BY p.hospital_code, p.record_id"
    )


def _old_budget(connection: duckdb.DuckDBPyConnection, plan: Plan, period: str) -> Budget:
    """The pools of a closed month with the point values that it paid. Money is not shared out again."""
    rows = connection.execute(
        "SELECT pool, point_value_exact FROM pools_current WHERE run = ?", [plan.closed[period]]
    ).fetchall()
    values = {pool: None if value is None else Fraction(value) for pool, value in rows}

    def old(pool: PoolBudget) -> PoolBudget:
        value = values.get(pool.name)
        return replace(
            pool, budget=0, reserve=0, carve_outs=(), point_value=pool.point_value if value is None else value
        )

    pools = {name: old(pool) for name, pool in plan.budget.pools.items()}
    return Budget(plan.month.area, period, pools, {}, plan.budget.where)


def _keep(
    connection: duckdb.DuckDBPyConnection, period: str, records: Path, settled: Path, place: Path,
    done: Adjusted,
) -> None:  # fmt: skip
    """The changed cases as rows of the open month, and their adjustments."""
    kept = place / f"kept-{period}.parquet"
    kind = "CASE WHEN row_kind = 'late' THEN 'late' ELSE 'corrected' END"
    changed = f"SELECT record_id FROM {tables.scan(settled)}"
    tables.write_sql(
        connection,
        f"SELECT * REPLACE ({kind} AS row_kind) FROM {tables.scan(records)} "
        f"WHERE hospital_code <> {literal(_CONTEXT)} AND record_id IN ({changed}) ORDER BY {ORDER}",
        kept,
    )
    cases = place / f"cases-{period}.parquet"
    tables.write_sql(connection, cases_sql(connection, tables.scan(settled), tables.scan(kept)), cases)
    done.cases.append(cases)
    done.records.append(kept)
    _difference(connection, period, tables.scan(cases))


def _difference(connection: duckdb.DuckDBPyConnection, period: str, cases: str) -> None:
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
        FROM {cases} AS n LEFT JOIN cases_effective AS c USING (record_id)
        LEFT JOIN (SELECT record_id, min_by(kind, rank) AS kind, min_by(reason, rank) AS reason,
            min_by(clause, rank) AS clause, min_by(file, rank) AS file, min_by(row, rank) AS row
          FROM (SELECT *, CASE kind WHEN 'readmission' THEN 1 ELSE 0 END AS rank FROM touched) GROUP BY 1
        ) AS t USING (record_id)"""
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
        WHERE r.kind <> 'corrected' AND c.area = {literal(plan.month.area)}
          AND strftime(c.discharge_date, '%Y-%m') = {literal(period)}"""
    )


def _lines(connection: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """Quality scores and audit deductions: they concern hospitals, not cases."""
    pools = " ".join(
        f"WHEN {literal(member)} THEN {literal(pool.name)}"
        for pool in plan.budget.pools.values()
        for member in pool.members
    )
    connection.execute(f"UPDATE adjustments_new SET pool = CASE pool {pools} ELSE pool END")
    for item in plan.corrections.of("quality", "audit_deduction"):
        connection.execute(
            "INSERT INTO adjustments_new BY NAME SELECT ? AS kind, ? AS hospital_code, ? AS pool, "
            "CAST(? AS DECIMAL(18,2)) AS difference, ? AS score, ? AS reason, ? AS clause, ? AS source_file, "
            "? AS source_row",
            _line(item),
        )


def _line(item: Item) -> Sequence[Any]:
    from decimal import Decimal

    difference = -Decimal(item.amount).scaleb(-2) if item.kind == "audit_deduction" else None
    return [
        item.kind, item.hospital, item.pool, difference, item.score or None, item.reason or item.kind,
        item.clause or None, item.file, item.row,
    ]  # fmt: skip


def amounts(connection: duckdb.DuckDBPyConnection) -> Mapping[tuple[str, str], int]:
    """Fen by hospital and pool that adjustments of cases add to the month."""
    rows = connection.execute(
        "SELECT hospital_code, pool, sum(difference) FROM adjustments_new "
        "WHERE kind NOT IN ('quality', 'audit_deduction') GROUP BY 1, 2 ORDER BY 1, 2"
    ).fetchall()
    return {(hospital, pool): int(amount * 100) for hospital, pool, amount in rows}
