"""Steps 1 to 8 of DIP grouping and their options in small cases: kernel and reference, both asked."""

from __future__ import annotations

from decimal import Decimal

import pytest

from grouper.grouping.dip.tables.catalogue import Catalogue

from .dip_small import (
    ADHESIONS,
    APPENDECTOMY,
    DX,
    GALL,
    GASTROSCOPY,
    NO_KIND,
    OXYGEN,
    STENT,
    TUBE,
    group,
    whole,
)
from .dip_support import BLANK, row, small

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
