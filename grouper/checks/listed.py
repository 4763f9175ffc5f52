"""Facts in the order and company of codes: repeated ones, pairs, names, days, what arose in hospital."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import date
from functools import cache

import polars as pl
import pyarrow as pa

from grouper.base.errors import TableError
from grouper.base.paths import tables_dir
from grouper.base.tables_in import read_table
from grouper.checks.combinations import combinations
from grouper.checks.marks import exploded
from grouper.records.values import parse_date

_AND = "、"
_ARISEN = ("3", "4")  # 入院病情: 3 情况不明, 4 无
_LOOSE = str.maketrans("", "", " 　,，、;；()（）[]【】-－.·")


def of_lists(
    rows: pl.DataFrame,
    columns: Mapping[str, pa.Array],
    dx: pl.DataFrame,
    ops: pl.DataFrame,
    mcc: int,
    low: int,
) -> list[pl.DataFrame]:
    """Frames by ``row`` to be joined to those of the records. ``mcc``, ``low``: the bits of major
    complications and of principal diagnoses of low-standard admissions."""
    parts = [
        _counts(rows, dx, ops),
        _first(dx, low),
        _severe(dx, mcc),
        _repeated(rows, dx),
        _combined(rows, dx),
    ]
    if "present_on_admission" in columns:
        parts.append(_arisen(rows, _beside(columns, "present_on_admission", "diagnoses"), dx, mcc))
    if "procedure_dates" in columns:
        parts.append(_operations(rows, _beside(columns, "procedure_dates", "procedures"), ops))
    if "diagnosis_names" in columns:
        parts.append(_names(rows, _beside(columns, "diagnosis_names", "diagnoses"), dx))
    return parts


def _beside(columns: Mapping[str, pa.Array], name: str, codes: str) -> pl.DataFrame:
    """Values that stand beside codes: row, pos, value, and whether there are as many as codes (aligned)."""
    values = exploded(columns[name]).select("row", "pos", value="text")
    if codes not in columns:
        return values.with_columns(aligned=pl.lit(value=False))
    mine = values.group_by("row").agg(pl.len().alias("values"))
    theirs = exploded(columns[codes]).group_by("row").agg(pl.len().alias("codes"))
    same = mine.join(theirs, on="row", how="left").select("row", aligned=pl.col("values") == pl.col("codes"))
    return values.join(same, on="row", how="left")


def _counts(rows: pl.DataFrame, dx: pl.DataFrame, ops: pl.DataFrame) -> pl.DataFrame:
    number = ops.group_by("row").agg(pl.len().cast(pl.Int64).alias("procedures_count"))
    first = dx.filter(pl.col("pos") == 0).select("row", principal_blank=pl.lit(value=False))
    made = rows.select("row").join(number, on="row", how="left").join(first, on="row", how="left")
    return made.with_columns(
        pl.col("procedures_count").fill_null(0), pl.col("principal_blank").fill_null(value=True)
    )


def _first(dx: pl.DataFrame, low: int) -> pl.DataFrame:
    """The principal diagnosis, and whether it is one of low-standard admissions."""
    first = dx.filter(pl.col("pos") == 0)
    return first.select("row", principal=pl.col("code"), low=(pl.col("mask") & low) != 0)


def _severe(dx: pl.DataFrame, mcc: int) -> pl.DataFrame:
    """How many different major complications stand among the other diagnoses."""
    severe = dx.filter((pl.col("pos") > 0) & ((pl.col("mask") & mcc) != 0))
    return severe.group_by("row").agg(pl.col("code").n_unique().cast(pl.Int64).alias("severe"))


def _repeated(rows: pl.DataFrame, dx: pl.DataFrame) -> pl.DataFrame:
    """Other diagnoses that stand twice, and whether the principal one is among them."""
    first = dx.filter(pl.col("pos") == 0).select("row", principal=pl.col("code"))
    others = dx.filter(pl.col("pos") > 0).join(first, on="row", how="left")
    again = (
        others.filter(pl.col("code") == pl.col("principal")).select("row", principal_repeated=True).unique()
    )
    twice = others.group_by("row", "code").len().filter(pl.col("len") > 1)
    told = twice.sort("row", "code").group_by("row").agg(pl.col("code").str.join(_AND).alias("repeated"))
    made = rows.select("row").join(again, on="row", how="left").join(told, on="row", how="left")
    return made.with_columns(
        pl.col("principal_repeated").fill_null(value=False), duplicate_other=pl.col("repeated").is_not_null()
    )


def _combined(rows: pl.DataFrame, dx: pl.DataFrame) -> pl.DataFrame:
    sides = dx.filter((pl.col("first") != 0) | (pl.col("second") != 0))
    pairs = sides.group_by("row").agg(pl.col("first").bitwise_or(), pl.col("second").bitwise_or())
    pairs = pairs.with_columns(both=pl.col("first") & pl.col("second")).filter(pl.col("both") != 0)
    words = {bits: _told(bits) for bits in pairs["both"].unique()}
    told = pairs.select(
        "row", combined=pl.col("both").replace_strict(words, return_dtype=pl.String, default=None)
    )
    made = rows.select("row").join(told, on="row", how="left")
    return made.with_columns(combination=pl.col("combined").is_not_null())


def _told(bits: int) -> str:
    pairs = [pair for number, pair in enumerate(combinations()) if bits >> number & 1]
    return _AND.join(f"{p.first}+{p.second} → {p.combined} {p.name}" for p in pairs)


def _arisen(rows: pl.DataFrame, beside: pl.DataFrame, dx: pl.DataFrame, mcc: int) -> pl.DataFrame:
    """Condition on admission of the principal diagnosis, and major complications that arose in hospital."""
    beside = beside.with_columns(pl.col("value").str.strip_chars().replace(_conditions()))
    first = beside.filter(pl.col("pos") == 0).select("row", principal_admission=pl.col("value"))
    severe = dx.filter((pl.col("pos") > 0) & ((pl.col("mask") & mcc) != 0))
    severe = severe.join(beside, on=["row", "pos"], how="left")
    arisen = pl.col("value").is_in(_ARISEN) & pl.col("aligned")
    known = severe.group_by("row").agg(
        pl.when(arisen.any())
        .then(True)
        .when(pl.col("aligned").all())
        .then(False)
        .alias("complication_arose"),
        pl.col("code").filter(arisen.fill_null(value=False)).str.join(_AND).alias("arose"),
    )
    made = rows.select("row").join(first, on="row", how="left").join(known, on="row", how="left")
    none = ~pl.col("row").is_in(severe["row"].implode())
    return made.with_columns(
        complication_arose=pl.when(none).then(False).otherwise(pl.col("complication_arose"))
    )


@cache
def _conditions() -> dict[str, str]:
    """Word of the condition on admission -> its code."""
    path = tables_dir() / "records" / "code_values.csv"
    table = read_table(path, needed=("code_list", "value", "zh"), kind=TableError)
    named = (row for row in table if row.text("code_list") == "present_on_admission")
    return {row.text("zh"): row.text("value") for row in named}


def _operations(rows: pl.DataFrame, beside: pl.DataFrame, ops: pl.DataFrame) -> pl.DataFrame:
    """First and last day of an operation, and operations that stand twice on one day."""
    days: dict[str, date | None] = {
        text: parse_date(text).value for text in beside["value"].unique().drop_nulls()
    }
    beside = beside.with_columns(
        day=pl.col("value").replace_strict(days, return_dtype=pl.Date, default=None)
    ).select("row", "pos", "day", "aligned")
    span = beside.group_by("row").agg(
        pl.col("day").min().alias("first_operation"), pl.col("day").max().alias("last_operation")
    )
    dated = ops.join(beside, on=["row", "pos"], how="left")
    twice = dated.group_by("row", "code").agg(
        pl.len().alias("times"), pl.col("day").n_unique().alias("days"),
        (pl.col("aligned").fill_null(value=False) & pl.col("day").is_not_null()).all().alias("known"),
    ).filter(pl.col("times") > 1)  # fmt: skip
    same = pl.col("known") & (pl.col("days") < pl.col("times"))
    told = twice.sort("row", "code").group_by("row").agg(
        pl.when(same.any()).then(True).when(pl.col("known").all()).then(False).alias("duplicate_operation"),
        pl.col("code").filter(same).str.join(_AND).alias("repeated_operations"),
    )  # fmt: skip
    made = rows.select("row").join(span, on="row", how="left").join(told, on="row", how="left")
    none = ~pl.col("row").is_in(twice["row"].implode())
    return made.with_columns(
        duplicate_operation=pl.when(none).then(False).otherwise(pl.col("duplicate_operation"))
    )


def _names(rows: pl.DataFrame, beside: pl.DataFrame, dx: pl.DataFrame) -> pl.DataFrame:
    """Codes whose given name is another than that of the code list."""
    both = dx.filter(pl.col("name") != "").join(beside, on=["row", "pos"], how="left")
    both = both.filter(pl.col("value").is_not_null() & (pl.col("value") != ""))
    distinct = both.select("name", "value").unique()
    agree = [_loose(name) == _loose(value) for name, value in distinct.iter_rows()]
    both = both.join(
        distinct.with_columns(agrees=pl.Series(agree, dtype=pl.Boolean)), on=["name", "value"], how="left"
    )
    wrong = ~pl.col("agrees") & pl.col("aligned")
    shown = pl.format("{} {}≠{}", "code", "name", "value").filter(wrong)
    told = both.group_by("row").agg(
        pl.when(wrong.any()).then(True).when(pl.col("aligned").all()).then(False).alias("name_differs"),
        shown.str.join(_AND).alias("differing"),
    )
    return rows.select("row").join(told, on="row", how="left")


def _loose(name: str) -> str:
    """A name without case, width, blanks and punctuation."""
    return unicodedata.normalize("NFKC", name).casefold().translate(_LOOSE)
