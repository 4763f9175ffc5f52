"""Verification: shipped tables have no errors, known gaps are found, each fault is named in its place."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from grouper.base.findings import Finding
from grouper.grouping.drg.tables.store import scheme_folders
from grouper.grouping.drg.tables.verify import verify
from grouper.grouping.tables.manifest import check_manifest

# Groups that the notes of the schemes, or their sources, name as out of reach.
KNOWN_GAPS = {
    ("chs-drg-3.0", "W00"),
    ("chs-drg-3.0", "Y00"),
    ("beijing-2022", "AG1"),
    ("beijing-2022", "AG2"),
    ("wuxi-2022", "AG1"),
    ("wuxi-2022", "AG2"),
    ("foshan-2022", "LF13"),
    ("foshan-2022", "LF15"),
    ("hefei-2023", "BD2Z"),
    ("hefei-2023", "FM4Z"),
    ("guangxi-2024", "WQY"),
    ("linfen-2022", "WQY"),
    ("zhejiang-2024", "WQY"),
    ("nanping-2023", "SQY"),
    ("nanping-2023", "TQY"),
    ("nanping-2023", "WQY"),
    ("nanping-2023", "XQY"),
    ("zhejiang-2022", "ES19"),
    ("zhejiang-2022", "RE19"),
}
OUT_OF_REACH = ("never-holds", "unreachable-adrg", "unreachable-drg")


ALL = tuple(scheme_folders())
# Two editions and a local scheme in every run, all schemes with the slow tests.
SCHEMES = [
    ("chs-drg-2.0", "chs-drg-3.0", "zhejiang-2022"),
    pytest.param(ALL, marks=pytest.mark.slow, id="all"),
]


@cache
def findings(schemes: tuple[str, ...]) -> list[Finding]:
    folders = scheme_folders()
    return [found for name in schemes for found in verify(folders[name], sisters=True)]


def test_the_manifest_fits_the_files() -> None:
    """``python -m grouper.grouping.tables.manifest`` renews it."""
    assert [f.text("en") for f in check_manifest() if f.severity == "error"] == []


@pytest.mark.parametrize("schemes", SCHEMES)
def test_shipped_tables_have_no_errors(schemes: tuple[str, ...]) -> None:
    assert [f.text("en") for f in findings(schemes) if f.severity == "error"] == []


@pytest.mark.parametrize("schemes", SCHEMES)
def test_groups_out_of_reach_are_the_known_gaps(schemes: tuple[str, ...]) -> None:
    found = {(f.scheme, f.place) for f in findings(schemes) if f.kind in OUT_OF_REACH}
    assert found == {(scheme, place) for scheme, place in KNOWN_GAPS if scheme in schemes}


@pytest.mark.parametrize("schemes", SCHEMES)
def test_known_gaps_are_warnings(schemes: tuple[str, ...]) -> None:
    assert {f.severity for f in findings(schemes) if f.kind in OUT_OF_REACH} == {"warning"}


@pytest.mark.parametrize("schemes", SCHEMES)
def test_codes_outside_the_edition_are_counted_and_listed(schemes: tuple[str, ...]) -> None:
    (found,) = [f for f in findings(schemes) if f.scheme == "chs-drg-2.0" and f.kind == "unknown-code"]
    assert found.details == ("43.4100x026",)


@pytest.mark.parametrize("schemes", SCHEMES)
def test_every_finding_speaks_both_languages(schemes: tuple[str, ...]) -> None:
    for finding in findings(schemes):
        assert finding.text("zh") != finding.text("en")
        assert finding.zh.strip() and finding.en.strip()


def test_the_small_scheme_is_clean(small_folder: Path) -> None:
    assert verify(small_folder) == []


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


FAULTS = {
    "a list that is not there": (
        "adrg.csv",
        "principal_dx in BR2.dx",
        "principal_dx in BR3.dx",
        ("error", "missing-list", "BR2"),
    ),
    "a list without codes": (
        "lists.txt",
        "[BR2.dx]\nI63.900\n",
        "[BR2.dx]\n",
        ("error", "missing-list", "BR2"),
    ),
    "a condition that cannot be read": (
        "adrg.csv",
        "principal_dx in BR2.dx",
        "principal_dx on BR2.dx",
        ("error", "condition", "adrg.csv:5 BR2"),
    ),
    "a second condition that cannot be read": (
        "drg.csv",
        "并发症,mcc",
        "并发症,mcc or",
        ("error", "condition", "drg.csv:3 BR11"),
    ),
    "an MDC that is not there": (
        "adrg.csv",
        "BR2,脑梗死",
        "CR2,脑梗死",
        ("error", "orphan", "adrg.csv:5 CR2"),
    ),
    "a group of no ADRG": ("drg.csv", "BR2,BR29", "BR3,BR29", ("error", "orphan", "drg.csv:5 BR29")),
    "a repeated ADRG row": ("adrg.csv", "BR2,脑梗死", "BR1,脑梗死", ("error", "duplicate", "adrg.csv:5 BR1")),
    "a repeated DRG row": (
        "drg.csv",
        "BR1,BR15,脑出血,\n",
        "BR1,BR15,脑出血,\nBR1,BR15,脑出血,\n",
        ("error", "duplicate", "drg.csv:5 BR15"),
    ),
    "a DRG code with two names": (
        "drg.csv",
        "BR1,BR15,脑出血,",
        "BR1,BR11,脑出血,",
        ("error", "duplicate", "BR1 BR11"),
    ),
    "a group after one that takes all": (
        "drg.csv",
        "BR1,BR11,脑出血，伴严重合并症或并发症,mcc\nBR1,BR15,脑出血,\n",
        "BR1,BR15,脑出血,\nBR1,BR11,脑出血，伴严重合并症或并发症,mcc\n",
        ("warning", "unreachable-drg", "BR11"),
    ),
    "an ADRG whose list an earlier one holds": (
        "lists.txt",
        "[BR2.dx]\nI63.900\n",
        "[BR2.dx]\nI61.000\n",
        ("warning", "unreachable-adrg", "BR2"),
    ),
    "an ADRG that its MDC does not let in": (
        "lists.txt",
        "[BR2.dx]\nI63.900\n",
        "[BR2.dx]\nI10.x00\n",
        ("warning", "never-holds", "BR2"),
    ),
    "an unknown code": (
        "lists.txt",
        "[AA1.proc]\n37.5100\n",
        "[AA1.proc]\n37.51\n",
        ("warning", "unknown-code", "lists.txt"),
    ),
    "an exclusion table without codes": (
        "complication.txt",
        "[MCC 1]",
        "[MCC 2]",
        ("warning", "no-exclusion-table", "complication.txt"),
    ),
    "a level that there is not": (
        "complication.txt",
        "[MCC 1]",
        "[MMC 1]",
        ("error", "level", "complication.txt"),
    ),
    "a wrong count": ("scheme.toml", "drg = 4", "drg = 5", ("error", "count", "scheme.toml [counts] drg")),
    "an option that there is not": (
        "scheme.toml",
        'when_no_drg = "next"',
        'when_no_drg = "halt"',
        ("error", "option", "scheme.toml [options]"),
    ),
    "dates that end before they begin": (
        "scheme.toml",
        'area = "small"',
        'area = "small"\nvalid_from = 2025-01-01\nvalid_to = 2024-12-31',
        ("error", "validity", "scheme.toml"),
    ),
    "an ADRG without groups": ("drg.csv", "BR2,BR29,脑梗死,\n", "", ("warning", "no-drg", "drg.csv")),
    "a file that is no table": (
        "drg.csv",
        "variant,drg,name,condition",
        "code,name",
        ("error", "broken", "scheme"),
    ),
    "scheme.toml that is no TOML": (
        "scheme.toml",
        'id = "small"',
        "id = small",
        ("error", "broken", "scheme"),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found_in_its_place(small_folder: Path, fault: str) -> None:
    name, old, new, expected = FAULTS[fault]
    edit(small_folder / name, old, new)
    assert expected in [(f.severity, f.kind, f.place) for f in verify(small_folder)]


def test_all_bad_conditions_are_named_at_once(small_folder: Path) -> None:
    edit(small_folder / "adrg.csv", "principal_dx in BR2.dx", "principal_dx on BR2.dx")
    edit(small_folder / "drg.csv", "并发症,mcc", "并发症,mcc or")
    places = [f.place for f in verify(small_folder) if f.kind == "condition"]
    assert places == ["adrg.csv:5 BR2", "drg.csv:3 BR11"]


def test_stop_makes_later_rows_unreachable(small_folder: Path) -> None:
    """With when_no_drg = stop an ADRG takes its records even where none of its groups holds."""
    edit(small_folder / "drg.csv", "BR1,BR15,脑出血,\n", "")
    edit(small_folder / "lists.txt", "[BR2.dx]\nI63.900\n", "[BR2.dx]\nI61.000\n")
    assert "unreachable-adrg" not in [f.kind for f in verify(small_folder)]
    edit(small_folder / "scheme.toml", 'when_no_drg = "next"', 'when_no_drg = "stop"')
    assert "unreachable-adrg" in [f.kind for f in verify(small_folder)]
