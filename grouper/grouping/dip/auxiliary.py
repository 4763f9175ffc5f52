"""Step 9 of DIP grouping: the auxiliary classes of a case, and the row of a packet that they choose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grouper.grouping.dip import facts
from grouper.grouping.dip.tables.packets import AUX_TYPES, Packet, Row

DIED = 5  # way of discharge
ICU_LIMITS = (48.0, 192.0, 360.0, 744.0)  # hours from which each level counts
AGE_LIMITS = (1, 7, 18, 66)  # years from which levels 2 to 5 count
ADULT = 4  # first level of adults
NEWBORN_DAYS = 28
METASTASIS = ("C77", "C78", "C79")
RADIOTHERAPY, CHEMOTHERAPY = "Z51.0", "Z51.1"
RADIOTHERAPY_BY, CHEMOTHERAPY_BY = "92.2", "99.25"


@dataclass(frozen=True)
class AuxCase:
    """What the classes depend on. ``numbers``: age_years, age_days, los_days, discharge_way, icu_hours."""

    principal: str
    others: Sequence[str]
    procedures: Sequence[str]
    numbers: Mapping[str, float]
    short_stay: int


@dataclass(frozen=True)
class Choice:
    """The row of a packet, the class that hit, and all levels of the case per type of the packet."""

    row: Row
    hit: tuple[str, int] | None
    levels: Mapping[str, tuple[int, ...]]


def levels(case: AuxCase) -> dict[str, tuple[int, ...]]:
    """The levels of a case per type, the first one preferred; none where it has no class."""
    return {
        "severity": _severity(case),
        "tumour": _tumour(case),
        "cci": _cci(case),
        "age": _age(case.numbers),
        "icu": _icu(case.numbers),
    }


def counted_level(case: AuxCase) -> str:
    """MCC or CC when a secondary diagnosis counts as one, else ""."""
    found = ""
    for code in case.others:
        level, table = facts.complications().get(code, ("", ""))
        if level and case.principal not in facts.exclusions().get(table, ()):
            if level == "MCC":
                return level
            found = level
    return found


def charlson_index(others: Sequence[str]) -> int:
    """The Charlson index of the secondary diagnoses."""
    table = facts.charlson()
    hits = {table[i].name: table[i] for code in others for i in facts.charlson_conditions(code)}
    return sum(hit.weight for hit in hits.values() if hit.suppressed_by not in hits)


def _by_stay(case: AuxCase) -> list[int]:
    """Levels 3, 2, 1, 0 of a known stay: MCC, CC, long, short."""
    if case.numbers["los_days"] <= case.short_stay:
        return [0]
    return {"MCC": [3, 2, 1], "CC": [2, 1], "": [1]}[counted_level(case)]


def _severity(case: AuxCase) -> tuple[int, ...]:
    if "los_days" not in case.numbers:
        return ()
    died = case.numbers.get("discharge_way") == DIED
    short = case.numbers["los_days"] <= case.short_stay
    return tuple(([4 if short else 5] if died else []) + _by_stay(case))


def _tumour(case: AuxCase) -> tuple[int, ...]:
    if "los_days" not in case.numbers:
        return ()
    found = []
    if case.numbers.get("discharge_way") == DIED:
        found.append(7 if case.numbers["los_days"] <= case.short_stay else 8)
    diagnoses = [case.principal, *case.others]
    for level, operation, diagnosis in (
        (5, RADIOTHERAPY_BY, RADIOTHERAPY),
        (6, CHEMOTHERAPY_BY, CHEMOTHERAPY),
    ):
        if any(c.startswith(operation) for c in case.procedures) or any(
            c.startswith(diagnosis) for c in diagnoses
        ):
            found.append(level)
    if any(code.startswith(METASTASIS) for code in case.others):
        found.append(4)
    return tuple(found + _by_stay(case))


def _cci(case: AuxCase) -> tuple[int, ...]:
    index = charlson_index(case.others)
    return (0 if index == 0 else 1 if index <= 2 else 2 if index <= 4 else 3,)


def _age(numbers: Mapping[str, float]) -> tuple[int, ...]:
    if "age_years" not in numbers:
        return ()
    years = numbers["age_years"]
    if years >= 1:
        return (1 + sum(years >= limit for limit in AGE_LIMITS),)
    return (0,) if numbers.get("age_days", NEWBORN_DAYS + 1) <= NEWBORN_DAYS else (1,)


def _icu(numbers: Mapping[str, float]) -> tuple[int, ...]:
    passed = sum(numbers.get("icu_hours", 0.0) >= limit for limit in ICU_LIMITS)
    return (passed - 1,) if passed else ()


def used_level(type_: str, case_levels: Sequence[int], packet_levels: Sequence[int], plain: bool) -> int:
    """The level of one type that a packet uses for a case, or -1 for no hit."""
    if not case_levels:
        return -1
    for level in case_levels:
        if level in packet_levels:
            return level
    first = case_levels[0]
    if type_ == "age":
        side = [level for level in packet_levels if (level >= ADULT) == (first >= ADULT)]
        if side:
            return _nearest_lower(first, side)
    if type_ in ("cci", "icu"):
        lower = [level for level in packet_levels if level < first]
        if lower:
            return max(lower)
    if plain:
        return -1
    return min(packet_levels, key=lambda level: (abs(level - first), level))


def _nearest_lower(level: int, choice: Sequence[int]) -> int:
    """The nearest lower of ``choice``, else the nearest higher."""
    lower = [other for other in choice if other < level]
    return max(lower) if lower else min(choice)


def choose(packet: Packet, case_levels: Mapping[str, tuple[int, ...]] | None) -> Choice:
    """The row of a packet for a case; ``case_levels`` is None while the auxiliary catalogue is off."""
    variants = packet.variants
    if case_levels is None or not variants:
        return Choice(packet.default, None, {})
    plain = packet.plain is not None
    hits: list[tuple[str, int]] = []
    for type_ in AUX_TYPES:
        if type_ in variants:
            level = used_level(type_, case_levels[type_], sorted(variants[type_]), plain)
            if level >= 0:
                hits.append((type_, level))
    shown = {type_: case_levels[type_] for type_ in AUX_TYPES if type_ in variants}
    if not hits:
        return Choice(packet.default, None, shown)
    best = max(hits, key=lambda hit: (variants[hit[0]][hit[1]].score or 0, -AUX_TYPES.index(hit[0])))
    return Choice(variants[best[0]][best[1]], best, shown)
