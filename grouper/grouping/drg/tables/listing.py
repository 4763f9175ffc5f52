"""What a scheme says about one MDC, ADRG, DRG, code list or code, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from grouper.base.errors import UsageError
from grouper.codes import icd
from grouper.grouping.drg.conditions import And, Compare, Condition, Count, In, Not, Or, lists_of, parse
from grouper.grouping.drg.describing import SUBJECTS, list_words
from grouper.grouping.drg.tables.model import SITES, Adrg, Scheme
from grouper.grouping.drg.tables.store import NOT_NAMED, scheme_folders
from grouper.grouping.tables.folders import listed, read_meta
from grouper.grouping.tables.heading import heading

HEADING = (
    *("area", "region", "authority", "base"),
    *("published", "valid_from", "valid_to", "validity_note"),
)
KINDS_ZH = {
    "surgical": "手术",
    "procedure": "操作",
    "medical": "内科",
    "ambiguous": "歧义组",
    "ungrouped": "未入组",
}


def schemes() -> list[dict[str, Any]]:
    """The shipped schemes: id, name, area, region, base, validity and sizes as their files state them."""
    rows = []
    for folder in scheme_folders().values():
        row = listed(folder)
        counts = read_meta(folder).get("counts", {})
        for key in ("mdc", "adrg", "drg", "ambiguous"):
            row[key] = counts.get(key, 0)
        rows.append(row)
    return rows


class View:
    """The texts about one scheme in one language; ``names`` maps ICD codes to their names."""

    def __init__(self, scheme: Scheme, names: Mapping[str, str], lang: str = "zh") -> None:
        self.scheme = scheme
        self.names = names
        self.zh = lang != "en"

    def say(self, zh: str, en: str) -> str:
        return zh if self.zh else en

    # --- the whole scheme ---

    def overview(self) -> Iterator[str]:
        """Identity, validity, options, sizes, MDCs in order, sources and notes."""
        scheme = self.scheme
        yield from heading(scheme, HEADING, ("基础方案", "base"), self.say)
        if scheme.meta.get("validity_verified") is False:
            yield "  " + self.say("适用日期未与文件核对", "the dates were not checked against documents")
        for key, value in scheme.meta.get("options", {}).items():
            yield f"  {self.say('选项', 'option')} {key} = {str(value).lower()}"
        yield "  " + ", ".join(f"{key} {value}" for key, value in scheme.sizes(self.say("zh", "en")).items())
        yield f"  SHA-256 {scheme.digest}"
        for mdc in scheme.mdcs:
            rows = scheme.inside[mdc.mdc]
            groups = sum(len(scheme.drgs.get(adrg.variant, ())) for adrg in rows)
            yield f"{mdc.mdc} {mdc.name}  ADRG {len(rows)}, DRG {groups}  | {mdc.entry}"
        if scheme.primary_care:
            number = len(scheme.primary_care)
            yield self.say(f"基层病组（{number}）:", f"Groups of primary care ({number}):")
            yield from (f"  {code} {self._drg_name(code)}" for code in scheme.primary_care)
        for title, key in ((self.say("来源", "Sources"), "sources"), (self.say("说明", "Notes"), "notes")):
            if scheme.meta.get(key):
                yield f"{title}:"
                yield from (f"  - {text}" for text in scheme.meta[key])

    def _drg_name(self, code: str) -> str:
        return next(drg.name for _, drg in self.scheme.groups() if drg.drg == code)

    # --- groups ---

    def mdc(self, code: str) -> Iterator[str]:
        """One MDC: entry, lists, ADRGs in the order in which they are tried."""
        wanted = "MDC" + code.upper().removeprefix("MDC")
        mdc = next((mdc for mdc in self.scheme.mdcs if mdc.mdc == wanted), None)
        if mdc is None:
            raise self._unknown("MDC", code, [mdc.mdc for mdc in self.scheme.mdcs])
        yield f"{mdc.mdc} {mdc.name}"
        yield f"  {self.say('进入条件', 'entry')}: {mdc.entry}"
        yield from self._lists_in([mdc.entry])
        for number, adrg in enumerate(self.scheme.inside[mdc.mdc], start=1):
            groups = [drg.drg for drg in self.scheme.drgs.get(adrg.variant, ())]
            yield f"{number:3} {adrg.variant} {adrg.name} [{self._kind(adrg)}] {' '.join(groups)}"
            yield f"      {adrg.condition}"

    def adrg(self, code: str) -> Iterator[str]:
        """One ADRG with all its variants: condition, lists, groups."""
        rows = [adrg for adrg in self.scheme.adrgs if code.upper() in (adrg.adrg, adrg.variant)]
        if not rows:
            raise self._unknown("ADRG", code, [adrg.adrg for adrg in self.scheme.adrgs])
        for adrg in rows:
            groups = self.scheme.drgs.get(adrg.variant, ())
            yield f"{adrg.variant} {adrg.name} [{self._kind(adrg)}] {adrg.mdc}"
            yield f"  {self.say('条件', 'condition')}: {adrg.condition}"
            yield from self._lists_in([adrg.condition, *(drg.condition for drg in groups)])
            for drg in groups:
                yield f"  {drg.drg} {drg.name}: {drg.condition}"

    def drg(self, code: str) -> Iterator[str]:
        """One DRG: every row that leads to it, with what is tried before it in its ADRG."""
        found = [(adrg, drg) for adrg, drg in self.scheme.groups() if drg.drg == code]
        if not found:
            raise self._unknown("DRG", code, [drg.drg for _, drg in self.scheme.groups()])
        for adrg, drg in found:
            groups = self.scheme.drgs[adrg.variant]
            before = [other.drg for other in groups[: groups.index(drg)]]
            care = self.say("  [基层病组]", "  [primary care]")
            yield f"{drg.drg} {drg.name}{care if code in self.scheme.primary_care else ''}"
            yield f"  ADRG {adrg.variant} {adrg.name}: {adrg.condition}"
            yield f"  {self.say('条件', 'condition')}: {drg.condition}"
            if before:
                yield f"  {self.say('先试', 'tried before it')}: {' '.join(before)}"
            yield from self._lists_in([adrg.condition, drg.condition])

    def code_list(self, name: str) -> Iterator[str]:
        """One list: where it is used, and its codes with names."""
        codes = self.scheme.lists.get(name)
        if codes is None:
            raise self._unknown(self.say("编码集合", "code list"), name, list(self.scheme.lists))
        yield f"{name} ({len(codes)})"
        yield from (f"  {line}" for line in self._uses({name}))
        yield from (f"  {code} {self.names.get(code, '')}".rstrip() for code in sorted(codes))

    # --- codes ---

    def code(self, text: str) -> Iterator[str]:
        """One ICD code: name, lists, MCC or CC with its exclusions, where it can lead."""
        scheme = self.scheme
        every = {*self.names, *scheme.complications, *(c for codes in scheme.lists.values() for c in codes)}
        code = next((c for c in every if c.upper() == text.upper()), None)
        if code is None:
            near = sorted(c for c in every if c.upper().startswith(text.upper()[:5]))
            raise self._unknown(self.say("编码", "code"), text, near)
        yield f"{code} {self.names.get(code, self.say('（不在编码版本中）', '(not in the code edition)'))}"
        lists = [name for name, codes in scheme.lists.items() if code in codes]
        words = ", ".join(f"{name} ({len(scheme.lists[name])})" for name in lists)
        if edition := icd.later_procedures().get(code):
            yield "  " + self.say(f"编码版本: {edition}", f"code edition: {edition}")
        yield f"  {self.say('所在集合', 'lists')}: {words or self.say('无', 'none')}"
        yield from self._mark(code, lists)
        yield from self._severity(code)
        yield from (f"  {line}" for line in self._uses(set(lists)))

    def _mark(self, code: str, lists: Sequence[str]) -> Iterator[str]:
        """That a code is grey, or listed as not used for grouping."""
        named = [name for name in lists if name not in NOT_NAMED]
        if code in icd.grey_diagnoses() or code in icd.grey_procedures():
            unused = "" if named else self.say("，本方案不用它分组", "; the scheme does not group by it")
            yield "  " + self.say("医保灰码", "a grey code") + unused
        if any(name.startswith("UNGROUPABLE") for name in lists):
            yield "  " + self.say("方案列为不作为分组规则", "listed as not used for grouping")

    def _severity(self, code: str) -> Iterator[str]:
        scheme = self.scheme
        if code in scheme.complications:
            levels, table = scheme.complications[code]
            size = len(scheme.exclusions.get(table, ()))
            level = "+".join(sorted(levels, reverse=True))
            yield "  " + self.say(
                f"作为其他诊断：{level}，排除表 {table}（{size} 个主要诊断）",
                f"as other diagnosis: {level}, exclusion table {table} ({size} principal diagnoses)",
            )
        tables = [table for table, codes in scheme.exclusions.items() if code in codes]
        if tables:
            number = sum(table in tables for _, table in scheme.complications.values())
            yield "  " + self.say(
                f"作为主要诊断：排除表 {', '.join(tables)}，使 {number} 个 MCC/CC 失效",
                f"as principal diagnosis: exclusion table {', '.join(tables)}, excludes {number} codes",
            )

    def _uses(self, lists: set[str]) -> Iterator[str]:
        """MDC, ADRG and DRG rows whose conditions name one of the lists, with the role of the list."""
        for mdc in self.scheme.mdcs:
            if roles := self._roles(mdc.entry, lists):
                yield f"{mdc.mdc} {mdc.name}: {roles}"
        for adrg in self.scheme.adrgs:
            if roles := self._roles(adrg.condition, lists):
                yield f"ADRG {adrg.variant} {adrg.name}: {roles}"
        for adrg, drg in self.scheme.groups():
            if roles := self._roles(drg.condition, lists):
                yield f"DRG {drg.drg} {drg.name} ({adrg.variant}): {roles}"

    def _roles(self, condition: str, lists: set[str]) -> str:
        zh = not self.say("", "en")
        return self.say("，", ", ").join(dict.fromkeys(_roles(parse(condition), lists, "in", zh)))

    # --- parts ---

    def _lists_in(self, conditions: Sequence[str]) -> Iterator[str]:
        used = dict.fromkeys(name for text in conditions for name in sorted(lists_of(parse(text))))
        if used:
            sizes = ", ".join(f"{name} ({len(self.scheme.lists.get(name, ()))})" for name in used)
            yield f"  {self.say('编码集合', 'lists')}: {sizes}"

    def _kind(self, adrg: Adrg) -> str:
        return KINDS_ZH[adrg.kind] if self.zh else adrg.kind

    def _unknown(self, what: str, text: str, known: Sequence[str]) -> UsageError:
        near = [name for name in dict.fromkeys(known) if name[:2].upper() == text[:2].upper()][:12]
        zh, en = (f"（相近：{'、'.join(near)}）", f" (near: {', '.join(near)})") if near else ("", "")
        return UsageError(
            zh=f"方案 {self.scheme.id} 没有 {what} {text}{zh}",
            en=f"scheme {self.scheme.id} has no {what} {text}{en}",
        )


def _roles(condition: Condition, lists: set[str], how: str, zh: bool) -> Iterator[str]:
    """What a condition asks of the lists: ``principal_dx in AA1.dx``, 主要诊断属于 AA1 诊断表."""
    match condition:
        case And(items) | Or(items):
            for item in items:
                yield from _roles(item, lists, how, zh)
        case Not(item):
            yield from _roles(item, lists, "not in" if how == "in" else "in", zh)
        case In(subject, name) | Count(subject, name) if name in lists:
            belongs = "属于" if how == "in" else "不属于"
            told = f"{SUBJECTS[subject][0]}{belongs} {list_words(name, 'zh')}" if zh else ""
            yield told or f"{subject} {how} {name}"
        case Compare("injured_sites"):
            found = sorted(name for name in lists if name.startswith(SITES))
            yield from (list_words(name, "zh") if zh else name for name in found)
