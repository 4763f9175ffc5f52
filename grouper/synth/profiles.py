"""What makes a generated case plausible: sex, age, stay, comorbidities and department by diagnosis.

These are round figures from general medical knowledge, not statistics. The
limits to one sex follow the WHO list of ICD-10, volume 2, section 3.1.5.
Nothing here is used to group or to pay a case.

Rules are ``(codes, value)`` pairs: ``codes`` are categories, subcategories or
ranges of them, parted by blanks ("N40-N51 B26.0"); a later rule wins over an
earlier one, and a subcategory over a category.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

T = TypeVar("T")

# First and last category of the 22 chapters of ICD-10, in the order of the book.
CHAPTERS = (
    "A00-B99", "C00-D48", "D50-D89", "E00-E90", "F00-F99", "G00-G99", "H00-H59", "H60-H95",
    "I00-I99", "J00-J99", "K00-K93", "L00-L99", "M00-M99", "N00-N99", "O00-O99", "P00-P96",
    "Q00-Q99", "R00-R99", "S00-T98", "V01-Y98", "Z00-Z99", "U00-U99",
)  # fmt: skip
INJURIES, EXTERNAL_CAUSES = 18, 19

ADULT_AGE = 15
OLD_AGE = 60
NEWBORN_DAYS = 28

# Shares of women among the patients, per cent: 0 and 100 are limits.
DEFAULT_FEMALE = 47
FEMALE = (
    ("C33-C34 C15-C16 C22 C32 C67", 30), ("C64-C66 C10-C14 C00-C09", 28), ("C18-C20", 42), ("C73", 76),
    ("D05 D24 C50 N60-N64", 98), ("E00-E07", 74), ("F10-F19", 6), ("F32-F34 F40-F48", 66), ("G43-G44", 68),
    ("I20 I25", 46), ("I21-I22", 28), ("I60", 60), ("I61", 38), ("I70-I74", 32), ("I83", 50),
    ("J40-J44", 34), ("J60-J65", 3), ("K25-K28", 30), ("K40", 9), ("K41", 80), ("K70", 5), ("K73-K76", 38),
    ("K80-K83", 57), ("L93 M32", 90), ("M05-M06 M35", 78), ("M10", 7), ("M15-M17 M80-M82", 76),
    ("M45", 25), ("N10-N12 N30 N39", 74), ("N20-N21", 34), ("S00-T14", 37), ("S72", 60),
    # limits: women only
    ("A34 C51-C58 D06 D25-D28 D39 E28 F53 N70-N98 O00-O99 Q50-Q52 R87 Z32-Z37 Z39", 100),
    ("B37.3 C79.6 D07.0-D07.3 E89.4 F52.5 I86.3 L29.2 L70.5 M80.0-M80.1 M81.0-M81.1 M83.0 N99.2-N99.3", 100),
    ("P54.6 S31.4 S37.4-S37.6 T19.2-T19.3 T83.3 Z01.4 Z12.4 Z30.1 Z30.3 Z30.5 Z31.1-Z31.2 Z87.5 Z97.5", 100),
    # limits: men only
    ("C60-C63 D29 D40 E29 N40-N51 Q53-Q55 R86", 0),
    ("B26.0 D07.4-D07.6 D17.6 E89.5 F52.4 I86.1 L29.1 S31.2-S31.3 Z12.5", 0),
)  # fmt: skip

# Ages: (first, last, share) with both ends included.
AGES: dict[str, tuple[tuple[int, int, int], ...]] = {
    "newborn": ((0, 0, 1),),
    "infant": ((0, 0, 26), (1, 4, 52), (5, 9, 14), (10, 14, 4), (15, 70, 4)),
    "child": ((0, 0, 7), (1, 4, 31), (5, 9, 30), (10, 14, 14), (15, 39, 12), (40, 84, 6)),
    "birth": ((15, 19, 3), (20, 24, 18), (25, 29, 38), (30, 34, 28), (35, 39, 10), (40, 44, 2), (45, 49, 1)),
    "women": ((14, 19, 3), (20, 29, 17), (30, 39, 26), (40, 49, 33), (50, 59, 14), (60, 84, 7)),
    "young": ((5, 9, 3), (10, 14, 6), (15, 24, 22), (25, 44, 40), (45, 59, 19), (60, 84, 10)),
    "adult": ((15, 24, 6), (25, 44, 24), (45, 59, 34), (60, 74, 27), (75, 89, 9)),
    "mature": ((25, 44, 9), (45, 59, 31), (60, 74, 42), (75, 89, 17), (90, 96, 1)),
    "old": ((40, 49, 5), (50, 59, 19), (60, 69, 32), (70, 79, 30), (80, 89, 13), (90, 98, 1)),
    "any": (
        (0, 0, 2), (1, 4, 7), (5, 14, 7), (15, 24, 7), (25, 44, 20), (45, 59, 24), (60, 74, 23),
        (75, 92, 10),
    ),
    "airways": (
        (0, 0, 8), (1, 4, 25), (5, 9, 14), (10, 14, 5), (15, 44, 8), (45, 64, 14), (65, 79, 18),
        (80, 95, 8),
    ),
}  # fmt: skip

DEFAULT_AGES = "adult"
AGE_RULES = (
    ("A00-B99 R00-R99 S00-T98 L00-L99 H60-H95 V01-Y98", "any"), ("C00-D48", "mature"), ("D50-D89", "any"),
    ("E10-E14 E78-E79", "mature"), ("F00-F09", "old"), ("F10-F69", "adult"), ("F70-F98", "child"),
    ("G20-G26 G30-G32", "old"), ("G45-G46", "old"), ("G40-G41", "any"), ("G80 G00-G05", "child"),
    ("H00-H24", "any"), ("H25-H36 H40-H43", "old"), ("I00-I99", "old"), ("I30-I41 I80-I89", "adult"),
    ("J00-J22", "airways"), ("J21", "infant"), ("J03-J06 J35", "child"), ("J30-J39", "young"),
    ("J40-J99", "old"), ("J45-J46", "adult"), ("K00-K14", "adult"), ("K35-K38", "young"), ("K40", "any"),
    ("K80-K83", "mature"), ("M00-M99", "mature"), ("M30-M36", "adult"), ("N00-N08", "any"),
    ("N17-N19", "mature"), ("N40", "old"), ("N43-N51", "any"), ("N80-N98 D25-D28 N70-N77", "women"),
    ("N81", "old"), ("O00-O99 Z32-Z37 Z39", "birth"), ("P00-P96", "newborn"), ("Q00-Q99", "child"),
    ("R56", "infant"), ("R62", "child"), ("S06 S52 S82", "any"), ("S72", "old"), ("Z38", "newborn"),
    ("Z00-Z31 Z40-Z99", "mature"), ("A08 A36-A38 B05-B08 B26", "infant"), ("C91 D56-D58 D66-D68", "child"),
    ("C53", "women"), ("M80-M81", "old"), ("C81 C92 E00-E07 E20-E35 D10-D24", "adult"),
    ("I10-I15", "mature"), ("Z51", "mature"),
)  # fmt: skip

# Median stay in days.
DEFAULT_STAY = 7
STAY_RULES = (
    ("A15-A19", 11), ("B20-B24", 12), ("C00-C97", 8), ("D10-D36", 5), ("E10-E14", 8), ("F00-F99", 26),
    ("G00-G09 G30-G32 G80-G83", 13), ("G45", 8), ("H25-H28", 2), ("H30-H36", 3), ("I20-I25", 7),
    ("I60-I62", 15), ("I63-I64 I69", 10), ("J00-J06", 5), ("J12-J18", 8), ("J40-J47", 8), ("K60-K64", 6),
    ("K80-K87", 8), ("M00-M99", 8), ("N18-N19", 9), ("O00-O99", 4), ("P00-P96", 6), ("P05-P07", 14),
    ("R00-R99", 5), ("S00-T98", 9), ("S06", 13), ("S72 S32", 14), ("T20-T32", 14), ("Z51", 4),
    ("Z40-Z47", 6), ("Z08-Z09", 4), ("Z50", 16),
)  # fmt: skip

# Birth weight in grams (low, high), for the codes that say something about it.
DEFAULT_WEIGHT = (2500, 4000)
WEIGHT_RULES = (
    ("P05", (1600, 2490)), ("P07.0", (600, 990)), ("P07.1", (1000, 2490)), ("P07.2", (600, 1300)),
    ("P07.3", (1300, 2800)), ("P08.0", (4500, 5200)), ("P08.1", (4000, 4490)),
)  # fmt: skip

# Weights as other diagnosis, out of some 10,000; the sex and age of the case scale them.
COMORBIDITIES = (
    ("I10", 1700), ("I25.1", 700), ("E11.9", 620), ("I63.8", 300), ("I63.9", 340), ("I67.2", 260),
    ("I69.3", 230), ("I70.8", 160), ("I70.2", 150), ("E78.5", 420), ("K76.0", 300), ("E87.6", 300),
    ("D64.9", 260), ("E77.8", 200), ("I50.9", 320), ("I49.9", 90), ("I48.9", 160), ("J98.4", 330),
    ("J44.9", 170), ("J18.9", 180), ("J96.9", 90), ("J40.x", 60), ("J43.9", 90), ("J06.9", 90),
    ("K29.5", 150), ("K29.7", 90), ("K80.2", 130), ("K21.0", 60), ("K59.0", 70), ("K64.9", 40),
    ("K75.9", 30), ("K76.8", 110), ("K74.1", 40), ("N28.1", 140), ("N20.0", 80), ("N40.x", 210),
    ("N18.9", 90), ("N19.x", 60), ("N39.0", 110), ("N76.0", 40), ("D25.9", 80), ("N83.2", 40),
    ("E04.1", 140), ("E03.9", 70), ("E79.0", 110), ("E87.1", 90), ("E87.8", 60), ("E86.x", 50),
    ("E55.9", 30), ("D50.9", 60), ("D69.6", 50), ("D72.8", 60), ("R91.x", 130), ("R73.9", 60),
    ("R74.0", 60), ("R50.9", 60), ("M81.9", 90), ("M47.8", 70), ("M51.2", 110), ("M47.2", 50),
    ("M17.9", 50), ("H25.9", 60), ("H91.9", 25), ("G47.9", 70), ("F41.9", 40), ("F32.9", 30),
    ("G45.0", 60), ("G62.9", 40), ("A41.9", 40), ("B18.1", 70), ("C78.0", 40), ("C77.9", 40),
    ("C79.5", 40), ("Z95.5", 90), ("Z98.8", 80), ("Z92.6", 20), ("R00.0", 20), ("T81.4", 8),
    ("J90.x", 120), ("J94.8", 40), ("I31.3", 20), ("I34.0", 50), ("I35.1", 30), ("P59.9", 30),
    ("P22.9", 16), ("P91.6", 9), ("P61.4", 9), ("P70.4", 12), ("P39.9", 9), ("P29.8", 12), ("Q21.1", 30),
)  # fmt: skip

# Department codes of the national list 医疗机构诊疗科目: (medical, surgical) by diagnosis.
DEFAULT_DEPARTMENT = ("03", "0401")
PAEDIATRICS, PAEDIATRIC_SURGERY = "07", "08"
DEPARTMENT_RULES = (
    ("A00-B99", ("16", "0401")), ("C00-D48", ("19", "0401")), ("D50-D89", ("0305", "0401")),
    ("E00-E90", ("0307", "0401")), ("F00-F99", ("15", "15")), ("G00-G99 I60-I69", ("0303", "0402")),
    ("H00-H59", ("10", "10")), ("H60-H95 J30-J39", ("11", "11")), ("I00-I52 I70-I99", ("0304", "0406")),
    ("J00-J29 J40-J99", ("0301", "0405")), ("K00-K14", ("12", "12")), ("K20-K93", ("0302", "0401")),
    ("L00-L99", ("13", "13")), ("M00-M99", ("0403", "0403")), ("N00-N29", ("0306", "0404")),
    ("N30-N53", ("0404", "0404")), ("N70-N99 D25-D28 C51-C58", ("0501", "0501")),
    ("O00-O99", ("0502", "0502")), ("P00-P96 Z38", ("0701", "08")), ("S00-T98", ("0403", "0403")),
    ("S00-S09", ("0402", "0402")), ("Z50", ("21", "21")), ("Z51", ("19", "0401")),
)  # fmt: skip


class Rules(Generic[T]):
    """A rule list made quick: the value of a diagnosis code by its first three or five characters."""

    def __init__(self, rules: Iterable[tuple[str, T]], default: T) -> None:
        self._default = default
        self._values: dict[str, T] = {}
        for codes, value in rules:
            for span in codes.split():
                for prefix in _prefixes(span):
                    self._values[prefix] = value

    def __call__(self, code: str) -> T:
        """The value for ``code``; the default where no rule names it."""
        values = self._values
        subcategory = values.get(code[:5])
        return subcategory if subcategory is not None else values.get(code[:3], self._default)


def _prefixes(span: str) -> list[str]:
    """All categories ("S06".."T14") or subcategories ("D07.4".."D07.6") of a span."""
    first, _, last = span.partition("-")
    if not last:
        return [first]
    if "." in first:
        return [f"{first[:4]}{digit}" for digit in range(int(first[4]), int(last[4]) + 1)]
    letters = map(chr, range(ord(first[0]), ord(last[0]) + 1))
    categories = (f"{letter}{number:02}" for letter in letters for number in range(100))
    return [category for category in categories if first <= category <= last]


chapter = Rules([(span, number) for number, span in enumerate(CHAPTERS)], default=len(CHAPTERS) - 1)
female_share = Rules(FEMALE, DEFAULT_FEMALE)
age_profile = Rules(AGE_RULES, DEFAULT_AGES)
stay_median = Rules(STAY_RULES, DEFAULT_STAY)
weight_range = Rules(WEIGHT_RULES, DEFAULT_WEIGHT)
departments = Rules(DEPARTMENT_RULES, DEFAULT_DEPARTMENT)


def procedure_sex(code: str) -> int:
    """1 or 2 where an operation is possible for one sex only (ICD-9-CM chapters 11 to 13), else 0."""
    section = code[:2]
    if "60" <= section <= "64":
        return 1
    return 2 if "65" <= section <= "75" else 0
