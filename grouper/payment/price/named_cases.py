"""Which case a decision is about: named by its record_id or by its settlement_id, as in ``settle``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from grouper.payment.price.decisions import Decision

if TYPE_CHECKING:
    import duckdb

_Found = dict[str, list[str]]


def named_cases(
    connection: duckdb.DuckDBPyConnection, scan: str, sources: Mapping[str, str], decided: Sequence[Decision]
) -> list[Decision]:
    """The decisions by the record_id of their cases; one that names no row stays as it is.

    ``sources``: canonical names to columns of ``scan``. Raises DataError that names file, row and column for
    an id of several records, ids of two records in one row, and a case that is decided twice.
    """
    record, settlement = sources.get("record_id"), sources.get("settlement_id")
    if not decided or record is None or settlement in (None, record):
        return list(decided)
    ids = {text for each in decided for text in (each.record_id, each.row.text("settlement_id")) if text}
    connection.register("_named", pa.table({"id": pa.array(sorted(ids), pa.string())}))
    by_record, by_settlement = (
        dict(
            connection.execute(
                f'SELECT n.id, list(DISTINCT CAST(t."{record}" AS VARCHAR) ORDER BY 1) FROM _named AS n '
                f'JOIN {scan} AS t ON CAST(t."{column}" AS VARCHAR) = n.id '
                f'WHERE t."{record}" IS NOT NULL GROUP BY 1'
            ).fetchall()
        )
        for column in (record, settlement)
    )
    connection.unregister("_named")
    found: dict[str, Decision] = {}
    for each in decided:
        own = replace(each, record_id=_case(each, by_record, by_settlement))
        if own.record_id in found:
            first = found[own.record_id].row.row
            raise own.row.error(
                _column(own),
                f"{own.record_id} 重复（首见第 {first} 行）",
                f"{own.record_id} is there twice (first row {first})",
            )
        found[own.record_id] = own
    return list(found.values())


def _column(decision: Decision) -> str:
    return "record_id" if decision.row.text("record_id") else "settlement_id"


def _case(decision: Decision, by_record: _Found, by_settlement: _Found) -> str:
    name, both = decision.record_id, decision.row.text("settlement_id")
    column = _column(decision)
    ways = (by_record, by_settlement) if column == "record_id" else (by_settlement, by_record)
    records = ways[0].get(name) or ways[1].get(name) or [name]
    if len(records) > 1:
        told = ", ".join(records[:5])
        raise decision.row.error(
            column,
            f"{name} 有 {len(records)} 条记录（{told}）；请用 record_id 指明",
            f"{name} names {len(records)} records ({told}); name one by its record_id",
        )
    if column == "record_id" and both in by_settlement and records[0] not in by_settlement[both]:
        other = by_settlement[both][0]
        raise decision.row.error(
            "settlement_id",
            f"{both} 是记录 {other} 的，不是 {records[0]} 的",
            f"{both} is of the record {other}, not of {records[0]}",
        )
    return records[0]
