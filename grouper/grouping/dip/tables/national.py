"""The national DIP 3.0 workbook as a catalogue folder: nine sheets and an annex, no codes, no scores.

Every broken cell gives one error with file, sheet and cell. Entries are named by class and running number
(``BX-20``), as the workbook prints no codes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grouper.base.findings import has_errors
from grouper.base.tables_out import csv_text
from grouper.base.toml_out import toml_text
from grouper.grouping.dip import normalise
from grouper.grouping.dip.tables import national_layout as layout
from grouper.grouping.dip.tables.cells import official
from grouper.grouping.dip.tables.national_layout import PARTS, Lines, open_part
from grouper.grouping.dip.tables.rules import CONSERVATIVE, IN_SCOPE, NOT_MAIN
from grouper.grouping.dip.tables.workbook import Imported
from grouper.grouping.tables.sheets import Notes, Row, read_book

CLASSES = {layout.PRE: "XQ", layout.MERGED: "BX", layout.BURN: "FZ", layout.TUMOUR: "FZ", layout.TB: "FZ",
           layout.BASIC: "JC"}  # fmt: skip
STEPS = {layout.PRE: "pre_group", layout.MERGED: "merge", layout.BASIC: "basic"}  # others: diagnosis_split
RULE_COLUMNS = ("code", "name", "step", "dx", "procedures", "related", "position", "other_dx", "any_dx",
                "listed", "not_listed", "treatment", "age_days", "weight", "score")  # fmt: skip
CATALOGUE_COLUMNS = ("code", "kind", "dx", "procedures", "related", "treatment", "score", "name")
RESISTANT_LIST = "耐药"
RESISTANT_DX = "U84.3"  # 是否耐药说明: a secondary diagnosis of resistance, whatever the annex says
OPTIONS: dict[str, Any] = {
    "alternatives": "|",
    "chain": ["exclusion", "pre_group", "merge", "diagnosis_split", "basic"],
    "conservative_rule": "no_procedure",
    "scores": "optional",
    "tie_breaks": ["most_matched", "no_unmatched_surgery", "row_order"],
}
_DX = re.compile(r"[A-Z][0-9]{2}(\.[0-9A-Z]+(\+?[A-Z][0-9.]+\*)?)?")
_BEGINNING = re.compile(r"[A-Z][0-9]{2}(\.[0-9X])?(-[A-Z][0-9]{2})?")
_SCOPE = re.compile(r"[A-Z][0-9]{2}(?:\.[0-9X])?(?:-[A-Z][0-9]{2})?")
_OPERATION = re.compile(r"[0-9]{2}\.[0-9X][0-9A-Z]*")
_ANYWHERE = re.compile(r"任一|任意|任何|其他手术|所有手术")
_DAYS = re.compile(r"(?:天龄)?(?:<|＜|小于)([0-9]+)天?")
_GRAMS = re.compile(r"([0-9]+)(?:-|—|–|~|～|至)([0-9]+)(?:克|G)?")
_YES_NO = {"是": True, "耐药": True, "否": False, "不耐药": False, "非耐药": False}


@dataclass
class _Book:
    """What was read so far."""

    notes: Notes
    rules: list[dict[str, str]] = field(default_factory=list)
    seen: dict[int, str] = field(default_factory=dict)
    said: Counter[str] = field(default_factory=Counter)


def import_national(path: Path, meta: Mapping[str, Any]) -> Imported:
    """The files of the workbook, or None where it has errors.

    ``meta`` gives id, name and area (keys of ``scheme.toml``). Raises UsageError when the path cannot be
    read.
    """
    sheets = read_book(path)
    book = _Book(Notes(str(meta["id"])))
    parts = {part.key: open_part(path.name, sheets, part, book.notes) for part in PARTS}
    read = {key: lines for key, lines in parts.items() if lines is not None}
    for key in CLASSES:
        if key in read:
            _packets(book, read[key], key)
    files = {
        "rules.csv": _csv(RULE_COLUMNS, book.rules),
        "lists.csv": _csv(("name", "place", "code"), _lists(read)),
        "exclusions.csv": _csv(("kind", "code", "rule", "scope"), _exclusions(read)),
        "primary_care.csv": _csv(("code", "dx", "procedures"), _primary_care(book, read)),
        "catalogue.csv": _csv(CATALOGUE_COLUMNS, []),
    }
    _gaps(book, path)
    _say(book, path, sheets, read)
    if has_errors(book.notes.findings):
        return Imported(None, book.notes.findings)
    counts = dict(sorted(Counter(rule["step"] for rule in book.rules).items()))
    full = {**meta, "options": OPTIONS, "counts": {"rows": len(book.rules), **counts}}
    return Imported({"scheme.toml": toml_text(full), **files}, book.notes.findings)


def _csv(names: Sequence[str], rows: Sequence[Mapping[str, str]]) -> str:
    return csv_text(names, ([row.get(name, "") for name in names] for row in rows))


# --- packets ------------------------------------------------------------------------------------


def _packets(book: _Book, lines: Lines, key: str) -> None:
    """The rules of one sheet."""
    read = _pre_group if key == layout.PRE else _packet
    for row in lines.rows():
        code = _code(book, lines, row, CLASSES[key])
        cells = read(book, lines, row)
        if code and cells is not None:
            if key == layout.MERGED and not cells["procedures"]:
                lines.error(row.number, "procedures", "不能为空：并项规则的病种都有主要手术操作",
                            "must not be empty: every packet of the merge rules has a main operation"
                            )  # fmt: skip
                continue
            book.rules.append({"code": code, "step": STEPS.get(key, "diagnosis_split"), **cells})


def _code(book: _Book, lines: Lines, row: Row, letters: str) -> str:
    text = row["seq"].removesuffix(".0")
    if not text.isdecimal():
        lines.error(row.number, "seq", f"应为数字：{text or '空'}", f"must be a number: {text or 'empty'}")
        return ""
    number = int(text)
    here = f"{lines.sheet.name}!{row.number}"
    if number in book.seen:
        at = book.seen[number]
        lines.error(row.number, "seq", f"序号 {number} 与 {at} 重复", f"number {number} repeats {at}")
        return ""
    book.seen[number] = here
    return f"{letters}-{number}"


def _packet(book: _Book, lines: Lines, row: Row) -> dict[str, str] | None:
    dx = _beginnings(lines, row, "dx")
    procedures, related = _operations(lines, row, "procedures"), _operations(lines, row, "related")
    if dx is None or procedures is None or related is None:
        return None
    if related and not procedures:
        lines.error(row.number, "procedures", "有相关手术操作而没有主要手术操作",
                    "there are related operations, but no main one")  # fmt: skip
        return None
    how = {"position": "main"} if procedures else {"treatment": "conservative"}
    cells = {"dx": dx, "procedures": procedures, "related": related, **how}
    if "other" in lines.part.headers:
        other = _beginnings(lines, row, "other")
        return None if other is None else {**cells, "other_dx": other}
    if "resistant" in lines.part.headers:
        return _resistance(lines, row, cells)
    return cells


def _resistance(lines: Lines, row: Row, cells: dict[str, str]) -> dict[str, str] | None:
    text = row["resistant"]
    if text not in _YES_NO:
        lines.error(row.number, "resistant", f"应为 {'、'.join(_YES_NO)}：{text or '空'}",
                    f"must be one of {', '.join(_YES_NO)}: {text or 'empty'}")  # fmt: skip
        return None
    named = re.findall(r"[A-Z][0-9]{2}\.[0-9]", normalise.fold(row["note"]))
    if named and RESISTANT_DX not in named:
        lines.error(row.number, "note", f"应以其他诊断 {RESISTANT_DX} 判断耐药：{row['note']}",
                    f"must name the secondary diagnosis {RESISTANT_DX}: {row['note']}")  # fmt: skip
        return None
    return {**cells, ("listed" if _YES_NO[text] else "not_listed"): RESISTANT_LIST}


def _pre_group(book: _Book, lines: Lines, row: Row) -> dict[str, str] | None:
    """A pre-group by its operations, or a band of newborns by age in days and birth weight."""
    if row["weight"] or row["age"]:
        dx = _beginnings(lines, row, "dx")
        days = _matched(lines, row, "age", _DAYS, "如 <29天", "such as <29天")
        grams = _matched(lines, row, "weight", _GRAMS, "如 1000-1499克", "such as 1000-1499克")
        if dx is None or days is None or grams is None:
            return None
        weight, age = f"{grams[1]}-{grams[2]}", f"0-{int(days[1]) - 1}"
        return {"name": row["name"], "any_dx": dx, "age_days": age, "weight": weight}
    procedures = _operations(lines, row, "procedures")
    if not procedures:
        if procedures == "":
            lines.error(row.number, "procedures", "应有手术操作编码，或天龄和出生体重",
                        "must name operations, or there must be age in days and birth weight")  # fmt: skip
        return None
    anywhere = bool(_ANYWHERE.search(row["note"]))
    book.said["position"] += not (anywhere or row["note"])
    return {"name": row["name"], "procedures": procedures, "position": "any" if anywhere else "main"}


def _matched(
    lines: Lines, row: Row, key: str, pattern: re.Pattern[str], zh: str, en: str
) -> re.Match[str] | None:
    match = pattern.fullmatch(normalise.fold(row[key]))
    if match is None:
        shown = row[key]
        lines.error(row.number, key, f"应{zh}：{shown or '空'}", f"must be {en}: {shown or 'empty'}")
    return match


# --- codes --------------------------------------------------------------------------------------


def _beginnings(lines: Lines, row: Row, key: str) -> str | None:
    """Beginnings of diagnoses, or ranges of categories, joined by ``|``."""
    parts = re.split(r"[|/、，,]", normalise.fold(row[key]))
    wrong = next((part for part in parts if not _BEGINNING.fullmatch(part)), None)
    if wrong is None:
        return "|".join(parts)
    lines.error(row.number, key, f"不是 3 至 5 位诊断或范围（K35、K35.8、A15-A16）：{wrong or '空'}",
                f"is no beginning or range of diagnoses (K35, A15-A16): {wrong or 'empty'}")  # fmt: skip
    return None


def _operations(lines: Lines, row: Row, key: str) -> str | None:
    """Operations in official letter case: ``|`` alternatives, ``+`` what must all be there."""
    if not normalise.fold(row[key]):
        return ""
    terms = []
    for term in row[key].split("+"):
        codes = [_operation(lines, row, key, text) for text in re.split(r"[|/]", term)]
        terms.append("|".join(code or "" for code in codes))
        if not all(codes):
            return None
    return "+".join(terms)


def _operation(lines: Lines, row: Row, key: str, text: str) -> str | None:
    code = normalise.fold(text)
    if code in official():
        return official()[code]
    if _OPERATION.fullmatch(code) and len(code) >= 7:
        return text.strip() if text.strip().upper() == code else code.replace("X", "x")
    lines.error(row.number, key, f"不是手术操作编码（是否丢了零？该列须为文本）：{text or '空'}",
                f"is not the code of an operation (zeros lost? the column must be text): {text or 'empty'}"
                )  # fmt: skip
    return None


def _diagnosis(lines: Lines, row: Row, key: str) -> str | None:
    code = normalise.diagnosis(row[key])
    if _DX.fullmatch(code):
        return row[key].strip()
    lines.error(
        row.number, key, f"不是诊断编码：{row[key] or '空'}", f"is no diagnosis: {row[key] or 'empty'}"
    )
    return None


# --- lists --------------------------------------------------------------------------------------


def _lists(read: Mapping[str, Lines]) -> list[dict[str, str]]:
    """The list of resistant tuberculosis: main diagnoses of the annex, and the secondary one."""
    found = []
    if layout.RESISTANT in read:
        lines = read[layout.RESISTANT]
        codes = [_diagnosis(lines, row, "code") for row in lines.rows()]
        found = [{"name": RESISTANT_LIST, "place": "main", "code": code} for code in codes if code]
    return [*found, {"name": RESISTANT_LIST, "place": "other", "code": RESISTANT_DX}]


def _exclusions(read: Mapping[str, Lines]) -> list[dict[str, str]]:
    found = []
    if layout.OUT_DX in read:
        lines = read[layout.OUT_DX]
        codes = [_diagnosis(lines, row, "code") for row in lines.rows()]
        found += [{"kind": "diagnosis", "code": code} for code in codes if code]
    if layout.OUT_OP in read:
        lines = read[layout.OUT_OP]
        for row in lines.rows():
            code, rule = _operation(lines, row, "code", row["code"]), _barring(lines, row)
            if code and rule:
                found.append({"kind": "procedure", "code": code, **rule})
    return found


def _barring(lines: Lines, row: Row) -> dict[str, str] | None:
    """What 说明 says of an operation."""
    text = normalise.fold(row["note"])
    scope = _SCOPE.findall(text)
    if scope:
        return {"rule": IN_SCOPE, "scope": "|".join(scope)}
    if "保守" in text:
        return {"rule": CONSERVATIVE}
    if re.search(r"(不可|不能|不得).*主要手术", text):
        return {"rule": NOT_MAIN}
    shown = row["note"] or "空"
    lines.error(row.number, "note", f"应为“按保守治疗入组”、“不可作为主要手术操作”或诊断范围：{shown}",
                "must be 按保守治疗入组, 不可作为主要手术操作 or name a scope of diagnoses: "
                f"{row['note'] or 'empty'}")  # fmt: skip
    return None


def _primary_care(book: _Book, read: Mapping[str, Lines]) -> list[dict[str, str]]:
    found = []
    lines = read.get(layout.CARE)
    for row in lines.rows() if lines else ():
        dagger = row["dx"].endswith("+")  # M47.0+ (剑号): the subcategory alone decides
        book.said["dagger"] += dagger
        plain = Row(row.number, {**row.cells, "dx": row["dx"].removesuffix("+")})
        assert lines is not None
        dx, procedures = _beginnings(lines, plain, "dx"), _operations(lines, row, "procedures")
        if dx is not None and procedures is not None:
            found.append({"code": row["seq"].removesuffix(".0"), "dx": dx, "procedures": procedures})
    return found


# --- what is to be said -------------------------------------------------------------------------


def _gaps(book: _Book, path: Path) -> None:
    """Numbers that are missing between 1 and the highest are an error: a row was lost."""
    missing = [number for number in range(1, max(book.seen, default=0) + 1) if number not in book.seen]
    if missing and not has_errors(book.notes.findings):
        few = ", ".join(map(str, missing[:10]))
        book.notes.error("seq", path.name, f"序号不连续，缺 {len(missing)} 个：{few}",
                         f"running numbers are missing ({len(missing)}): {few}")  # fmt: skip


_SAID: dict[str, tuple[str, str]] = {
    "position": (
        "{} 个先期分组没有说明：按主要手术操作",
        "{} pre-groups say nothing of the position: their operation must be the main one",
    ),
    "dagger": ("{} 个基层病种的诊断去掉剑号“+”", "the dagger of {} diagnoses of primary care is left out"),
}


def _say(book: _Book, path: Path, sheets: Mapping[str, Any], read: Mapping[str, Lines]) -> None:
    say: Callable[..., None] = book.notes.info
    for what, number in sorted((+book.said).items()):
        zh, en = _SAID[what]
        say(what, path.name, zh.format(number), en.format(number))
    used = {lines.sheet.name for lines in read.values()}
    others = [name for name in sheets if name not in used]
    if others:
        few = ", ".join(others)
        say("unread", path.name, f"未读取的工作表：{few}", f"sheets that were not read: {few}", others)
