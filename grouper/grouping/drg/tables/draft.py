"""What the sheets of a workbook say, while they are read, and the scheme that they make together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from grouper.grouping.drg.conditions import Condition, Severity, atoms, lists_of, to_text
from grouper.grouping.drg.tables.layout import SHEETS
from grouper.grouping.drg.tables.model import SITES, Adrg, Drg, Mdc, Scheme
from grouper.grouping.drg.tables.official import MULTIPLE_INJURIES, SEVERAL_SITES, injured_sites
from grouper.grouping.drg.tables.official import OPTIONS as OFFICIAL_OPTIONS
from grouper.grouping.drg.tables.store import KEPT
from grouper.grouping.tables.sheets import Notes, Row, Table

DEFAULT_OPTIONS = {
    "when_no_drg": "next",
    "retry_other_procedures": False,
    "severity_from_other_diagnoses_only": True,
}


@dataclass
class Draft:
    """What the sheets say, while they are read."""

    notes: Notes
    base: Scheme | None
    mdcs: list[Mdc] = field(default_factory=list)
    adrgs: list[Adrg] = field(default_factory=list)
    drgs: dict[str, list[Drg]] = field(default_factory=lambda: defaultdict(list))
    lists: dict[str, frozenset[str]] = field(default_factory=dict)
    complications: dict[str, tuple[frozenset[str], str]] = field(default_factory=dict)
    exclusions: dict[str, frozenset[str]] = field(default_factory=dict)
    primary_care: list[str] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    official: bool = False  # sets and tables have the numbers of the published workbook
    rules: list[tuple[str, Condition]] = field(default_factory=list)  # place, rule
    tables_named: list[tuple[str, str, str]] = field(
        default_factory=list
    )  # place, as written, exclusion table
    published: dict[str, str] = field(default_factory=dict)  # name of a list -> its published number
    names: Mapping[str, str] = field(default_factory=dict)  # MDC, variant, DRG -> name in the base

    def name(self, row: Row, key: str) -> str:
        """The name of a row, or that of the base where the row has none."""
        return row["name"] or self.names.get(key, "")

    @property
    def default_options(self) -> Mapping[str, Any]:
        """The options of the base, or those that go with the form of the workbook."""
        if self.base:
            options: Mapping[str, Any] = self.base.meta.get("options", {})
            return options
        return OFFICIAL_OPTIONS if self.official else DEFAULT_OPTIONS


def names_of(scheme: Scheme) -> dict[str, str]:
    names = {mdc.mdc: mdc.name for mdc in scheme.mdcs}
    names.update((adrg.variant, adrg.name) for adrg in scheme.adrgs)
    names.update((drg.drg, drg.name) for _, drg in scheme.groups())
    return names


def take_from_base(draft: Draft, tables: Mapping[str, Table]) -> None:
    """Fill in from the base what the workbook lacks, and say so."""
    base = draft.base
    draft.options = {**draft.default_options, **draft.options}
    if base is None:
        return
    if "primary_care" not in tables:
        groups = {drg.drg for rows in draft.drgs.values() for drg in rows}
        draft.primary_care = [code for code in base.primary_care if code in groups]
    for key, name in (("complications", "complications"), ("exclusions", "exclusions")):
        if key not in tables:
            setattr(draft, name, dict(getattr(base, name)))
            draft.notes.info(
                "from-base",
                SHEETS[key][0][0],
                f"没有该工作表，采用 {base.id} 的内容",
                f"there is no such sheet: taken from {base.id}",
            )
    wanted = set(KEPT).union(*(_lists_named(rule, base.lists) for _, rule in draft.rules))
    taken = sorted((wanted - draft.lists.keys()) & base.lists.keys())
    if taken:
        draft.lists.update((name, base.lists[name]) for name in taken)
        draft.notes.info(
            "from-base",
            SHEETS["sets"][0][0],
            f"{len(taken)} 个集合采用 {base.id} 的内容",
            f"{len(taken)} sets are taken from {base.id}",
            taken,
        )


def _lists_named(rule: Condition, lists: Mapping[str, frozenset[str]]) -> set[str]:
    sites = any(getattr(atom, "field", "") == "injured_sites" for atom in atoms(rule))
    return lists_of(rule) | {name for name in lists if sites and name.startswith(SITES)}


def check_rules(draft: Draft) -> None:
    """Every set that a rule names is there; severity needs an MCC/CC sheet."""
    used: set[str] = set(KEPT)
    for place, rule in draft.rules:
        used |= _lists_named(rule, draft.lists)
        for missing in sorted(lists_of(rule) - draft.lists.keys()):
            name = draft.published.get(missing, missing)
            draft.notes.error("missing-set", place, f"没有集合 {name}", f"there is no set {name}")
    if draft.complications or not any(isinstance(a, Severity) for _, r in draft.rules for a in atoms(r)):
        unused = sorted(draft.lists.keys() - used)
        if unused:
            draft.notes.info(
                "unused-set",
                SHEETS["sets"][0][0],
                f"{len(unused)} 个集合没有规则使用，未导入",
                f"{len(unused)} sets are used by no rule and were not imported",
                unused,
            )
            draft.lists = {name: codes for name, codes in draft.lists.items() if name in used}
        return
    draft.notes.error(
        "level",
        SHEETS["complications"][0][0],
        "规则用到 MCC/CC，但没有 MCC/CC 编码",
        "rules ask for MCC or CC, but there is no MCC or CC code",
    )


def check_exclusions(draft: Draft) -> None:
    """Every exclusion table that an MCC or CC names is there; in the published form 无 alone names none."""
    for place, written, name in draft.tables_named:
        if name not in draft.exclusions:
            draft.notes.error(
                "missing-table",
                place,
                f"没有排除表 {written}；不排除的写“无”" if written else "排除表为空；不排除的写“无”",
                f"there is no exclusion table {written}; none is written 无"
                if written
                else "the exclusion table is empty; none is written 无",
            )


def count_sites(draft: Draft) -> None:
    """The official rule of MDCZ as the tables write it: how many sites are injured."""
    for number, (place, rule) in enumerate(draft.rules):
        codes = injured_sites(rule, draft.lists)
        if codes is None or MULTIPLE_INJURIES in draft.lists:
            continue
        text = to_text(rule)
        draft.lists[MULTIPLE_INJURIES] = codes
        draft.rules[number] = (place, SEVERAL_SITES)
        draft.mdcs = [replace(m, entry=to_text(SEVERAL_SITES)) if m.entry == text else m for m in draft.mdcs]


def _edition(draft: Draft, editions: Mapping[str, str]) -> str:
    """The edition of operations: a later one where the sets have codes of it."""
    from grouper.codes import icd

    stated = editions.get("icd9cm3", icd.EDITIONS[0])
    if stated not in icd.EDITIONS:
        return stated
    used = {icd.later_procedures().get(code, stated) for codes in draft.lists.values() for code in codes}
    return max({stated, *used}, key=icd.EDITIONS.index)


def scheme_of(draft: Draft, meta: Mapping[str, Any]) -> Scheme:
    order = {mdc.mdc: number for number, mdc in enumerate(draft.mdcs)}
    adrgs = tuple(sorted(draft.adrgs, key=lambda a: (order[a.mdc], a.kind == "ungrouped")))
    full = {**meta, **({"base": draft.base.id} if draft.base else {}), "options": draft.options}
    if not draft.base and "editions" in meta:
        full["editions"] = {**meta["editions"], "icd9cm3": _edition(draft, meta["editions"])}
    scheme = Scheme(
        id=meta["id"],
        name=meta["name"],
        meta=full,
        mdcs=tuple(draft.mdcs),
        adrgs=adrgs,
        drgs={a.variant: tuple(draft.drgs[a.variant]) for a in adrgs if draft.drgs.get(a.variant)},
        lists=draft.lists,
        complications=draft.complications,
        exclusions=draft.exclusions,
        primary_care=tuple(draft.primary_care),
    )
    full["counts"] = scheme.counts()
    return scheme
