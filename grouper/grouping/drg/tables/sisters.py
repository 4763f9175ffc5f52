"""What a scheme has against all its sisters: the shipped schemes of the same national edition.

A local edition refines a national one, so its ADRGs, lists and complications are mostly those
of its sisters. Where one stands alone the area may mean it, or its copy is damaged.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from functools import cache, lru_cache
from pathlib import Path

from grouper.base.findings import Finding, few
from grouper.grouping.drg.tables.criteria import stem
from grouper.grouping.drg.tables.model import Scheme
from grouper.grouping.drg.tables.store import load_folder, scheme_folders
from grouper.grouping.tables.folders import read_meta

FEWEST = 3  # sisters that make a vote
_LIST = re.compile(r" in [A-Z][\w.-]*")


@lru_cache(maxsize=64)
def _shipped(folder: Path) -> Scheme:
    return load_folder(folder)


@cache
def _bases() -> dict[str, str | None]:
    """Shipped scheme -> its base."""
    return {id_: read_meta(folder).get("base") for id_, folder in scheme_folders().items()}


def _edition(id_: str, base: str | None) -> str:
    """The national edition that a scheme goes back to: the last of its bases."""
    while base:
        id_, base = base, _bases().get(base)
    return id_


def sisters_of(scheme: Scheme) -> list[Scheme]:
    """The shipped schemes of the same national edition, without ``scheme`` itself."""
    edition = _edition(scheme.id, scheme.base)
    return [
        _shipped(folder)
        for id_, folder in scheme_folders().items()
        if id_ != scheme.id and _edition(id_, _bases()[id_]) == edition
    ]


def against_sisters(scheme: Scheme) -> Iterator[Finding]:
    """Conditions, list members, complications and names that no sister has."""
    sisters = sisters_of(scheme)
    if len(sisters) >= FEWEST:
        yield from _conditions(scheme, sisters)
        yield from _members(scheme, sisters)
        yield from _levels(scheme, sisters)
        yield from _names(scheme, sisters)


def _conditions(scheme: Scheme, sisters: Sequence[Scheme]) -> Iterator[Finding]:
    """Shapes of conditions: alone against all, or fewer than half of the schemes have them."""
    votes = [_shapes(sister) for sister in sisters]
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for place, own in _shapes(scheme).items():
        counts = Counter(vote[place] for vote in votes if place in vote)
        total = counts.total()
        if total < FEWEST or counts.most_common(1)[0][0] == own:
            continue
        top, most = counts.most_common(1)[0]
        if most == total:
            groups["lone-condition", own, top].append(place)
        elif most * 2 > total:
            groups["minority-condition", own, top].append(place)
    for (kind, own, top), places in groups.items():
        lone = kind == "lone-condition"
        yield Finding(
            "warning" if lone else "info",
            kind,
            scheme.id,
            few(places, 3),
            f"{len(places)} 处条件为“{own}”，{'所有' if lone else '多数'}同版方案为“{top}”",
            f"{len(places)} conditions read '{own}', {'all' if lone else 'most'} sisters have '{top}'",
            tuple(places),
        )


def _shapes(scheme: Scheme) -> dict[str, str]:
    """MDC or ADRG code -> its condition without the names of lists; variants together."""
    shapes: dict[str, list[str]] = defaultdict(list)
    for mdc in scheme.mdcs:
        shapes[mdc.mdc].append(_LIST.sub(" in …", mdc.entry))
    for adrg in scheme.adrgs:
        shapes[adrg.adrg].append(_LIST.sub(" in …", adrg.condition))
    return {place: " | ".join(sorted(texts)) for place, texts in shapes.items()}


def _members(scheme: Scheme, sisters: Sequence[Scheme]) -> Iterator[Finding]:
    """Codes of a list that all sisters with this list lack, or that all of them have."""
    odd: list[str] = []
    for name, codes in scheme.lists.items():
        votes = [sister.lists[name] for sister in sisters if name in sister.lists]
        if len(votes) < FEWEST:
            continue
        plus = codes - frozenset().union(*votes)
        minus = frozenset.intersection(*votes) - codes
        if plus or minus:
            odd.append(_change(name, plus, minus))
    if odd:
        yield Finding(
            "warning",
            "lone-member",
            scheme.id,
            "lists.txt",
            f"{len(odd)} 个编码集合有所有同版方案都没有的编码，或缺它们都有的编码：{few(odd, 3)}",
            f"{len(odd)} lists have codes that no sister has, or lack codes that all have: {few(odd, 3)}",
            tuple(odd),
        )


def _change(name: str, plus: frozenset[str], minus: frozenset[str]) -> str:
    signs = [f"+{code}" for code in sorted(plus)] + [f"-{code}" for code in sorted(minus)]
    return f"{name} {' '.join(signs)}" if len(signs) <= 5 else f"{name} +{len(plus)} -{len(minus)} codes"


def _levels(scheme: Scheme, sisters: Sequence[Scheme]) -> Iterator[Finding]:
    """MCC and CC codes with a level or an exclusion table that all sisters have otherwise."""
    odd = []
    for code, own in scheme.complications.items():
        votes = {sister.complications[code] for sister in sisters if code in sister.complications}
        if len(votes) == 1 and own not in votes:
            odd.append(code)
    if odd:
        yield Finding(
            "warning",
            "lone-complication",
            scheme.id,
            "complication.txt",
            f"{len(odd)} 个 MCC/CC 编码的级别或排除表与所有同版方案不同：{few(odd)}",
            f"{len(odd)} MCC/CC codes have a level or an exclusion table that no sister has: {few(odd)}",
            tuple(odd),
        )


def _names(scheme: Scheme, sisters: Sequence[Scheme]) -> Iterator[Finding]:
    """Names that differ by a character or two, or by a cut, from the one that sisters agree on."""
    votes = [_stems(sister) for sister in sisters]
    for place, name in _stems(scheme).items():
        counts = Counter(vote[place] for vote in votes if place in vote)
        if not counts or name in counts or not name:
            continue
        top, most = counts.most_common(1)[0]
        if most >= FEWEST and most * 3 >= counts.total() * 2 and _resembles(name, top):
            yield Finding(
                "warning",
                "damaged-name",
                scheme.id,
                place,
                f"名称“{name}”像是“{top}”（{most} 个同版方案）的误读或截断",
                f"the name '{name}' looks like '{top}' ({most} sisters) misread or cut",
                (name, top),
            )


def _resembles(name: str, other: str) -> bool:
    """Whether ``name`` is a small misreading or a piece of ``other``; a word more at an end is neither."""
    if name.startswith(other) or name.endswith(other):
        return False
    if len(name) < 0.6 * len(other) and (name in other or len(name) < 3):
        return True
    changes = [op for op in SequenceMatcher(None, name, other, False).get_opcodes() if op[0] != "equal"]
    size = sum(max(i2 - i1, j2 - j1) for _, i1, i2, j1, j2 in changes)
    return 0 < size <= 2 and len(other) >= 4


def _stems(scheme: Scheme) -> dict[str, str]:
    """Code -> name without its level of complication, in one way of writing."""
    stems = {adrg.variant: stem(adrg.name) for adrg in scheme.adrgs if adrg.kind != "ambiguous"}
    return stems | {drg.drg: stem(drg.name) for _, drg in scheme.groups()}
