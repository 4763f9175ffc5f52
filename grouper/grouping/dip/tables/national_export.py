"""A catalogue of national DIP 3.0 packets as the workbook of the ministry: nine sheets and an annex.

:func:`national.import_national` reads it back to the same files. Names of diagnoses and operations are put in
for readers where the code lists have them; the import does not read them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from grouper.base.errors import TableError
from grouper.base.tables_in import Row, read_table
from grouper.grouping.dip.tables import national_layout as layout
from grouper.grouping.dip.tables.catalogue import Catalogue
from grouper.grouping.dip.tables.rules import CONSERVATIVE, NOT_MAIN
from grouper.grouping.tables.sheets import Book

_TITLE = "按病种分值付费病种库（3.0版）"
_CODE = re.compile(r"(XQ|BX|FZ|JC)-[1-9][0-9]*")
_STEPS = {"pre_group", "merge", "diagnosis_split", "basic"}
_HEAD = ["分类", "序号", "主要诊断编码", "主要诊断名称"]
_MAIN = ["主要手术操作编码", "主要手术操作名称"]
_RELATED = ["相关手术操作编码", "相关手术操作名称"]
_SAYS = {CONSERVATIVE: "按保守治疗入组", NOT_MAIN: "不可作为主要手术操作"}
_ANNEX = "主要诊断在附表内，或其他诊断为U84.300"
_ANYWHERE, _MAIN_ONLY = "出现在任一手术操作中", "主要手术操作"


def is_national_catalogue(catalogue: Catalogue, folder: Path) -> bool:
    """Whether a folder holds national packets alone: its own rules, in our labels, no scores, no base."""
    rules = catalogue.chain.rules
    return (
        bool(rules)
        and not catalogue.meta.get("base")
        and len(catalogue.rows) == len(rules)
        and (folder / "rules.csv").is_file()
        and all(_CODE.fullmatch(rule.row.code) and rule.row.score is None for rule in rules)
        and {rule.step for rule in rules} <= _STEPS
    )


def export_national(folder: Path, names: Mapping[str, str]) -> Book:
    """The sheets of the workbook. ``names``: of diagnoses and operations by code."""
    rules = list(read_table(folder / "rules.csv", kind=TableError))
    out = list(read_table(folder / "exclusions.csv", kind=TableError))
    annex = (row for row in read_table(folder / "lists.csv", kind=TableError) if row.text("place") == "main")
    made = _Sheets(names)
    titles = {part.key: part.title for part in layout.PARTS}
    packets = [*_HEAD, *_MAIN, *_RELATED]
    split = [rule for rule in rules if rule.text("step") == "diagnosis_split"]
    resistance = [rule for rule in split if not rule.text("other_dx")]
    burn = [rule for rule in split if rule.text("other_dx").startswith("T")]
    tumour = [rule for rule in split if rule.text("other_dx") and rule not in burn]
    other = [*_HEAD, "其他诊断编码", "其他诊断名称", *_MAIN, *_RELATED]
    sheets = {
        layout.PRE: made.pre_groups(rule for rule in rules if rule.text("step") == "pre_group"),
        layout.MERGED: [packets, *(made.packet(rule) for rule in rules if rule.text("step") == "merge")],
        layout.BURN: [other, *map(made.with_other, burn)],
        layout.TUMOUR: [other, *map(made.with_other, tumour)],
        layout.TB: [[*packets, "是否耐药", "是否耐药说明"], *map(made.with_resistance, resistance)],
        layout.RESISTANT: [["编码", "名称"], *map(made.named, annex)],
        layout.BASIC: [packets, *(made.packet(rule) for rule in rules if rule.text("step") == "basic")],
        layout.OUT_DX: [
            ["编码", "名称"],
            *(made.named(row) for row in out if row.text("kind") == "diagnosis"),
        ],
        layout.OUT_OP: [
            ["编码", "名称", "说明"],
            *([*made.named(row), _says(row)] for row in out if row.text("kind") == "procedure"),
        ],
        layout.CARE: made.primary_care(read_table(folder / "primary_care.csv", kind=TableError)),
    }
    return {titles[key]: [[_TITLE], *rows] for key, rows in sheets.items()}


class _Sheets:
    """Rows of sheets, with the names of their codes."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def name(self, cell: str) -> str:
        """The names of the codes in a cell that the code lists have, in its own signs."""
        parts = re.split(r"([|+])", cell)
        named = [part if part in "|+" else self._names.get(part, "") for part in parts]
        return "".join(named) if any(part not in "|+" for part in named) else ""

    def named(self, row: Row) -> list[str]:
        return [row.text("code"), self.name(row.text("code"))]

    def packet(self, rule: Row) -> list[str]:
        """Class, number, and code and name of diagnosis, main and related operations."""
        letters, _, number = rule.text("code").partition("-")
        cells = (rule.text(key) for key in ("dx", "procedures", "related"))
        return [letters, number, *(part for cell in cells for part in (cell, self.name(cell)))]

    def with_other(self, rule: Row) -> list[str]:
        cells, other = self.packet(rule), rule.text("other_dx")
        return [*cells[:4], other, self.name(other), *cells[4:]]

    def with_resistance(self, rule: Row) -> list[str]:
        return [*self.packet(rule), "是" if rule.text("listed") else "否", _ANNEX]

    def pre_groups(self, rules: Iterable[Row]) -> list[list[str]]:
        """Those by operation, then under a header of their own those of newborns."""
        plain, newborn = [], []
        for rule in rules:
            letters, _, number = rule.text("code").partition("-")
            head = [letters, number, rule.text("name")]
            if rule.text("procedures"):
                operations = rule.text("procedures")
                place = _ANYWHERE if rule.text("position") == "any" else _MAIN_ONLY
                plain.append([*head, "", "", operations, self.name(operations), place])
            else:
                days = int(rule.text("age_days").split("-")[1]) + 1
                newborn.append(
                    [*head, rule.text("any_dx"), "", f"＜{days}天", f"{rule.text('weight')}克", "诊断中有"]
                )
        lead = ["分类", "序号", "分组名称", "主要诊断编码", "主要诊断名称"]
        bands = [[*lead, "天龄", "出生体重", "说明"], *newborn] if newborn else []
        return [[*lead, *_MAIN, "说明"], *plain, *bands]

    def primary_care(self, rows: Iterable[Row]) -> list[list[str]]:
        header = ["序号", "主要诊断编码", "名称", "手术操作编码", "手术操作名称"]
        made = []
        for row in rows:
            operations = row.text("procedures")
            dx = row.text("dx")
            made.append([row.text("code"), dx, self.name(dx), operations, self.name(operations)])
        return [header, *made]


def _says(row: Row) -> str:
    """What 说明 says of an operation."""
    scope = row.text("scope").replace("|", "、")
    return _SAYS.get(row.text("rule")) or f"主要诊断为{scope}时可作为主要手术操作"
