"""What one scheme changes against another, as data and in words."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from grouper.grouping.drg.tables.model import Adrg, Drg, Scheme

SECTIONS = ("options", "mdc", "adrg", "drg", "list", "complication", "exclusion")


@dataclass(frozen=True, slots=True)
class Change:
    """One change of B against A.

    ``section`` is one of ``SECTIONS``; ``what`` is ``added``, ``removed``, ``renamed``,
    ``condition``, ``order``, ``codes``, ``level`` or ``value``; ``key`` names the MDC, group,
    list, level or exclusion table. ``added`` and ``removed`` hold codes (of lists), or the
    codes concerned.
    """

    section: str
    key: str
    what: str
    before: str = ""
    after: str = ""
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The change for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


def diff(a: Scheme, b: Scheme) -> list[Change]:
    """Everything that ``b`` changes against ``a``; nothing when they group alike by their tables."""
    return [
        *_options(a, b),
        *_mdcs(a, b),
        *_adrgs(a, b),
        *_drgs(a, b),
        *_lists(a, b),
        *_complications(a, b),
        *_exclusions(a, b),
    ]


def _options(a: Scheme, b: Scheme) -> Iterator[Change]:
    old, new = a.meta.get("options", {}), b.meta.get("options", {})
    for name in [*old, *(name for name in new if name not in old)]:
        if old.get(name) != new.get(name):
            yield Change("options", name, "value", _plain(old.get(name)), _plain(new.get(name)))


def _plain(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _mdcs(a: Scheme, b: Scheme) -> Iterator[Change]:
    old = {mdc.mdc: (mdc.name, (mdc.entry,)) for mdc in a.mdcs}
    new = {mdc.mdc: (mdc.name, (mdc.entry,)) for mdc in b.mdcs}
    yield from _rows("mdc", old, new)
    yield from _order("mdc", "MDC", list(old), list(new))


def _adrgs(a: Scheme, b: Scheme) -> Iterator[Change]:
    rows = [{x.variant: (x.name, (x.condition,)) for x in scheme.adrgs} for scheme in (a, b)]
    yield from _rows("adrg", rows[0], rows[1])
    old, new = _by_mdc(a.adrgs), _by_mdc(b.adrgs)
    for mdc in new:
        yield from _order("adrg", mdc, old.get(mdc, []), new[mdc])


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

_HEADINGS = {
    "options": ("选项", "Options"),
    "mdc": ("主要诊断大类（MDC）", "Major diagnostic categories (MDC)"),
    "adrg": ("核心组（ADRG）", "ADRGs"),
    "drg": ("细分组（DRG）", "DRGs"),
    "list": ("编码集合", "Code lists"),
    "complication": ("MCC/CC", "MCC and CC"),
    "exclusion": ("排除表", "Exclusions"),
}
_ZH = {
    "added": "新增",
    "removed": "删除",
    "renamed": "更名",
    "condition": "条件",
    "value": "取值",
    "order": "顺序",
    "codes": "编码",
    "level": "级别",
}
_FEW = 3


def in_words(changes: Sequence[Change], names: Mapping[str, str], lang: str) -> list[str]:
    """The changes as lines of text under headings; ``names`` maps codes to their names."""
    zh = lang != "en"
    lines = []
    for section in SECTIONS:
        some = [change for change in changes if change.section == section]
        if some:
            heading = _HEADINGS[section][0 if zh else 1]
            counts = Counter(change.what for change in some)
            summary = ", ".join(f"{_ZH[what] if zh else what} {n}" for what, n in counts.items())
            lines += [f"{heading}: {summary}", *(f"  {_line(change, names, zh)}" for change in some)]
    return lines


def _line(change: Change, names: Mapping[str, str], zh: bool) -> str:
    what = _ZH[change.what] if zh else change.what
    head = f"{change.key} {what}"
    if change.section in ("list", "exclusion", "complication"):
        return _codes_line(change, names, zh)
    if change.what == "order":
        moved = ", ".join(change.added)
        return f"{head}: {'移动' if zh else 'moved'} {moved} → {change.after}"
    if change.what in ("added", "removed"):
        return f"{head}: {change.after or change.before}"
    return f"{head}: {change.before or '—'} → {change.after or '—'}"


def _codes_line(change: Change, names: Mapping[str, str], zh: bool) -> str:
    if change.section == "complication":
        move = f"{change.before or '—'} → {change.after or '—'}"
        return f"{move}: {len(change.added)} ({_some(change.added, names)})"
    if change.section == "exclusion":
        was = "" if change.before == change.key else f" ← {change.before}"
        number = f"{change.after} 个 MCC/CC 编码" if zh else f"{change.after} MCC/CC codes"
        return f"{'排除表' if zh else 'table'} {change.key}{was} ({number}): {_plus_minus(change, names)}"
    what = "" if change.what == "codes" else f" {_ZH[change.what] if zh else change.what}"
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
