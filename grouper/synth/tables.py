"""Lookup tables of the generator, built once from ``tables/icd`` and the profiles.

A weighted choice is a table of 2**bits slots in which each outcome fills as
many slots as its weight allots: a draw of that many bits is the slot. All
weights are integers, so the same tables arise on every machine.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import accumulate
from math import exp
from operator import sub
from statistics import NormalDist

import pyarrow as pa

from grouper.codes import icd
from grouper.synth import profiles

PRINCIPAL_BITS = 20
AGE_BITS = 10
GROUP_BITS = 5
PROCEDURE_BITS = 9
OTHER_BITS = 12
SKEW_BITS = 10
HOSPITAL_BITS = 12

# Classes of persons: who may have which other diagnoses, how many, and how the stay ends.
NEWBORN, INFANT, CHILD, MAN, WOMAN, OLD_MAN, OLD_WOMAN, MOTHER = range(8)
CLASSES = 8
CLASS_AGES = ((0, 0), (0, 0), (1, 14), (15, 59), (15, 59), (60, 99), (60, 99), (15, 49))
CLASS_OTHERS = (1.6, 1.1, 1.3, 2.5, 2.5, 4.2, 4.2, 2.4)  # median number of other diagnoses, plus a half
CLASS_DEATHS = (4, 3, 1, 5, 3, 16, 13, 0)  # of 1,024
ICU_SHARES = (4, 24, 90)  # of 1,024, by ICU class
MOST_OTHERS = 24
CHAPTERS = len(profiles.CHAPTERS)

NEWBORN_DAYS = range(profiles.NEWBORN_DAYS + 1)

HOSPITALS = 240
KIND_COST = {"surgery": 620_000, "interventional": 2_400_000, "therapeutic": 120_000, "diagnostic": 45_000}
PROCEDURE_COUNTS = ({1: 76, 2: 17, 3: 5, 4: 1, 5: 1}, {1: 52, 2: 26, 3: 13, 4: 6, 5: 3})  # medical, surgical
MEDICAL_PROCEDURES = 215  # of 1,024 cases of a medical group have an operation; all others have one


@dataclass(frozen=True)
class Tables:
    """Everything that a batch looks up. Ids are positions in ``diagnosis_codes`` and ``procedure_codes``.

    Slot tables are flat: the table of number n has its slots at n * 2**bits.
    Id 0 and group 0 mean none.
    """

    diagnosis_codes: pa.Array
    procedure_codes: pa.Array
    principal: pa.Array  # 2**PRINCIPAL_BITS diagnosis ids
    chapter: pa.Array  # by diagnosis, as the next seven
    female: pa.Array  # per cent
    ages: pa.Array  # number of the age profile; 0 is newborn
    birth_profile: int
    stay: pa.Array  # median days
    weight_low: pa.Array  # grams
    weight_span: pa.Array
    department: pa.Array  # two numbers a diagnosis: medical, surgical
    groups: pa.Array  # 2**GROUP_BITS group numbers
    age_slots: pa.Array  # by age profile: years
    surgical: pa.Array  # by group: 1 for a surgical group
    with_procedure: pa.Array  # by group: cases of 1,024 that have an operation
    procedures: pa.Array  # by 2 * group + sex - 1 the main ones, and the same again for the others
    procedure_tables: int  # how many of the first kind
    procedure_cost: pa.Array  # fen
    procedure_counts: pa.Array  # by surgical
    others: pa.Array  # by class the common ones, then by class * CHAPTERS + chapter: diagnosis ids
    other_counts: pa.Array  # by class
    discharge_ways: pa.Array  # by class
    icu_class: pa.Array  # by class * CHAPTERS + chapter
    icu_half_hours: pa.Array  # by icu class
    skew: pa.Array  # log-normal factors in 1/256
    stay_cost: pa.Array  # by chapter: fen a day
    newborn_days: pa.Array
    departments: pa.Array
    hospitals: pa.Array  # hospital numbers
    hospital_codes: pa.Array
    hospital_levels: pa.Array
    level_cost: pa.Array  # by hospital, per cent


def allot(weights: Iterable[int], slots: int) -> list[int]:
    """How many of ``slots`` each weight gets: in proportion, rounded on the running total."""
    running = list(accumulate(weights))
    bounds = [total * slots // running[-1] for total in running]
    return list(map(sub, bounds, [0, *bounds]))


def fill(outcomes: dict[int, int], bits: int) -> array[int]:
    """The slots of one table: ``outcomes`` maps value to weight; without any weight all slots are 0."""
    table = array("H")
    if not any(outcomes.values()):
        return array("H", bytes(2 << bits))
    for value, count in zip(outcomes, allot(outcomes.values(), 1 << bits), strict=True):
        if count:
            table.extend([value] * count)
    return table


def _array(values: Iterable[int]) -> pa.Array:
    """Table values as uint32: what they are added to and looked up with."""
    return pa.array(values, pa.uint32())


def _flat(tables: Iterable[array[int]]) -> pa.Array:
    """Slot tables one after the other, as uint16."""
    joined = array("H")
    for table in tables:
        joined.extend(table)
    return pa.UInt16Array.from_buffers(pa.uint16(), len(joined), [None, pa.py_buffer(joined)])


@dataclass(frozen=True)
class Frequencies:
    """The two frequency tables with codes as ids."""

    weight: dict[int, int]  # of each diagnosis as principal
    by_prefix: dict[str, list[int]]  # diagnoses of a subcategory or category that have a weight
    groups: dict[int, list[str]]  # of each diagnosis, most frequent first
    procedures: list[tuple[int, str, int, int, list[str]]]  # id, code, main, related, groups


def _read_frequencies(diagnosis_codes: list[str], procedure_codes: list[str]) -> Frequencies:
    codes, cases, lists, groups = icd.read_columns("diagnosis_frequency", "code,cases,lists,groups")
    known = dict(zip(codes, zip(lists, groups, strict=True), strict=True))
    grey = icd.grey_diagnoses()
    share: dict[str, list[tuple[int, int]]] = defaultdict(list)
    groups_of: dict[int, list[str]] = {}
    for number, code in enumerate(diagnosis_codes):
        if not code or code in grey:
            continue
        seen, group_text = known.get(code, ("", ""))
        groups_of[number] = group_text.split()
        weight = {"": 1, "1": 15, "2": 50}[seen] * (1 + len(groups_of[number]))
        for prefix in (code[:3], code[:5]):
            share[prefix].append((number, weight))
    weights: dict[int, int] = defaultdict(int)
    for key, count in zip(codes, cases, strict=True):
        if count:
            total = sum(weight for _, weight in share[key])
            for number, weight in share[key]:
                weights[number] += int(count) * weight * 1000 // total
    by_prefix = {prefix: [n for n, _ in members if weights[n]] for prefix, members in share.items()}
    ids = {code: number for number, code in enumerate(procedure_codes)}
    columns = icd.read_columns("procedure_frequency", "code,main,related,lists,groups")
    procedures = [
        (ids[code], code, int(main or 0), int(related or 0), group_text.split())
        for code, main, related, _, group_text in zip(*columns, strict=True)
    ]
    return Frequencies(dict(weights), by_prefix, groups_of, procedures)


def _group_tables(codes: list[str], data: Frequencies, number_of: dict[str, int]) -> Iterable[array[int]]:
    """For each diagnosis the groups it may be treated in; those of its neighbours if it has none itself."""
    neighbours: dict[str, dict[str, None]] = defaultdict(dict)
    for number, groups in data.groups.items():
        for prefix in (codes[number][:5], codes[number][:3]):
            neighbours[prefix].update(dict.fromkeys(groups))
    nothing = fill({}, GROUP_BITS)
    for number, code in enumerate(codes):
        if not data.weight.get(number):
            yield nothing
            continue
        groups = data.groups[number] or list(neighbours[code[:5]] or neighbours[code[:3]])
        yield fill({number_of[g]: _group_weight(code, g, r) for r, g in enumerate(groups)}, GROUP_BITS)


def _group_weight(code: str, group: str, rank: int) -> int:
    """Weight of the ``rank``-th group of a diagnosis; 0 where the group asks for another kind of patient."""
    if group[0] in "OP" and group[0] != code[0]:
        return 0
    rare = 20 if group[0] in "AYZ" else 1
    kind = 3 if group[1] <= "J" else 8 if group[1] >= "R" else 2
    return 2520 * kind // (rare * (1 + rank))


def _procedure_tables(data: Frequencies, groups: list[str], kinds: dict[str, str]) -> pa.Array:
    """Main operations by 2 * group + sex - 1, then other operations in the same order."""
    main: dict[int, dict[int, int]] = defaultdict(dict)
    other: dict[int, dict[int, int]] = defaultdict(dict)
    number_of = {group: number for number, group in enumerate(groups)}
    for number, code, as_main, as_related, names in data.procedures:
        only = profiles.procedure_sex(code)
        for rank, group in enumerate(names):
            if "72" <= code[:2] <= "75" and group[0] != "O":
                continue
            for sex in (1, 2):
                if only in (0, sex):
                    row = 2 * number_of[group] + sex - 1
                    fit = _kind_fit(group[1], kinds[code])
                    main[row][number] = fit * (10 * as_main + as_related + 400) // (1 + rank)
                    other[row][number] = (10 * as_related + as_main + 400) // (1 + rank)
    return _flat(fill(part[row], PROCEDURE_BITS) for part in (main, other) for row in range(2 * len(groups)))


def _kind_fit(letter: str, kind: str) -> int:
    """How well an operation of ``kind`` leads a case of a group with this second letter."""
    if letter <= "J":
        return 20 if kind in ("surgery", "interventional") else 1
    if letter <= "Q":
        return 6 if kind != "diagnostic" else 1
    return 1 if kind == "surgery" else 8


@lru_cache(maxsize=256)
def _fit(profile: str, female: int, person: int) -> int:
    """How much likelier an age profile and a share of women make a class of persons; 1,000 for anybody."""
    if (profile == "birth" and person != MOTHER) or (profile == "newborn" and person != NEWBORN):
        return 0
    first, last = CLASS_AGES[person]
    mass = total = 0
    for low, high, share in profiles.AGES[profile]:
        total += share * 1000
        mass += share * 1000 * max(0, min(high, last) - max(low, first) + 1) // (high - low + 1)
    if person in (WOMAN, OLD_WOMAN, MOTHER):
        sex = female
    elif person in (MAN, OLD_MAN):
        sex = 100 - female
    else:  # either sex
        sex = 0 if female in (0, 100) else 50
    return 1000 * mass * sex // (total * 50)


def _other_tables(codes: list[str], data: Frequencies) -> pa.Array:
    """Other diagnoses by class of person, and by class and chapter of the principal diagnosis."""
    grey = icd.grey_diagnoses()
    external = [n for n, code in enumerate(codes) if "V00" <= code < "X60" and code not in grey]
    traits = [  # id, age profile, share of women; without the codes that a birth weight would contradict
        (number, profiles.age_profile(codes[number]), profiles.female_share(codes[number]))
        for number in data.weight
        if codes[number][0] not in "VWXY" and profiles.weight_range(codes[number]) == profiles.DEFAULT_WEIGHT
    ]
    chapters = {number: profiles.chapter(codes[number]) for number in data.weight}
    comorbid = _comorbidities(data)
    common_tables, chapter_tables = [], []
    for person in range(CLASSES):
        fits = {number: _fit(profile, female, person) for number, profile, female in traits}
        background = {n: data.weight[n] * fit // 1000 for n, fit in fits.items() if fit}
        by_chapter: list[dict[int, int]] = [{} for _ in range(CHAPTERS)]
        for number, weight in background.items():
            by_chapter[chapters[number]][number] = weight
        if injuries := sum(by_chapter[profiles.INJURIES].values()):
            by_chapter[profiles.INJURIES] |= dict.fromkeys(external, injuries // (3 * len(external)))
        common = _mixed(background, {n: w * fits.get(n, 0) // 1000 for n, w in comorbid.items()})
        common_tables.append(fill(common, OTHER_BITS))
        chapter_tables += [fill(table or common, OTHER_BITS) for table in by_chapter]
    return _flat(common_tables + chapter_tables)


def _mixed(background: dict[int, int], common: dict[int, int]) -> dict[int, int]:
    """Seven parts of the common companions and three of everything."""
    part, whole = 3 * sum(common.values()), 7 * sum(background.values())
    mixed = {number: weight * part // whole for number, weight in background.items()}
    for number, weight in common.items():
        mixed[number] = mixed.get(number, 0) + weight
    return mixed


def _comorbidities(data: Frequencies) -> dict[int, int]:
    """The common companions, each share parted over the codes of its subcategory."""
    weights: dict[int, int] = {}
    for prefix, share in profiles.COMORBIDITIES:
        members = data.by_prefix.get(prefix) or data.by_prefix[prefix[:3]]
        total = sum(data.weight[n] for n in members)
        for number in members:
            weights[number] = weights.get(number, 0) + share * 1_000_000 * data.weight[number] // total
    return weights


def skewed(median: float, spread: float, bits: int = SKEW_BITS) -> list[float]:
    """The log-normal quantiles of 2**bits slots, rising."""
    normal = NormalDist()
    return [median * exp(spread * normal.inv_cdf((2 * i + 1) / (2 << bits))) for i in range(1 << bits)]


def _discharge_table(person: int) -> array[int]:
    died = CLASS_DEATHS[person]
    return fill({1: 1024 - 65 - died, 2: 15, 3: 6, 4: 38, 5: died, 9: 6}, SKEW_BITS)


def _icu_table(share: int) -> list[int]:
    hours = skewed(96, 0.9)
    return [0] * (1024 - share) + [int(hours[i * 1024 // share]) for i in range(share)]


def _icu_classes() -> list[int]:
    """Intensive care is likelier for newborns, and for the old with infections, heart, lung or injury."""
    severe = {0, 8, 9, profiles.INJURIES}
    classes = []
    for person in range(CLASSES):
        for chapter in range(CHAPTERS):
            old = person in (OLD_MAN, OLD_WOMAN)
            classes.append(2 if person == NEWBORN or (old and chapter in severe) else int(old))
    return classes


def _age_slots(profile: str) -> list[int]:
    slots: list[int] = []
    bands = profiles.AGES[profile]
    for (first, last, _), count in zip(bands, allot([b[2] for b in bands], 1 << AGE_BITS), strict=True):
        slots += [first + i * (last - first + 1) // count for i in range(count)]
    return slots


@cache
def tables() -> Tables:
    """The tables, built at the first call, in about a second."""
    diagnosis_codes, procedure_codes = ["", *icd.diagnoses()], ["", *icd.procedures()]
    data = _read_frequencies(diagnosis_codes, procedure_codes)
    groups = ["", *sorted({g for names in data.groups.values() for g in names})]
    kinds = icd.procedure_kinds()
    ages = {name: number for number, name in enumerate(profiles.AGES)}
    weights = [profiles.weight_range(code) for code in diagnosis_codes]
    pairs = [profiles.departments(code) for code in diagnosis_codes]
    children = (profiles.PAEDIATRICS, profiles.PAEDIATRIC_SURGERY)
    departments = [*children, *sorted({name for pair in pairs for name in pair} - set(children))]
    place = {name: number for number, name in enumerate(departments)}
    levels = ["3" if n < 24 else "2" if n < 100 else "1" for n in range(HOSPITALS)]
    return Tables(
        diagnosis_codes=pa.array(diagnosis_codes),
        procedure_codes=pa.array(procedure_codes),
        principal=_flat([fill(data.weight, PRINCIPAL_BITS)]),
        chapter=_array(map(profiles.chapter, diagnosis_codes)),
        female=_array(map(profiles.female_share, diagnosis_codes)),
        ages=_array(ages[profiles.age_profile(code)] for code in diagnosis_codes),
        birth_profile=ages["birth"],
        stay=_array(map(profiles.stay_median, diagnosis_codes)),
        weight_low=_array(low for low, _ in weights),
        weight_span=_array(high - low for low, high in weights),
        department=_array(place[name] for pair in pairs for name in pair),
        groups=_flat(_group_tables(diagnosis_codes, data, {g: n for n, g in enumerate(groups)})),
        age_slots=_array(age for profile in profiles.AGES for age in _age_slots(profile)),
        surgical=_array(int("A" <= g[1:2] <= "J") for g in groups),
        with_procedure=_array(0 if not g else MEDICAL_PROCEDURES if g[1] >= "R" else 1024 for g in groups),
        procedures=_procedure_tables(data, groups, kinds),
        procedure_tables=2 * len(groups),
        procedure_cost=_array([0] + [KIND_COST.get(kinds[c], 80_000) for c in procedure_codes[1:]]),
        procedure_counts=_array(n for weights in PROCEDURE_COUNTS for n in fill(weights, SKEW_BITS)),
        others=_other_tables(diagnosis_codes, data),
        other_counts=_array(min(int(n), MOST_OTHERS) for m in CLASS_OTHERS for n in skewed(m, 0.7)),
        discharge_ways=_array(way for person in range(CLASSES) for way in _discharge_table(person)),
        icu_class=_array(_icu_classes()),
        icu_half_hours=_array(value for share in ICU_SHARES for value in _icu_table(share)),
        skew=_array(int(factor) for factor in skewed(256, 0.55)),
        stay_cost=_array(50_000 if chapter != 1 else 75_000 for chapter in range(CHAPTERS)),
        newborn_days=_array(fill({day: max(1, 60 >> day) for day in NEWBORN_DAYS}, SKEW_BITS)),
        departments=pa.array(departments),
        hospitals=_flat([fill({n: 10_000 // (n + 8) for n in range(HOSPITALS)}, HOSPITAL_BITS)]),
        hospital_codes=pa.array([f"H9999{n:07}" for n in range(1, HOSPITALS + 1)]),
        hospital_levels=pa.array(levels),
        level_cost=_array({"1": 55, "2": 80, "3": 130}[level] for level in levels),
    )
