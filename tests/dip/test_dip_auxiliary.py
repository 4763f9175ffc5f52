"""Auxiliary classes (step 9) in small cases: kernel and reference, both asked."""

from __future__ import annotations

from typing import Any

import pytest

from grouper.grouping.dip.tables.catalogue import Catalogue

from .dip_small import ADHESIONS, APPENDECTOMY, DX, group, whole
from .dip_support import row, small


def variants(*classes: str, plain: bool = True) -> Catalogue:
    """K35.8 with rows of rising score for the classes, and a plain row of score 10."""
    rows = [row(f"K35.8#{aux}", 100 + i) for i, aux in enumerate(classes)]
    return small([*([row("K35.8", 10)] if plain else []), *rows], auxiliary="variant_rows")


def aux(catalogue: Catalogue, **record: Any) -> str:
    given = {"age_years": 40, "los_days": 5, "discharge_way": 1} | record
    found = whole(catalogue, DX, **given)
    assert found["code"] == "K35.8" + ("#" + found["auxiliary"] if found["auxiliary"] else "")
    return found["auxiliary"]


SEVERITY = tuple(f"severity:{level}" for level in range(6))


@pytest.mark.parametrize(
    ("record", "level"),
    [
        ({"los_days": 3}, 0),
        ({"los_days": 4}, 1),
        ({"los_days": 4, "others": ["C78.000"]}, 2),
        ({"los_days": 4, "others": ["C78.000", "J96.000"]}, 3),
        ({"los_days": 3, "others": ["J96.000"]}, 0),
        ({"los_days": 3, "discharge_way": 5}, 4),
        ({"los_days": 4, "discharge_way": 5, "others": ["J96.000"]}, 5),
    ],
)
def test_severity(record: dict[str, Any], level: int) -> None:
    assert aux(variants(*SEVERITY), **record) == f"severity:{level}"


def test_severity_falls_back_along_its_list_and_then_to_the_plain_row() -> None:
    few = variants("severity:1", "severity:2")
    assert aux(few, others=["J96.000"]) == "severity:2"
    assert aux(few, discharge_way=5) == "severity:1"
    assert aux(few, los_days=2) == ""
    assert aux(variants("severity:1", "severity:2", plain=False), los_days=2) == "severity:1"


@pytest.mark.parametrize(
    ("record", "level"),
    [
        ({"los_days": 2}, 0),
        ({}, 1),
        ({"others": ["J96.000"]}, 3),
        ({"others": ["C78.000"]}, 4),
        ({"others": ["Z51.102"]}, 6),
        ({"others": ["Z51.000"]}, 5),
        ({"others": ["Z51.000", "C78.000"], "discharge_way": 5}, 8),
        ({"los_days": 1, "discharge_way": 5}, 7),
    ],
)
def test_tumour(record: dict[str, Any], level: int) -> None:
    assert aux(variants(*(f"tumour:{i}" for i in range(9))), **record) == f"tumour:{level}"


@pytest.mark.parametrize(
    ("others", "level"),
    [
        ([], 0),
        (["I21.900"], 1),
        (["I21.900", "I21.000", "N18.900"], 2),
        (["E11.900", "E11.200"], 1),  # diabetes is dropped beside diabetes with complications
        (["C78.000"], 3),
        (["C78.000", "C16.900"], 3),
    ],
)
def test_cci(others: list[str], level: int) -> None:
    assert aux(variants(*(f"cci:{i}" for i in range(4))), others=others) == f"cci:{level}"


@pytest.mark.parametrize(
    ("years", "days", "level"),
    [
        (0, 28, 0),
        (0, 29, 1),
        (0, None, 1),
        (1, None, 2),
        (6, None, 2),
        (7, None, 3),
        (17, None, 3),
        (18, None, 4),
        (65, None, 4),
        (66, None, 5),
    ],
)
def test_age(years: int, days: int | None, level: int) -> None:
    found = aux(variants(*(f"age:{i}" for i in range(6))), age_years=years, age_days=days)
    assert found == f"age:{level}"


def test_age_stays_on_its_side_of_eighteen() -> None:
    few = variants("age:1", "age:4")
    assert aux(few, age_years=15) == "age:1"
    assert aux(few, age_years=0, age_days=3) == "age:1"
    assert aux(few, age_years=90) == "age:4"
    assert aux(variants("age:1"), age_years=40) == ""


@pytest.mark.parametrize(
    ("hours", "level"),
    [(None, ""), (47.9, ""), (48, "icu:0"), (191, "icu:0"), (192, "icu:1"), (360, "icu:2"), (744, "icu:3")],
)
def test_icu(hours: float | None, level: str) -> None:
    assert aux(variants("icu:0", "icu:1", "icu:2", "icu:3"), icu_hours=hours) == level
    assert aux(variants("icu:0"), icu_hours=hours) == ("icu:0" if level else "")


def test_of_several_types_the_highest_score_wins() -> None:
    both = variants("severity:1", "age:4")
    assert aux(both) == "age:4"
    equal = small([row("K35.8#age:4", 50), row("K35.8#severity:1", 50)], auxiliary="variant_rows")
    assert aux(equal) == "severity:1"


def test_auxiliary_off_takes_the_plain_or_the_cheapest_row() -> None:
    assert group(small([row("K35.8", 10), row("K35.8#severity:1", 100)]), DX, los_days=9) == "K35.8"
    rows = [row("K35.8#severity:1", 30), row("K35.8#severity:0", 100)]
    assert group(small(rows), DX, los_days=9) == "K35.8#severity:1"


def test_the_score_of_the_chosen_row_counts_among_candidates() -> None:
    rows = [
        row(f"K35.8:{ADHESIONS}#severity:1", 50),
        row(f"K35.8:{ADHESIONS}#severity:0", 500),
        row(f"K35.8:{APPENDECTOMY}", 100),
    ]
    catalogue = small(rows, auxiliary="variant_rows", tie_breaks=["higher_score"])
    record = {"age_years": 40, "discharge_way": 1}
    assert group(catalogue, DX, ADHESIONS, APPENDECTOMY, los_days=9, **record) == rows[2].code
    assert group(catalogue, DX, ADHESIONS, APPENDECTOMY, los_days=2, **record) == rows[1].code


@pytest.mark.parametrize(
    ("catalogue", "record", "reason"),
    [
        (variants(*SEVERITY), {"los_days": None}, "missing-stay"),
        (variants(*SEVERITY), {"discharge_way": None}, "missing-discharge-way"),
        (variants("severity:1"), {"discharge_way": None}, "grouped"),
        (variants("age:1", "age:4"), {"age_years": None}, "missing-age"),
        (variants("age:0", "age:1"), {"age_years": 0}, "missing-age-days"),
        (variants("age:1"), {"age_years": 0}, "grouped"),
        (variants("cci:0"), {"age_years": None, "los_days": None}, "grouped"),
    ],
)
def test_a_missing_number_is_named_only_where_it_decides(
    catalogue: Catalogue, record: dict[str, Any], reason: str
) -> None:
    given = {"age_years": 40, "los_days": 5, "discharge_way": 1} | record
    found = whole(catalogue, DX, **given)
    assert found["reason"] == reason
    assert found["code"]


def test_severity_min_stay() -> None:
    rows = [row("K35.8#severity:0", 10), row("K35.8#severity:1", 20)]
    given = {"los_days": 5, "discharge_way": 1}
    assert group(small(rows, auxiliary="variant_rows"), DX, **given) == "K35.8#severity:1"
    assert (
        group(small(rows, auxiliary="variant_rows", severity_min_stay=5), DX, **given) == "K35.8#severity:0"
    )
