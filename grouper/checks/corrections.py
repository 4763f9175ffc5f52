"""Corrections that a record itself holds: another of its codes in the first place, and the group that gives.

Nothing is added to a record and nothing left out. The candidate is the first in the order of the record that
the rule allows (``into``, ``not_in``) and that leads to a group; of operations that lead to a heavier group,
the heaviest. They are shown as checks, never as advice.
"""

from __future__ import annotations

from typing import Any

import polars as pl
import pyarrow as pa

from grouper.base.reasons import STATUS_NAMES, Status
from grouper.checks.facts import Facts
from grouper.checks.fields import Read
from grouper.checks.marks import Marks
from grouper.checks.rules import Rule
from grouper.grouping.api import Grouper
from grouper.records.scalars import is_text

_MOST = 12  # candidates of a record that are tried
_NONE: dict[str, Any] = {"row": pl.Int64, "correction": pl.String, "corrected_group": pl.String}
_SIDES = {"principal": "diagnoses", "main": "procedures"}


class Corrector:
    """Groups records with their codes in another order."""

    def __init__(
        self, grouper: Grouper, group: str, diagnoses: Marks, procedures: Marks, weights: dict[str, float]
    ) -> None:
        self._grouper, self._group, self._weights = grouper, group, weights
        self._marks = {"diagnoses": diagnoses, "procedures": procedures}

    def of(self, rule: Rule, facts: Facts, read: Read, rows: pl.Series) -> pl.DataFrame:
        """Correction ("principal=I63.300") and group it gives, by row; rows without one are left out."""
        if rule.correction == "heavier":
            hits = facts.rows.filter(pl.col("row").is_in(rows.implode()))
            return hits.select(
                "row", correction=pl.format("main={}", "heavier"), corrected_group="_heavier_group"
            )
        if rule.correction not in _SIDES:
            return pl.DataFrame(schema=_NONE)
        side = _SIDES[rule.correction]
        tried = self._tried(side, self._candidates(rule, facts, side, rows), read)
        first = tried.filter(pl.col("grouped")).unique("row", keep="first", maintain_order=True)
        return first.select(
            "row",
            pl.format(rule.correction + "={}", "code").alias("correction"),
            pl.col("group").alias("corrected_group"),
        )

    def with_heavier(self, facts: Facts, read: Read) -> Facts:
        """The facts whether another operation in the first place leads to a group of a higher weight."""
        ops = facts.procedures.filter(pl.col("pos") > 0)
        mine = facts.rows.select("row", own=self._weight(pl.col("group")))
        tried = self._tried("procedures", ops.filter(pl.col("pos") < _MOST), read)
        tried = tried.filter(pl.col("grouped")).with_columns(weight=self._weight(pl.col("group")))
        tried = tried.join(mine, on="row", how="left").filter(pl.col("weight") > pl.col("own"))
        best = tried.sort("weight", descending=True, maintain_order=True).unique(
            "row", keep="first", maintain_order=True
        )
        best = best.select("row", heavier=pl.col("code"), _heavier_group=pl.col("group"))
        rows = facts.rows.drop("heavier").join(best, on="row", how="left", maintain_order="left")
        found = pl.col("heavier").is_not_null()
        known = pl.col("row").is_in(mine.filter(pl.col("own").is_not_null())["row"].implode())
        single = ~pl.col("row").is_in(ops["row"].implode())
        verdict = pl.when(found).then(True).when(known | single).then(False)
        return Facts(rows.with_columns(heavier_operation=verdict), facts.diagnoses, facts.procedures)

    def _weight(self, group: pl.Expr) -> pl.Expr:
        return group.replace_strict(self._weights, return_dtype=pl.Float64, default=None)

    def _candidates(self, rule: Rule, facts: Facts, side: str, rows: pl.Series) -> pl.DataFrame:
        flat = facts.diagnoses if side == "diagnoses" else facts.procedures
        bits = self._marks[side].bits
        into = sum(bits[name] for name in rule.into if name in bits)
        without = sum(bits[name] for name in rule.not_in if name in bits)
        flat = flat.filter(
            (pl.col("pos") > 0) & (pl.col("pos") < _MOST) & pl.col("row").is_in(rows.implode())
        )
        flat = flat.filter((pl.col("mask") & without) == 0)
        return flat.filter((pl.col("mask") & into) != 0) if into else flat

    def _tried(self, side: str, candidates: pl.DataFrame, read: Read) -> pl.DataFrame:
        """``candidates`` with the group of their record when they stand first; in the order of records."""
        candidates = candidates.sort("row", "pos")
        columns = self.moved(side, candidates, read.prepared)
        flags = read.flags.take(pa.array(candidates["row"].to_list(), pa.int64()))
        done = self._grouper.engine.group(columns, flags)
        names = [field.name for field in self._grouper.engine.result_fields]
        results = dict(zip(names, done.columns, strict=True))
        status = pl.Series(results["status"].cast(pa.string()).to_pylist(), dtype=pl.String)
        return candidates.with_columns(
            group=pl.Series(results[self._group].cast(pa.string()).to_pylist(), dtype=pl.String),
            grouped=status == STATUS_NAMES[Status.GROUPED],
        )

    def moved(self, side: str, candidates: pl.DataFrame, prepared: pa.RecordBatch) -> pa.RecordBatch:
        """The records of ``candidates``, each with its candidate before the other codes of the side."""
        rows = pa.array(candidates["row"].to_list(), pa.int64())
        taken = _plain(prepared).take(rows)
        place = taken.schema.get_field_index(side)
        lists = taken.column(place).to_pylist()
        order = [
            [codes[pos], *codes[:pos], *codes[pos + 1 :]]
            for codes, pos in zip(lists, candidates["pos"], strict=True)
        ]
        return taken.set_column(place, side, pa.array(order, pa.list_(pa.string())))


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Texts and lists in their plain types, which rows can be taken of."""
    fields = []
    for field in batch.schema:
        if pa.types.is_nested(field.type):
            fields.append(field.with_type(pa.list_(pa.string())))
        else:
            fields.append(field.with_type(pa.string()) if is_text(field.type) else field)
    return batch.cast(pa.schema(fields))
