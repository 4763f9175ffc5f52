"""Check a scheme folder: references, duplicates, rows that cannot be reached, codes, counts.

Errors are faults of the tables themselves. A group that no record can reach is a warning:
public copies of local schemes have such gaps, and their notes name them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from grouper.base.errors import TableError
from grouper.base.findings import Finding, few, has_errors
from grouper.grouping.drg.conditions import (
    Compare,
    ConditionError,
    Count,
    In,
    atoms,
    lists_of,
)
from grouper.grouping.drg.options import CHOICES
from grouper.grouping.drg.tables.admission import not_admitted
from grouper.grouping.drg.tables.criteria import damaged_names, severity_letters, untested_criteria
from grouper.grouping.drg.tables.model import SITES, Adrg, Drg, Scheme
from grouper.grouping.drg.tables.reach import cached_parse, unreachable
from grouper.grouping.drg.tables.sisters import against_sisters
from grouper.grouping.drg.tables.store import (
    ADRG_COLUMNS,
    DRG_COLUMNS,
    KEPT,
    MDC_COLUMNS,
    load_folder,
    miscounted,
)
from grouper.grouping.tables.folders import read_meta
from grouper.grouping.tables.text import read_rows


def verify(folder: Path, sisters: bool = False) -> list[Finding]:
    """Findings on the scheme of one folder; those on its files first.

    ``sisters``: also what it has against all shipped schemes of its edition, which are loaded for it.
    """
    findings: list[Finding] = []
    try:
        findings.extend(_files(folder))
        scheme = load_folder(folder, counted=False)
    except TableError as error:
        if not (isinstance(error, ConditionError) and has_errors(findings)):  # else it is named already
            findings.append(_error(folder.name, "broken", "scheme", error.zh, error.en))
        return findings
    findings += [*_orphans(folder, scheme), *verify_scheme(scheme)]
    return [*findings, *against_sisters(scheme)] if sisters else findings


def verify_scheme(scheme: Scheme) -> list[Finding]:
    """Findings on a loaded scheme."""
    checks = (
        _meta,
        _structure,
        _references,
        _complications,
        unreachable,
        not_admitted,
        severity_letters,
        untested_criteria,
        damaged_names,
        _editions,
        _counts,
    )
    return [finding for check in checks for finding in check(scheme)]


# --- files ----------------------------------------------------------------------------------


def _files(folder: Path) -> Iterator[Finding]:
    """What loading would pass over, or name one at a time: repeated rows, bad conditions."""
    scheme = read_meta(folder)["id"]
    tables = {
        "mdc.csv": (MDC_COLUMNS, "mdc", "entry"),
        "adrg.csv": (ADRG_COLUMNS, "variant", "condition"),
        "drg.csv": (DRG_COLUMNS, "drg", "condition"),
    }
    for name, (columns, key, rule) in tables.items():
        seen: dict[tuple[str, ...], int] = {}
        for line, row in enumerate(read_rows(folder / name, columns), start=2):
            place = f"{name}:{line} {row[key]}"
            try:
                cached_parse(row[rule])
            except ConditionError as error:
                yield _error(scheme, "condition", place, error.zh, error.en)
            identity = tuple(row.values()) if name == "drg.csv" else (row[key],)
            if identity in seen:
                first = seen[identity]
                yield _error(scheme, "duplicate", place, f"与第 {first} 行重复", f"repeats line {first}")
            seen[identity] = line


def _orphans(folder: Path, scheme: Scheme) -> Iterator[Finding]:
    """Rows of ``adrg.csv`` and ``drg.csv`` that belong to nothing, and so have no effect."""
    mdcs = {mdc.mdc for mdc in scheme.mdcs}
    variants = {adrg.variant for adrg in scheme.adrgs}
    for line, row in enumerate(read_rows(folder / "adrg.csv", ADRG_COLUMNS), start=2):
        mdc = Adrg(row["variant"], "", "").mdc
        place = f"adrg.csv:{line} {row['variant']}"
        if mdc not in mdcs:
            yield _error(scheme.id, "orphan", place, f"方案没有 {mdc}", f"the scheme has no {mdc}")
        elif row["variant"] not in variants:
            yield _error(
                scheme.id,
                "orphan",
                place,
                f"scheme.toml [order] 的 {mdc} 没有列出它",
                f"{mdc} in scheme.toml [order] does not list it",
            )
    for line, row in enumerate(read_rows(folder / "drg.csv", DRG_COLUMNS), start=2):
        if row["variant"] not in variants:
            yield _error(
                scheme.id,
                "orphan",
                f"drg.csv:{line} {row['drg']}",
                f"方案没有 ADRG {row['variant']}",
                f"the scheme has no ADRG {row['variant']}",
            )


# --- the loaded scheme ----------------------------------------------------------------------


def _meta(scheme: Scheme) -> Iterator[Finding]:
    if scheme.valid_from and scheme.valid_to and scheme.valid_from > scheme.valid_to:
        yield _error(
            scheme.id, "validity", "scheme.toml", "valid_from 晚于 valid_to", "valid_from is after valid_to"
        )
    for name, value in scheme.meta.get("options", {}).items():
        if value not in CHOICES.get(name, ()):
            yield _error(
                scheme.id,
                "option",
                "scheme.toml [options]",
                f"不认识 {name} = {value}",
                f"{name} = {value} is not understood",
            )


def _structure(scheme: Scheme) -> Iterator[Finding]:
    variants: dict[str, list[str]] = defaultdict(list)
    empty = []
    for adrg in scheme.adrgs:
        groups = scheme.drgs.get(adrg.variant, ())
        if adrg.kind in ("ambiguous", "ungrouped") and groups:
            yield _error(
                scheme.id,
                "ambiguous-with-drg",
                adrg.variant,
                "歧义组和未入组行不能有细分组",
                "an ambiguous group or the end of an MDC cannot have DRGs",
            )
        if adrg.kind not in ("ambiguous", "ungrouped") and not groups:
            empty.append(adrg.variant)
        yield from _repeated(scheme, adrg, groups)
        for drg in dict.fromkeys(group.drg for group in groups):
            variants[drg].append(adrg.variant)
            if not drg.startswith(adrg.adrg):
                yield Finding(
                    "warning",
                    "foreign-code",
                    scheme.id,
                    f"{adrg.variant} {drg}",
                    f"DRG 编码不以 {adrg.adrg} 开头",
                    f"the DRG code does not begin with {adrg.adrg}",
                )
    if empty:
        yield Finding(
            "warning",
            "no-drg",
            scheme.id,
            "drg.csv",
            f"{len(empty)} 个 ADRG 没有细分组：{few(empty)}",
            f"{len(empty)} ADRGs have no DRG: {few(empty)}",
            tuple(empty),
        )
    shared = [f"{drg}: {', '.join(where)}" for drg, where in sorted(variants.items()) if len(where) > 1]
    if shared:
        yield Finding(
            "info",
            "shared-code",
            scheme.id,
            "drg.csv",
            f"{len(shared)} 个 DRG 编码属于多个 ADRG 变体",
            f"{len(shared)} DRG codes belong to several ADRG variants",
            tuple(shared),
        )


def _repeated(scheme: Scheme, adrg: Adrg, groups: Sequence[Drg]) -> Iterator[Finding]:
    """Rows of one ADRG with the same code: alternatives when only their conditions differ."""
    for code in sorted({drg.drg for drg in groups}):
        rows = [drg for drg in groups if drg.drg == code]
        place = f"{adrg.variant} {code}"
        if len({drg.condition for drg in rows}) < len(rows) or len({drg.name for drg in rows}) > 1:
            yield _error(
                scheme.id,
                "duplicate",
                place,
                f"DRG 编码出现 {len(rows)} 次，条件相同或名称不同",
                f"the DRG code stands {len(rows)} times, with the same condition or another name",
            )
        elif len(rows) > 1:
            yield Finding(
                "info",
                "alternatives",
                scheme.id,
                place,
                f"{len(rows)} 行条件得到同一个 DRG",
                f"{len(rows)} rows lead to this DRG",
            )


def rows_of(scheme: Scheme) -> Iterator[tuple[str, str]]:
    """(place, condition) of every row of the scheme."""
    for mdc in scheme.mdcs:
        yield mdc.mdc, mdc.entry
    for adrg in scheme.adrgs:
        yield adrg.variant, adrg.condition
        for drg in scheme.drgs.get(adrg.variant, ()):
            yield f"{adrg.variant} {drg.drg}", drg.condition


def _references(scheme: Scheme) -> Iterator[Finding]:
    for place, text in rows_of(scheme):
        condition = cached_parse(text)
        for name in sorted(lists_of(condition) - scheme.lists.keys()):
            yield _error(
                scheme.id,
                "missing-list",
                place,
                f"编码集合 {name} 不存在或为空",
                f"the code list {name} does not exist or is empty",
            )
        sites = any(isinstance(atom, Compare) and atom.field == "injured_sites" for atom in atoms(condition))
        if sites and not any(name.startswith(SITES) for name in scheme.lists):
            yield _error(
                scheme.id, "missing-list", place, f"没有 {SITES}* 集合", f"there is no list {SITES}*"
            )
    for name, sides in _sides(scheme).items():
        if len(sides) > 1:
            yield _error(
                scheme.id,
                "mixed-list",
                name,
                "集合既用于诊断又用于手术操作",
                "the list is used for diagnoses and for procedures",
            )


def _sides(scheme: Scheme) -> dict[str, set[str]]:
    """List name -> "dx", "proc" or both, by the conditions that use it, else by its name."""
    sides: dict[str, set[str]] = defaultdict(set)
    for _, text in rows_of(scheme):
        for atom in atoms(cached_parse(text)):
            if isinstance(atom, In | Count):
                sides[atom.list].add("dx" if atom.subject.endswith("dx") else "proc")
    for name in scheme.lists:
        if name not in sides:
            sides[name] = {"dx" if name.startswith(SITES) or name == KEPT[0] else "proc"}
    return sides


def _complications(scheme: Scheme) -> Iterator[Finding]:
    wrong = sorted({level for levels, _ in scheme.complications.values() for level in levels} - {"MCC", "CC"})
    if wrong:
        yield _error(
            scheme.id,
            "level",
            "complication.txt",
            f"不认识的级别 {', '.join(wrong)}",
            f"levels that are not understood: {', '.join(wrong)}",
        )
    both = tuple(sorted(code for code, (levels, _) in scheme.complications.items() if len(levels) > 1))
    if both:
        yield Finding(
            "info",
            "both-levels",
            scheme.id,
            "complication.txt",
            f"{len(both)} 个编码既是 MCC 又是 CC",
            f"{len(both)} codes are MCC and CC",
            both,
        )
    none = tuple(sorted(code for code, (_, table) in scheme.complications.items() if not table))
    if none:
        yield Finding(
            "warning",
            "no-exclusion-table",
            scheme.id,
            "complication.txt",
            f"{len(none)} 个 MCC/CC 编码永不被排除：未指明排除表",
            f"{len(none)} MCC/CC codes are never excluded: they name no exclusion table",
            none,
        )
    never = {c: t for c, (_, t) in scheme.complications.items() if t and t not in scheme.exclusions}
    if never:
        tables = ", ".join(sorted(set(never.values())))
        yield Finding(
            "warning",
            "no-exclusion-table",
            scheme.id,
            "complication.txt",
            f"{len(never)} 个 MCC/CC 编码永不被排除：其排除表没有主要诊断（{tables}）",
            f"{len(never)} MCC/CC codes are never excluded: their exclusion table has no principal "
            f"diagnosis ({tables})",
            tuple(sorted(never)),
        )


def _editions(scheme: Scheme) -> Iterator[Finding]:
    from grouper.codes import icd

    editions = scheme.meta.get("editions", {})
    sides = _sides(scheme)
    used = {
        side: {code for name, codes in scheme.lists.items() if side in sides[name] for code in codes}
        for side in ("dx", "proc")
    }
    excluded = {code for codes in scheme.exclusions.values() for code in codes}
    operations = partial(icd.procedures_of, editions.get("icd9cm3", icd.EDITIONS[0]))
    checks = (
        ("icd10", "lists.txt", "诊断", "diagnosis", used["dx"], icd.diagnoses),
        (
            "icd9cm3",
            "lists.txt",
            "手术操作",
            "procedure",
            used["proc"],
            operations,
        ),
        ("icd10", "complication.txt", "MCC/CC", "MCC/CC", set(scheme.complications), icd.diagnoses),
        ("icd10", "exclusion.txt", "排除表", "exclusion", excluded, icd.diagnoses),
    )
    for key, place, zh, en, codes, known in checks:
        known_editions = icd.EDITIONS if key == "icd9cm3" else icd.EDITIONS[:1]
        if editions.get(key, icd.EDITIONS[0]) not in known_editions:
            yield Finding(
                "info",
                "other-edition",
                scheme.id,
                place,
                f"{zh}编码属于 {editions[key]}，未核对",
                f"{en} codes are of {editions[key]}: not checked",
            )
        elif strange := tuple(sorted(codes - known().keys())):
            yield Finding(
                "warning",
                "unknown-code",
                scheme.id,
                place,
                f"{len(strange)} 个{zh}编码不在医保 2.0 版编码中",
                f"{len(strange)} {en} codes are not in the insurance edition 2.0",
                strange,
            )


def _counts(scheme: Scheme) -> Iterator[Finding]:
    for name, stated, found in miscounted(scheme):
        yield _error(
            scheme.id,
            "count",
            f"scheme.toml [counts] {name}",
            f"写明 {stated}，实际 {found}",
            f"says {stated}, the tables have {found}",
        )


def _error(scheme: str, kind: str, place: str, zh: str, en: str) -> Finding:
    return Finding("error", kind, scheme, place, zh, en)
