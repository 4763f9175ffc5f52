"""Read a scheme from a workbook in the layout of the official CHS-DRG 3.0 workbook (docs/tables.md).

A workbook is an ``.xlsx`` file, or a folder of CSV files with the same sheet names. Every
offending cell gives an error with its address; a workbook with errors gives no scheme.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from grouper.base.findings import Finding, has_errors
from grouper.grouping.drg.conditions import ConditionError, lists_of, parse, to_text
from grouper.grouping.drg.tables.draft import (
    Draft,
    check_exclusions,
    check_rules,
    count_sites,
    names_of,
    scheme_of,
    take_from_base,
)
from grouper.grouping.drg.tables.layout import SHEETS
from grouper.grouping.drg.tables.model import Adrg, Drg, Mdc, Scheme
from grouper.grouping.drg.tables.official import SET_HEADER, list_name, renamed, table_name
from grouper.grouping.tables.sheets import Notes, Row, Sheet, Table, find_table, plain_name, read_book

BASE_MAY_GIVE = ("sets", "complications", "exclusions")
MAY_BE_MISSING = ("options", "primary_care")
_VALUES: dict[str, dict[str, Any]] = {
    "when_no_drg": {"next": "next", "stop": "stop", "继续": "next", "停止": "stop"},
    "retry_other_procedures": {"true": True, "false": False, "是": True, "否": False},
    "severity_from_other_diagnoses_only": {"true": True, "false": False, "是": True, "否": False},
    "weight": {"birth": "birth", "admission": "admission", "出生": "birth", "入院": "admission"},
}
_PLACEHOLDER = re.compile(r"[A-Z]000|0{2,4}")
_END = re.compile(r"[A-Z]00")  # of an MDC: a row of ADRG that ends the search without a group
_ADRG = re.compile(r"[A-Z][A-Z][0-9A-Z]")
_DRG = re.compile(r"[A-Z][A-Z][0-9A-Z][0-9A-Za-z]{1,2}")
_SET_NAME = re.compile(r"[A-Za-z_\u4e00-\u9fff][\w.\-]*")
_LOST_ZEROS = re.compile(r"(?!\d\d\.\d{4,5}$)\d+(\.\d*[1-9])?")  # what is left of 00.5500 as a number


def import_workbook(
    path: Path, meta: Mapping[str, Any], base: Scheme | None = None
) -> tuple[Scheme | None, list[Finding]]:
    """The scheme that a workbook describes, and what is to be said about it.

    ``meta`` gives id, name and area (keys of ``scheme.toml``); options and counts are filled in.
    With ``base``, sheets 集合, CC_MCC, 排除 and 选项 that the workbook lacks come from the base, and
    so do sets that its rules name and its sheet 集合 lacks. The scheme is None when a finding is
    an error. Raises UsageError when the path cannot be read.
    """
    draft = Draft(Notes(meta["id"]), base, names=names_of(base) if base else {})
    tables = _tables(read_book(path), draft)
    sets = tables.get("sets")
    draft.official = sets is not None and sets.header_of("set") == SET_HEADER
    _say_options(tables, draft)
    readers: dict[str, Callable[[Table, Draft], None]] = {
        "mdc": _read_mdcs,
        "adrg": _read_adrgs,
        "drg": _read_drgs,
        "sets": _read_sets,
        "primary_care": _read_primary_care,
        "complications": _read_complications,
        "exclusions": _read_exclusions,
        "options": _read_options,
    }
    for key, reader in readers.items():
        if key in tables:
            reader(tables[key], draft)
    take_from_base(draft, tables)
    if draft.official:
        check_exclusions(draft)
        count_sites(draft)
    check_rules(draft)
    if has_errors(draft.notes.findings):
        return None, draft.notes.findings
    return scheme_of(draft, meta), draft.notes.findings


def _tables(book: Mapping[str, Sheet], draft: Draft) -> dict[str, Table]:
    by_name = {plain_name(name): sheet for name, sheet in book.items()}
    tables: dict[str, Table] = {}
    read: set[str] = set()
    for key, (names, columns) in SHEETS.items():
        sheet = next((by_name[plain_name(n)] for n in names if plain_name(n) in by_name), None)
        if sheet is not None:
            read.add(sheet.name)
            table = find_table(sheet, columns, draft.notes)
            if table:
                tables[key] = table
        elif key not in MAY_BE_MISSING and (draft.base is None or key not in BASE_MAY_GIVE):
            wanted = "、".join(column.headers[0] for column in columns if column.required)
            draft.notes.error(
                "sheet",
                names[0],
                f"缺少工作表 {' / '.join(names)}（应有列 {wanted}）；现有 {'、'.join(book)}",
                f"the sheet is missing (names: {' / '.join(names)}; with the columns {wanted}); "
                f"there are {', '.join(book)}",
            )
    if left := [name for name in book if name not in read]:
        draft.notes.info(
            "unread",
            left[0],
            f"未读取的工作表：{', '.join(left)}",
            f"sheets that were not read: {', '.join(left)}",
            left,
        )
    return tables


def _say_options(tables: Mapping[str, Table], draft: Draft) -> None:
    if "options" in tables:
        return
    name = SHEETS["options"][0][0]
    words = ", ".join(f"{k} = {str(v).lower()}" for k, v in draft.default_options.items())
    draft.notes.info("options", name, f"没有选项表，采用 {words}", f"there is no sheet of options: {words}")


# --- sheets ---------------------------------------------------------------------------------


def _sorted(table: Table, notes: Notes) -> list[Row]:
    """The rows in the order of the column 排序, or as they stand without one."""
    rows = list(table.rows())
    if "sort" not in table.places or not any(row["sort"] for row in rows):
        return rows
    keys: dict[int, float] = {}
    for row in rows:
        if not row["sort"] and (_PLACEHOLDER.fullmatch(row["code"]) or _END.fullmatch(row["code"])):
            keys[row.number] = 0  # its place does not matter
            continue
        try:
            keys[row.number] = float(row["sort"])
        except ValueError:
            notes.error(
                "sort",
                table.address(row.number, "sort"),
                f"排序应为数字：{row['sort'] or '空'}",
                f"the sort key must be a number: {row['sort'] or 'empty'}",
            )
            keys[row.number] = 0
    return sorted(rows, key=lambda row: keys[row.number])


def _rule(table: Table, row: Row, draft: Draft) -> str:
    """The rule of a row in the plain notation; an empty cell holds always."""
    place = table.address(row.number, "rule")
    try:
        condition = parse(row["rule"])
    except ConditionError as error:
        draft.notes.error("rule", place, error.zh, error.en)
        return "true"
    if draft.official:
        draft.published.update((list_name(name), name) for name in lists_of(condition))
        condition = renamed(condition)
    draft.rules.append((place, condition))
    return to_text(condition)


def _bad_code(table: Table, row: Row, draft: Draft, what: str, key: str = "code") -> None:
    draft.notes.error(
        "code",
        table.address(row.number, key),
        f"不是 {what} 编码：{row[key] or '空'}",
        f"is not a code of {what}: {row[key] or 'empty'}",
    )


def _repeats(table: Table, row: Row, draft: Draft, seen: dict[Any, int], key: Any) -> bool:
    """Whether a key was seen already; then an error names the first row."""
    first = seen.setdefault(key, row.number)
    if first == row.number:
        return False
    draft.notes.error(
        "duplicate",
        table.address(row.number, "code"),
        f"{row['code']} 与第 {first} 行重复",
        f"{row['code']} repeats row {first}",
    )
    return True


def _read_mdcs(table: Table, draft: Draft) -> None:
    seen: dict[Any, int] = {}
    for row in _sorted(table, draft.notes):
        letter = row["code"].upper().removeprefix("MDC")
        if _PLACEHOLDER.fullmatch(letter):
            continue
        entry = _rule(table, row, draft)
        if not re.fullmatch("[A-Z]", letter):
            _bad_code(table, row, draft, "MDC")
        elif not _repeats(table, row, draft, seen, letter):
            draft.mdcs.append(Mdc("MDC" + letter, draft.name(row, "MDC" + letter), entry))


def _read_adrgs(table: Table, draft: Draft) -> None:
    seen: dict[Any, int] = {}
    mdcs = {mdc.mdc for mdc in draft.mdcs}
    placeholders = []
    for row in _sorted(table, draft.notes):
        code = row["code"]
        if _PLACEHOLDER.fullmatch(code):
            placeholders.append(code)
            continue
        condition = _rule(table, row, draft)
        if not (_ADRG.fullmatch(code) or _END.fullmatch(code)):
            _bad_code(table, row, draft, "ADRG")
            continue
        if draft.official and not row["rule"] and not _END.fullmatch(code):
            draft.notes.error(
                "rule",
                table.address(row.number, "rule"),
                f"{code} 没有规则；国家工作簿中只有 x00 行可以空，恒成立写作 1",
                f"{code} has no rule: in the national workbook only rows x00 may be empty, 1 is always",
            )
        variant = _variant(table, row, draft, seen)
        adrg = Adrg(variant, draft.name(row, variant), condition)
        if row["mdc"].upper().removeprefix("MDC") != code[0] or adrg.mdc not in mdcs:
            draft.notes.error(
                "mdc",
                table.address(row.number, "mdc"),
                f"{code} 应属于 MDC 表中的 {adrg.mdc}：{row['mdc'] or '空'}",
                f"{code} must belong to {adrg.mdc} of the sheet MDC: {row['mdc'] or 'empty'}",
            )
        if not _repeats(table, row, draft, seen, adrg.variant):
            draft.adrgs.append(adrg)
    _skipped(table, draft, placeholders)


def _variant(table: Table, row: Row, draft: Draft, seen: Mapping[str, int]) -> str:
    """The variant of an ADRG row; rows of an ambiguous group are numbered without being asked."""
    code, variant = row["code"], row["variant"]
    if variant and not re.fullmatch(rf"{code}(_\d+)?", variant):
        draft.notes.error(
            "variant",
            table.address(row.number, "variant"),
            f"变体应写成 {code} 或 {code}_1",
            f"a variant must be written {code} or {code}_1",
        )
    if variant or not (code.endswith("QY") and code in seen):
        return variant or code
    return next(name for n in range(2, 99) if (name := f"{code}_{n}") not in seen)


def _read_drgs(table: Table, draft: Draft) -> None:
    seen: dict[Any, int] = {}
    variants: dict[str, list[str]] = defaultdict(list)
    for adrg in draft.adrgs:
        variants[adrg.adrg].append(adrg.variant)
    placeholders = []
    for row in _sorted(table, draft.notes):
        code = row["code"]
        ambiguous = code.endswith("QY") and len(code) == 3  # repeats a row of the sheet ADRG
        if _PLACEHOLDER.fullmatch(code) or _END.fullmatch(code) or ambiguous:
            placeholders.append(code)
            continue
        drg = Drg(code, draft.name(row, code), _rule(table, row, draft))
        variant = row["variant"] or row["adrg"]
        known = variants.get(variant.partition("_")[0], [])
        if not _DRG.fullmatch(code):
            _bad_code(table, row, draft, "DRG")
        elif not known or (row["variant"] and variant not in known):
            _bad_code(table, row, draft, "ADRG", "variant" if row["variant"] else "adrg")
        elif not code.startswith(variant[:3]):
            draft.notes.error(
                "code",
                table.address(row.number, "code"),
                f"DRG {code} 不属于 ADRG {variant}",
                f"DRG {code} does not belong to ADRG {variant}",
            )
        elif variant not in known and len(known) > 1:
            several = ", ".join(known)
            draft.notes.error(
                "variant",
                table.address(row.number, "adrg"),
                f"{variant} 有多个变体（{several}），请在“变体”列写明",
                f"{variant} has several variants ({several}): name one in a column variant",
            )
        else:
            variant = variant if variant in known else known[0]
            if not _repeats(table, row, draft, seen, (variant, code, drg.condition)):
                draft.drgs[variant].append(drg)
    _skipped(table, draft, placeholders)


def _skipped(table: Table, draft: Draft, codes: list[str]) -> None:
    if codes:
        some = ", ".join(codes)
        draft.notes.info(
            "placeholder",
            table.sheet.name,
            f"{len(codes)} 行不是分组，未导入：{some}",
            f"{len(codes)} rows are no groups and were not imported: {some}",
            codes,
        )


def _read_primary_care(table: Table, draft: Draft) -> None:
    groups = {drg.drg for rows in draft.drgs.values() for drg in rows}
    for row in table.rows():
        if row["code"] not in groups or row["code"] in draft.primary_care:
            _bad_code(table, row, draft, "DRG")
        else:
            draft.primary_care.append(row["code"])


def _read_sets(table: Table, draft: Draft) -> None:
    lists: dict[str, set[str]] = defaultdict(set)
    for row in table.rows():
        if not _SET_NAME.fullmatch(row["set"]):
            draft.notes.error(
                "set",
                table.address(row.number, "set"),
                f"不能作为集合名：{row['set'] or '空'}",
                f"cannot be the name of a set: {row['set'] or 'empty'}",
            )
        code = _icd(table, row, draft)
        if code:
            lists[list_name(row["set"]) if draft.official else row["set"]].add(code)
    draft.lists = {name: frozenset(codes) for name, codes in lists.items()}


@cache
def _official() -> dict[str, str]:
    """Upper case -> official letter case of every code of the code edition."""
    from grouper.codes import icd

    procedures = icd.procedures_of(icd.EDITIONS[-1])
    return {code.upper(): code for codes in (icd.diagnoses(), procedures) for code in codes}


def _icd(table: Table, row: Row, draft: Draft) -> str:
    """The code of a row in its official letter case; an empty text and an error when it is none."""
    code = row["code"]
    place = table.address(row.number, "code")
    if not code or " " in code or "]" in code:
        draft.notes.error("code", place, f"不是编码：{code or '空'}", f"is not a code: {code or 'empty'}")
        return ""
    if _LOST_ZEROS.fullmatch(code):
        draft.notes.error(
            "lost-zeros",
            place,
            f"{code} 疑似被 Excel 当作数字丢了零，请把该列设为文本",
            f"{code} seems to have lost zeros to Excel: make the column text",
        )
        return ""
    return _official().get(code.upper(), code)


def _read_complications(table: Table, draft: Draft) -> None:
    for row in table.rows():
        levels = {part for part in re.split(r"[\s,，、/]+", row["level"].upper()) if part}
        if not levels or not levels <= {"MCC", "CC"}:
            draft.notes.error(
                "level",
                table.address(row.number, "level"),
                f"级别应为 MCC 或 CC：{row['level'] or '空'}",
                f"the level must be MCC or CC: {row['level'] or 'empty'}",
            )
            continue
        code = _icd(table, row, draft)
        own = table_name(row["table"]) if draft.official else row["table"]
        old, name = draft.complications.get(code, (frozenset(), own))
        if name != own:
            draft.notes.error(
                "table",
                table.address(row.number, "table"),
                f"{code} 已指向排除表 {name or '空'}",
                f"{code} points at table {name or 'nothing'} already",
            )
        elif code:
            draft.complications[code] = (old | levels, name)
            if own or not row["table"]:  # 无 names no table
                draft.tables_named.append((table.address(row.number, "table"), row["table"], own))


def _read_exclusions(table: Table, draft: Draft) -> None:
    tables: dict[str, set[str]] = defaultdict(set)
    for row in table.rows():
        if not row["table"] or "]" in row["table"]:
            draft.notes.error(
                "table",
                table.address(row.number, "table"),
                f"不能作为排除表名：{row['table'] or '空'}",
                f"cannot be the name of an exclusion table: {row['table'] or 'empty'}",
            )
        elif code := _icd(table, row, draft):
            tables[table_name(row["table"]) if draft.official else row["table"]].add(code)
    draft.exclusions = {name: frozenset(codes) for name, codes in tables.items()}


def _read_options(table: Table, draft: Draft) -> None:
    for row in table.rows():
        values = _VALUES.get(row["name"])
        if values is None or row["value"].lower() not in values:
            key = "name" if values is None else "value"
            words = " / ".join(values or _VALUES)
            draft.notes.error(
                "option",
                table.address(row.number, key),
                f"不认识 {row[key]}，可为 {words}",
                f"{row[key] or 'an empty cell'} is not understood; it can be {words}",
            )
        else:
            draft.options[row["name"]] = values[row["value"].lower()]
