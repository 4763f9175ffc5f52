"""The table ``cases`` of a simulation: every row of the input with its group, its expected income and limits.

It is made of two files of the run's own, the grouped rows and the same rows priced by ``grouper pay``'s way,
in their one order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from grouper.base.errors import ReconciliationError, UsageError
from grouper.base.sql import literal, parquet_schema, quote, scan
from grouper.grouping.family import families
from grouper.payment.formula.expression import Expr, Rounded
from grouper.payment.formula.quotient import MACROS
from grouper.payment.price.causes import cause_sql
from grouper.payment.price.inputs import names_in
from grouper.payment.price.plan import plan_of
from grouper.records.columns import detect_layout

if TYPE_CHECKING:
    import duckdb

    from grouper.payment.policy.policy import Policy
    from grouper.records.columns import ColumnMap

WARDS = ("ward", "病区", "出院病区", "病房", "出院病房", "cybf", "护理单元")  # headings of wards
DIMENSIONS = ("department", "doctor", "ward")
UNSETTLED = "no-settlement"  # the reason of a case whose funds are not settled: its amount is known
EDGE = 10  # per cent of a limit within which a case is near it, as the rule edge-of-limits has it
_UNGROUPED = ("ambiguous", "ungrouped", "needs-data", "invalid")
_FROM_TOTAL = ("unreasonable_cost", "new_technology_cost")  # not counted when a cost is held against a limit


@dataclass(frozen=True)
class Grounds:
    """What the table rests on. ``columns``: dimension to the column of the input that gives it. ``weight``:
    which column of the priced file weighs a case ("" where none does). ``limits``: those that are known."""

    columns: Mapping[str, str]
    weight: str
    limits: tuple[str, ...]


def make_cases(
    connection: duckdb.DuckDBPyConnection,
    grouped: str,
    priced: str,
    policy: Policy,
    columns: ColumnMap | None,
    ward: str | None,
) -> Grounds:
    """Make the table ``cases``, a row for each row of the input.

    ``row`` from 1; ``standing``: paid, estimated (not settled yet: the income is taken to be the amount due),
    held, outside, left. ``expected``: yuan of income of paid and estimated rows, ``result`` that less the
    total cost; null of all others. ``low_yuan``, ``high_yuan``: total costs at which the case becomes an
    outlier; ``edge``: the limit that the cost is within EDGE per cent of, ``distance``: yuan by which the
    cost is above it (below 0: under it).

    Raises UsageError for a column ``ward`` that is not there, ReconciliationError when rows are lost.
    """
    connection.execute(MACROS)
    connection.execute("CREATE TYPE word AS VARCHAR")  # of formulas; files have plain texts
    ours, theirs = parquet_schema(grouped), parquet_schema(priced)
    places = _dimensions(ours.names, columns, ward)
    group = next(each for each in families() if each.GROUP in ours.names)
    weight = next((name for name in ("weight", "score", "base") if name in theirs.names), "")
    limits, source = _limits(policy, theirs, priced, connection)
    has = set(theirs.names)
    cause = cause_sql(has)
    dims = ", ".join(
        f"nullif(trim(CAST(g.{quote(places[name])} AS VARCHAR)), '') AS {name}"
        if name in places
        else f"NULL::VARCHAR AS {name}"
        for name in DIMENSIONS
    )
    own = {
        "record_id": "VARCHAR",
        "hospital_code": "VARCHAR",
        "los_days": "INTEGER",
        "pay_date": "DATE",
        "route": "VARCHAR",
        "method": "VARCHAR",
        "outlier": "VARCHAR",
        "cost_ratio": "DECIMAL(18,6)",
        "review_result": "VARCHAR",
        "amount": "DECIMAL(18,2)",
        "total_cost": "DECIMAL(18,2)",
        "income": "DECIMAL(18,2)",
    }
    told = ", ".join(
        f"CAST({f'p.{name}' if name in has else 'NULL'} AS {kind}) AS {name}" for name, kind in own.items()
    )
    weighs = f"CAST(p.{weight} AS DECIMAL(18,6))" if weight else "NULL::DECIMAL(18,6)"
    connection.execute(
        f"""CREATE TABLE cases AS
        WITH priced AS (SELECT *, {cause} AS cause, CASE
                 WHEN pay_status = 'paid' THEN 'paid'
                 WHEN pay_status = 'held' AND pay_reason = '{UNSETTLED}' AND amount IS NOT NULL
                 THEN 'estimated' ELSE CAST(pay_status AS VARCHAR) END AS standing
               FROM {scan(priced, numbered=True)}),
        joined AS (
          SELECT p.file_row_number + 1 AS row, {told}, {dims}, CAST(p.cause AS VARCHAR) AS cause,
                 p.standing, nullif(CAST(g.{group.GROUP} AS VARCHAR), '') AS "group",
                 nullif(CAST(g.{group.GROUP_NAME} AS VARCHAR), '') AS group_name,
                 CAST(g.status AS VARCHAR) AS status, CAST(g.reason AS VARCHAR) AS reason,
                 CASE WHEN p.method = 'group' THEN {weighs} END AS weight,
                 {", ".join(f"l.{name}_yuan" for name in ("low", "high"))}
          FROM priced AS p JOIN {scan(grouped, numbered=True)} AS g USING (file_row_number)
          JOIN {source} AS l USING (file_row_number))
        SELECT *, CASE standing WHEN 'paid' THEN income WHEN 'estimated' THEN amount END AS expected,
          CAST(CASE standing WHEN 'paid' THEN income WHEN 'estimated' THEN amount END - total_cost
               AS DECIMAL(18,2)) AS result,
          standing IN ('paid', 'estimated') AS counted,
          CASE WHEN standing NOT IN ('paid', 'estimated') THEN NULL
               WHEN {_near("high_yuan")} AND {_near("low_yuan")}
               THEN CASE WHEN abs(total_cost - high_yuan) <= abs(total_cost - low_yuan)
                    THEN 'high' ELSE 'low' END
               WHEN {_near("high_yuan")} THEN 'high' WHEN {_near("low_yuan")} THEN 'low' END AS edge,
          CAST(total_cost - CASE edge WHEN 'high' THEN high_yuan WHEN 'low' THEN low_yuan END
               AS DECIMAL(18,2)) AS distance
        FROM joined ORDER BY row"""
    )
    _check(connection, grouped, priced)
    return Grounds(places, weight, limits)


def _near(limit: str) -> str:
    return f"coalesce(abs(total_cost - {limit}) * 100 <= {limit} * {EDGE}, FALSE)"


def _check(connection: duckdb.DuckDBPyConnection, grouped: str, priced: str) -> None:
    """Rows in = rows out, cost in = cost out."""
    sums = []
    for source in ("cases", scan(priced), scan(grouped)):
        cost = "NULL" if source == scan(grouped) else "sum(total_cost)"
        [found] = connection.execute(f"SELECT count(*), {cost} FROM {source}").fetchall()
        sums.append(found)
    if sums[0] != sums[1] or sums[0][0] != sums[2][0]:
        raise ReconciliationError(
            zh=f"对不上：分组 {sums[2][0]} 行，计价 {sums[1][0]} 行 {sums[1][1]} 元，"
            f"汇总 {sums[0][0]} 行 {sums[0][1]} 元；没有写出结果",
            en=f"does not add up: {sums[2][0]} rows grouped, {sums[1][0]} of {sums[1][1]} yuan priced, "
            f"{sums[0][0]} of {sums[0][1]} yuan summed; nothing was written",
        )


def _dimensions(names: Sequence[str], columns: ColumnMap | None, ward: str | None) -> dict[str, str]:
    """The column of the input for each dimension that it has."""
    bound = columns.bind(names) if columns is not None else detect_layout(names)
    found = {}
    for name in ("department", "doctor"):
        source = bound.fields.get(name)
        if source is not None and source.columns[0] in names:
            found[name] = source.columns[0]
    if ward is not None and ward not in names:
        raise UsageError(
            zh=f"--ward {ward}：输入没有这一列", en=f"--ward {ward}: the input has no such column"
        )
    place = ward or next((name for name in names if name.lower() in WARDS), None)
    return found | ({"ward": place} if place else {})


def _limits(
    policy: Policy, schema: pa.Schema, priced: str, connection: duckdb.DuckDBPyConnection
) -> tuple[tuple[str, ...], str]:
    """Which limits the policy knows, and SQL of the yuan of each by row: by the formulas of the policy on
    the day of the case, rounded to the fen; pricing itself writes only the high one, as a ratio."""
    [(first, last)] = connection.execute(
        f"SELECT min(pay_date), max(pay_date) FROM {scan(priced)} WHERE pay_date BETWEEN "
        f"DATE '{policy.valid_from}' AND DATE '{policy.valid_to}'"
    ).fetchall()
    branches: dict[str, list[str]] = {"low": [], "high": []}
    read: set[str] = set()
    for start, end in policy.epochs(first, last):
        for name, expr in plan_of(policy, start).limits.items():
            if name in branches and names_in(expr) <= set(schema.names):
                read |= names_in(expr)
                days = f"pay_date BETWEEN DATE '{start}' AND DATE '{end}'"
                branches[name].append(f"WHEN {days} THEN {_fen(expr)}")
    taken = [name for name in _FROM_TOTAL if name in schema.names]
    scaled = {name: _whole(name, schema) for name in {*read, *taken, "method", "pay_date"}}
    also = "".join(f" + coalesce({name}, 0)" for name in taken)
    yuan = []
    for name, whens in branches.items():
        value = f"CASE {' '.join(whens)} END" if whens else "NULL::BIGINT"
        known = f"CASE WHEN method = 'group' AND ({value}) > 0 THEN ({value}){also} END"
        yuan.append(f"CAST(CAST({known} AS BIGINT) * 0.01 AS DECIMAL(18,2)) AS {name}_yuan")
    inner = ", ".join(f"{sql} AS {quote(name)}" for name, sql in sorted(scaled.items()))
    source = (
        f"(SELECT file_row_number, {', '.join(yuan)} FROM (SELECT file_row_number, {inner} "
        f"FROM {scan(priced, numbered=True)}))"
    )
    return tuple(name for name, whens in branches.items() if whens), source


def _fen(expr: Expr) -> str:
    return f"CAST({Rounded(expr, 2).sql()} AS BIGINT)"


def _whole(name: str, schema: pa.Schema) -> str:
    """A column as formulas read it: decimals as whole numbers of their last digits."""
    kind = schema.field(name).type
    if pa.types.is_decimal(kind):
        return f"CAST({quote(name)} * {literal('1' + '0' * kind.scale)}::BIGINT AS BIGINT)"
    return quote(name)


def missing_dimensions(grounds: Grounds) -> list[str]:
    """The dimensions that the input has no column of."""
    return [name for name in DIMENSIONS if name not in grounds.columns]


def ungrouped_sql() -> str:
    """SQL: rows whose grouping can be mended, of those that are stays."""
    listed = ", ".join(literal(name) for name in _UNGROUPED)
    return f"standing <> 'left' AND status IN ({listed})"
