"""Statements of hospitals and pools, added up from the settled file itself, so that they check it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from grouper.base.errors import ReconciliationError
from grouper.base.money import Fen, fen_of, yuan_of
from grouper.base.sql import quote, scan
from grouper.payment.formula.expression import plain
from grouper.payment.policy.policy import ROUTE_METHODS
from grouper.payment.pool.basis import need
from grouper.payment.pool.budget import Budget
from grouper.payment.pool.clearing import Monthly, Yearly
from grouper.payment.pool.pool import Settled
from grouper.payment.price.gated import LEFT
from grouper.payment.price.pricing import STATUSES, connect

if TYPE_CHECKING:
    import duckdb

_MONEY = pa.decimal128(38, 2)
_METHODS = tuple(m for m in ROUTE_METHODS if m not in ("hold", "outside"))
_SUMS = {  # column of the statement -> sum over the paid cases
    "income": "settled_income",
    "person_paid": "person_paid",
    "other_funds": "other_funds",
    "fund_by_item": "pool_paid",
    "fund_due": "settled_fund",
}


def hospital_statement(
    settled: Sequence[str],
    pools: Mapping[str, Settled],
    budget: Budget,
    clearing: Sequence[Monthly] | Sequence[Yearly] = (),
    *,
    points_scale: Fraction | None = None,
    threads: int | None = None,
    own: pa.Schema | None = None,
) -> pa.Table:
    """One row per hospital and pool: volumes, amounts in yuan, and what the clearing makes of them.

    ``points_scale`` (points of a case of weight 1) gives the CMI where cases have no weight. ``own``: columns
    of the cases that ``pools`` paid, where the files of a lake hold others beside (``row_kind``). Raises
    ReconciliationError when the file does not agree with the dues of the pools.
    """
    with connect(threads) as connection:
        source = scan(*settled) if own is None else _own(settled, own)
        table = connection.sql(_query(connection, source, budget, points_scale)).to_arrow_table()
    rows = {(row["hospital_code"], row["pool"]): row for row in table.to_pylist()}
    for key in _dues(pools).keys() - rows.keys():
        rows[key] = _empty(table.schema, *key)
    _agree(rows, pools)
    cleared = {(item.hospital, item.pool): item for item in clearing}
    for key in cleared.keys() - rows.keys():
        rows[key] = _empty(table.schema, *key)
    kind: type[Monthly] | type[Yearly] = type(clearing[0]) if clearing else Monthly
    fields = [name for name in kind.__dataclass_fields__ if name not in ("hospital", "pool", "due")]
    schema = table.schema
    if clearing:
        for name in fields:
            schema = schema.append(
                pa.field(name, {"clauses": pa.string(), "score": pa.string()}.get(name, _MONEY))
            )
    told = fields if clearing else []
    ordered = sorted(rows, key=lambda key: (key[0], key[1] or ""))  # held cases may be in no pool
    made = [rows[key] | _cleared(cleared.get(key), told) for key in ordered]
    return pa.Table.from_pylist(made, schema=schema)


def _own(settled: Sequence[str], own: pa.Schema) -> str:
    """SQL of a run's own cases, as they were before others came beside them."""
    columns = [
        f"CAST({quote(f.name)} AS DECIMAL({f.type.precision},{f.type.scale})) AS {quote(f.name)}"
        if pa.types.is_decimal(f.type)
        else quote(f.name)
        for f in own
    ]
    return f"(SELECT {', '.join(columns)} FROM {scan(*settled)} WHERE row_kind = 'case')"


def _query(connection: duckdb.DuckDBPyConnection, source: str, budget: Budget, scale: Fraction | None) -> str:
    schema = connection.sql(f"SELECT * FROM {source} LIMIT 0").to_arrow_table().schema
    for name in ("settled_fund", "settled_income", "pool_paid", "person_paid"):
        need(schema, name)
    rows = connection.execute(
        f"SELECT DISTINCT pool FROM {source} WHERE pay_status = 'paid' ORDER BY 1"
    ).fetchall()
    for (pool,) in rows:
        budget.pool_of(pool)
    paid = "FILTER (pay_status = 'paid')"
    columns = ["hospital_code", f"{budget.owner_sql(otherwise='pool')} AS pool", "count(*) AS cases"]
    columns += [f"count(*) FILTER (pay_status = '{status}') AS {status}" for status in STATUSES]
    columns += [f"count(*) FILTER (pay_status = 'paid' AND method = '{m}') AS by_{m}" for m in _METHODS]
    columns += [_cmi(schema, scale), "CAST(sum(total_cost) AS DECIMAL(38,2)) AS total_cost"]
    columns.append(f"CAST(coalesce(sum(total_cost) {paid}, 0) AS DECIMAL(38,2)) AS paid_cost")
    columns.append("sum(settled_points) AS points")
    for outlier in ("high", "low"):
        test = f"outlier = '{outlier}'" if "outlier" in schema.names else "FALSE"
        columns.append(f"count(*) FILTER (pay_status = 'paid' AND {test}) AS {outlier}_cases")
    columns += [
        f"CAST(coalesce(sum({column}) {paid}, 0) AS DECIMAL(38,2)) AS {name}"
        for name, column in _SUMS.items()
    ]
    inner = f"SELECT {', '.join(columns)} FROM {source} WHERE pay_status <> '{LEFT}' GROUP BY 1, 2"
    return (
        "SELECT *, CAST(fund_due - fund_by_item AS DECIMAL(38,2)) AS difference "
        f"FROM ({inner}) ORDER BY hospital_code, pool"
    )


def _cmi(schema: pa.Schema, scale: Fraction | None) -> str:
    """Mean weight of the paid cases that have one, to 4 decimals; in points, mean base over their scale."""
    factor = Fraction(1)
    column = "weight" if "weight" in schema.names else ""
    if not column and scale and "base" in schema.names:
        column, factor = "base", scale
    if not column:
        return "CAST(NULL AS DECIMAL(18,4)) AS cmi"
    digits = schema.field(column).type.scale
    paid = "FILTER (pay_status = 'paid')"
    over = f"(sum({column}) {paid} * {10**digits})::HUGEINT * {10**4 * factor.denominator}"
    under = f"nullif((count({column}) {paid})::HUGEINT * {10**digits * factor.numerator}, 0)"
    return f"CAST(CAST(half_up({over}, {under}) AS DECIMAL(14,0)) * 0.0001 AS DECIMAL(18,4)) AS cmi"


def _dues(pools: Mapping[str, Settled]) -> dict[tuple[str, str], Fen]:
    return {(h, name): due.total for name, pool in pools.items() for h, due in pool.dues.items()}


def _agree(rows: Mapping[tuple[str, str], dict[str, Any]], pools: Mapping[str, Settled]) -> None:
    """The file's sums are the dues, and fund + patient + others = income. Raises ReconciliationError."""
    due = _dues(pools)
    for key, row in rows.items():
        income = row["person_paid"] + row["other_funds"] + row["fund_due"]
        if fen_of(row["fund_due"]) != due.get(key, 0) or income != row["income"]:
            raise ReconciliationError(
                zh=f"对账单与结算文件对不上：医院 {key[0]}、基金池 {key[1]}：文件 {row['fund_due']} 元，"
                f"应付 {yuan_of(due.get(key, 0))} 元",
                en=f"the settled file does not agree: hospital {key[0]}, pool {key[1]}: {row['fund_due']} "
                f"yuan in the file, {yuan_of(due.get(key, 0))} due",
            )


def _empty(schema: pa.Schema, hospital: str, pool: str) -> dict[str, Any]:
    """A row of a hospital without cases."""
    zeros = {
        item.name: 0 if pa.types.is_integer(item.type) else Decimal(0)
        for item in schema
        if item.name != "cmi" and (pa.types.is_integer(item.type) or pa.types.is_decimal(item.type))
    }
    return {**zeros, "cmi": None, "hospital_code": hospital, "pool": pool}


def _cleared(item: Monthly | Yearly | None, fields: Sequence[str]) -> dict[str, Any]:
    """The clearing's columns in yuan; empty for a hospital without clearing (all its cases are held)."""
    if item is None:
        return dict.fromkeys(fields)
    raw = asdict(item)
    found: dict[str, Any] = {name: yuan_of(raw[name]) for name in fields if isinstance(raw[name], int)}
    if "score" in fields:
        found["score"] = None if raw["score"] is None else plain(raw["score"])
    return found | {"clauses": raw["clauses"]}


_POOL_MONEY = (
    "budget", "reserve", "carve_outs", "distributable", "total", "fund_balance", "by_points", "fixed",
    "residual",
)  # fmt: skip


def pool_summary(
    statement: pa.Table, pools: Mapping[str, Settled], clauses: Mapping[str, str] | None = None
) -> pa.Table:
    """One row per pool: volumes from the hospital statement, money and point value from the settlement."""
    from grouper.payment.pool.pool import describe

    names = ["cases", *STATUSES, "total_cost", "points", *_SUMS]
    sums = statement.group_by("pool").aggregate([(name, "sum") for name in names])
    volumes = {row["pool"]: row for row in sums.to_pylist()}
    rows = []
    for name in sorted(pools):
        told = describe(pools[name])
        volume = volumes.get(name, {})
        rows.append(
            {"pool": name, "method": told["method"]}
            | {column: volume.get(f"{column}_sum") or 0 for column in names}
            | {column: Decimal(told[column]) for column in _POOL_MONEY}
            | {"bound": told["bound"], "sharing_segment": told["segment"]}
            | {"point_value": told["point_value"], "point_value_exact": told["point_value_exact"]}
            | {"clauses": (clauses or {}).get(name, "")}
        )
    schema = pa.schema(
        [("pool", pa.string()), ("method", pa.string())]
        + [(name, statement.schema.field(name).type) for name in names]
        + [(name, _MONEY) for name in _POOL_MONEY]
        + [("bound", pa.string()), ("sharing_segment", pa.int32())]
        + [(name, pa.string()) for name in ("point_value", "point_value_exact", "clauses")]
    )
    return pa.Table.from_pylist(rows, schema=schema)
