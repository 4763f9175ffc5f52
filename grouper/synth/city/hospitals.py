"""The hospitals of a city: invented names and codes, and who goes where."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import pyarrow as pa

from grouper.base.tables_out import csv_text
from grouper.synth import profiles
from grouper.synth.city.model import COUNTIES, City
from grouper.synth.random import key_of
from grouper.synth.tables import Tables, fill

SLOT_BITS = 12
FIELDS = ("hospital_code", "hospital_name", "hospital_level", "hospital_kind", "county", "alliance")
OUTSIDE = 6  # hospitals elsewhere that the city's people go to

# What a principal diagnosis asks for; for each, how likely a hospital of a level is.
LIGHT, HEAVY, MIND, REHAB = range(4)
_PULL = {LIGHT: {"3": 20, "2": 16, "1": 4}, HEAVY: {"3": 60, "2": 10, "1": 0}}
_SPECIAL = {"psychiatric": MIND, "rehabilitation": REHAB}
HEAVY_FROM = 1_300  # thousandths of relative weight

_COUNTY_NAMES = ("云州", "青禾", "白榆", "松岭", "石桥", "兰汀", "江口", "鹿鸣")
_TOWNS = "东西南北中和安康平永长新福德仁清泰丰宁兴"
_LEVEL_COST = {"1": 70, "2": 95, "3": 120}  # per cent


@dataclass(frozen=True)
class Hospital:
    """A hospital; ``level`` 1 to 3, ``kind`` general, psychiatric, tcm or rehab.

    ``alliance`` names the medical alliance (医共体) of its county, or is empty.
    """

    code: str
    name: str
    level: str
    kind: str
    county: str
    alliance: str


@dataclass(frozen=True)
class Wards:
    """Lookup tables of the hospitals; id = position."""

    codes: pa.Array
    levels: pa.Array
    level_numbers: pa.Array  # uint32, 1 to 3
    counties: pa.Array
    cost: pa.Array  # per cent of the city's mean
    bed_days: pa.Array  # bool: paid by the bed-day
    outside: pa.Array  # bool: elsewhere
    slots: pa.Array  # by care * (COUNTIES + 1) + home: hospital ids
    homes: pa.Array  # names of the homes: counties, then elsewhere


def hospitals(city: City) -> list[Hospital]:
    """All hospitals: in each county, then elsewhere. The same for the same region and number."""
    made: list[Hospital] = []
    for number, (county, name) in enumerate(zip(city.counties, _COUNTY_NAMES, strict=True)):
        made += _county(city, county, name, town=number == 0)
    for number in range(OUTSIDE):
        level = "3" if number < 4 else "2"
        code = f"H{city.elsewhere}{number + 1:05}"
        made.append(Hospital(code, f"外埠第{_ordinal(number)}医院", level, "general", city.elsewhere, ""))
    return made


def _county(city: City, county: str, name: str, *, town: bool) -> list[Hospital]:
    """The town has the big and the special hospitals and no alliance; counties have one each."""
    if town:
        plan = [("市第一人民医院", "3", "general"), ("市中心医院", "3", "general"), ("市中医院", "3", "tcm"),
                ("市妇幼保健院", "3", "general"), ("市第二人民医院", "2", "general"),
                ("市精神卫生中心", "3", "psychiatric"), ("市第二精神病医院", "2", "psychiatric"),
                ("市安宁精神康复医院", "2", "psychiatric"), ("市康复医院", "2", "rehabilitation"),
                ("市第二康复医院", "2", "rehabilitation"),
                ("市老年康复医院", "1", "rehabilitation")]  # fmt: skip
    else:
        plan = [("县人民医院", "3" if county.endswith("02") else "2", "general"), ("县中医院", "2", "tcm")]
    share = city.hospitals - 11 - 2 * (COUNTIES - 1)
    count = share // COUNTIES + (int(county[4:]) <= share % COUNTIES)
    plan += [(f"{_town(number)}镇卫生院", "1", "general") for number in range(count)]
    alliance = "" if town else f"{name}县医共体"
    return [
        Hospital(f"H{county}{number:05}", f"{name}{title}", level, kind, county, alliance)
        for number, (title, level, kind) in enumerate(plan, start=1)
    ]


def _ordinal(number: int) -> str:
    return "一二三四五六七八九十"[number]


def _town(number: int) -> str:
    first, second = divmod(number, len(_TOWNS))
    return _TOWNS[second] + ("" if first == 0 else _TOWNS[(second + first) % len(_TOWNS)])


def hospital_csv(city: City) -> str:
    """The table of hospitals as CSV with the header ``FIELDS``."""
    rows = ((h.code, h.name, h.level, h.kind, h.county, h.alliance) for h in hospitals(city))
    return csv_text(FIELDS, rows)


def assessment_csv(city: City) -> str:
    """Invented scores of the yearly assessment, as a corrections file of the clearing takes them."""
    rows = (
        ("quality", h.code, "*", 80 + key_of(city.seed, number) % 20, "模拟考核 / invented assessment")
        for number, h in enumerate(hospitals(city))
    )
    return csv_text(("kind", "hospital_code", "pool", "score", "reason"), rows)


@lru_cache(maxsize=8)
def wards_of(city: City) -> Wards:
    """The lookup tables of the hospitals of ``city``."""
    everyone = hospitals(city)
    homes = [*city.counties, city.elsewhere]
    slots: list[int] = []
    for care in (LIGHT, HEAVY, MIND, REHAB):
        for home in homes:
            weights = {n: _weight(city, h, care, home) for n, h in enumerate(everyone)}
            slots += fill(_leave(city, everyone, weights, home), SLOT_BITS)
    spread = [key_of(city.seed, number) % 17 - 8 for number in range(len(everyone))]
    return Wards(
        codes=pa.array([h.code for h in everyone]),
        levels=pa.array([h.level for h in everyone]),
        level_numbers=pa.array([int(h.level) for h in everyone], pa.uint32()),
        counties=pa.array([h.county for h in everyone]),
        cost=pa.array([_LEVEL_COST[h.level] + d for h, d in zip(everyone, spread, strict=True)], pa.int64()),
        bed_days=pa.array([h.kind in _SPECIAL for h in everyone]),
        outside=pa.array([h.county == city.elsewhere for h in everyone]),
        slots=pa.array(slots, pa.uint16()),
        homes=pa.array(homes),
    )


def _weight(city: City, hospital: Hospital, care: int, home: str) -> int:
    """How likely somebody from ``home`` who needs ``care`` goes to a hospital of the city."""
    if hospital.county == city.elsewhere:
        return 0
    special = _SPECIAL.get(hospital.kind)
    near = 10 if hospital.county == home else 1
    if special is not None:
        return 100 if special == care else 0
    pull = _PULL[HEAVY if care == HEAVY else LIGHT][hospital.level]
    if care in (MIND, REHAB):  # a few stay in general wards
        return pull if hospital.county == home and hospital.level != "1" else 0
    if hospital.level == "3":  # people come from everywhere
        return pull * 6
    return pull * near * (0 if home == city.elsewhere and hospital.level == "1" else 1)


def _leave(city: City, everyone: list[Hospital], weights: dict[int, int], home: str) -> dict[int, int]:
    """The same with the share of those who leave the city for treatment."""
    if home == city.elsewhere:
        return weights
    parts = 10**6
    away = [n for n, h in enumerate(everyone) if h.county == city.elsewhere]
    total = sum(weights.values())
    staying = {n: round(w * parts * (1 - city.outside) / total) for n, w in weights.items()}
    return staying | {n: round(parts * city.outside / len(away)) for n in away}


def cares(t: Tables, group_weight: list[int]) -> pa.Array:
    """The care that each diagnosis asks for (uint32); ``group_weight`` by group, in thousandths."""
    made = []
    slots = t.groups.to_pylist()
    bits = len(slots) // len(t.diagnosis_codes)
    for number, code in enumerate(t.diagnosis_codes.to_pylist()):
        mean = sum(group_weight[g] for g in slots[number * bits : (number + 1) * bits]) // bits
        if profiles.chapter(code) == 4:  # F00-F99
            made.append(MIND)
        elif code[:3] in ("Z50", "I69", "G81", "G82", "G80"):
            made.append(REHAB)
        else:
            made.append(HEAVY if mean >= HEAVY_FROM else LIGHT)
    return pa.array(made, pa.uint32())
