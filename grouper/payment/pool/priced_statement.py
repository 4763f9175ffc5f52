"""Statements of hospitals and pools over a priced file, before (or without) a settlement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from grouper.base.sql import scan
from grouper.payment.policy.policy import ROUTE_METHODS
from grouper.payment.price.gated import LEFT
from grouper.payment.price.pricing import STATUSES

if TYPE_CHECKING:
    import duckdb

_METHODS = tuple(m for m in ROUTE_METHODS if m not in ("hold", "outside"))
_SUMS = {  # column of the statement -> column of the cases, summed over those paid
    "amount": "amount",
    "income": "income",
    "person_paid": "person_paid",
    "other_funds": "other_funds",
    "fund_by_item": "pool_paid",
    "fund_due": "fund_due",
}


def hospitals_priced(connection: duckdb.DuckDBPyConnection, path: str, points: bool) -> pa.Table:
    """One row per hospital and pool: cases by status and method, outliers, yuan; ``points`` of the cases
    where they are valued in points. ``difference``: fund due less fund by item."""
    return _statement(connection, path, ("hospital_code", "pool"), points)


def pools_priced(connection: duckdb.DuckDBPyConnection, path: str, points: bool) -> pa.Table:
    """The same, one row per pool."""
    return _statement(connection, path, ("pool",), points)


def _statement(
    connection: duckdb.DuckDBPyConnection, path: str, keys: tuple[str, ...], points: bool
) -> pa.Table:
    source = scan(path)
    names = connection.sql(f"SELECT * FROM {source} LIMIT 0").columns
    paid = "FILTER (pay_status = 'paid')"
    columns = [*keys, "count(*) AS cases"]
    columns += [f"count(*) FILTER (pay_status = '{status}') AS {status}" for status in STATUSES]
    columns += [f"count(*) FILTER (pay_status = 'paid' AND method = '{m}') AS by_{m}" for m in _METHODS]
    for outlier in ("high", "low"):
        test = f"outlier = '{outlier}'" if "outlier" in names else "FALSE"
        columns.append(f"count(*) FILTER (pay_status = 'paid' AND {test}) AS {outlier}_cases")
    columns.append("CAST(sum(total_cost) AS DECIMAL(38,2)) AS total_cost")
    columns.append(f"CAST(coalesce(sum(total_cost) {paid}, 0) AS DECIMAL(38,2)) AS paid_cost")
    if points:
        columns.append(f"sum(case_value) {paid} AS points")
    columns += [
        f"CAST(coalesce(sum({column}) {paid}, 0) AS DECIMAL(38,2)) AS {name}"
        for name, column in _SUMS.items()
    ]
    order = ", ".join(keys)
    inner = f"SELECT {', '.join(columns)} FROM {source} WHERE pay_status <> '{LEFT}' GROUP BY {order}"
    return connection.sql(
        "SELECT *, CAST(fund_due - fund_by_item AS DECIMAL(38,2)) AS difference "
        f"FROM ({inner}) ORDER BY {order}"
    ).to_arrow_table()
