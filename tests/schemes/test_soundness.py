"""What verify finds by reading tables as a person would: lists, sisters, levels of complication, names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from grouper.grouping.drg.tables.admission import not_admitted
from grouper.grouping.drg.tables.criteria import damage_of, damaged_names, severity_letters, untested_criteria
from grouper.grouping.drg.tables.model import Drg, Scheme
from grouper.grouping.drg.tables.sisters import against_sisters
from grouper.grouping.drg.tables.store import save
from grouper.grouping.drg.tables.verify import verify

from .scheme_samples import small_scheme


def with_lists(**lists: set[str]) -> Scheme:
    own = small_scheme()
    changed = {name.replace("__", "."): frozenset(codes) for name, codes in lists.items()}
    return small_scheme(lists={**own.lists, **changed})


def test_a_diagnosis_that_no_mdc_admits_is_found() -> None:
    (finding,) = not_admitted(with_lists(BR2__dx={"I63.900", "S02.100"}))
    assert (finding.severity, finding.kind, finding.place) == ("warning", "not-admitted", "MDCB")
    assert finding.details == ("S02.100",)


def test_a_diagnosis_that_another_mdc_admits_is_told() -> None:
    scheme = small_scheme()
    first, second = scheme.mdcs
    scheme = replace(
        scheme,
        mdcs=(replace(first, entry="principal_dx in MDCA.dx"), second),
        lists={
            **scheme.lists,
            "MDCA.dx": frozenset({"S02.100"}),
            "BR2.dx": frozenset({"I63.900", "S02.100"}),
        },
    )
    (finding,) = not_admitted(scheme)
    assert (finding.severity, finding.kind, finding.details) == (
        "info",
        "admitted-elsewhere",
        ("S02.100 (BR2)",),
    )


def test_codes_outside_the_edition_are_not_counted_twice() -> None:
    assert list(not_admitted(with_lists(BR2__dx={"I63.900", "X00.000x999"}))) == []


def with_groups(*groups: tuple[str, str, str]) -> Scheme:
    own = small_scheme()
    return small_scheme(drgs={**own.drgs, "BR1": tuple(Drg(*group) for group in groups)})


SEVERITY = {
    "no group for the rest": (
        [("BR11", "脑出血，伴严重并发症或合并症", "mcc"), ("BR13", "脑出血，伴并发症或合并症", "mcc or cc")],
        [("missing-severity", "BR1")],
    ),
    "one group that says without": (
        [("BR15", "脑出血，不伴并发症或合并症", "true")],
        [("orphan-severity", "BR15")],
    ),
    "a group with the name of another ADRG": (
        [("BR11", "脑出血，伴严重并发症或合并症", "mcc"), ("BR13", "脑梗死，伴并发症或合并症", "true")],
        [("orphan-severity", "BR13")],
    ),
    "two levels, the second named as in edition 1.1": (
        [("BR11", "脑出血，伴严重并发症或合并症", "mcc"), ("BR15", "脑出血，不伴并发症或合并症", "true")],
        [],
    ),
    "groups by days of stay": (
        [("BR12", "脑出血，7天以上", "los >= 7"), ("BR14", "脑出血，7天以内", "los < 7")],
        [],
    ),
}


@pytest.mark.parametrize("name", SEVERITY)
def test_levels_of_complication(name: str) -> None:
    groups, expected = SEVERITY[name]
    assert [(f.kind, f.place) for f in severity_letters(with_groups(*groups))] == expected


CRITERIA = {
    "脑出血，双侧": "双侧",
    "脑出血，年龄＜17岁": "＜17岁",
    "脑出血（出生体重＜1500g）": "体重＜1500g",
    "脑出血，伴重症监护": "重症监护",
    "脑出血，住院5天": "住院5天",
    "脑出血，伴严重并发症或合并症": "伴严重并发症",
}


@pytest.mark.parametrize("name", CRITERIA)
def test_a_criterion_in_a_name_that_nothing_tests_is_found(name: str) -> None:
    (finding,) = untested_criteria(with_groups(("BR19", name, "true")))
    assert (finding.kind, finding.place) == ("untested-criterion", "BR19")
    assert CRITERIA[name] in finding.zh


def test_a_criterion_that_some_row_of_the_adrg_tests_is_no_finding() -> None:
    """The row for the rest needs no test of its own."""
    rows = [("BR11", "脑出血，年龄＜17岁", "age < 17"), ("BR15", "脑出血，年龄≥17岁", "true")]
    assert list(untested_criteria(with_groups(*rows))) == []


def test_a_declared_criterion_is_a_warning_with_what_happens_instead() -> None:
    scheme = with_groups(("BR19", "脑出血，双侧", "true"))
    scheme.meta["untested_criteria"] = [{"drg": "BR19", "criterion": "双侧", "instead": "all of BR1"}]
    (finding,) = untested_criteria(scheme)
    assert finding.severity == "warning" and "all of BR1" in finding.en


def test_a_declared_group_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    scheme = small_scheme()
    scheme.meta["untested_criteria"] = [{"drg": "BR99", "criterion": "双侧", "instead": "always"}]
    save(scheme, tmp_path / "small")
    (finding,) = verify(tmp_path / "small")
    assert (finding.severity, finding.kind) == ("error", "untested-criterion") and "BR99" in finding.en


@pytest.mark.parametrize("name", ["脑出血（伴破入脑室", "脑出血，", "脑出血\ufffd", "，脑出血", "脑出血或"])
def test_damaged_names(name: str) -> None:
    (finding,) = damaged_names(with_groups(("BR19", name, "true")))
    assert (finding.severity, finding.place) == ("warning", "BR19")


@pytest.mark.parametrize("name", ["连续性肾脏替代治疗[CRRT]", "极度发育不全（出生体重＜1500g）", "HIV 感染"])
def test_sound_names(name: str) -> None:
    assert damage_of(name) is None


# A local edition on 2.0, where every sister agrees with the national one.
def local(shipped: Callable[[str], Scheme], **changes: object) -> Scheme:
    national = shipped("chs-drg-2.0")
    meta = {"id": "local", "name": "某市", "area": "local", "base": "chs-drg-2.0"}
    return replace(national, id="local", meta=meta, **changes)  # type: ignore[arg-type]


def test_a_copy_of_the_national_edition_has_nothing_against_its_sisters(
    shipped: Callable[[str], Scheme],
) -> None:
    assert [f.kind for f in against_sisters(local(shipped)) if f.severity == "warning"] == []


def test_what_a_scheme_has_against_all_its_sisters_is_found(shipped: Callable[[str], Scheme]) -> None:
    national = shipped("chs-drg-2.0")
    adrgs = tuple(
        replace(adrg, condition="principal_dx in OR1.dx", name="阴道分娧")
        if adrg.variant == "OR1"
        else replace(adrg, name="心脏移值手术")
        if adrg.variant == "AA1"
        else adrg
        for adrg in national.adrgs
    )
    lists = {**national.lists, "BR1.dx": national.lists["BR1.dx"] | {"K35.300"}}
    lists["AE1.proc"] = frozenset(sorted(national.lists["AE1.proc"])[1:])
    scheme = local(shipped, adrgs=adrgs, lists=lists)
    found = {(f.kind, f.place): f for f in against_sisters(scheme)}
    assert ("lone-condition", "OR1") in found
    members = found["lone-member", "lists.txt"].details
    assert members[0].startswith("AE1.proc -") and "BR1.dx +K35.300" in members
