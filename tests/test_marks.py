"""Codes that a scheme does not use, unknown main operations, and how codes may be written."""

from __future__ import annotations

from typing import Any

import pytest

import grouper
from grouper.codes import icd
from grouper.grouping.drg.tables.listing import View

from .support import loaded

BASE = {"sex": 2, "age_years": 40, "los_days": 4, "discharge_way": 1, "procedures": []}


def explained(scheme: str, diagnoses: list[str], procedures: list[str] | None = None) -> Any:
    return loaded(scheme).explain({**BASE, "diagnoses": diagnoses, "procedures": procedures or []})


def test_a_grey_operation_is_said_with_the_codes_beside_it() -> None:
    made = explained("chs-drg-2.0", ["C50.900"], ["85.4300"])
    assert (made.result["drg"], made.result["status"]) == ("JR19", "grouped")
    assert made.result["warnings"] == "procedure-not-for-grouping"
    step = made.codes[1]
    assert step.mark == "grey"
    assert {(s.code, s.drg) for s in step.instead} >= {("85.4301", "JA29")}
    assert "85.4301" in made.text("zh") and "灰码" in made.text("zh") and "grey code" in made.text("en")
    assert explained("chs-drg-2.0", ["C50.900"], ["85.4301"]).result["warnings"] == ""


def test_a_grey_other_diagnosis_is_said_with_the_codes_beside_it() -> None:
    """No warning comes of it, and the group is what it was; the reader should know all the same."""
    made = explained("chs-drg-2.0", ["O80.000", "Z37.000"])
    step = made.codes[1]
    assert (step.mark, made.result["warnings"]) == ("grey", "")
    assert {s.code: s.drg for s in step.instead}["Z37.000x001"] == "OR19"
    assert "Z37.000x001" in made.text("zh") and "a grey code" in made.text("en")
    named = explained("liaocheng-2022", ["O80.000", "Z37.000"])
    assert named.codes[1].mark == "grey-used" and named.result["drg"].startswith("OR1")
    assert "医保灰码，但方案的条件或并发症表列有它" in named.text("zh")
    assert "a grey code that the scheme names all the same" in named.text("en")


@pytest.mark.parametrize("scheme", ["chs-drg-2.0", "guangxi-2024"])
@pytest.mark.parametrize("code", ["I61.000", "C34.100", "C34.900"])
def test_a_grey_principal_diagnosis_has_its_own_reason(scheme: str, code: str) -> None:
    result = explained(scheme, [code]).result
    assert (result["status"], result["reason"]) == ("ungrouped", "principal-not-for-grouping")
    assert result["warnings"] == "principal-grey"


def test_a_main_operation_that_is_listed_as_not_for_grouping() -> None:
    made = explained("chs-drg-2.0", ["I40.900"], ["39.6500x001", "00.6600"])
    assert made.result["warnings"] == "procedure-not-for-grouping"
    assert made.codes[1].mark == "not-for-grouping"
    assert explained("chs-drg-2.0", ["I40.900"], ["51.2300", "39.6500x001"]).result["warnings"] == ""


def test_an_unknown_main_operation_is_loud_and_an_unknown_other_one_a_warning() -> None:
    main = explained("chs-drg-2.0", ["C73.x00"], ["06.9999", "06.4x00"]).result
    assert (main["status"], main["reason"]) == ("needs-data", "main-procedure-unknown")
    assert main["warnings"] == "unknown-procedure|main-procedure-unknown"
    other = explained("chs-drg-2.0", ["C73.x00"], ["06.4x00", "06.9999"]).result
    assert (other["drg"], other["status"], other["warnings"]) == ("KD19", "grouped", "unknown-procedure")


@pytest.mark.parametrize(
    ("diagnosis", "operation", "drg"),
    [
        ("K80.000x002", "512300", "HC25"),
        ("K80000x002", "51.2300 腹腔镜下胆囊切除术", "HC25"),
        ("k80.000X002", "５１．２３００", "HC25"),
        ("胆囊结石(K80.000x002)", "51.2300", "HC25"),
    ],
)
def test_one_notation_of_codes(diagnosis: str, operation: str, drg: str) -> None:
    result = explained("chs-drg-2.0", [diagnosis], [operation]).result
    assert (result["drg"], result["status"], result["warnings"]) == (drg, "grouped", "")
    dip = loaded_dip().explain({**BASE, "diagnoses": [diagnosis], "procedures": [operation]})
    plain = loaded_dip().explain({**BASE, "diagnoses": ["K80.000x002"], "procedures": ["51.2300"]})
    assert dip.result == plain.result


def loaded_dip() -> Any:
    return grouper.load_scheme("dip-taian-2025")


def test_short_codes_are_offered_with_the_repair_flag() -> None:
    assert explained("chs-drg-2.0", ["C73.x00"], ["06.4"]).result["reason"] == "lost-zero"
    repaired = grouper.load_scheme("chs-drg-2.0", repair_codes=True)
    record = {**BASE, "diagnoses": ["C73"], "procedures": ["06.4"]}
    made = repaired.explain(record)
    assert (made.result["drg"], made.result["status"]) == ("KD19", "grouped")
    assert [step.issue for step in made.codes] == ["completed", "zero-repaired"]


def test_several_codes_in_one_cell_are_said_and_never_grouped_as_if_none() -> None:
    made = explained("chs-drg-2.0", ["K80.000x002"], ["51.2300;06.3100"])
    assert made.codes[1].issue == "joined"
    assert made.result["reason"] == "main-procedure-unknown"
    assert explained("chs-drg-2.0", ["I63.900,I10.x00"]).result["reason"] == "principal-unknown"
    assert "separator" in explained("chs-drg-2.0", ["I63.900,I10.x00"]).text("en")


def test_the_table_of_a_code_says_that_it_is_grey() -> None:
    names = {**icd.diagnoses(), **icd.procedures()}
    listing = View(loaded("chs-drg-2.0").compiled.scheme, names, "en")
    assert "  a grey code; the scheme does not group by it" in list(listing.code("85.4300"))
    assert "  listed as not used for grouping" in list(listing.code("39.6500x001"))


def test_dip_says_a_grey_principal_diagnosis() -> None:
    made = loaded_dip().explain({**BASE, "diagnoses": ["I61.000"]})
    assert made.result["warnings"] == "principal-grey"
    assert "医保灰码，不宜作主要诊断；同一亚目的具体编码：" in made.text("zh") and "I61.001" in made.text(
        "en"
    )
    other = loaded_dip().explain({**BASE, "diagnoses": ["O80.000", "Z37.000"], "procedures": ["85.4300"]})
    assert [step.grey for step in other.codes] == [False, True, True] and other.result["warnings"] == ""
    assert "      医保灰码；同一亚目的具体编码：Z37.000x001、" in other.text("zh")
    assert loaded_dip().explain({**BASE, "diagnoses": ["I61.001"]}).result["warnings"] == ""
