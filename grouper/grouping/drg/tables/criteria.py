"""What the names of groups say, and the rows do not do: criteria, levels of complication, damage."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from grouper.base.findings import Finding, few
from grouper.grouping.drg.conditions import Compare, Count, Department, In, Severity, atoms
from grouper.grouping.drg.tables.model import Adrg, Drg, Scheme
from grouper.grouping.drg.tables.reach import cached_parse

UNTESTED = "untested_criteria"  # the table of scheme.toml
# A criterion in a name, and what a row has to test for it (a list stands for operations or diagnoses).
_CRITERIA: tuple[tuple[re.Pattern[str], frozenset[str]], ...] = (
    (re.compile("[单双][侧眼耳]"), frozenset({"list"})),
    (re.compile(r"体重.{0,3}?[<>≥≤＜＞\d][^，（）()]*|\d+\s*[gG克]"), frozenset({"weight"})),
    (re.compile(r"[≤≥<>＜＞]?\s*\d+\s*周?岁|年龄[^，（）()]*"), frozenset({"age", "age_days"})),
    (re.compile("重症监护"), frozenset({"department", "icu_hours"})),
    (re.compile(r"住院.{0,4}[日天]|\d+\s*天(?:以|及|内)[^，（）()]*"), frozenset({"los", "age_days"})),
    (re.compile("(?<!不)伴有?严重(?:并发症|合并症)"), frozenset({"mcc"})),
    (re.compile("(?<![不或与])伴有?(?:一般)?(?:并发症|合并症)"), frozenset({"mcc", "cc"})),
)
_WITHOUT = re.compile("(?<!伴或)(?<!伴与)不伴(?:严重)?(?:并发症|合并症)")
_LEVEL = re.compile("[，,]?(?:不伴或伴|伴或不伴|伴与不伴|不伴|伴)有?(?:严重|一般)?(?:并发症|合并症).*$")
_BLANKS = ("有多余的空白", "has stray blanks")
_OPEN, _CLOSE = "（([［【", "）)]］】"


def declared(scheme: Scheme) -> Sequence[Mapping[str, Any]]:
    """The rows of ``[[untested_criteria]]``: drg, criterion, instead, instead_zh and groups."""
    rows: Sequence[Mapping[str, Any]] = scheme.meta.get(UNTESTED, ())
    return rows


def warned_groups(scheme: Scheme) -> dict[str, Mapping[str, Any]]:
    """Group code -> its declared row; ``groups`` names those that stand in for one out of reach."""
    rows: dict[str, Mapping[str, Any]] = {}
    for row in declared(scheme):
        rows.update(dict.fromkeys(row.get("groups", [row["drg"]]), row))
    return rows


def untested_criteria(scheme: Scheme) -> Iterator[Finding]:
    """Groups whose name states a criterion that no condition tests: declared ones, and others."""
    known = {drg.drg for _, drg in scheme.groups()}
    for row in declared(scheme):
        missing = ({str(row.get("drg"))} | warned_groups(scheme).keys()) - known
        if missing:
            text = few(sorted(missing))
            yield Finding(
                "error",
                "untested-criterion",
                scheme.id,
                f"scheme.toml [[{UNTESTED}]]",
                f"方案没有这些组：{text}",
                f"the scheme has no group {text}",
            )
            return
        yield Finding(
            "warning",
            "untested-criterion",
            scheme.id,
            str(row["drg"]),
            f"名称写有“{row['criterion']}”，没有条件检验；表中做法：{row.get('instead_zh', row['instead'])}",
            f"the name says {row['criterion']}, which no condition tests; instead: {row['instead']}",
        )
    listed = {str(row["drg"]) for row in declared(scheme)}
    for adrg, drg in scheme.groups():
        for criterion in () if drg.drg in listed else _untested(scheme, adrg, drg):
            yield Finding(
                "warning",
                "untested-criterion",
                scheme.id,
                drg.drg,
                f"名称写有“{criterion}”，没有条件检验，scheme.toml [[{UNTESTED}]] 也未列出",
                f"the name says {criterion}, which no condition tests and [[{UNTESTED}]] of scheme.toml "
                "does not name",
            )


def _untested(scheme: Scheme, adrg: Adrg, drg: Drg) -> Iterator[str]:
    """The criteria in the name of a group that neither its rows nor its ADRG and MDC test.

    A row for the rest needs no test of its own, so those of all rows of the ADRG count. What
    the name of the ADRG says already may be in its lists.
    """
    rows = [row.condition for row in scheme.drgs[adrg.variant]]
    rows += [adrg.condition, *(mdc.entry for mdc in scheme.mdcs if mdc.mdc == adrg.mdc)]
    own = [row.condition for row in scheme.drgs[adrg.variant]]
    tests = _tests(rows) - {"list"} | (_tests(own) & {"list"})
    for pattern, needs in _CRITERIA:
        found = pattern.search(drg.name)
        if found and not needs & tests and not ("list" in needs and pattern.search(adrg.name)):
            yield found.group()


def _tests(conditions: Sequence[str]) -> set[str]:
    """What the conditions look at: fields, "department", "mcc", "cc", or "list" for codes."""
    found: set[str] = set()
    for condition in conditions:
        for atom in atoms(cached_parse(condition)):
            match atom:
                case Compare(field):
                    found.add(field)
                case Severity(level):
                    found.add(level)
                case Department():
                    found.add("department")
                case In() | Count():
                    found.add("list")
    return found


def severity_letters(scheme: Scheme) -> Iterator[Finding]:
    """Levels of complication without a group for the rest, and groups that stand in a wrong place."""
    for adrg in scheme.adrgs:
        rows = scheme.drgs.get(adrg.variant, ())
        tests = _tests([row.condition for row in rows])
        if tests & {"mcc", "cc"} and all(row.condition != "true" for row in rows) and tests <= {"mcc", "cc"}:
            codes = few([row.drg for row in rows])
            yield Finding(
                "warning",
                "missing-severity",
                scheme.id,
                adrg.variant,
                f"只有 {codes}：没有 MCC 或 CC 的病例没有细分组",
                f"has {codes} only: there is no group for records without MCC or CC",
                tuple(row.drg for row in rows),
            )
        elif len(rows) == 1 and not tests and _WITHOUT.search(rows[0].name):
            yield Finding(
                "warning",
                "orphan-severity",
                scheme.id,
                rows[0].drg,
                f"{adrg.variant} 只有这一个组，名称却写“不伴……”：有并发症的病例也进此组",
                f"is the only group of {adrg.variant}, and its name says without: records with a "
                "complication fall in it too",
            )
        yield from _strangers(scheme, adrg, rows)


def _strangers(scheme: Scheme, adrg: Adrg, rows: Sequence[Drg]) -> Iterator[Finding]:
    """Groups that have the name of another ADRG: a letter of their code is wrong."""
    others = {stem(other.name): other.adrg for other in scheme.adrgs if other.kind != "ambiguous"}
    for row in rows:
        other = others.get(stem(row.name), adrg.adrg)
        if other != adrg.adrg and stem(row.name) != stem(adrg.name):
            yield Finding(
                "warning",
                "orphan-severity",
                scheme.id,
                row.drg,
                f"名称“{row.name}”属于 {other}：编码可能应为 {other}{row.drg[3:]}",
                f"has the name of {other} ({row.name}): its code may have to be {other}{row.drg[3:]}",
                (row.name,),
            )


@lru_cache(maxsize=16_384)
def stem(name: str) -> str:
    """The name of a group without its level of complication, in one way of writing."""
    text = _LEVEL.sub("", unicodedata.normalize("NFKC", name)).lower()
    text = text.replace("其它", "其他").replace("疾患", "疾病").replace("的", "").replace("和/或", "或")
    return re.sub(r"[\s,、;:/.()~—-]", "", text)


def damaged_names(scheme: Scheme) -> Iterator[Finding]:
    """Names that are cut, or hold characters that no name has; groups without a name are counted."""
    names = [(mdc.mdc, mdc.name) for mdc in scheme.mdcs]
    names += [(adrg.variant, adrg.name) for adrg in scheme.adrgs]
    names += [(drg.drg, drg.name) for _, drg in scheme.groups()]
    unnamed = tuple(dict.fromkeys(place for place, name in names if not name))
    if unnamed:
        yield Finding(
            "info",
            "no-name",
            scheme.id,
            "adrg.csv, drg.csv",
            f"{len(unnamed)} 个组没有名称：{few(unnamed)}",
            f"{len(unnamed)} groups have no name: {few(unnamed)}",
            unnamed,
        )
    for place, name in dict.fromkeys(names):
        damage = damage_of(name)
        if damage:
            yield Finding(
                "info" if damage == _BLANKS else "warning",
                "damaged-name",
                scheme.id,
                place,
                f"名称“{name}”{damage[0]}",
                f"the name {name!r} {damage[1]}",
                (name,),
            )


def damage_of(name: str) -> tuple[str, str] | None:
    """What is wrong with a name, in Chinese and English; None for a sound one, or for none."""
    if name != name.strip() or re.search(r"\s\s|\u3000", name):
        return _BLANKS
    if any(unicodedata.category(char) in ("Cc", "Cf", "Cn", "Co") or char == "\ufffd" for char in name):
        return "有不可见或损坏的字符", "has characters that cannot be seen or are broken"
    if not name:
        return None
    depth = [name[:end].count for end in range(1, len(name) + 1)]
    levels = [sum(map(count, _OPEN)) - sum(map(count, _CLOSE)) for count in depth]
    if levels[-1] or min(levels) < 0:
        return "括号不成对", "has a bracket without its partner"
    if re.search("^[，、；）)]|[，、；（(]$|(?:和|或|伴|及|与)$", name):
        return "像是被截断", "looks cut off"
    return None
