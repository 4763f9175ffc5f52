"""The facts of records that conditions speak of: one row per record, whole batches at a time.

Codes are looked up once per distinct text; the codes of a record become whole numbers whose bits say in which
lists they are. Everything else is columns. What a source lacks is a column of nulls.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from grouper.base.exact import decimal_of
from grouper.checks import listed
from grouper.checks.fields import Read
from grouper.checks.marks import Marks, exploded

# Column -> its type: the facts of conditions and texts, beside marks (principal.LIST …).
FACTS: dict[str, Any] = {
    "id": pl.String, "hospital_code": pl.String, "person_id": pl.String, "department": pl.String,
    "doctor": pl.String, "sex": pl.Int32, "age_years": pl.Int32, "age_days": pl.Int32,
    "birth_weight_g": pl.Int32, "admission_weight_g": pl.Int32, "los_days": pl.Int32,
    "discharge_way": pl.Int32, "icu_hours": pl.Float64, "ventilator_hours": pl.Float64,
    "birth_date": pl.Date, "admission_date": pl.Date, "discharge_date": pl.Date, "nights": pl.Int64,
    "total_cost": pl.Decimal(18, 2), "operation_cost": pl.Decimal(18, 2), "total_fen": pl.Int64,
    "drug_fen": pl.Int64, "consumable_fen": pl.Int64, "operation_fen": pl.Int64,
    "external_cause": pl.String, "pathology": pl.String, "newborn_admission_type": pl.String,
    "mdc": pl.String, "adrg": pl.String, "group": pl.String, "status": pl.String, "reason": pl.String,
    "complication": pl.String, "complication_by": pl.String,
    "principal_blank": pl.Boolean, "procedures_count": pl.Int64, "principals": pl.Int64,
    "principal_repeated": pl.Boolean, "duplicate_other": pl.Boolean, "repeated": pl.String,
    "duplicate_operation": pl.Boolean, "repeated_operations": pl.String,
    "combination": pl.Boolean, "combined": pl.String, "principal_admission": pl.String,
    "complication_arose": pl.Boolean, "arose": pl.String, "name_differs": pl.Boolean, "differing": pl.String,
    "first_operation": pl.Date, "last_operation": pl.Date, "births": pl.Int64, "newborn_weights": pl.Int64,
    "heavier_operation": pl.Boolean, "heavier": pl.String, "principal": pl.String, "low": pl.Boolean,
    "severe": pl.Int64,
}  # fmt: skip
_PLAIN = tuple(name for name in FACTS if name not in ("nights", "mdc", "adrg", "group", "status", "reason"))
_FEN = {
    "total_fen": "total_cost", "drug_fen": "drug_cost", "consumable_fen": "consumable_cost",
    "operation_fen": "operation_cost",
}  # fmt: skip


@dataclass(frozen=True)
class Facts:
    """``rows``: one row per record, with ``row`` from 0. ``diagnoses``, ``procedures``: one row per code that
    is written: row, pos from 0, text, code, name, mask."""

    rows: pl.DataFrame
    diagnoses: pl.DataFrame
    procedures: pl.DataFrame


def facts_of(
    read: Read,
    groups: Mapping[str, pa.Array],
    diagnoses: Marks,
    procedures: Marks,
    lists: list[tuple[str, str]],
) -> Facts:
    """The facts of a batch. ``groups``: result columns of its grouping. ``lists``: the marks wanted."""
    height = len(read.columns["id"])
    dx = _flat(read.columns["diagnoses"], diagnoses)
    ops = _flat(read.columns.get("procedures"), procedures)
    columns = {"row": pl.Series("row", range(height), pl.Int64), **_plain(read.columns, groups, height)}
    rows = pl.DataFrame(columns)
    bits = diagnoses.bits
    listed_facts = listed.of_lists(rows, read.columns, dx, ops, bits["mcc"], bits["low_standard"])
    rows = rows.with_columns(nights=(pl.col("discharge_date") - pl.col("admission_date")).dt.total_days())
    rows = _joined(rows, listed_facts)
    rows = _joined(rows, [_masks(dx, "dx"), _masks(ops, "op")])
    masks = pl.col("dx_first", "dx_rest", "op_first", "op_rest").fill_null(0)
    rows = rows.with_columns(masks).with_columns(_mark_columns(diagnoses, procedures, lists))
    missing = [pl.lit(None, kind).alias(name) for name, kind in FACTS.items() if name not in rows.columns]
    return Facts(rows.with_columns(missing), dx, ops)


def _plain(
    columns: Mapping[str, pa.Array], groups: Mapping[str, pa.Array], height: int
) -> dict[str, pl.Series]:
    made = {name: _series(columns[name], FACTS[name]) for name in _PLAIN if name in columns}
    made |= {name: _series(array, pl.String) for name, array in groups.items() if name in FACTS}
    made |= {fen: _series(_fen(columns[name]), pl.Int64) for fen, name in _FEN.items() if name in columns}
    for name in ("admission_date", "discharge_date"):
        if name not in made:
            made[name] = pl.Series(name, [None] * height, pl.Date)
    return made


def _series(array: pa.Array, kind: Any) -> pl.Series:
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    made = pl.from_arrow(array)
    assert isinstance(made, pl.Series)
    return made.cast(kind)


def _fen(yuan: pa.Array) -> pa.Array:
    hundred = pa.scalar(decimal_of("100"), pa.decimal128(3, 0))
    return pc.multiply(yuan.cast(pa.decimal128(18, 2)), hundred).cast(pa.decimal128(20, 0)).cast(pa.int64())


def _flat(lists: pa.Array | None, marks: Marks) -> pl.DataFrame:
    """The codes of a column of lists, a row each, without blank entries."""
    empty = pl.DataFrame(schema={"row": pl.Int64, "pos": pl.Int64, "text": pl.String})
    flat = empty if lists is None or len(lists) == 0 else exploded(lists)
    distinct = flat["text"].unique().drop_nulls()
    return (
        flat.join(marks.frame(distinct), on="text", how="left", maintain_order="left")
        .filter(~pl.col("blank"))
        .drop("blank")
    )


def _masks(flat: pl.DataFrame, prefix: str) -> pl.DataFrame:
    """Bits of the first code of a record, and of all others together."""
    first = flat.filter(pl.col("pos") == 0).select("row", pl.col("mask").alias(f"{prefix}_first"))
    rest = (
        flat.filter(pl.col("pos") > 0)
        .group_by("row")
        .agg(pl.col("mask").bitwise_or().alias(f"{prefix}_rest"))
    )
    return first.join(rest, on="row", how="full", coalesce=True)


_WHERE = {
    "principal": ("dx_first",), "other": ("dx_rest",), "diagnosis": ("dx_first", "dx_rest"),
    "main": ("op_first",), "further": ("op_rest",), "operation": ("op_first", "op_rest"),
}  # fmt: skip


def _mark_columns(dx: Marks, op: Marks, lists: list[tuple[str, str]]) -> list[pl.Expr]:
    """A truth value per record for each (subject, list)."""
    made = []
    for subject, name in lists:
        bit = (dx.bits | op.bits)[name] if (name in dx.bits) != (name in op.bits) else 0
        parts = [(pl.col(column) & bit) != 0 for column in _WHERE[subject]]
        made.append(pl.any_horizontal(parts).alias(f"{subject}.{name}"))
    return made


def _joined(rows: pl.DataFrame, parts: list[pl.DataFrame]) -> pl.DataFrame:
    for part in parts:
        rows = rows.join(part, on="row", how="left", maintain_order="left")
    return rows
