"""The rows of both sides side by side: table ``cases`` in DuckDB, a row of it for each row of the input.

    n                              number of the row, from 0
    kind                           "case", or why the row is no stay (a reason of records.gate)
    record_id, hospital, level, county, fen
    of each side s (0 old, 1 new): status_s, reason_s, mdc_s, adrg_s, group_s, name_s,
    with policies: pay_s, way_s, outlier_s, weight_s, pool_s, amount_s (fen),
                   value_s (point value or base rate, of 1e-10 yuan), units_s, standard_s (of 1e-8),
                   extra_s (fen beside units · value)

``units`` times ``value`` is what a case is paid by units; a case that is paid otherwise (by item, per diem
without points, held) has none. ``standard``: the units of the group itself, before outlier class and
adjustments; of a case that is paid by units, but not by its group, all of its units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from grouper.base.errors import ReconciliationError
from grouper.base.sql import parquet_schema, quote, scan
from grouper.compare.sides import Side
from grouper.grouping.family import family
from grouper.payment.formula.quotient import MACROS
from grouper.records.stays import Gate, given_columns, pass_gate, rows_sql

if TYPE_CHECKING:
    import duckdb

    from grouper.records import ColumnMap

UNITS, VALUE = 8, 10  # decimals of units and of values
FEN = 10 ** (UNITS + VALUE - 2)  # of the product of both


@dataclass(frozen=True)
class Counts:
    """``left``: rows that are no stays, by reason. rows = cases + left."""

    rows: int
    cases: int
    left: Mapping[str, int]


def load(
    connection: duckdb.DuckDBPyConnection,
    sides: Sequence[Side],
    hospitals: Mapping[str, Mapping[str, str]],
    columns: ColumnMap | None,
) -> Counts:
    """Fill ``cases``. Raises ReconciliationError where the rows of the sides are not the same."""
    connection.execute(MACROS)
    priced = all(side.priced for side in sides)
    _hospitals(connection, hospitals)
    base = _priced_base(sides[0]) if priced else _gated_base(connection, sides[0], columns)
    taken = ["b.*"]
    joined = f"({base}) AS b"
    for number, side in enumerate(sides):
        taken += [f"{sql} AS {name}_{number}" for name, sql in _grouped(side, f"g{number}").items()]
        joined += f" JOIN {scan(side.grouped, numbered=True)} AS g{number} ON g{number}.file_row_number = b.n"
        if priced:
            taken += [f"{sql} AS {name}_{number}" for name, sql in _paid(side, f"p{number}").items()]
            joined += (
                f" JOIN {scan(side.priced, numbered=True)} AS p{number} ON p{number}.file_row_number = b.n"
            )
    extra = "".join(f", amount_{s} - {paid_by_units(s)} AS extra_{s}" for s in (0, 1)) if priced else ""
    inner = f"SELECT {', '.join(taken)} FROM {joined}"
    connection.execute(f"CREATE OR REPLACE TABLE cases AS SELECT *{extra} FROM ({inner})")
    left = connection.execute("SELECT kind, count(*) FROM cases GROUP BY 1 ORDER BY 1").fetchall()
    found = {str(kind): int(number) for kind, number in left}
    counts = Counts(sum(found.values()), found.pop("case", 0), found)
    wanted = {side.counted.rows for side in sides if side.counted is not None}
    if wanted != {counts.rows}:
        raise ReconciliationError(
            zh=f"行数不符：两侧分组 {sorted(wanted)} 行，合并后 {counts.rows} 行；没有写出结果",
            en=f"rows do not add up: {sorted(wanted)} grouped, {counts.rows} side by side; nothing was "
            f"written",
        )
    return counts


def paid_by_units(side: int) -> str:
    """SQL of what a case is paid by its units, in fen."""
    return f"half_up(units_{side} * value_{side}, {FEN}::HUGEINT)"


def _hospitals(connection: duckdb.DuckDBPyConnection, known: Mapping[str, Mapping[str, str]]) -> None:
    table = pa.table(
        {
            "code": pa.array(list(known), pa.string()),
            **{
                name: pa.array([row.get(name) or None for row in known.values()], pa.string())
                for name in ("name", "level", "county")
            },
        }
    )
    connection.register("given_hospitals", table)
    connection.execute("CREATE OR REPLACE TABLE known_hospitals AS SELECT * FROM given_hospitals")
    connection.unregister("given_hospitals")


def _base(source: str, names: Sequence[str], fields: Mapping[str, str]) -> str:
    """SQL of what both sides share; level and county are the record's own, else those of the hospital."""
    own = {name: f"nullif(CAST(r.{name} AS VARCHAR), '')" if name in names else "NULL"
           for name in ("hospital_level", "county")}  # fmt: skip
    told = ", ".join(f"{sql} AS {name}" for name, sql in fields.items())
    return (
        f"SELECT {told}, coalesce({own['hospital_level']}, h.level) AS level, "
        f"coalesce({own['county']}, h.county) AS county "
        f"FROM {source} LEFT JOIN known_hospitals AS h ON h.code = {fields['hospital']}"
    )


def _priced_base(side: Side) -> str:
    names = parquet_schema(side.priced).names
    fields = {
        "n": "r.file_row_number",
        "kind": "CASE WHEN r.pay_status = 'left' THEN r.pay_reason ELSE 'case' END",
        "record_id": "CAST(r.record_id AS VARCHAR)",
        "hospital": "CAST(r.hospital_code AS VARCHAR)",
        "fen": "CAST(r.total_cost * 100 AS BIGINT)",
    }
    return _base(f"{scan(side.priced, numbered=True)} AS r", names, fields)


def _gated_base(connection: duckdb.DuckDBPyConnection, side: Side, columns: ColumnMap | None) -> str:
    schema = parquet_schema(side.grouped)
    given = given_columns(schema.names, columns)
    source = scan(side.grouped, numbered=True)
    rows, has = rows_sql(connection, source, schema, given, number="t.file_row_number", columns=columns)
    pass_gate(connection, rows, has, Gate(amounts="total_cost" in has))
    joined = (
        f"({rows}) AS a JOIN {source} AS r ON r.file_row_number = a.n LEFT JOIN gate_left AS l ON l.n = a.n"
    )
    fields = {
        "n": "a.n",
        "kind": "coalesce(l.reason, 'case')",
        "record_id": "CAST(a.record_id AS VARCHAR)",
        "hospital": "CAST(a.hospital_code AS VARCHAR)",
        "fen": "CAST(a.total_cost AS BIGINT)",
    }
    return _base(joined, schema.names, fields)


def _grouped(side: Side, of: str) -> dict[str, str]:
    """SQL of what grouping says; only grouped cases have a group."""
    own, prefix = family(side.kind), side.grouper.options.prefix
    names = set(parquet_schema(side.grouped).names)

    def column(name: str) -> str:
        return f"CAST({of}.{quote(prefix + name)} AS VARCHAR)" if prefix + name in names else "NULL::VARCHAR"

    status = column("status")
    told = {"mdc": "mdc", "adrg": "adrg", "group": own.GROUP, "name": own.GROUP_NAME}
    return {
        "status": status,
        "reason": f"CASE WHEN {status} = 'grouped' THEN '' ELSE {column('reason')} END",
        **{name: f"CASE WHEN {status} = 'grouped' THEN {column(own_name)} END"
           for name, own_name in told.items()},
    }  # fmt: skip


def _paid(side: Side, of: str) -> dict[str, str]:
    """SQL of what pricing says. A base rate is a point value, too: units are then weights."""
    names = set(parquet_schema(side.priced).names)
    value = "point_value" if "point_value" in names else "base_rate"
    unit = "1" if value == "point_value" else f"CAST({of}.base_rate * 10000 AS BIGINT)"
    scale = 0 if value == "point_value" else 4

    def units(name: str) -> str:
        found = whole(f"{of}.{name}", UNITS)
        return found if unit == "1" else f"half_up({found} * {10**scale}, {unit})"

    by_units = f"{of}.amount IS NOT NULL AND {of}.case_value IS NOT NULL AND {of}.{value} > 0"
    by_group = f"{of}.method = 'group' AND {of}.standard IS NOT NULL"
    weight = "weight" if "weight" in names else "score"
    return {
        "pay": f"{of}.pay_status",
        "pay_reason": f"{of}.pay_reason",
        "way": f"{of}.method",
        "outlier": f"{of}.outlier",
        "weight": f"{of}.{weight}",
        "pool": f"{of}.pool",
        "amount": f"CAST({of}.amount * 100 AS BIGINT)",
        "value": f"CASE WHEN {by_units} THEN {whole(f'{of}.{value}', VALUE)} END",
        "units": f"CASE WHEN {by_units} THEN {units('case_value')} END",
        "standard": f"CASE WHEN {by_units} THEN CASE WHEN {by_group} THEN {units('standard')} "
        f"ELSE {units('case_value')} END END",
    }


def whole(decimal: str, digits: int) -> str:
    """SQL of a decimal of at most ``digits`` decimals as the whole number of its last one."""
    return f"CAST(CAST({decimal} AS DECIMAL(38,{digits})) * {10**digits} AS HUGEINT)"


def history_sql(number: int) -> str:
    """SQL of the cases of a side as ``weights fit`` reads them, all of one year."""
    return (
        f"SELECT record_id, group_{number} AS drg, status_{number} AS status, reason_{number} AS reason, "
        "CAST(printf('%d.%02d', fen // 100, fen % 100) AS DECIMAL(18,2)) AS total_cost, "
        "1::INTEGER AS fitted_year FROM cases WHERE kind = 'case'"
    )
