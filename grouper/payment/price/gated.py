"""The gate in front of pricing: which rows of grouped files are priced, and what becomes of the others."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from grouper.base.errors import DataError
from grouper.payment.price.grouped import row_in
from grouper.payment.price.inputs import DECIDED, INPUTS, PLACE, Files
from grouper.records.gate import HELD
from grouper.records.stays import Gated, given_columns, pass_gate, rows_sql

if TYPE_CHECKING:
    import duckdb

    from grouper.payment.policy.policy import Policy

LEFT = "left"  # the status of a row that is no stay
NOT_IN_FORCE = "not-in-force"  # the reason of a case of a day on which the policy does not apply
WAITING = HELD | {NOT_IN_FORCE}  # reasons of rows that have no amount yet
_BEFORE = "pool_paid_before"  # of the first bill: what came before the stay


def pass_cases(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    schema: pa.Schema,
    files: Files,
    own: Mapping[str, str],
) -> Gated:
    """Ask the gate about the rows of ``source``. ``own``: SQL of fields that pricing reads in its own way.

    Raises DataError where no row is a case.
    """
    given = given_columns(schema.names, files.columns)
    rows, has = rows_sql(
        connection,
        source,
        schema,
        given,
        number=f"t.{PLACE}",
        columns=files.columns,
        more=own,
        at=lambda place: row_in(connection, files.paths, place),
    )
    gated = pass_gate(connection, rows, has, files.gate)
    if gated.rows and not gated.cases:
        raise DataError(
            zh=f"没有一行可作病例：{_told(gated)}",
            en=f"no row is a case: {_told(gated)}",
        )
    return gated


def _told(gated: Gated) -> str:
    return ", ".join(f"{reason} {rows}" for reason, (rows, _) in sorted(gated.left.items()))


def split(connection: duckdb.DuckDBPyConnection, gated: Gated, wanted: Collection[str]) -> None:
    """``gate_cases`` of ``all_rows``: the rows that are cases, in their order, with the sums of joined
    bills; ``gate_rows_left``: the others with their reason."""
    if not gated.left:
        connection.execute("CREATE OR REPLACE TEMP VIEW gate_cases AS FROM all_rows")
        none = "SELECT *, NULL::VARCHAR AS gate_reason FROM all_rows WHERE FALSE"
        connection.execute(f"CREATE OR REPLACE TEMP VIEW gate_rows_left AS {none}")
        return
    reason = f"(SELECT f.reason FROM gate_left AS f WHERE f.n = {PLACE})"
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW marked_rows AS SELECT *, {reason} AS gate_reason FROM all_rows"
    )
    connection.execute(
        "CREATE OR REPLACE TEMP VIEW gate_rows_left AS FROM marked_rows WHERE gate_reason IS NOT NULL"
    )
    put = _joined(connection, wanted) if gated.joined else ""
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW gate_cases AS SELECT * EXCLUDE (gate_reason) {put} FROM marked_rows "
        "WHERE gate_reason IS NULL"
    )


def in_force(connection: duckdb.DuckDBPyConnection, gated: Gated, policy: Policy) -> tuple[date, date] | None:
    """``plain_cases`` of ``gate_cases``: those of the days of the policy; ``left_rows``: all others.

    Returns the first and the last day of cases outside, which are counted as ``NOT_IN_FORCE``; None where
    there is none. Raises UsageError where no case is of the policy's days, as ``Policy.on``.
    """
    within = f"coalesce(pay_date BETWEEN DATE '{policy.valid_from}' AND DATE '{policy.valid_to}', TRUE)"
    rows, fen, first, last = asked(
        connection,
        f"SELECT count(*), coalesce(sum(total_cost), 0), min(pay_date), max(pay_date) FROM gate_cases "
        f"WHERE NOT {within}",
    )
    connection.execute(f"CREATE OR REPLACE TEMP VIEW plain_cases AS FROM gate_cases WHERE {within}")
    apart = f"SELECT *, '{NOT_IN_FORCE}' AS gate_reason FROM gate_cases WHERE NOT {within}"
    connection.execute(
        "CREATE OR REPLACE TEMP VIEW left_rows AS FROM gate_rows_left"
        + (f" UNION ALL BY NAME {apart}" if rows else "")
        + f" ORDER BY {PLACE}"  # of many rows, the look-up of their reasons does not keep it
    )
    if not rows:
        return None
    if rows == gated.cases:
        policy.on(first)
    gated.left[NOT_IN_FORCE] = rows, int(fen)
    return first, last


def asked(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    """The one row of a query. Raises DataError for what cannot be read as what its column should be."""
    try:
        (row,) = connection.execute(sql).fetchall()
    except Exception as error:  # DuckDB's own conversion errors name the value
        raise DataError(zh=f"输入无法读取：{error}", en=f"cannot read the input: {error}") from error
    return tuple(row)


def _joined(connection: duckdb.DuckDBPyConnection, wanted: Collection[str]) -> str:
    """Table ``joined_bills``: what all bills of a stay come to, by its last one; SQL that puts it there."""
    sums = {n: _sum(n) for n in wanted if INPUTS[n].kind == "money" and n not in (*DECIDED, _BEFORE)}
    if _BEFORE in wanted:
        sums[_BEFORE] = (
            f"arg_min({_BEFORE}, (discharge_date, n)) FILTER (NOT refund)"
            if "discharge_date" in wanted
            else ""
        )
        sums[_BEFORE] = sums[_BEFORE] or f"min({_BEFORE}) FILTER (NOT refund)"
    if "admission_date" in wanted:
        sums["admission_date"] = "min(admitted)"
    if "los_days" in wanted:
        days = "greatest(date_diff('day', min(admitted), max(discharged)), 1)::INTEGER"
        own = "FILTER (NOT refund)"
        whole = (
            f"coalesce({days}, CASE WHEN count(los_days) {own} = count(*) {own} THEN sum(los_days) {own} END)"
        )
        sums["los_days"] = f"CASE WHEN count(*) {own} = 1 THEN min(los_days) {own} ELSE {whole}::INTEGER END"
    listed = ", ".join(f"{sql} AS {name}" for name, sql in sums.items())
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE joined_bills AS SELECT b.of, {listed} FROM gate_bills AS b "
        f"JOIN all_rows AS r ON r.{PLACE} = b.n GROUP BY b.of"
    )
    found = "(SELECT j.{0} FROM joined_bills AS j WHERE j.of = {1})"
    some = f"{PLACE} IN (SELECT of FROM joined_bills)"
    put = (f"CASE WHEN {some} THEN {found.format(n, PLACE)} ELSE {n} END AS {n}" for n in sums)
    return f"REPLACE ({', '.join(put)})"


def _sum(name: str) -> str:
    """A sum that is missing where a part is."""
    return f"CASE WHEN count({name}) = count(*) THEN sum({name}) END::BIGINT"


def left_sql(kept: Sequence[str], outputs: Sequence[str]) -> str:
    """SQL of the rows that are no cases: the input columns ``kept``, status and reason, and nothing else.

    ``outputs``: the columns that pricing makes, in their order.
    """
    held = ", ".join(f"'{reason}'" for reason in sorted(WAITING))
    made = {
        "pay_status": f"CASE WHEN gate_reason IN ({held}) THEN 'held' ELSE '{LEFT}' END",
        "pay_reason": "gate_reason",
    }
    columns = [*kept, "pay_date", *(f'{made.get(name, "NULL")} AS "{name}"' for name in outputs)]
    return f"SELECT {', '.join(columns)}, {PLACE} FROM left_rows"
