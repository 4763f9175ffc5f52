"""Where a run over files keeps findings and stays while it lasts: tables of a DuckDB that spills to the disk.

Memory holds one batch of records and what the database is allowed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa

from grouper.checks.evaluate import FINDINGS, Batch

if TYPE_CHECKING:
    import duckdb

# Column of a stay -> the fact it is, and its type: what rules of scope month read.
STAYS: dict[str, tuple[str, str]] = {
    "row": ("row", "BIGINT"), "id": ("id", "VARCHAR"), "hospital": ("hospital_code", "VARCHAR"),
    "department": ("department", "VARCHAR"), "doctor": ("doctor", "VARCHAR"),
    "person": ("person_id", "VARCHAR"),
    "admitted": ("admission_date", "DATE"), "discharged": ("discharge_date", "DATE"),
    "adrg": ("adrg", "VARCHAR"), "g": ("group", "VARCHAR"), "status": ("status", "VARCHAR"),
    "level": ("complication", "VARCHAR"), "by": ("complication_by", "VARCHAR"),
    "principal": ("principal", "VARCHAR"), "low": ("low", "BOOLEAN"), "severe": ("severe", "BIGINT"),
    "way": ("discharge_way", "INTEGER"), "los": ("los_days", "INTEGER"), "fen": ("total_fen", "BIGINT"),
    "operations": ("procedures_count", "BIGINT"),
}  # fmt: skip
_MONEY = "DECIMAL(18,2)"
_FINDING = ", ".join(
    f'"{name}" {"BIGINT" if kind == pl.Int64 else _MONEY if name == "money" else "VARCHAR"}'
    for name, kind in FINDINGS.items()
)
SCHEMA = pa.schema(
    [
        (name, pa.int64() if kind == pl.Int64 else pa.decimal128(18, 2) if name == "money" else pa.string())
        for name, kind in FINDINGS.items()
    ]
)
_BATCH = 100_000


class Store:
    """The tables ``findings`` and ``stays`` of one run."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        connection.execute(f"CREATE TABLE findings ({_FINDING})")
        columns = ", ".join(f'"{name}" {kind}' for name, (_, kind) in STAYS.items())
        connection.execute(f"CREATE TABLE stays ({columns})")

    def add(self, batch: Batch, first_row: int, months: bool) -> None:
        """The findings of a batch, and its stays where rules of scope month will look at them."""
        self._insert("findings", batch.findings)
        if months:
            facts = batch.rows.with_columns(pl.col("row") + first_row + 1)
            self._insert("stays", facts.select(pl.col(fact).alias(name) for name, (fact, _) in STAYS.items()))

    def _insert(self, table: str, frame: pl.DataFrame) -> None:
        if frame.height:
            self.connection.register("_batch", frame.to_arrow())
            self.connection.execute(f"INSERT INTO {table} SELECT * FROM _batch")
            self.connection.unregister("_batch")

    def totals(self) -> dict[str, tuple[int, int, str | None]]:
        """Rule -> its findings, the records it is about, and the yuan at stake (None where none is known)."""
        rows = self.connection.execute(
            "SELECT rule, count(*), count(DISTINCT row), CAST(sum(abs(money)) AS VARCHAR) "
            "FROM findings GROUP BY rule"
        ).fetchall()
        return {rule: (found, records, money) for rule, found, records, money in rows}

    def batches(self, order: str = "row NULLS LAST, place", where: str = "true") -> Iterator[pa.RecordBatch]:
        """The findings, in order; ``place`` is that of the rule in its file."""
        names = ", ".join(f'f."{name}"' for name in FINDINGS)
        reader = self.connection.sql(
            f"SELECT {names} FROM findings AS f JOIN rules USING (rule) WHERE {where} ORDER BY {order}"
        ).to_arrow_reader(_BATCH)
        for batch in reader:
            yield batch.cast(SCHEMA)
