"""What one scheme changes against another, as data and in words."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import SequenceMatcher

from grouper.grouping.drg.conditions import lists_of, parse
from grouper.grouping.drg.describing import describe
from grouper.grouping.drg.options import DrgOptions
from grouper.grouping.drg.tables.model import Adrg, Drg, Scheme
from grouper.grouping.tables.change import Change, Words, of_options


def diff(a: Scheme, b: Scheme) -> list[Change]:
    """Everything that ``b`` changes against ``a``; nothing when they group alike by their tables.

    Sections are those of ``SECTIONS``; ``what`` is ``added``, ``removed``, ``renamed``, ``meaning``,
    ``condition``, ``order``, ``codes``, ``level`` or ``value``; the key names the MDC, group, list, level or
    exclusion table. ``meaning`` is an ADRG whose code B keeps for something else: ``added`` says where B has
    what A meant, ``removed`` where A had what B means, and ``note`` is ``same-codes`` where the condition
    and its lists are the same all the same.
    """
    return [
        *of_options(a.meta.get("options", {}), b.meta.get("options", {})),
        *_mdcs(a, b),
        *_adrgs(a, b),
        *_drgs(a, b),
        *_lists(a, b),
        *_complications(a, b),
        *_exclusions(a, b),
    ]


def _mdcs(a: Scheme, b: Scheme) -> Iterator[Change]:
    old = {mdc.mdc: (mdc.name, (mdc.entry,)) for mdc in a.mdcs}
    new = {mdc.mdc: (mdc.name, (mdc.entry,)) for mdc in b.mdcs}
    yield from _rows("mdc", old, new)
    yield from _order("mdc", "MDC", list(old), list(new))


def _adrgs(a: Scheme, b: Scheme) -> Iterator[Change]:
    rows = [{x.variant: (x.name, (x.condition,)) for x in scheme.adrgs} for scheme in (a, b)]
    for change in _rows("adrg", rows[0], rows[1]):
        yield _meaning(a, b, change) if change.what == "renamed" and _editions(a, b) else change
    old, new = _by_mdc(a.adrgs), _by_mdc(b.adrgs)
    for mdc in new:
        yield from _order("adrg", mdc, old.get(mdc, []), new[mdc])


def _editions(a: Scheme, b: Scheme) -> bool:
    """Whether A and B are of different national editions, where a code says nothing by itself."""
    return (a.base or a.id) != (b.base or b.id)


def _meaning(a: Scheme, b: Scheme, change: Change) -> Change:
    """A code kept under another name, with where both meanings are in the other edition."""
    old, new = plain_name(change.before), plain_name(change.after)
    if old == new or not (old and new):
        return change
    now = tuple(x.variant for x in b.adrgs if plain_name(x.name) == old)
    was = tuple(x.variant for x in a.adrgs if plain_name(x.name) == new)
    same = _members(a, change.key) == _members(b, change.key)
    return replace(change, what="meaning", added=now, removed=was, note="same-codes" if same else "")


def plain_name(name: str) -> str:
    """A name as it is compared: without marks, and with one form for full-width letters."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", name)).lower()


def _members(scheme: Scheme, variant: str) -> tuple[str, dict[str, frozenset[str]]]:
    """A condition and the lists that it names."""
    condition = next(x.condition for x in scheme.adrgs if x.variant == variant)
    return condition, {name: scheme.lists[name] for name in lists_of(parse(condition))}


def _by_mdc(adrgs: Sequence[Adrg]) -> dict[str, list[str]]:
    result: dict[str, list[str]] = defaultdict(list)
    for adrg in adrgs:
        result[adrg.mdc].append(adrg.variant)
    return result


def _drgs(a: Scheme, b: Scheme) -> Iterator[Change]:
    for variant in dict.fromkeys([*b.drgs, *a.drgs]):
        old, new = _by_code(a.drgs.get(variant, ())), _by_code(b.drgs.get(variant, ()))
        yield from _rows("drg", old, new, _prefix(variant))
        yield from _order("drg", variant, list(old), list(new))


def _prefix(variant: str) -> str:
    return f"{variant} " if "_" in variant else ""


def _by_code(groups: Sequence[Drg]) -> dict[str, tuple[str, tuple[str, ...]]]:
    """DRG code -> name and conditions: a code may stand in several rows."""
    result: dict[str, tuple[str, tuple[str, ...]]] = {}
    for drg in groups:
        result[drg.drg] = (drg.name, (*result.get(drg.drg, ("", ()))[1], drg.condition))
    return result


Rows = Mapping[str, tuple[str, tuple[str, ...]]]


def _rows(section: str, old: Rows, new: Rows, prefix: str = "") -> Iterator[Change]:
    """Rows added, removed, renamed, or with another condition."""
    for key in [*new, *(key for key in old if key not in new)]:
        place = prefix + key
        if key not in old:
            yield Change(section, place, "added", after=_words(new[key]))
        elif key not in new:
            yield Change(section, place, "removed", before=_words(old[key]))
        else:
            (old_name, old_rules), (new_name, new_rules) = old[key], new[key]
            if old_name != new_name:
                yield Change(section, place, "renamed", old_name, new_name)
            if old_rules != new_rules:
                yield Change(section, place, "condition", " | ".join(old_rules), " | ".join(new_rules))


def _words(row: tuple[str, tuple[str, ...]]) -> str:
    name, rules = row
    return f"{name}: {' | '.join(rules)}" if name else " | ".join(rules)


def _order(section: str, key: str, old: Sequence[str], new: Sequence[str]) -> Iterator[Change]:
    """A changed order of what both have; ``added`` names what moved."""
    both = set(old) & set(new)
    before, after = [k for k in old if k in both], [k for k in new if k in both]
    if before != after:
        blocks = SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
        kept = {k for block in blocks for k in before[block.a : block.a + block.size]}
        moved = tuple(k for k in after if k not in kept)
        yield Change(section, key, "order", " ".join(before), " ".join(after), added=moved)


def _lists(a: Scheme, b: Scheme) -> Iterator[Change]:
    for name in [*b.lists, *(name for name in a.lists if name not in b.lists)]:
        old, new = a.lists.get(name, frozenset()), b.lists.get(name, frozenset())
        if old != new:
            what = "codes" if old and new else "added" if new else "removed"
            yield Change("list", name, what, added=tuple(sorted(new - old)), removed=tuple(sorted(old - new)))


def _complications(a: Scheme, b: Scheme) -> Iterator[Change]:
    """Codes by the level that they have in A and in B, such as CC to MCC."""
    moves: dict[tuple[str, str], list[str]] = defaultdict(list)
    for code in sorted(a.complications.keys() | b.complications.keys()):
        before, after = _level(a, code), _level(b, code)
        if before != after:
            moves[before, after].append(code)
    for (before, after), codes in moves.items():
        what = "level" if before and after else "added" if after else "removed"
        yield Change("complication", after or before, what, before, after, added=tuple(codes))


def _level(scheme: Scheme, code: str) -> str:
    levels, _ = scheme.complications.get(code, (frozenset(), ""))
    return "+".join(sorted(levels, reverse=True))


def _exclusions(a: Scheme, b: Scheme) -> Iterator[Change]:
    """Principal diagnoses that exclude other codes than before, table by table of B.

    The numbers of tables mean nothing: what counts is which principal diagnoses exclude a code.
    """
    pairs = Counter(
        (a.complications[code][1], b.complications[code][1])
        for code in a.complications.keys() & b.complications.keys()
    )
    for (before, after), number in sorted(pairs.items(), key=lambda item: _natural(item[0][1])):
        old = a.exclusions.get(before, frozenset())
        new = b.exclusions.get(after, frozenset())
        if old != new:
            yield Change(
                "exclusion",
                after,
                "codes",
                before,
                str(number),
                added=tuple(sorted(new - old)),
                removed=tuple(sorted(old - new)),
            )


def _natural(table: str) -> tuple[int, str]:
    return (int(table), "") if table.isdigit() else (10**9, table)


# --- words ----------------------------------------------------------------------------------

WORDS = Words(
    headings={
        "options": ("选项", "Options"),
        "mdc": ("主要诊断大类（MDC）", "Major diagnostic categories (MDC)"),
        "adrg": ("核心组（ADRG）", "ADRGs"),
        "drg": ("细分组（DRG）", "DRGs"),
        "list": ("编码集合", "Code lists"),
        "complication": ("MCC/CC", "MCC and CC"),
        "exclusion": ("排除表", "Exclusions"),
    },
    zh={
        "meaning": "编码沿用、所指改变",
        "condition": "条件",
        "order": "顺序",
        "level": "级别",
    },
    en={"meaning": "kept with another meaning"},
)
SECTIONS = tuple(WORDS.headings)
_OPTIONS = {
    "when_no_drg": ("核心组中没有细分组成立时", "when no DRG of an ADRG holds"),
    "retry_other_procedures": ("未入组时以其他手术操作再试", "tries other procedures when there is no group"),
    "severity_from_other_diagnoses_only": ("MCC/CC 只看其他诊断", "MCC and CC of other diagnoses only"),
    "weight": ("新生儿体重", "weight of newborns"),
}
_VALUES = {
    "next": ("继续查找", "goes on"),
    "stop": ("停止", "stops"),
    "birth": ("出生体重", "at birth"),
    "admission": ("入院体重", "on admission"),
    "true": ("是", "yes"),
    "false": ("否", "no"),
}
_FEW = 3


def in_words(changes: Sequence[Change], names: Mapping[str, str], lang: str) -> list[str]:
    """The changes as lines of text under headings; ``names`` maps codes to their names."""
    return WORDS.lines(changes, lambda change, zh: _line(change, names, zh), lang)


def what_in_words(what: str, zh: bool) -> str:
    """The words for a kind of change."""
    return WORDS.what(what, zh)


def key_in_words(change: Change, zh: bool) -> str:
    """The group, list or table of a change; an option by what it decides."""
    if change.section != "options":
        return change.key
    told = _OPTIONS.get(change.key)
    return f"{told[0 if zh else 1]} [{change.key}]" if told else change.key


def sides(change: Change, zh: bool) -> tuple[str, str]:
    """What a change was and is, with conditions and options in words; an option not named has its default."""
    before, after = change.before, change.after
    if change.section == "options":
        default = str(getattr(DrgOptions(), change.key, "")).lower()
        before, after = ((text or default) for text in (before, after))
        told = (_VALUES.get(text, (text, text))[0 if zh else 1] for text in (before, after))
        return next(told), next(told)
    if change.what in ("added", "removed", "condition") and change.section in ("mdc", "adrg", "drg"):
        return _told(before, change.what, zh), _told(after, change.what, zh)
    return before, after


def _told(row: str, what: str, zh: bool) -> str:
    """A row or its conditions in words; a name stands before them where the whole row is new or gone."""
    if not row:
        return ""
    name, _, rules = row.rpartition(": ") if what != "condition" else ("", "", row)
    lang = "zh" if zh else "en"
    told = (" | ").join(describe(parse(rule), lang, "") for rule in rules.split(" | "))
    return f"{name}{'：' if zh else ': '}{told}" if name else told


def whereabouts(change: Change, zh: bool) -> str:
    """Where both meanings of a code are in the other edition, in words."""
    parts = []
    if change.added:
        now = " ".join(change.added)
        parts.append(f"原义现为 {now}" if zh else f"what it meant is {now} now")
    if change.removed:
        was = " ".join(change.removed)
        parts.append(f"新义原为 {was}" if zh else f"what it means was {was}")
    if change.note:
        parts.append("条件与编码集合相同" if zh else "with the same condition and lists")
    return ("；" if zh else "; ").join(parts)


def _line(change: Change, names: Mapping[str, str], zh: bool) -> str:
    what = what_in_words(change.what, zh)
    head = f"{key_in_words(change, zh)} {what}"
    before, after = sides(change, zh)
    if change.section in ("list", "exclusion", "complication"):
        return _codes_line(change, names, zh)
    if change.what == "order":
        moved = ", ".join(change.added)
        return f"{head}: {'移动' if zh else 'moved'} {moved} → {change.after}"
    if change.what in ("added", "removed"):
        return f"{head}: {after or before}"
    where = whereabouts(change, zh)
    more = (f"（{where}）" if zh else f" ({where})") if where and change.what == "meaning" else ""
    return f"{head}: {before or '—'} → {after or '—'}{more}"


def _codes_line(change: Change, names: Mapping[str, str], zh: bool) -> str:
    if change.section == "complication":
        move = f"{change.before or '—'} → {change.after or '—'}"
        return f"{move}: {len(change.added)} ({_some(change.added, names)})"
    if change.section == "exclusion":
        was = "" if change.before == change.key else f" ← {change.before}"
        number = f"{change.after} 个 MCC/CC 编码" if zh else f"{change.after} MCC/CC codes"
        return f"{'排除表' if zh else 'table'} {change.key}{was} ({number}): {_plus_minus(change, names)}"
    what = "" if change.what == "codes" else f" {what_in_words(change.what, zh)}"
    return f"{change.key}{what}: {_plus_minus(change, names)}"


def _plus_minus(change: Change, names: Mapping[str, str]) -> str:
    parts = [
        f"{sign}{len(codes)} ({_some(codes, names)})"
        for sign, codes in (("+", change.added), ("−", change.removed))
        if codes
    ]
    return ", ".join(parts)


def _some(codes: Sequence[str], names: Mapping[str, str]) -> str:
    shown = [f"{code} {names[code]}" if code in names else code for code in codes[:_FEW]]
    return ", ".join(shown) + (" …" if len(codes) > _FEW else "")
