"""A local scheme from its published list of groups, on a national base.

Many areas publish only codes and names of their groups. What the fourth character means
follows from its siblings: 1 with MCC, 3 with CC (or MCC), 5 without, 9 not split. The name
of a group is read as a check: where it says something else, or something more, the
condition is not decided but reported. Other characters need a mapping file.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grouper.base.errors import UsageError
from grouper.base.exact import decimal_of
from grouper.base.findings import Finding, has_errors
from grouper.grouping.drg.conditions import lists_of, parse
from grouper.grouping.drg.tables.fourth import Meaning, built_in
from grouper.grouping.drg.tables.model import Adrg, Drg, Scheme
from grouper.grouping.drg.tables.store import used_lists
from grouper.grouping.tables.sheets import Column, Notes, Row, Sheet, Table, find_table, read_book
from grouper.grouping.tables.text import format_rows

CODE_HEADERS = (
    "DRG编码",
    "DRG代码",
    "DRG组编码",
    "DRG分组编码",
    "病组编码",
    "分组编码",
    "组编码",
    "DRG",
    "编码",
    "代码",
    "code",
    "drg code",
    "group",
)
NAME_HEADERS = (
    "DRG名称",
    "DRG组名称",
    "DRG分组名称",
    "病组名称",
    "分组名称",
    "组名称",
    "名称",
    "name",
    "drg name",
)
WEIGHT_HEADERS = ("权重", "基准权重", "相对权重", "DRG权重", "RW", "基准点数", "weight")
WEIGHT_COLUMNS = ("drg", "name", "weight")
REPORT_COLUMNS = ("severity", "place", "zh", "en")

_CODE = re.compile(r"[A-Z][A-Z][0-9A-Z][0-9A-Za-z]{1,2}|[A-Z]QY")
_PLACEHOLDER = re.compile(r"[A-Z]0{2,3}|0{2,4}")


@dataclass
class Result:
    """A scheme on a base, what is to be said about it, and the weights of the list."""

    scheme: Scheme | None
    findings: list[Finding]
    weights: list[dict[str, str]] = field(default_factory=list)

    def undecided(self) -> list[Finding]:
        """The groups of the list that have no row in the scheme."""
        return [finding for finding in self.findings if finding.kind in ("undecided", "unknown-adrg")]


@dataclass
class Wanted:
    """The groups of a list: those of each ADRG, and the ambiguous groups."""

    groups: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    ambiguous: dict[str, Row] = field(default_factory=dict)
    weights: list[dict[str, str]] = field(default_factory=list)


def import_list(
    path: Path,
    meta: Mapping[str, Any],
    base: Scheme,
    *,
    columns: Mapping[str, str] | None = None,
    fourth: Mapping[str, Meaning] | None = None,
    keep_missing: bool = False,
) -> Result:
    """The scheme that a list of groups makes of ``base``.

    ``meta`` gives id, name and area; ``columns`` names headers for ``code``, ``name`` and
    ``weight``; ``fourth`` (:func:`read_fourth`) gives meanings by a character (``0``) or by
    ADRG and character (``BR17``). ADRGs of the base that the list lacks are left out, or
    stay with ``keep_missing``. Findings of kind ``undecided`` and ``unknown-adrg`` name the
    groups without a condition; the scheme is None when a finding is an error.
    Raises UsageError when the path cannot be read or has no fitting sheet.
    """
    notes = Notes(meta["id"])
    table = _table(path, columns or {}, notes)
    wanted = _groups(table, base, notes)
    adrgs, drgs = _apply(wanted, base, fourth or {}, keep_missing, table, notes)
    if has_errors(notes.findings):
        return Result(None, notes.findings)
    full = {**meta, "base": base.id, "options": dict(base.meta.get("options", {}))}
    conditions = [x.entry for x in base.mdcs] + [x.condition for x in adrgs]
    conditions += [drg.condition for rows in drgs.values() for drg in rows]
    scheme = Scheme(
        id=meta["id"],
        name=meta["name"],
        meta=full,
        mdcs=base.mdcs,
        adrgs=adrgs,
        drgs=drgs,
        lists=used_lists(base.lists, conditions),
        complications=base.complications,
        exclusions=base.exclusions,
    )
    full["counts"] = scheme.counts()
    return Result(scheme, notes.findings, wanted.weights)


# --- the list -------------------------------------------------------------------------------


def _table(path: Path, columns: Mapping[str, str], notes: Notes) -> Table:
    """The first sheet that has columns for code and name."""
    layout = [
        Column("code", _headers(columns, "code", CODE_HEADERS)),
        Column("name", _headers(columns, "name", NAME_HEADERS)),
        Column("weight", _headers(columns, "weight", WEIGHT_HEADERS), required="weight" in columns),
    ]
    book = read_book(path)
    for sheet in book.values():
        if (table := find_table(sheet, layout, Notes(""))) is not None:
            if left := [name for name in book if name != sheet.name]:
                notes.info(
                    "unread",
                    sheet.name,
                    f"未读取的工作表：{', '.join(left)}",
                    f"sheets that were not read: {', '.join(left)}",
                    left,
                )
            return table
    first = next(iter(book.values()), Sheet(path.stem, []))
    header = ", ".join(next((row for row in first.rows if any(row)), [])) or "…"
    raise UsageError(
        zh=f"{path} 中没有含编码列和名称列的表（表头：{header}）；请用 --code-column、--name-column、"
        "--weight-column 指明列名",
        en=f"{path} has no sheet with columns for code and name (header: {header}); name them with "
        "--code-column, --name-column, --weight-column",
    )


def _headers(columns: Mapping[str, str], key: str, known: tuple[str, ...]) -> tuple[str, ...]:
    return (columns[key],) if key in columns else known


def _groups(table: Table, base: Scheme, notes: Notes) -> Wanted:
    """The rows of the list by ADRG; bad cells are errors, ADRGs not in the base are reported."""
    wanted = Wanted()
    known = {adrg.adrg for adrg in base.adrgs} | {mdc.mdc[3:] + "QY" for mdc in base.mdcs}
    seen: dict[str, int] = {}
    for row in table.rows():
        code, place = row["code"], table.address(row.number, "code")
        if _PLACEHOLDER.fullmatch(code):
            notes.info("placeholder", place, f"{code} 不是分组，未导入", f"{code} is no group: not imported")
        elif not _CODE.fullmatch(code):
            notes.error(
                "code", place, f"不是 DRG 编码：{code or '空'}", f"is not a DRG code: {code or 'empty'}"
            )
        elif code in seen:
            notes.error(
                "duplicate", place, f"{code} 与第 {seen[code]} 行重复", f"{code} repeats row {seen[code]}"
            )
        else:
            seen[code] = row.number
            _add_weight(table, row, wanted, notes)
            if code[:3] not in known:
                notes.add(
                    "warning",
                    "unknown-adrg",
                    place,
                    f"{code} {row['name']}：{base.id} 没有 ADRG {code[:3]}",
                    f"{code} {row['name']}: {base.id} has no ADRG {code[:3]}",
                    (code,),
                )
            elif code.endswith("QY"):
                wanted.ambiguous[code] = row
            else:
                wanted.groups[code[:3]].append(row)
    return wanted


def _add_weight(table: Table, row: Row, wanted: Wanted, notes: Notes) -> None:
    text = row["weight"].replace(",", "")
    if not text:
        return
    weight = decimal_of(text)
    if weight is not None and weight >= 0:
        wanted.weights.append({"drg": row["code"], "name": row["name"], "weight": text})
    else:
        notes.error(
            "weight",
            table.address(row.number, "weight"),
            f"权重应为非负数：{text}",
            f"a weight must be a number, not negative: {text}",
        )


# --- conditions -----------------------------------------------------------------------------


def _apply(
    wanted: Wanted,
    base: Scheme,
    fourth: Mapping[str, Meaning],
    keep_missing: bool,
    table: Table,
    notes: Notes,
) -> tuple[tuple[Adrg, ...], dict[str, tuple[Drg, ...]]]:
    """ADRG rows and DRG rows of the new scheme, in the order of the base."""
    adrgs: list[Adrg] = []
    drgs: dict[str, tuple[Drg, ...]] = {}
    decided: dict[str, tuple[Drg, ...]] = {}
    missing: list[str] = []
    for adrg in base.adrgs:
        if adrg.kind == "ungrouped":
            adrgs.append(adrg)
        elif adrg.kind == "ambiguous":
            if adrg.adrg in wanted.ambiguous or keep_missing:
                adrgs.append(adrg)
            else:
                missing.append(adrg.adrg)
        elif rows := wanted.groups.get(adrg.adrg):
            if adrg.adrg not in decided:
                decided[adrg.adrg] = _decide(adrg, rows, base, fourth, table, notes)
            adrgs.append(adrg)
            drgs[adrg.variant] = decided[adrg.adrg]
        elif keep_missing:
            adrgs.append(adrg)
            drgs[adrg.variant] = base.drgs.get(adrg.variant, ())
        else:
            missing.append(adrg.adrg)
    _report_missing(list(dict.fromkeys(missing)), base, table, notes)
    _switch_on(adrgs, wanted.ambiguous, base, table, notes)
    return tuple(adrgs), {variant: rows for variant, rows in drgs.items() if rows}


def _report_missing(missing: Sequence[str], base: Scheme, table: Table, notes: Notes) -> None:
    groups = [code for code in missing if not code.endswith("QY")]
    ambiguous = [code for code in missing if code.endswith("QY")]
    if groups:
        some = ", ".join(groups)
        notes.add(
            "warning",
            "missing-adrg",
            table.sheet.name,
            f"清单中没有、已舍去的 ADRG（--keep-missing 可保留）：{some}",
            f"ADRGs that the list lacks were left out (--keep-missing keeps them): {some}",
            groups,
        )
    if ambiguous:
        some = ", ".join(ambiguous)
        notes.add(
            "warning",
            "ambiguous-off",
            table.sheet.name,
            f"清单中没有、已关闭的歧义组（--keep-missing 可保留）：{some}",
            f"ambiguous groups not in the list were switched off (--keep-missing keeps them): {some}",
            ambiguous,
        )


def _switch_on(
    adrgs: list[Adrg], ambiguous: Mapping[str, Row], base: Scheme, table: Table, notes: Notes
) -> None:
    """Add the ambiguous groups that the base lacks, before the first medical ADRG of their MDC."""
    known = {adrg.adrg for adrg in adrgs}
    for code, row in ambiguous.items():
        if code in known:
            continue
        place = table.address(row.number, "code")
        if "VALID" not in base.lists:
            notes.add(
                "warning",
                "undecided",
                place,
                f"{code}：{base.id} 没有集合 VALID",
                f"{code}: {base.id} has no list VALID",
                (code,),
            )
            continue
        new = Adrg(code, row["name"], "principal_proc in VALID")
        mine = [n for n, adrg in enumerate(adrgs) if adrg.mdc == new.mdc]
        later = ("medical", "ungrouped")
        before = next((n for n in mine if adrgs[n].kind in later), mine[-1] + 1 if mine else len(adrgs))
        adrgs.insert(before, new)
        notes.info(
            "ambiguous-on", place, f"{code} 已启用：{new.condition}", f"{code} was added: {new.condition}"
        )


def _decide(
    adrg: Adrg, rows: Sequence[Row], base: Scheme, fourth: Mapping[str, Meaning], table: Table, notes: Notes
) -> tuple[Drg, ...]:
    """The groups of one ADRG whose condition can be decided, in order; the others are reported."""
    known = {drg.drg: drg.name for drg in base.drgs.get(adrg.variant, ())}
    names = {row["code"]: row["name"] or known.get(row["code"], "") for row in rows}
    siblings = {code[3:]: name for code, name in names.items()}
    found: list[tuple[float, Drg]] = []
    for row in rows:
        code, last, name = row["code"], row["code"][3:], names[row["code"]]
        meaning = fourth.get(code) or fourth.get(last) or built_in(last, siblings, name, adrg.name)
        place = table.address(row.number, "code")
        if isinstance(meaning, Meaning):
            found.append((meaning.rank, Drg(code, name, meaning.condition)))
            for unknown in sorted(lists_of(parse(meaning.condition)) - base.lists.keys()):
                notes.error(
                    "missing-list",
                    place,
                    f"{code}：{base.id} 没有编码集合 {unknown}",
                    f"{code}: {base.id} has no code list {unknown}",
                )
        else:
            zh, en = meaning
            notes.add("warning", "undecided", place, f"{code} {name}：{zh}", f"{code} {name}: {en}", (code,))
    groups = tuple(drg for _, drg in sorted(found, key=lambda item: item[0]))
    if len(groups) == len(rows) and groups[-1].condition != "true":
        notes.add(
            "warning",
            "no-rest",
            table.sheet.name,
            f"{adrg.adrg} 没有接收其余病例的组",
            f"{adrg.adrg} has no group for the rest of its records",
        )
    return groups


# --- files ----------------------------------------------------------------------------------


def weights_text(weights: Sequence[Mapping[str, str]]) -> str:
    """``weights.csv`` of the scheme folder."""
    return format_rows(weights, WEIGHT_COLUMNS)


def report_text(findings: Sequence[Finding]) -> str:
    """``report.csv`` beside the scheme: every finding of the import."""
    rows = ({"severity": f.severity, "place": f.place, "zh": f.zh, "en": f.en} for f in findings)
    return format_rows(rows, REPORT_COLUMNS)
