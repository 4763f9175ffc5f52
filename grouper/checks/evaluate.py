"""Evaluates the rules of scope record over batches: one engine for a record and for files.

A condition has three values. Where a missing value could have decided it, or a field that the rule needs is
not in the source at all, the rule is not evaluated for that record; that is counted by rule.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from grouper.base.errors import TableError
from grouper.checks.corrections import Corrector
from grouper.checks.facts import FACTS, Facts, facts_of
from grouper.checks.fields import FieldReader, Read
from grouper.checks.marks import Marks
from grouper.checks.rules import Rule, Rules
from grouper.grouping.api import Grouper
from grouper.grouping.family import family
from grouper.records.columns import ColumnMap

AND = "、"
FINDINGS: dict[str, type[pl.DataType] | pl.DataType] = {
    "row": pl.Int64, "record_id": pl.String, "hospital_code": pl.String, "department": pl.String,
    "rule": pl.String, "severity": pl.String, "scope": pl.String, "codes": pl.String, "text": pl.String,
    "mend": pl.String, "group": pl.String, "correction": pl.String, "corrected_group": pl.String,
    "money": pl.Decimal(18, 2),
}  # fmt: skip
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_DIAGNOSES = ("principal", "other", "diagnosis")


@dataclass(frozen=True)
class Batch:
    """What the rules say of a batch. ``states``: a column per rule that could be looked at (true found, false
    passed, null not evaluated). ``findings``: FINDINGS, rows from 1. ``facts``: what they rest on."""

    states: pl.DataFrame
    findings: pl.DataFrame
    facts: Facts

    @property
    def rows(self) -> pl.DataFrame:
        return self.facts.rows

    def codes(self, side: str) -> pl.DataFrame:
        """The codes of "diagnoses" or "procedures", a row each: row from 0, pos, code."""
        return self.facts.diagnoses if side == "diagnoses" else self.facts.procedures


class Checker:
    """The rules of scope record for one scheme and language. Immutable in use but for what it remembers of
    codes; ``weights``: weight by group, where known (for rules that compare groups)."""

    def __init__(
        self, grouper: Grouper, rules: Rules, lang: str = "zh", weights: dict[str, float] | None = None
    ) -> None:
        self.grouper, self.rules, self.lang = grouper, rules, lang
        engine = grouper.engine
        self._mine = rules.of("record")
        names = {"mcc", "low_standard"}.union(*(rule.lists for rule in self._mine))
        self.diagnoses = Marks("diagnosis", engine.diagnoses, names)  # type: ignore[attr-defined]
        self.procedures = Marks("procedure", engine.procedures, names)  # type: ignore[attr-defined]
        self._wanted = sorted(set().union(*(rule.marks for rule in self._mine)))
        self._group = family(engine.kind).GROUP
        self.corrector = Corrector(grouper, self._group, self.diagnoses, self.procedures, weights or {})
        self.has_weights = bool(weights)

    @cached_property
    def conditions(self) -> dict[str, pl.Expr]:
        """Rule id -> its condition. Raises TableError for one that cannot be read."""
        return {rule.id: _expression(rule) for rule in self._mine}

    def reader(self, columns: ColumnMap, schema: pa.Schema) -> FieldReader:
        return FieldReader(self.grouper, columns, schema)

    def evaluated(self, fields: frozenset[str]) -> list[Rule]:
        """The rules whose fields a source has."""
        has = fields | ({"weights"} if self.has_weights else set())
        return [rule for rule in self._mine if has.issuperset(rule.needs)]

    def check(
        self,
        read: Read,
        fields: frozenset[str],
        first_row: int = 0,
        settled: Mapping[str, pa.Array] | None = None,
    ) -> Batch:
        """Evaluate all rules over a batch that was read.

        ``settled``: result columns by which its records were settled, which hold; what they do not tell is
        taken from grouping again, where the group is the same.
        """
        grouped = self.grouper.engine.group(read.prepared, read.flags)
        names = [field.name for field in self.grouper.engine.result_fields]
        results = dict(zip(names, grouped.columns, strict=True))
        groups = self._groups(results, settled)
        facts = facts_of(read, groups, self.diagnoses, self.procedures, self._wanted)
        rules = self.evaluated(fields)
        if self.has_weights and any(rule.correction == "heavier" for rule in rules):
            facts = self.corrector.with_heavier(facts, read)
        states = facts.rows.select(self.conditions[rule.id].alias(rule.id) for rule in rules)
        parts = [
            self._findings(rule, facts, read, states[rule.id]) for rule in rules if states[rule.id].any()
        ]
        empty = pl.DataFrame(schema=FINDINGS)
        findings = pl.concat([empty, *parts]).sort("row", maintain_order=True)
        return Batch(states, findings.with_columns(pl.col("row") + first_row + 1), facts)

    def _groups(
        self, results: Mapping[str, pa.Array], settled: Mapping[str, pa.Array] | None
    ) -> dict[str, pa.Array]:
        groups = {**results, "group": results[self._group]}
        if settled is None or self._group not in settled:
            return groups
        group = settled[self._group].cast(pa.string())
        same = pc.fill_null(pc.equal(groups["group"].cast(pa.string()), group), fill_value=False)
        none = pa.scalar(None, pa.string())
        for name in ("adrg", "complication", "complication_by"):
            if name in groups:
                groups[name] = pc.if_else(same, groups[name].cast(pa.string()), none)
        told = {name: settled[name] for name in ("mdc", "status", "reason") if name in settled}
        return {**groups, **told, "group": group}

    def _findings(self, rule: Rule, facts: Facts, read: Read, state: pl.Series) -> pl.DataFrame:
        hits = facts.rows.filter(state.fill_null(value=False))
        shown = self._codes(rule, facts, hits["row"])
        hits = hits.join(shown, on="row", how="left", maintain_order="left").with_columns(
            pl.col("codes", "told").fill_null("")
        )
        corrected = self.corrector.of(rule, facts, read, hits["row"])
        hits = hits.join(corrected, on="row", how="left", maintain_order="left")
        return hits.select(
            "row", pl.col("id").alias("record_id"), "hospital_code", "department",
            pl.lit(rule.id).alias("rule"), pl.lit(rule.severity).alias("severity"),
            pl.lit("record").alias("scope"), "codes", filled(rule.text(self.lang), rule).alias("text"),
            filled(rule.mend(self.lang), rule).alias("mend"), "group", "correction", "corrected_group",
            pl.lit(None, pl.Decimal(18, 2)).alias("money"),
        )  # fmt: skip

    def _codes(self, rule: Rule, facts: Facts, rows: pl.Series) -> pl.DataFrame:
        """The codes that a finding names, by row: joined by | , and with their names for the text."""
        parts = [self._part(mark, facts, rows) for mark in rule.codes]
        if not parts:
            return pl.DataFrame(schema={"row": pl.Int64, "codes": pl.String, "told": pl.String})
        both = pl.concat(parts).unique(maintain_order=True)
        named = (
            pl.when(pl.col("name") == "").then(pl.col("code")).otherwise(pl.format("{} {}", "code", "name"))
        )
        return both.group_by("row", maintain_order=True).agg(
            pl.col("code").str.join("|").alias("codes"), named.str.join(AND).alias("told")
        )

    def _part(self, mark: str, facts: Facts, rows: pl.Series) -> pl.DataFrame:
        subject, _, name = mark.partition(".")
        flat, marks = (
            (facts.diagnoses, self.diagnoses)
            if subject in _DIAGNOSES
            else (facts.procedures, self.procedures)
        )
        flat = flat.filter(pl.col("row").is_in(rows.implode()))
        if subject in ("principal", "main"):
            flat = flat.filter(pl.col("pos") == 0)
        elif subject in ("other", "further"):
            flat = flat.filter(pl.col("pos") > 0)
        if name:
            flat = flat.filter((pl.col("mask") & marks.bits[name]) != 0)
        return flat.select("row", "code", "name")


def filled(text: str, rule: Rule) -> pl.Expr:
    """A text with its placeholders filled from limits, codes and facts."""
    pieces: list[pl.Expr] = []
    last = 0
    for match in _PLACEHOLDER.finditer(text):
        pieces.append(pl.lit(text[last : match.start()]))
        pieces.append(_value(match[1], rule))
        last = match.end()
    return pl.concat_str(*pieces, pl.lit(text[last:]))


def _value(name: str, rule: Rule) -> pl.Expr:
    if name in rule.limits:
        return pl.lit(str(rule.limits[name]))
    if name == "codes":
        return pl.col("told")
    value = pl.col(name)
    if FACTS.get(name) == pl.Float64:  # 95.0 hours are 95
        whole = value.cast(pl.Int64)
        value = pl.when(value == whole).then(whole.cast(pl.String)).otherwise(value.round(1).cast(pl.String))
    return value.cast(pl.String).fill_null("—")


def _expression(rule: Rule) -> pl.Expr:
    try:
        return pl.sql_expr(rule.condition)
    except pl.exceptions.PolarsError as error:
        raise TableError(
            zh=f"rules.toml：规则 {rule.id} 的条件无法读取：{rule.when}",
            en=f"rules.toml: the condition of {rule.id} cannot be read: {rule.when}",
        ) from error


def unknown_names(rules: Sequence[Rule]) -> list[str]:
    """Names in texts that are neither limits nor facts, for the tests of the tables."""
    known = {"codes", "value", "other", *FACTS}
    return [
        f"{rule.id}: {name}"
        for rule in rules
        for text in (rule.zh, rule.en, rule.mend_zh, rule.mend_en)
        for name in _PLACEHOLDER.findall(text)
        if name not in known and name not in rule.limits
    ]
