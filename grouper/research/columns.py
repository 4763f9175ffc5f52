"""The columns of the tables that a snapshot has: ``tables/lake/columns.csv``, in the order of the file."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from grouper.base.paths import tables_dir
from grouper.base.tables_in import read_table

# Tables of runs, and where a lake has them (grouper.lake.views); then those of names.
SOURCES = {
    "cases": "cases_effective",
    "records": "records_effective",
    "hospitals": "hospitals_current",
    "pools": "pools_current",
    "adjustments": "adjustments_current",
    "rejected": "rejected_current",
    "cases_cleared": "cases_cleared",
    "hospitals_cleared": "hospitals_cleared",
    "pools_cleared": "pools_cleared",
    "adjustments_cleared": "adjustments_cleared",
}
NAMED = (
    "periods", "groups", "adrgs", "mdcs", "diagnoses", "procedures", "hospital_names", "pool_names",
    "code_values",
)  # fmt: skip
TABLES = (*SOURCES, *NAMED)
ABOUT: dict[str, tuple[str, str]] = {
    "cases": ("各月的有效病例，不含被取代的运行和被替换的行",
              "cases of the months as they stand: no superseded runs, no replaced rows"),
    "records": ("这些病例的记录：诊断、手术、费用、分组", "their records: codes, costs, groups"),
    "hospitals": ("各月每家医院、每个基金池", "months, a row per hospital and pool"),
    "pools": ("各月每个基金池", "months, one row per pool"),
    "adjustments": ("对以前各期的调整", "adjustments of earlier periods"),
    "rejected": ("没有成为病例的行及其原因", "rows that are no cases, with the reason"),
    "cases_cleared": ("已清算年度的病例，按全年点值；与 `cases` 是同一批住院，不可相加",
                      "cases of cleared years, at the value of the year; the same stays as in "
                      "`cases`, so never add them up"),
    "hospitals_cleared": ("年度清算每家医院、每个基金池", "cleared years, one row per hospital and pool"),
    "pools_cleared": ("年度清算每个基金池", "cleared years, one row per pool"),
    "adjustments_cleared": ("年度清算的扣款与得分", "deductions and scores of cleared years"),
    "periods": ("有效的结算期及其运行、方案、政策、总计", "valid periods: run, scheme, policy, totals"),
    "groups": ("病组或病种：名称、权重、例均费用", "groups or packets: names, weight, mean cost"),
    "adrgs": ("核心病组", "adjacent DRG"),
    "mdcs": ("主要诊断大类", "major diagnostic categories"),
    "diagnoses": ("疾病诊断编码", "codes of diagnoses"),
    "procedures": ("手术操作编码", "codes of procedures"),
    "hospital_names": ("医院", "hospitals"),
    "pool_names": ("基金池", "pools"),
    "code_values": ("各列取值的含义", "what the values of columns mean"),
}  # fmt: skip


class Column(NamedTuple):
    """``type``: as DuckDB calls it. ``unit``: of its values, or the table that names them."""

    name: str
    type: str
    unit: str
    zh: str
    en: str


@cache
def declared() -> dict[str, tuple[Column, ...]]:
    """Table to its columns, which every snapshot has, with values or without."""
    path = tables_dir() / "lake" / "columns.csv"
    table = read_table(path, needed=("tables", "column", "type", "unit", "zh", "en"))
    found: dict[str, list[Column]] = {name: [] for name in TABLES}
    for _, (tables, *rest) in table.rows:
        for name in _tables(tables.split()):
            found[name].append(Column(*rest))
    return {name: tuple(columns) for name, columns in found.items()}


def _tables(words: list[str]) -> list[str]:
    """``a b``: those; ``* -a``: all but that one."""
    if words[0] != "*":
        return words
    return [name for name in TABLES if f"-{name}" not in words]
