"""Each option and each step of DIP grouping in small cases: kernel and reference, both asked."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from dip_support import BLANK, engine_of, outcome, row, rows_of, same, small

from grouper.dip.catalogue import Catalogue
from grouper.dip.reference import Reference

APPENDECTOMY, ADHESIONS, GALL = "47.0100", "54.5100", "51.2300"  # surgical
GASTROSCOPY, COLONOSCOPY = "44.1300x001", "45.2300"  # diagnostic; the second one is grey
OXYGEN, TUBE = "93.9601", "96.0700"  # therapeutic; the second one is grey
STENT = "36.0700"  # interventional
NO_KIND = "45.4300x013"
DX = "K35.800"


def group(catalogue: Catalogue, dx: str = DX, *operations: str | None, **numbers: Any) -> str | None:
    """The packet of one record."""
    return whole(catalogue, dx, *operations, **numbers)["code"]


def whole(catalogue: Catalogue, dx: str = DX, *operations: str | None, **numbers: Any) -> dict[str, Any]:
    """The result columns of one record, on which kernel and reference must agree."""
    others = numbers.pop("others", [])
    record = {"diagnoses": [dx, *others], "procedures": list(operations), **numbers}
    (found,) = rows_of(engine_of(catalogue), [record])
    wanted = outcome(Reference(catalogue).group(record))
    assert same(found, wanted), (found, wanted)
    return found


# --- step 1 ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["K35.800", "k35.800", " K35 .800", "Ｋ３５．８００", "K35800", "K35.\u200b800\ufeff"]
)
def test_spellings_of_a_diagnosis(text: str) -> None:
    assert group(small([row("K35.8")]), text) == "K35.8"


@pytest.mark.parametrize("text", ["44.1300x001", "44.1300X001", "441300x001", "４４．１３００ｘ００１"])
def test_spellings_of_an_operation(text: str) -> None:
    assert group(small([row("K35.8:44.1300X001")]), DX, text) == "K35.8:44.1300X001"


@pytest.mark.parametrize("text", ["", " ", "-", "--", "/", "null", "None", None])
def test_no_code_at_all(text: str | None) -> None:
    assert group(small([row("K35.8")], conservative_rule="no_procedure"), DX, text) == "K35.8"
    assert whole(small([row("K35.8")]), text or "")["reason"] == "no-principal-diagnosis"


def test_a_blank_principal_does_not_promote_the_next_one() -> None:
    assert whole(small([row("K35.8")]), "", others=[DX])["status"] == "invalid"


def test_the_principal_begins_with_a_letter_and_two_digits() -> None:
    assert whole(small([row("K35.8")]), "K3.800")["reason"] == "principal-malformed"


def test_a_code_without_its_fourth_place_reaches_mixed_groups_only() -> None:
    assert group(small([row("K35.8"), row("K35:BSZL")]), "K35") == "K35:BSZL"


def test_a_placeholder_is_an_ordinary_character() -> None:
    rows = [row("I10.x"), row("I10.1")]
    rows[0] = row("I10.X")
    assert group(small(rows), "I10.x00x002") == "I10.X"


def test_lost_zeros_are_refused() -> None:
    assert whole(small([row("K35.8")]), DX, "6.31")["reason"] == "lost-zero"


def test_ignored_procedures() -> None:
    rows = [row("K35.8"), row("K35.8:" + APPENDECTOMY), row("K35:SS")]
    assert group(small(rows), DX, ADHESIONS) == "K35:SS"
    assert group(small(rows, ignored_procedures=[ADHESIONS]), DX, ADHESIONS) == "K35.8"
    found = whole(small(rows, ignored_procedures=["545100"]), DX, ADHESIONS, APPENDECTOMY)
    assert (found["matched"], found["unmatched"]) == (APPENDECTOMY, "")


def test_grey_procedure() -> None:
    rows = [row("K35.8"), row("K35:ZLXCZ")]
    assert group(small(rows), DX, TUBE) == "K35:ZLXCZ"
    assert group(small(rows, grey_procedure="ignore"), DX, TUBE) == "K35.8"


def test_grey_principal() -> None:
    assert group(small([row("K35.8")])) == "K35.8"
    assert whole(small([row("K35.8")], grey_principal="reject"))["reason"] == "principal-grey"


def test_unknown_principal() -> None:
    assert group(small([row("K35.8")]), "K35.8X99") == "K35.8"
    found = whole(small([row("K35.8")], unknown_principal="reject"), "K35.8X99")
    assert (found["status"], found["reason"]) == ("invalid", "principal-unlisted")


# --- step 2 ---------------------------------------------------------------------------------------

MIXED = [row(f"K35:{cls}") for cls in ("BSZL", "ZDXCZ", "ZLXCZ", "SS")]


@pytest.mark.parametrize(
    ("operations", "cls"),
    [
        ((), "BSZL"),
        ((GASTROSCOPY,), "ZDXCZ"),
        ((GASTROSCOPY, OXYGEN), "ZLXCZ"),
        ((GASTROSCOPY, APPENDECTOMY, OXYGEN), "SS"),
    ],
)
def test_the_class_of_a_case_is_the_highest(operations: tuple[str, ...], cls: str) -> None:
    assert group(small(MIXED), DX, *operations) == f"K35:{cls}"


def test_interventional_as() -> None:
    assert group(small(MIXED), DX, STENT) == "K35:ZLXCZ"
    assert group(small(MIXED, interventional_as="surgical"), DX, STENT) == "K35:SS"


@pytest.mark.parametrize("code", [NO_KIND, "99.9999x999"])
def test_unresolved_as(code: str) -> None:
    assert group(small(MIXED), DX, code) == "K35:BSZL"
    assert group(small(MIXED, unresolved_as="therapeutic"), DX, code) == "K35:ZLXCZ"


# --- step 3 ---------------------------------------------------------------------------------------


def test_plus_needs_all_and_slash_any() -> None:
    packet = small([row(f"K35.8:{APPENDECTOMY}/{GALL}+{ADHESIONS}")])
    assert group(packet, DX, GALL, ADHESIONS)
    assert group(packet, DX, ADHESIONS, APPENDECTOMY)
    assert not group(packet, DX, APPENDECTOMY, GALL)
    assert not group(packet, DX, ADHESIONS)


def test_related_operations_are_needed_too_and_never_enough() -> None:
    packet = small([row(f"K35.8:{APPENDECTOMY}_{OXYGEN}")])
    assert group(packet, DX, OXYGEN, APPENDECTOMY)
    assert not group(packet, DX, OXYGEN)
    assert not group(packet, DX, APPENDECTOMY)


def test_repeats() -> None:
    rows = [row(f"K35.8:{APPENDECTOMY}"), row(f"K35.8:{APPENDECTOMY}_{APPENDECTOMY}", 900)]
    assert group(small(rows), DX, APPENDECTOMY) == rows[0].code
    assert group(small(rows), DX, APPENDECTOMY, APPENDECTOMY) == rows[1].code
    # Counted once, both packets are met by one term, and the score decides.
    assert group(small(rows, repeats="set"), DX, APPENDECTOMY) == rows[1].code


def test_without_repeats_one_operation_may_serve_several_terms() -> None:
    rows = [row(f"K35.8:{APPENDECTOMY}/{GALL}+{APPENDECTOMY}/{ADHESIONS}")]
    assert group(small(rows), DX, APPENDECTOMY) is None
    assert group(small(rows, repeats="set"), DX, APPENDECTOMY) == rows[0].code


def test_overlapping_alternatives_need_a_maximum_matching() -> None:
    packet = small([row(f"K35.8:{APPENDECTOMY}/{GALL}+{APPENDECTOMY}")])
    assert group(packet, DX, APPENDECTOMY, GALL)
    assert group(packet, DX, GALL, APPENDECTOMY)
    assert not group(packet, DX, APPENDECTOMY)
    chain = small([row("K35.8:47.0100/54.5100+54.5100/51.2300+51.2300/44.1300x001+51.2300")])
    assert group(chain, DX, "51.2300", "44.1300x001", "54.5100", "47.0100")
    assert not group(chain, DX, "51.2300", "44.1300x001", "44.1300x001", "47.0100")


def test_procedure_match_exact_and_prefix() -> None:
    rows = [row("K35.8:47.01"), row("K35:SS")]
    assert group(small(rows), DX, APPENDECTOMY) == "K35:SS"
    assert group(small(rows, procedure_match="prefix"), DX, APPENDECTOMY) == "K35.8:47.01"
    assert group(small(rows, procedure_match="prefix"), DX, "47.01X99") == "K35.8:47.01"
    # A whole code stands for itself only.
    whole_code = [row(f"K35.8:{APPENDECTOMY}"), row("K35:SS")]
    assert group(small(whole_code, procedure_match="prefix"), DX, "47.0100x9") is None


def test_procedure_match_family_is_a_second_pass() -> None:
    rows = [row("K35.8:47.0100"), row("K35.8:47.0101", 900)]
    catalogue = small(rows, procedure_match="family")
    assert group(catalogue, DX, "47.0100") == "K35.8:47.0100"  # a candidate by itself: no second pass
    assert group(catalogue, DX, "47.0102") == "K35.8:47.0101"  # both in the family: the score decides
    assert group(small(rows, procedure_match="prefix"), DX, "47.0102") is None


def test_main_position() -> None:
    rows = [row(f"K35.8:{APPENDECTOMY}"), row("K35:SS")]
    assert group(small(rows), DX, ADHESIONS, APPENDECTOMY) == rows[0].code
    first = small(rows, main_position="first")
    assert group(first, DX, ADHESIONS, APPENDECTOMY) == "K35:SS"
    assert group(first, DX, APPENDECTOMY, ADHESIONS) == rows[0].code
    assert group(first, DX, "-", APPENDECTOMY) == rows[0].code  # a blank is no operation


# --- step 4 ---------------------------------------------------------------------------------------


def two(first: str, second: str, rules: list[str], costs: tuple[float, float] = (1, 1)) -> Catalogue:
    """Two packets of which the second one has the higher score and comes first in code order."""
    return small(
        [row("K35.8:" + first, 100, cost=costs[0]), row("K35.8:" + second, 200, cost=costs[1])],
        tie_breaks=rules,
    )


@pytest.mark.parametrize(
    ("rule", "first", "second", "operations"),
    [
        ("first_procedure_is_main", ADHESIONS, APPENDECTOMY, (ADHESIONS, APPENDECTOMY)),
        ("first_procedure_in_packet", f"{ADHESIONS}_{OXYGEN}", GALL, (OXYGEN, GALL, ADHESIONS)),
        ("most_matched", f"{ADHESIONS}_{OXYGEN}", APPENDECTOMY, (APPENDECTOMY, ADHESIONS, OXYGEN)),
        ("no_unmatched_surgery", f"{APPENDECTOMY}_{ADHESIONS}", OXYGEN, (OXYGEN, ADHESIONS, APPENDECTOMY)),
        ("exact", f"{ADHESIONS}_{APPENDECTOMY}", APPENDECTOMY, (APPENDECTOMY, ADHESIONS)),
        ("higher_class", ADHESIONS, GASTROSCOPY, (GASTROSCOPY, ADHESIONS)),
    ],
)
def test_tie_break(rule: str, first: str, second: str, operations: tuple[str, ...]) -> None:
    """The rule alone chooses the packet that would lose by score."""
    assert group(two(first, second, [rule, "higher_score"]), DX, *operations) == f"K35.8:{first}"
    assert group(two(first, second, ["higher_score"]), DX, *operations) == f"K35.8:{second}"


def test_tie_break_code_order_ends_every_list_of_rules() -> None:
    rows = [row("K35.8:54.5100"), row("K35.8:47.0100")]
    assert group(small(rows, tie_breaks=[]), DX, ADHESIONS, APPENDECTOMY) == "K35.8:47.0100"


def test_tie_break_exact_code() -> None:
    rows = [row("K35.8:47.0100", 1), row("K35.8:47.01", 900)]
    prefix = {"procedure_match": "prefix"}
    assert group(small(rows, tie_breaks=["exact_code"], **prefix), DX, APPENDECTOMY) == "K35.8:47.0100"
    assert group(small(rows, tie_breaks=["higher_score"], **prefix), DX, APPENDECTOMY) == "K35.8:47.01"


def test_tie_break_closest_cost_needs_the_cost_only_where_it_decides() -> None:
    catalogue = two(ADHESIONS, APPENDECTOMY, ["closest_cost"], (1000, 5000))
    assert (
        group(catalogue, DX, ADHESIONS, APPENDECTOMY, total_cost=Decimal("2999.99")) == "K35.8:" + ADHESIONS
    )
    assert group(catalogue, DX, ADHESIONS, APPENDECTOMY, total_cost=Decimal("3000.01")) == (
        "K35.8:" + APPENDECTOMY
    )
    assert whole(catalogue, DX, ADHESIONS, APPENDECTOMY)["reason"] == "missing-total-cost"
    assert whole(catalogue, DX, APPENDECTOMY)["reason"] == "grouped"
    ranked = two(ADHESIONS, APPENDECTOMY, ["first_procedure_is_main", "closest_cost"], (1000, 5000))
    assert whole(ranked, DX, ADHESIONS, APPENDECTOMY)["reason"] == "grouped"


# --- steps 5 and 6 --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "reaching"),
    [
        ("class", [(), (NO_KIND,)]),
        ("no_procedure", [()]),
        ("always", [(), (NO_KIND,), (GASTROSCOPY,), (ADHESIONS,)]),
    ],
)
def test_conservative_rule(rule: str, reaching: list[tuple[str, ...]]) -> None:
    catalogue = small([row("K35.8"), row("K35.8:" + APPENDECTOMY)], conservative_rule=rule)
    for operations in [(), (NO_KIND,), (GASTROSCOPY,), (ADHESIONS,)]:
        assert group(catalogue, DX, *operations) == ("K35.8" if operations in reaching else None)
    assert group(catalogue, DX, APPENDECTOMY) == "K35.8:" + APPENDECTOMY


def test_mixed_class_from() -> None:
    assert group(small(MIXED), DX, GASTROSCOPY, APPENDECTOMY) == "K35:SS"
    assert group(small(MIXED, mixed_class_from="first"), DX, GASTROSCOPY, APPENDECTOMY) == "K35:ZDXCZ"


def test_mixed_keys_of_three_two_one_characters_then_the_narrowest_range() -> None:
    rows = [row(f"{key}:SS") for key in ("K35", "K3", "K", "K00-K93", "K30-K40", "A00-Z99")]
    for expected, left in (("K35", rows), ("K3", rows[1:]), ("K", rows[2:]), ("K30-K40", rows[3:])):
        assert group(small(left), DX, APPENDECTOMY) == f"{expected}:SS"
    assert group(small(rows[3:]), "K93.800", APPENDECTOMY) == "K00-K93:SS"
    assert group(small(rows[3:]), "L00.x00", APPENDECTOMY) == "A00-Z99:SS"


def test_mixed_missing_class() -> None:
    rows = [row("K35:ZDXCZ"), row("K:ZLXCZ")]
    assert group(small(rows), DX, APPENDECTOMY) is None
    assert group(small(rows, mixed_missing_class="step_down"), DX, APPENDECTOMY) == "K:ZLXCZ"
    assert group(small(rows[:1], mixed_missing_class="step_down"), DX, OXYGEN) == "K35:ZDXCZ"


# --- steps 7 and 8 --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("core_first", "JC:K35.8:47.0100"),
        ("by_class", "JC:K35.8:47.0100"),
        ("kind_first", "K35.8:44.1300x001"),
    ],
)
def test_selection_order_of_core_and_primary_care(order: str, expected: str) -> None:
    rows = [row("K35.8:44.1300x001"), row("JC:K35.8:47.0100"), row("K35:SS")]
    assert group(small(rows, selection_order=order), DX, GASTROSCOPY, APPENDECTOMY) == expected


@pytest.mark.parametrize(
    ("order", "expected"),
    [("core_first", "K35:SS"), ("by_class", "K35:SS"), ("kind_first", "K35.8")],
)
def test_selection_order_of_a_conservative_core_packet(order: str, expected: str) -> None:
    catalogue = small([row("K35.8"), row("K35:SS")], selection_order=order, conservative_rule="always")
    assert group(catalogue, DX, APPENDECTOMY) == expected


def test_selection_order_of_a_low_core_packet_against_a_high_mixed_group() -> None:
    rows = [row("K35.8:44.1300x001"), row("K35:SS")]
    assert group(small(rows), DX, GASTROSCOPY, ADHESIONS) == "K35.8:44.1300x001"
    assert group(small(rows, selection_order="by_class"), DX, GASTROSCOPY, ADHESIONS) == "K35:SS"


def test_unmatched_surgery_to_mixed() -> None:
    rows = [row("K35.8:" + APPENDECTOMY), row("K35:SS")]
    assert group(small(rows), DX, APPENDECTOMY, ADHESIONS) == rows[0].code
    strict = small(rows, unmatched_surgery_to_mixed=True)
    assert group(strict, DX, APPENDECTOMY, ADHESIONS) == "K35:SS"
    assert group(strict, DX, APPENDECTOMY, OXYGEN) == rows[0].code


def test_blank_code_and_ungrouped() -> None:
    found = whole(small([row("K35.8"), BLANK]), "J18.900")
    assert (found["code"], found["status"], found["reason"]) == (None, "ungrouped", "no-packet")
    found = whole(small([row("K35.8"), BLANK], blank_code="KBBZ"), "J18.900")
    assert (found["code"], found["status"], found["reason"]) == ("KBBZ", "grouped", "blank-packet")


# --- step 9 ---------------------------------------------------------------------------------------


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
