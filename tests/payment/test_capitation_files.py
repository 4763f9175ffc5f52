"""Capitation and alliances by a policy and from files."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest

from grouper.base.errors import DataError, TableError, UsageError
from grouper.payment.packages.alliance import Sums, read_alliances, settle_alliances
from grouper.payment.packages.capitation import Package, read_packages, settle_packages
from grouper.payment.policy.terms import Terms

from .pool_support import POINTS, write_policy

BY_DISEASE = """
[parameters.capitation]
by = ["group"]
value = { "diabetes" = "1000", "hypertension" = "600.5" }
source = "test"
article = "Art. 7"
verified = false
"""
PACKAGES = (
    "institution,package,heads,actual,referral_out,prepaid\n"
    "C2,hypertension,10,5000,,4000\nC1,diabetes,10,8000,500,9000\n"
)


def test_packages_by_disease(tmp_path: Path) -> None:
    (tmp_path / "packages.csv").write_text(PACKAGES)
    terms = Terms(
        write_policy(tmp_path, {**POINTS, "capitation_keep": "0.5"}, extra=BY_DISEASE).on(date(2025, 6, 1))
    )
    first, second = settle_packages(terms, read_packages(str(tmp_path / "packages.csv")))
    assert (first.of.institution, first.package, first.surplus, first.kept) == (
        "C1",
        1_000_000,
        150_000,
        75_000,
    )
    assert first.due == 875_000 and first.balance == -25_000 and first.returned == 75_000
    assert (second.package, second.kept, second.balance) == (600_500, 50_250, 150_250)
    assert "capitation = 1000 (test Art. 7, unverified)" in first.clauses.replace("，未核实", ", unverified")
    assert "600.5" not in first.clauses
    assert terms.assumed == {"capitation_share": "0"}


def test_a_package_without_standard_is_refused(tmp_path: Path) -> None:
    terms = Terms(
        write_policy(tmp_path, {**POINTS, "capitation_keep": "1"}, extra=BY_DISEASE).on(date(2025, 6, 1))
    )
    with pytest.raises(TableError, match="renal"):
        settle_packages(terms, [Package("C1", "renal", 1, 1)])


def test_sharing_needs_its_limit(tmp_path: Path) -> None:
    parameters = {**POINTS, "capitation": "10", "capitation_keep": "1", "capitation_share": "0.5"}
    terms = Terms(write_policy(tmp_path, parameters).on(date(2025, 6, 1)))
    with pytest.raises(TableError, match="capitation_share_limit"):
        settle_packages(terms, [Package("C1", "x", 1, 1)])


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("institution,package,heads,actual\nC1,x,1.5,1\n", "heads"),
        ("institution,package,heads,actual\nC1,x,1,\n", "actual"),
        ("institution,package,heads,actual\nC1,x,1,1.001\n", "actual"),
        ("institution,package,heads,actual\nC1,x,1,-1\n", "actual"),
        ("institution,package,heads,actual,cost\nC1,x,1,1,1\n", "cost"),
    ],
)
def test_errors_name_row_and_column(tmp_path: Path, text: str, column: str) -> None:
    (tmp_path / "packages.csv").write_text(text)
    with pytest.raises(UsageError, match=f"column {column}"):
        read_packages(str(tmp_path / "packages.csv"))


ALLIANCE = {
    "alliance_per_head": "1000",
    "alliance_reserve": "0.05",
    "alliance_keep": "0.85",
    "alliance_share": "0.6",
    "alliance_share_limit": "0.01",
}


def test_alliances_by_the_policy(tmp_path: Path) -> None:
    terms = Terms(write_policy(tmp_path, {**POINTS, **ALLIANCE}).on(date(2025, 6, 1)))
    rows = settle_alliances(
        terms,
        [Sums("B", ("2",), 100, 9_000_000, 2_000_000), Sums("A", ("1",), 100, 9_000_000, score=Fraction(92))],
    )
    assert [(r.of.alliance, r.total, r.balance) for r in rows] == [
        ("A", 9_500_000, 500_000),
        ("B", 9_500_000, -1_500_000),
    ]
    assert rows[0].kept == 391_000 and rows[0].returned == 109_000
    assert rows[1].shared == 57_000 and rows[1].borne == 1_443_000
    assert "alliance_keep = 0.85" in rows[0].clauses


def test_a_surplus_needs_a_score(tmp_path: Path) -> None:
    terms = Terms(write_policy(tmp_path, {**POINTS, **ALLIANCE}).on(date(2025, 6, 1)))
    with pytest.raises(DataError, match="score"):
        settle_alliances(terms, [Sums("A", ("1",), 100)])


def test_counties_of_an_alliance_add_up(tmp_path: Path) -> None:
    path = tmp_path / "alliances.csv"
    path.write_text(
        "alliance,county,insured,outpatient,outside,score\nA,01,10,5,,92\nA,02,20,,7.5,\nB,03,1,,,\n"
    )
    first, second = read_alliances(str(path))
    assert (first.counties, first.insured, first.outpatient, first.outside) == (("01", "02"), 30, 500, 750)
    assert first.score == 92 and second.score is None


@pytest.mark.parametrize(
    ("rows", "column"),
    [("A,01,1,90\nB,0101,1,90\n", "county"), ("A,01,1,90\nA,02,1,91\n", "score")],
)
def test_alliances_that_contradict_are_refused(tmp_path: Path, rows: str, column: str) -> None:
    (tmp_path / "alliances.csv").write_text("alliance,county,insured,score\n" + rows)
    with pytest.raises(UsageError, match=f"row 3, column {column}"):
        read_alliances(str(tmp_path / "alliances.csv"))
