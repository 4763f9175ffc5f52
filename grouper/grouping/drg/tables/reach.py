"""Rows of a scheme that no record can reach, found from the conditions alone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from grouper.base.findings import Finding
from grouper.grouping.drg.conditions import Condition, conjunction, parse
from grouper.grouping.drg.tables.logic import Facts, facts_of
from grouper.grouping.drg.tables.model import Adrg, Drg, Scheme


@lru_cache(maxsize=8192)
def cached_parse(text: str) -> Condition:
    """``parse``, remembered: schemes share most of their conditions."""
    return parse(text)


def unreachable(scheme: Scheme) -> Iterator[Finding]:
    """Rows that can never hold, and rows whose records an earlier row of the same MDC takes."""
    for mdc in scheme.mdcs:
        entry = cached_parse(mdc.entry)
        if not facts_of(entry, scheme.lists):
            yield _never(scheme, mdc.mdc)
            continue
        earlier: list[tuple[str, Condition]] = []
        for adrg in scheme.adrgs:
            if adrg.mdc == mdc.mdc:
                yield from _of_adrg(scheme, entry, adrg, earlier)


def _of_adrg(
    scheme: Scheme, entry: Condition, adrg: Adrg, earlier: list[tuple[str, Condition]]
) -> Iterator[Finding]:
    """Findings on one ADRG row; ``earlier`` holds the rows that take records, and grows."""
    own = cached_parse(adrg.condition)
    within = conjunction(entry, own)
    facts = facts_of(within, scheme.lists)
    if not facts:
        yield _never(scheme, adrg.variant)
        return
    taker = _taker(facts, earlier)
    if taker is not None:
        yield _redundant(scheme, adrg, taker) or _taken(scheme, adrg.variant, "adrg", taker)
        return
    ends = adrg.kind in ("ambiguous", "ungrouped") or scheme.stops_without_drg
    for drg in scheme.drgs.get(adrg.variant, ()):
        condition = cached_parse(drg.condition)
        mine = facts if drg.condition == "true" else facts_of(conjunction(within, condition), scheme.lists)
        taker = _taker(mine, earlier)
        if not mine:
            yield _never(scheme, _place(adrg, drg), drg.name)
        elif taker is not None:
            yield _taken(scheme, _place(adrg, drg), "drg", taker, drg.name)
        else:
            earlier.append((drg.drg, conjunction(own, condition)))
    if ends:
        earlier.append((adrg.variant, own))


def _place(adrg: Adrg, drg: Drg) -> str:
    return drg.drg if adrg.variant == adrg.adrg else f"{adrg.variant} {drg.drg}"


def _taker(facts: list[Facts], earlier: list[tuple[str, Condition]]) -> str | None:
    """The earlier rows that together take all records of ``facts``, or None."""
    names: list[str] = []
    for alternative in facts:
        name = next((name for name, condition in earlier if alternative.proves(condition)), None)
        if name is None:
            return None
        names.append(name)
    return ", ".join(dict.fromkeys(names)) if names else None


def _never(scheme: Scheme, place: str, name: str = "") -> Finding:
    label = f"（{name}）" if name else ""
    return Finding(
        "warning",
        "never-holds",
        scheme.id,
        place,
        f"{label}条件永不成立：所需编码集合没有共同编码，或数值矛盾",
        "never holds: the lists that it needs have no code in common, or its numbers contradict",
        (name,) if name else (),
    )


def _taken(scheme: Scheme, place: str, kind: str, taker: str, name: str = "") -> Finding:
    label = f"（{name}）" if name else ""
    return Finding(
        "warning",
        f"unreachable-{kind}",
        scheme.id,
        place,
        f"{label}无法到达：前面的 {taker} 已收走符合条件的全部病例",
        f"cannot be reached: {taker}, tried earlier, takes every record that fits",
        (name,) if name else (),
    )


def _redundant(scheme: Scheme, adrg: Adrg, taker: str) -> Finding | None:
    """An unreachable variant whose groups another variant gives: no group is lost."""
    codes = {drg.drg for drg in scheme.drgs.get(adrg.variant, ())}
    rest = {drg.drg for other, drg in scheme.groups() if other.variant != adrg.variant}
    if not codes or not codes <= rest:
        return None
    return Finding(
        "info",
        "redundant-variant",
        scheme.id,
        adrg.variant,
        f"多余：前面的 {taker} 已收走它的病例，而它的 DRG 另有变体给出",
        f"redundant: {taker}, tried earlier, takes its records, and another variant has its DRGs",
    )
