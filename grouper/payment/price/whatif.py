"""What if: one policy and a reform of it over the same cases, side by side by hospital."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from grouper.base.arrow import in_lots
from grouper.base.errors import ReconciliationError
from grouper.base.exact import half_up
from grouper.base.output import Output
from grouper.base.provenance import read as read_provenance
from grouper.base.sql import scan

if TYPE_CHECKING:
    import duckdb

_MONEY = pa.decimal128(20, 2)
_PERCENT = pa.decimal128(20, 2)
_MEASURES = ("amount", "fund")
_BATCH = 131_072
PREFIX = "what_if_"
# of the priced case, which the reform may change; the settled ones where there is a budget
CHANGED = (
    "pay_status", "pay_reason", "outlier", "amount", "fund_due",
    "settled_points", "settled_amount", "settled_fund", "settled_income",
)  # fmt: skip
SCHEMA = pa.schema(
    [
        pa.field("hospital_code", pa.string()),
        pa.field("cases", pa.int64()),
        *(
            pa.field(f"{measure}_{part}", _PERCENT if part == "percent" else _MONEY)
            for measure in _MEASURES
            for part in ("before", "after", "difference", "percent")
        ),
    ]
)


@dataclass(frozen=True)
class WhatIf:
    """``table``: one row per hospital (SCHEMA); amounts in yuan, percent of the amount before.

    ``total``: the same for all hospitals together. ``settled``: amounts are those of the settlement.
    """

    changes: Mapping[str, str]
    table: pa.Table
    total: dict[str, Any]
    settled: bool


@dataclass(frozen=True)
class Side:
    """A hospital under one policy; yuan. Cases held back count with no amount."""

    cases: int
    amount: Decimal
    fund: Decimal


def by_hospital(connection: duckdb.DuckDBPyConnection, path: str) -> tuple[dict[str, Side], bool]:
    """The hospitals of a priced file, settled amounts where the file has them (then True)."""
    names = {row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {scan(path)}").fetchall()}
    settled = "settled_fund" in names
    amount, fund = ("settled_amount", "settled_fund") if settled else ("amount", "fund_due")
    rows = connection.execute(
        f"SELECT hospital_code, count(*), coalesce(sum({amount}), 0), coalesce(sum({fund}), 0) "
        f"FROM {scan(path)} GROUP BY 1"
    ).fetchall()
    return {str(code): Side(cases, amount_, fund_) for code, cases, amount_, fund_ in rows}, settled


def compare(
    before: Mapping[str, Side], after: Mapping[str, Side], changes: Mapping[str, str], settled: bool = False
) -> WhatIf:
    """The two sides, hospital by hospital in the order of their codes."""
    nothing = Side(0, Decimal(0), Decimal(0))
    rows = [
        _row(code, before.get(code, nothing), after.get(code, nothing))
        for code in sorted(before.keys() | after.keys())
    ]
    total = _row("", _sum(before), _sum(after))
    return WhatIf(dict(changes), pa.Table.from_pylist(rows, schema=SCHEMA), total, settled)


def write_beside(before: str, after: str, output: str, what_if: Mapping[str, Any], *, shared: bool) -> None:
    """One file of two over the same rows: the cases as ``before`` has them, and ``what_if_…`` of ``after``.

    The provenance is that of ``before``, with ``what_if`` in it. Raises ReconciliationError where the rows
    are not the same.
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(before) as first, pq.ParquetFile(after) as second:
        names = [name for name in CHANGED if name in first.schema_arrow.names]
        own = pa.schema([second.schema_arrow.field(n).with_name(f"{PREFIX}{n}") for n in names])
        schema = pa.schema([*first.schema_arrow.remove_metadata(), *own])
        take = in_lots(second.schema_arrow.remove_metadata(), second.iter_batches(_BATCH))
        with Output(output, "parquet", private=not shared) as out:
            writer = out.open(schema)
            for batch in first.iter_batches(_BATCH):
                other = take(batch.num_rows)
                _check_same(batch, other)
                columns = [*batch.columns, *(other[name] for name in names)]
                writer.write(pa.RecordBatch.from_arrays(columns, schema=schema))
            made = read_provenance(first.schema_arrow.metadata, before)
            writer.provenance = made | {"what_if": {**what_if, "columns": own.names}}


def _check_same(batch: pa.RecordBatch, other: pa.RecordBatch) -> None:
    if batch.num_rows != other.num_rows or not batch["record_id"].equals(other["record_id"]):
        raise ReconciliationError(
            zh="对不上：原政策与假设下的病例行不一致；没有写出结果",
            en="does not add up: the rows under the policy and under the reform differ; nothing was written",
        )


def _row(code: str, before: Side, after: Side) -> dict[str, Any]:
    row: dict[str, Any] = {"hospital_code": code, "cases": before.cases}
    for measure in _MEASURES:
        old, new = getattr(before, measure), getattr(after, measure)
        row |= {
            f"{measure}_before": old,
            f"{measure}_after": new,
            f"{measure}_difference": new - old,
            f"{measure}_percent": percent(old, new),
        }
    return row


def _sum(sides: Mapping[str, Side]) -> Side:
    return Side(
        sum(side.cases for side in sides.values()),
        sum((side.amount for side in sides.values()), Decimal(0)),
        sum((side.fund for side in sides.values()), Decimal(0)),
    )


def percent(old: Decimal, new: Decimal) -> Decimal | None:
    """The change in percent of ``old``, two decimals, halves away from zero; None where ``old`` is 0."""
    return half_up(Fraction(new - old) * 100 / Fraction(abs(old)), 2) if old else None
