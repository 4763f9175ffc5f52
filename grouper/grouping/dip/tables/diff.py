"""What one DIP catalogue changes against another, as data and in words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal

from grouper.grouping.dip.options import CLASSES, CLASSES_ZH
from grouper.grouping.dip.tables.catalogue import Catalogue
from grouper.grouping.dip.tables.layout import KIND_ZH
from grouper.grouping.dip.tables.packets import Row
from grouper.grouping.dip.tables.rule_files import in_ranges
from grouper.grouping.dip.tables.rules import Exclusions, Rule
from grouper.grouping.tables.change import Change, Words, of_options

WORDS = Words(
    headings={
        "options": ("选项", "Options"),
        "packet": ("病种", "Entries"),
        "exclusion": ("不纳入分组的编码", "Codes kept out of grouping"),
        "primary_care": ("基层病种名单", "List of primary-care packets"),
    },
    zh={
        "kind": "类型",
        "condition": "要求",
        "class": "辅助分型",
        "packet": "病种组合",
        "score": "分值",
        "rule": "规则",
        "cost": "次均费用",
    },
)
SECTIONS = tuple(WORDS.headings)
_CHINESE = {**KIND_ZH, **dict(zip(CLASSES, CLASSES_ZH, strict=True))}
_ENGLISH = re.compile(rf"\b({'|'.join(_CHINESE)})\b")


def diff(a: Catalogue, b: Catalogue) -> list[Change]:
    """Everything that ``b`` changes against ``a``, in the form of grouper.grouping.tables.change.

    Sections are those of ``SECTIONS``; the key of an entry is its code, compared without letter
    case. ``what`` is ``added``, ``removed``, ``kind``, ``condition`` (diagnosis, operations, treatment),
    ``class``, ``packet``, ``score``, ``cost``, ``renamed`` or ``rule`` (what a rule of a chain asks
    besides); ``value`` for options, ``codes`` for lists.
    """
    # "alternatives" is a sign in files, not a meaning
    options = of_options(a.options.as_dict(), b.options.as_dict(), unsaid=("alternatives",))
    return [*options, *_entries(a, b), *_lists(a, b)]


def _lists(a: Catalogue, b: Catalogue) -> Iterator[Change]:
    """Codes that are kept out, and packets of the primary-care list."""
    was, now = a.chain.exclusions, b.chain.exclusions
    pairs = (
        ("exclusion", "diagnoses", was.diagnoses, now.diagnoses),
        ("exclusion", "procedures", was.procedures, now.procedures),
        ("exclusion", "not_main", was.not_main, now.not_main),
        ("exclusion", "main_in_scope", _scopes(was), _scopes(now)),
        ("primary_care", "conditions", _conditions(a), _conditions(b)),
        ("primary_care", "packets", a.primary_care or frozenset(), b.primary_care or frozenset()),
    )
    for section, key, old, new in pairs:
        if old != new:
            added, removed = tuple(sorted(new - old)), tuple(sorted(old - new))
            yield Change(section, key, "codes", added=added, removed=removed)


def _scopes(exclusions: Exclusions) -> frozenset[str]:
    return frozenset(f"{code}({in_ranges(scope)})" for code, scope in exclusions.in_scope.items())


def _conditions(catalogue: Catalogue) -> frozenset[str]:
    return frozenset(expression(rule.row).replace(" ", ":") for rule in catalogue.chain.overlay)


def _entries(a: Catalogue, b: Catalogue) -> Iterator[Change]:
    old, new = {row.order: row for row in a.rows}, {row.order: row for row in b.rows}
    rules = [{rule.row.order: rule for rule in each.chain.rules} for each in (a, b)]
    for key in [*new, *(key for key in old if key not in new)]:
        before, after = old.get(key), new.get(key)
        if after is None:
            assert before is not None
            yield Change("packet", before.code, "removed", before=_words(before))
        elif before is None:
            yield Change("packet", after.code, "added", after=_words(after))
        else:
            for what, values in _values(before).items():
                now = _values(after)[what]
                if values != now:
                    yield Change("packet", after.code, what, str(values), str(now))
            asked = [_rule(each.get(key)) for each in rules]
            if asked[0] != asked[1]:
                yield Change("packet", after.code, "rule", asked[0], asked[1])


def _rule(rule: Rule | None) -> str:
    """What a rule of the chain asks beside the requirement of its row."""
    if rule is None:
        return ""
    names = ("main_only", "dx", "other_dx", "any_dx", "treatment", "age_days", "weight")
    asked = [f"{name} {value}" for name in names if (value := getattr(rule, name)) not in ((), None, -1)]
    lists = (("listed", rule.listed), ("not_listed", rule.not_listed))
    asked += [f"{name} {of.name} ({in_ranges((*of.main, *of.other))})" for name, of in lists if of]
    return ", ".join(asked)


def _values(row: Row) -> dict[str, str | Decimal]:
    """What may change in an entry; scores as numbers, so that 1.0 is 1."""
    return {
        "kind": row.kind,
        "condition": expression(row),
        "class": f"{row.aux[0]}:{row.aux[1]}" if row.aux else "",
        "packet": row.packet.upper(),
        "score": "" if row.score is None else row.score,
        "cost": "" if row.average_cost is None else row.average_cost,
        "renamed": row.name,
    }


def expression(row: Row) -> str:
    """What an entry asks for: ``K35.8 47.0100 | 54.5100``, ``K35 surgical``; related ones behind a bar."""
    asked = CLASSES[row.treatment] if row.treatment >= 0 else row.procedures.upper()
    return " ".join(filter(None, [row.dx, asked, f"| {row.related.upper()}" if row.related else ""]))


def _words(row: Row) -> str:
    shown = "" if row.score is None else f", {row.score}"
    return f"{row.name}: {row.kind}, {expression(row)}{shown}"


# --- words --------------------------------------------------------------------------------------


def in_words(changes: Sequence[Change], lang: str) -> list[str]:
    """The changes as lines of text under headings."""
    return WORDS.lines(changes, _line, lang)


def _line(change: Change, zh: bool) -> str:
    head = f"{change.key} {WORDS.what(change.what, zh)}"
    before, after = (_in_chinese(text) if zh else text for text in (change.before, change.after))
    if change.what in ("added", "removed"):
        return f"{head}: {after or before}"
    if change.what == "codes":
        signs = (("+", change.added), ("−", change.removed))
        return f"{change.key}: " + ", ".join(f"{sign}{' '.join(codes)}" for sign, codes in signs if codes)
    percent = ""
    if change.what == "score" and change.before and change.after and Decimal(change.before):
        by = (Decimal(change.after) / Decimal(change.before) - 1) * 100
        percent = f" ({by:+.2f}%)"
    return f"{head}: {before or '—'} → {after or '—'}{percent}"


def _in_chinese(text: str) -> str:
    """Kinds and treatments in Chinese; names and codes stay."""
    return _ENGLISH.sub(lambda match: _CHINESE[match[0]], text)
