"""The cells of one row of a DIP catalogue sheet: read, checked, and written as catalogue.csv wants them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cache

from grouper.base.exact import decimal_of, fits, half_up
from grouper.grouping.dip import normalise
from grouper.grouping.dip.options import DipOptions
from grouper.grouping.dip.tables.catalogue import AUX_LEVELS
from grouper.grouping.dip.tables.layout import (
    AUX_SUFFIX,
    KIND_WORDS,
    READER_COLUMNS,
    TREATMENT_SUFFIX,
    TREATMENT_WORDS,
    SheetMap,
)
from grouper.grouping.dip.tables.packets import one_notation
from grouper.grouping.tables.sheets import Notes, Row, Table

Reading = dict[str, str]  # by our column, ready for catalogue.csv
_CORE = re.compile(r"[A-Z][0-9]{2}\.[0-9X]")
_MIXED = re.compile(r"[A-Z]([0-9]{1,2})?|[A-Z][0-9]{2}-[A-Z][0-9]{2}")
_OPERATION = re.compile(r"[0-9]{2}\.[0-9X][0-9A-Z]*")
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")
_PRINTED = re.compile(r"(?P<dx>[^:_]+)(:(?P<main>[^_]+)(_(?P<related>.+))?)?")
_CLASS = re.compile(rf"_({'|'.join(AUX_SUFFIX)})([0-9]+)$")
_COMMAS = re.compile(r"\s*[,，、;；]\s*")
_SAID = {  # what is read otherwise than it is printed, and how it is said
    "commas": ("{} 个单元格用逗号分隔手术操作，按“+”读入", "{} lists of operations with commas: read as +"),
    "treatment": (
        "{} 个综合病种的治疗方式取自编码",
        "the treatment of {} mixed groups is taken from the code",
    ),
    "aux": ("{} 行的辅助分型取自编码后缀", "the auxiliary class of {} rows is taken from the code"),
    "code": (
        "{} 行没有诊断和手术列，取自编码",
        "diagnosis and operations of {} rows are taken from the code",
    ),
    "kind": (
        "没有病种类型列：{} 行按诊断编码位数判断（5 位为核心，其余为综合）",
        "there is no column of kinds: {} rows are core with 5 characters of diagnosis, else mixed",
    ),
    "name": ("{} 行没有名称，由诊断和手术操作名称组成", "the names of {} rows are composed of their parts"),
    "nameless": ("{} 行没有名称", "{} rows have no name"),
    "unused": ("{} 个非综合病种的治疗方式未使用", "the treatment of {} rows that are not mixed is not used"),
    "rounded": ("{} 个数字四舍五入到六位小数", "{} numbers are rounded to six decimals"),
}


@cache
def official() -> dict[str, str]:
    """Upper case -> official letter case of every operation."""
    from grouper.codes import icd

    return {code.upper(): code for code in icd.procedures()}


@dataclass
class Reader:
    """Reads the rows of one table; errors and counts go to ``notes``."""

    file: str
    table: Table
    notes: Notes
    map: SheetMap
    options: DipOptions
    round_numbers: bool = False
    said: Counter[str] = field(default_factory=Counter)
    broken: bool = False  # whether the row at hand has an error

    def error(self, number: int, column: str, kind: str, zh: str, en: str) -> None:
        """One error, with file, sheet, cell, row and header."""
        self.broken = True
        at = self.table.places.get(column)
        header = self.table.sheet.rows[self.table.header][at] if at is not None else column
        place = f"{self.file} {self.table.address(number, column)}"
        zh_head, en_head = f"第 {number} 行“{header}”列", f"row {number}, column {header}"
        self.notes.error(kind, place, f"{zh_head}：{zh}", f"{en_head}: {en}")

    def summary(self) -> None:
        """Say once what was read otherwise than it is printed."""
        for what, number in sorted((+self.said).items()):  # + leaves out what never happened
            zh, en = _SAID[what]
            self.notes.info(
                what, f"{self.file} {self.table.sheet.name}", zh.format(number), en.format(number)
            )

    def has(self, column: str) -> bool:
        return column in self.table.places

    def row(self, row: Row) -> Reading | None:
        """The cells of a row, or None and its errors."""
        self.broken = False
        code = row["code"]
        if not code or "|" in code:
            shown = code or "空"
            self.error(row.number, "code", "code", f"不能作为病种编码：{shown}",
                       f"cannot be the code of an entry: {code or 'empty'}")  # fmt: skip
        cells = self._parts(row)
        kind = self._kind(row, cells["dx"])
        aux = self._aux(row)
        dx = self._dx(row, cells["dx"], kind)
        treatment = self._treatment(row, kind, dx)
        procedures, related = self._operations(row, cells, kind)
        found: Reading = {
            "code": code, "name": self._name(row, aux), "kind": kind or "", "dx": dx or "",
            "procedures": procedures or "", "related": related or "", "treatment": treatment or "",
            "aux": aux or "", "score": self._number(row, "score"),
            "average_cost": self._number(row, "average_cost", required=False),
        }  # fmt: skip
        found |= {name: row[name] for name in READER_COLUMNS}
        if self.broken:
            return None
        found["packet"] = row["packet"] or label(found)
        return found

    # --- columns ----------------------------------------------------------------------------

    def _parts(self, row: Row) -> dict[str, str]:
        """Diagnosis and operations: of their columns, or of the code where the table lacks them all."""
        if self.has("dx"):
            return {name: row[name] for name in ("dx", "procedures", "related")}
        printed = _PRINTED.fullmatch(_CLASS.sub("", row["code"]))
        if printed is None:
            return {"dx": "", "procedures": "", "related": ""}
        self.said["code"] += 1
        parts = {
            "dx": printed["dx"],
            "procedures": printed["main"] or "",
            "related": printed["related"] or "",
        }
        if parts["procedures"].upper() in TREATMENT_SUFFIX:
            parts["procedures"] = ""
        return parts

    def _kind(self, row: Row, dx: str) -> str | None:
        if not self.has("kind"):
            self.said["kind"] += 1
            return "core" if _CORE.fullmatch(normalise.fold(dx)) else "mixed"
        text = row["kind"]
        kind = self.map.kind.get(text) or KIND_WORDS.get(text)
        if kind is None:
            words = "、".join(dict.fromkeys(KIND_WORDS))
            self.error(
                row.number, "kind", "kind",
                f"未知的病种类型：{text or '空'}（可用：{words}；其他写法用 --columns 的 [kind] 说明）",
                f"unknown kind: {text or 'empty'} (known: {', '.join(dict.fromkeys(KIND_WORDS))}; "
                "others need [kind] in the file of --columns)",
            )  # fmt: skip
        return kind

    def _dx(self, row: Row, text: str, kind: str | None) -> str | None:
        folded = normalise.fold(text)
        if kind is None:
            return None
        column = "dx" if self.has("dx") else "code"
        if not folded and kind == "mixed" and row["code"] == self.options.blank_code:
            return ""  # the blank packet (空白病种)
        if kind == "mixed" and not _MIXED.fullmatch(folded):
            self.error(
                row.number, column, "dx",
                f"综合病种的诊断应为 1 至 3 位或范围（A00-B99）：{text or '空'}；"
                "空白病种须由选项 blank_code 指明",
                f"the diagnosis of a mixed group has 1 to 3 characters or is a range (A00-B99): "
                f"{text or 'empty'}; a blank packet must be named by the option blank_code",
            )  # fmt: skip
            return None
        if kind != "mixed" and not _CORE.fullmatch(folded):
            self.error(
                row.number, column, "dx",
                f"诊断应为 5 位亚目（如 K35.8、I10.X）：{text or '空'}",
                f"the diagnosis must have 5 characters (K35.8, I10.X): {text or 'empty'}",
            )  # fmt: skip
            return None
        return folded

    def _treatment(self, row: Row, kind: str | None, dx: str | None) -> str | None:
        text = row["treatment"]
        value = self.map.treatment.get(text) or TREATMENT_WORDS.get(text) or TREATMENT_WORDS.get(text.upper())
        if text and value is None:
            words = "、".join(TREATMENT_WORDS)
            self.error(row.number, "treatment", "treatment", f"未知的治疗方式：{text}（可用：{words}）",
                       f"unknown treatment: {text} (known: {', '.join(TREATMENT_WORDS)})")  # fmt: skip
            return None
        if kind != "mixed":
            self.said["unused"] += bool(value)
            return ""
        if value or dx == "":
            return value or ""
        suffix = row["code"].rpartition(":")[2].upper()
        if suffix not in TREATMENT_SUFFIX:
            words = "、".join(TREATMENT_SUFFIX)
            column = "treatment" if self.has("treatment") else "code"
            self.error(
                row.number, column, "treatment",
                f"综合病种没有治疗方式，编码也不以 {words} 结尾",
                f"the mixed group has no treatment, and its code does not end in {words.replace('、', ', ')}",
            )  # fmt: skip
            return None
        self.said["treatment"] += 1
        return TREATMENT_SUFFIX[suffix]

    def _aux(self, row: Row) -> str | None:
        text, column = row["aux"], "aux"
        if not self.has("aux"):
            printed = _CLASS.search(row["code"])
            if not printed:
                return ""
            self.said["aux"] += 1
            text, column = f"{AUX_SUFFIX[printed[1]]}:{printed[2]}", "code"
        type_, _, level = text.partition(":")
        if not text or (type_ in AUX_LEVELS and level.isdecimal() and int(level) < AUX_LEVELS[type_]):
            return text
        known = ", ".join(f"{name}:0–{number - 1}" for name, number in AUX_LEVELS.items())
        self.error(row.number, column, "aux", f"未知的辅助分型：{text}（可用：{known}）",
                   f"unknown auxiliary class: {text} (known: {known})")  # fmt: skip
        return None

    def _operations(self, row: Row, cells: dict[str, str], kind: str | None) -> tuple[str | None, str | None]:
        main = self._expression(row, "procedures", cells["procedures"])
        related = self._expression(row, "related", cells["related"])
        if kind == "mixed" and (main or related):
            column = "procedures" if main else "related"
            self.error(row.number, column, "expression", "综合病种不能有手术操作编码",
                       "a mixed group cannot name operations")  # fmt: skip
        elif related and main == "":
            self.error(row.number, "related", "expression", "有相关手术操作而没有主要手术操作",
                       "there are related operations, but no main one")  # fmt: skip
        return main, related

    def _expression(self, row: Row, column: str, text: str) -> str | None:
        """``a/b+c`` with the official letter case; None and one error when it cannot be read."""
        if not normalise.fold(text):
            return ""
        plain = _COMMAS.sub("+", one_notation(text, self.options.alternatives))
        self.said["commas"] += bool(_COMMAS.search(text))
        parts = [part.strip() for part in re.split(r"([+/])", plain)]
        for index, part in enumerate(parts):
            problem = self._operation_problem(part) if index % 2 == 0 else None
            if problem:
                zh, en = problem
                where = column if self.has(column) else "code"
                self.error(row.number, where, "expression", f"“{text}”第 {index // 2 + 1} 项：{zh}",
                           f"{text!r}, term {index // 2 + 1}: {en}")  # fmt: skip
                return None
        return "".join(p if i % 2 else _spelled(p) for i, p in enumerate(parts))

    def _operation_problem(self, text: str) -> tuple[str, str] | None:
        code = normalise.fold(text)
        if not code:
            return "缺少编码（“+”或“/”一侧为空）", "there is no code beside a + or /"
        if code in official():
            return None
        exact = self.options.procedure_match == "exact"
        if _NUMBER.fullmatch(code) and (len(code) < 7 and (exact or not _OPERATION.fullmatch(code))):
            return (
                f"{text} 疑似丢了零，请把该列设为文本（类目编码须用选项 procedure_match = prefix）",
                f"{text} seems to have lost zeros: make the column text "
                "(codes of a category need the option procedure_match = prefix)",
            )
        if not _OPERATION.fullmatch(code):
            return f"{text} 不是手术操作编码", f"{text} is not the code of an operation"
        return None

    def _name(self, row: Row, aux: str | None) -> str:
        if row["name"]:
            return row["name"]
        operations = [re.sub(r"\s", "", row[name]) for name in ("procedure_name", "related_name")]
        dx = re.sub(r"\s", "", row["dx_name"].strip('"'))
        if not dx and not any(operations):
            self.said["nameless"] += 1
            return ""
        self.said["name"] += 1
        head = "：".join(filter(None, [dx, "＋".join(filter(None, operations))]))
        return f"{head}〔{aux}〕" if aux else head

    def _number(self, row: Row, column: str, required: bool = True) -> str:
        """A score or cost with at most six decimals, written without an exponent."""
        text = row[column]
        if not text and not required:
            return ""
        value = decimal_of(text)
        if value is None:
            self.error(
                row.number,
                column,
                "number",
                f"不是数字：{text or '空'}",
                f"is not a number: {text or 'empty'}",
            )
            return ""
        if not 0 <= value < 10**12:
            self.error(
                row.number, column, "number", f"应为 0 至 10¹²：{text}", f"must be from 0 to 10¹²: {text}"
            )
            return ""
        if not fits(value, 6):
            if not self.round_numbers:
                self.error(
                    row.number, column, "number",
                    f"小数超过六位：{text}；用 --round 允许四舍五入",
                    f"has more than six decimals: {text}; --round allows rounding",
                )  # fmt: skip
                return ""
            self.said["rounded"] += 1
            value = half_up(value, 6)
        return format(value, "f")


def _spelled(text: str) -> str:
    """The official letter case; a code that no list knows stays as it is printed."""
    code = normalise.fold(text)
    return official().get(code, text if text.upper() == code else code)


def label(cells: Reading) -> str:
    """The canonical code of a packet, as catalogues without a column of packets give it."""
    if cells["treatment"]:
        suffix = next(s for s, name in TREATMENT_SUFFIX.items() if name == cells["treatment"])
        return f"{cells['dx']}:{suffix}"
    operations = "_".join(filter(None, [cells["procedures"], cells["related"]]))
    return ":".join(filter(None, [cells["dx"], operations])) or cells["code"]
