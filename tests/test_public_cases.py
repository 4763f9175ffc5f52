"""Published cases and reports of faults get the group that their source states.

``tests/data/public_cases.csv``: ``expected`` may end in ``*``; ``needs`` names what a case waits for,
and is emptied when that is there. Cases whose state is ``open`` have two readings, which
docs/conformance.md states; those that are ``source wrong`` are kept as a warning.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from fnmatch import fnmatchcase

import pytest

from .support import DATA, loaded, table_of

TESTED = ("right", "to mend", "to build")
with (DATA / "public_cases.csv").open(encoding="utf-8", newline="") as file:
    CASES = list(csv.DictReader(file))


def group_of(case: dict[str, str]) -> str:
    record = {"record_id": case["id"], "procedures": [], **json.loads(case["record"])}
    return str(loaded(case["scheme"]).group(table_of([record]))["drg"].to_pylist()[0])


READY = [case for case in CASES if case["state"] in TESTED and not case["needs"]]
OPEN = [case for case in CASES if case["state"] == "open"]


@pytest.mark.parametrize("case", READY, ids=lambda c: c["id"])
def test_a_published_case_gets_its_group(case: dict[str, str]) -> None:
    assert fnmatchcase(group_of(case), case["expected"])


def test_cases_that_wait_are_counted() -> None:
    """Whoever builds what a case needs empties its ``needs``, and corrects the number here."""
    waiting = Counter(case["needs"].partition(":")[0] for case in CASES if case["needs"])
    assert waiting == {"payment": 3, "writers": 1, "records": 4}
    assert {case["state"] for case in CASES if case["needs"]} <= set(TESTED)


def test_the_states_are_counted() -> None:
    counts = {"right": 40, "to mend": 19, "to build": 3, "open": 4, "source wrong": 5}
    assert Counter(case["state"] for case in CASES) == counts


@pytest.mark.parametrize("case", OPEN, ids=lambda c: c["id"])
def test_an_open_case_stands_in_the_docs(case: dict[str, str]) -> None:
    text = (DATA.parents[1] / "docs" / "conformance.md").read_text(encoding="utf-8")
    assert f"| {case['id']} |" in text
    if case["scheme"] != "national/dip pool":
        assert group_of(case) in text
