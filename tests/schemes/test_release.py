"""Release check: what ``verify`` finds in the shipped tables is what was looked at and accepted.

``tests/data/accepted_findings.csv`` has one row for each warning, with the number of codes or names
that it counts, and the reason why it is kept. A new finding fails here until somebody mends the
table, or adds a row with a reason; so does one that is gone. The quick check takes two of the three
editions, the slow one all schemes; GROUPER_VECTORS runs the full vectors (tests/test_conformance.py).
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from grouper.grouping.drg.tables.model import Scheme
from grouper.grouping.drg.tables.store import read_meta, scheme_folders
from grouper.grouping.drg.tables.verify import verify

ACCEPTED = Path(__file__).parents[1] / "data" / "accepted_findings.csv"
QUICK = ("chs-drg-1.0", "chs-drg-2.0")
Row = tuple[str, str, str, int]


def accepted(schemes: Iterable[str]) -> set[Row]:
    with ACCEPTED.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(row["reason"] for row in rows)
    chosen = set(schemes)
    return {
        (row["scheme"], row["kind"], row["place"], int(row["number"]))
        for row in rows
        if row["scheme"] in chosen
    }


def found(schemes: Iterable[str]) -> set[Row]:
    folders = scheme_folders()
    return {
        (finding.scheme, finding.kind, finding.place, len(finding.details))
        for name in schemes
        for finding in verify(folders[name], sisters=True)
        if finding.severity != "info"
    }


def of_edition(edition: str) -> list[str]:
    metas = {name: read_meta(folder) for name, folder in scheme_folders().items()}
    return [name for name, meta in metas.items() if meta.get("base", name) == edition]


@pytest.mark.slow
@pytest.mark.parametrize("edition", QUICK)
def test_findings_on_an_edition_are_the_accepted_ones(edition: str) -> None:
    assert found(of_edition(edition)) == accepted(of_edition(edition))


@pytest.mark.slow
def test_findings_on_all_schemes_are_the_accepted_ones() -> None:
    assert found(scheme_folders()) == accepted(scheme_folders())


def test_every_correction_says_what_why_and_by_which_evidence(shipped: Callable[[str], Scheme]) -> None:
    for folder in scheme_folders().values():
        for correction in read_meta(folder).get("corrections", []):
            assert all(correction[key].strip() for key in ("what", "why", "evidence")), folder.name


def test_mended_places_stay_mended(shipped: Callable[[str], Scheme]) -> None:
    """A delivery is OR1 by Z37 as another diagnosis; burns of the face are admitted; FV25 is there."""
    scheme = shipped("wlmq-2022")
    conditions = {adrg.variant: adrg.condition for adrg in scheme.adrgs}
    assert "other_dx in OR1.dx" in conditions["OR1"]
    assert {"T20.300", "T20.100"} <= scheme.lists["MDCW.dx"]
    assert {"BR13", "FV25"} <= {drg.drg for _, drg in scheme.groups()}
