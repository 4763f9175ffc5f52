"""Differences of two schemes: none for equal ones, and every kind of change by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from grouper.codes import icd
from grouper.grouping.drg.tables.diff import SECTIONS, diff, in_words
from grouper.grouping.drg.tables.model import Adrg, Drg, Mdc, Scheme
from grouper.grouping.tables.change import Change
from grouper.report.scheme_changes import page

from .scheme_samples import small_scheme

SMALL = small_scheme()
NAMES = {**icd.diagnoses(), **icd.procedures()}


def drgs(**changed: tuple[Drg, ...]) -> dict[str, tuple[Drg, ...]]:
    return {**SMALL.drgs, **changed}


BR11, BR15 = SMALL.drgs["BR1"]
CHANGES: dict[str, tuple[dict[str, Any], Change]] = {
    "MDC entry": (
        {"mdcs": (SMALL.mdcs[0], Mdc("MDCB", "神经系统", "any_dx in MDCB.dx"))},
        Change("mdc", "MDCB", "condition", "principal_dx in MDCB.dx", "any_dx in MDCB.dx"),
    ),
    "MDC order": (
        {"mdcs": SMALL.mdcs[::-1]},
        Change("mdc", "MDC", "order", "MDCA MDCB", "MDCB MDCA", added=("MDCB",)),
    ),
    "ADRG added": (
        {"adrgs": (*SMALL.adrgs, Adrg("BZ1", "其他", "true"))},
        Change("adrg", "BZ1", "added", after="其他: true"),
    ),
    "ADRG removed": (
        {"adrgs": SMALL.adrgs[1:]},
        Change("adrg", "AA1", "removed", before="移植: principal_proc in AA1.proc"),
    ),
    "ADRG renamed": (
        {"adrgs": (replace(SMALL.adrgs[0], name="心脏移植"), *SMALL.adrgs[1:])},
        Change("adrg", "AA1", "renamed", "移植", "心脏移植"),
    ),
    "ADRG condition": (
        {"adrgs": (replace(SMALL.adrgs[0], condition="any_proc in AA1.proc"), *SMALL.adrgs[1:])},
        Change("adrg", "AA1", "condition", "principal_proc in AA1.proc", "any_proc in AA1.proc"),
    ),
    "ADRG order": (
        {"adrgs": (*SMALL.adrgs[:2], SMALL.adrgs[3], SMALL.adrgs[2])},
        Change("adrg", "MDCB", "order", "BQY BR1 BR2", "BQY BR2 BR1", added=("BR2",)),
    ),
    "DRG added": (
        {"drgs": drgs(BR1=(BR11, Drg("BR13", "伴", "cc"), BR15))},
        Change("drg", "BR13", "added", after="伴: cc"),
    ),
    "DRG removed": (
        {"drgs": drgs(BR1=(BR15,))},
        Change("drg", "BR11", "removed", before="脑出血，伴严重合并症或并发症: mcc"),
    ),
    "DRG condition": (
        {"drgs": drgs(BR1=(replace(BR11, condition="mcc or cc"), BR15))},
        Change("drg", "BR11", "condition", "mcc", "mcc or cc"),
    ),
    "DRG order": (
        {"drgs": drgs(BR1=(BR15, BR11))},
        Change("drg", "BR1", "order", "BR11 BR15", "BR15 BR11", added=("BR15",)),
    ),
    "list": (
        {"lists": {**SMALL.lists, "BR2.dx": frozenset({"I63.900", "I64.x00"})}},
        Change("list", "BR2.dx", "codes", added=("I64.x00",)),
    ),
    "list removed": (
        {"lists": {k: v for k, v in SMALL.lists.items() if k != "BR2.dx"}},
        Change("list", "BR2.dx", "removed", removed=("I63.900",)),
    ),
    "level": (
        {"complications": {"A40.900": (frozenset({"CC"}), "1")}},
        Change("complication", "CC", "level", "MCC", "CC", added=("A40.900",)),
    ),
    "complication removed": (
        {"complications": {}},
        Change("complication", "MCC", "removed", "MCC", "", added=("A40.900",)),
    ),
    "exclusion": (
        {"exclusions": {"1": frozenset({"I61.100"})}},
        Change("exclusion", "1", "codes", "1", "1", added=("I61.100",), removed=("I61.000",)),
    ),
    "option": (
        {"meta": {**SMALL.meta, "options": {"when_no_drg": "next", "retry_other_procedures": True}}},
        Change("options", "retry_other_procedures", "value", "false", "true"),
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_each_change_is_the_only_one_found(name: str) -> None:
    parts, expected = CHANGES[name]
    assert diff(SMALL, replace(SMALL, **parts)) == [expected]


@pytest.mark.parametrize("name", CHANGES)
def test_each_change_is_said_in_both_languages(name: str) -> None:
    changed = replace(SMALL, **CHANGES[name][0])
    for lang in ("zh", "en"):
        heading, line = in_words(diff(SMALL, changed), NAMES, lang)
        assert heading and CHANGES[name][1].key in line


def test_equal_schemes_have_no_difference(shipped: Callable[[str], Scheme]) -> None:
    assert diff(shipped("chs-drg-2.0"), shipped("chs-drg-2.0")) == []
    assert [c.section for c in diff(shipped("chs-drg-2.0"), shipped("liaocheng-2025"))] == ["drg"] * 4


def test_numbers_of_exclusion_tables_mean_nothing() -> None:
    renumbered = replace(
        SMALL,
        complications={"A40.900": (frozenset({"MCC"}), "77")},
        exclusions={"77": frozenset({"I61.000"})},
    )
    assert diff(SMALL, renumbered) == []


def test_codes_are_counted_and_the_first_few_named(shipped: Callable[[str], Scheme]) -> None:
    lines = in_words(diff(shipped("chs-drg-2.0"), shipped("guangxi-2024")), NAMES, "zh")
    (lowered,) = [line for line in lines if line.strip().startswith("MCC → CC")]
    assert "230" in lowered and "D02.200x002 肺原位癌" in lowered and lowered.endswith("…)")


def test_a_difference_read_backwards_swaps_added_and_removed(shipped: Callable[[str], Scheme]) -> None:
    a, b = shipped("chs-drg-1.1"), shipped("chs-drg-2.0")
    there, back = diff(a, b), diff(b, a)
    assert {c.section for c in there} == set(SECTIONS)
    for section in ("adrg", "drg"):
        added = {c.key for c in there if c.section == section and c.what == "added"}
        assert added == {c.key for c in back if c.section == section and c.what == "removed"} != set()


def test_codes_that_3_keeps_with_another_meaning_are_called_that(shipped: Callable[[str], Scheme]) -> None:
    """73 ADRG codes of 2.0 have another name in 3.0; two of them take the same codes as before."""
    changes = diff(shipped("chs-drg-2.0"), shipped("chs-drg-3.0"))
    meanings = {c.key: c for c in changes if c.section == "adrg" and c.what == "meaning"}
    assert len(meanings) == 73
    heart = meanings["AA2"]
    assert (heart.before, heart.after, heart.added, heart.removed) == (
        "心脏移植",
        "肺移植",
        ("AA3",),
        ("AF1",),
    )
    assert {key for key, change in meanings.items() if change.note} == {"SR1", "XS2"}
    told = "\n".join(in_words(changes, NAMES, "zh"))
    assert "编码沿用、所指改变 73" in told
    assert "AA2 编码沿用、所指改变: 心脏移植 → 肺移植（原义现为 AA3；新义原为 AF1）" in told
    english = "\n".join(in_words(changes, NAMES, "en"))
    assert "SR1 kept with another meaning: 败血症 → 脓毒症 (with the same condition and lists)" in english


def test_a_group_renamed_within_an_edition_keeps_its_meaning(shipped: Callable[[str], Scheme]) -> None:
    changes = diff(shipped("chs-drg-2.0"), shipped("guangxi-2024"))
    assert not [change for change in changes if change.what == "meaning"]


@pytest.mark.parametrize(
    ("lang", "heading"), [("zh", "编码沿用、所指改变"), ("en", "Kept with another meaning")]
)
def test_the_page_of_changes_stands_alone(lang: str, heading: str, shipped: Callable[[str], Scheme]) -> None:
    a, b = shipped("chs-drg-2.0"), shipped("chs-drg-3.0")
    text = page(a, b, diff(a, b), NAMES, lang)
    assert heading in text and "<td" in text and "AF1" in text and "825" in text
    assert "default-src &#x27;none&#x27;" in text and "<script" not in text and "http://" not in text
    assert page(a, a, [], NAMES, lang).count("<section") == 1  # sizes alone


@pytest.mark.slow
@pytest.mark.parametrize("as_page", [False, True])
def test_the_bridge_from_edition_2_to_3_is_in_chinese(
    shipped: Callable[[str], Scheme], as_page: bool
) -> None:
    """Conditions, options and sizes are in words; of English, only names of schemes, lists and options."""
    a, b = shipped("chs-drg-2.0"), shipped("chs-drg-3.0")
    changes = diff(a, b)
    text = page(a, b, changes, {}, "zh") if as_page else "\n".join(in_words(changes, {}, "zh"))
    text = re.sub(r"<style.*?</style>|<[^>]+>", " ", text, flags=re.DOTALL)
    assert "主要诊断在 MDCO.dx，且性别＝2" in text and "新生儿体重 [weight]" in text
    text = re.sub(r"\[\w+\]|MDCZ\.site\.\w+|chs-drg-\d\.\d|grouper tables diff", "", text)
    assert set(re.findall(r"[a-z_]{3,}", text)) <= {"proc", "site"}
