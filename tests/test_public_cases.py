"""Published cases and reports of faults get the group that their source states.

``tests/data/public_cases.csv``: ``expected`` may end in ``*``; ``needs`` names what a case waits for, and is
empty where that is there. Payments are case files of tests/payment; reports about files have a test of their
own here. Cases whose state is ``open`` have two readings, which docs/conformance.md states; those that are
``source wrong`` are kept as a warning.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from grouper.grouping.api import Grouper, Options
from grouper.grouping.files import group_files
from grouper.records import ColumnMap, NormaliseOptions, Normaliser, Source

from .payment.case_files import read_cases
from .support import DATA, loaded, table_of

TESTED = ("right", "to mend", "to build")
OF_FILES = ("BUG14", "BUG17", "BUG19", "BUG20", "BUG22")
with (DATA / "public_cases.csv").open(encoding="utf-8", newline="") as file:
    CASES = list(csv.DictReader(file))
BY_ID = {case["id"]: case for case in CASES}


def group_of(case: dict[str, str]) -> str:
    record = {"record_id": case["id"], "procedures": [], **json.loads(case["record"])}
    return str(loaded(case["scheme"]).group(table_of([record]))["drg"].to_pylist()[0])


def record_of(case: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(BY_ID[case]["record"])
    return record


READY = [case for case in CASES if case["state"] in TESTED and not case["needs"]]
PAYMENTS = [case for case in READY if case["kind"] == "published payment"]
GROUPED = [case for case in READY if case not in PAYMENTS and case["id"] not in OF_FILES]
OPEN = [case for case in CASES if case["state"] == "open"]


@pytest.mark.parametrize("case", GROUPED, ids=lambda c: c["id"])
def test_a_published_case_gets_its_group(case: dict[str, str]) -> None:
    assert fnmatchcase(group_of(case), case["expected"])


@pytest.mark.parametrize("case", PAYMENTS, ids=lambda c: c["id"])
def test_a_published_payment_is_a_case_of_payment(case: dict[str, str]) -> None:
    """Its amount is computed where all case files of payment are: tests/payment/test_cases.py."""
    (payment,) = [found for found in read_cases() if found.name == case["id"]]
    assert Decimal(payment.expect["amount"]) == Decimal(case["expected"])


def test_no_case_waits() -> None:
    """Whoever adds a case that cannot be tested yet names what it waits for, and counts it here."""
    waiting = Counter(case["needs"].partition(":")[0] for case in CASES if case["needs"])
    assert waiting == {}
    assert len(GROUPED) + len(PAYMENTS) + len(OF_FILES) == len(READY)


def test_the_states_are_counted() -> None:
    counts = {"right": 40, "to mend": 19, "to build": 2, "open": 5, "source wrong": 5}
    assert Counter(case["state"] for case in CASES) == counts


@pytest.mark.parametrize("case", OPEN, ids=lambda c: c["id"])
def test_an_open_case_stands_in_the_docs(case: dict[str, str]) -> None:
    text = (DATA.parents[1] / "docs" / "conformance.md").read_text(encoding="utf-8")
    assert f"| {case['id']} |" in text
    if case["scheme"] != "national/dip pool":
        assert group_of(case) in text


def test_thrombosis_with_and_without_diabetes_are_two_groups() -> None:
    """PAY5: the article names two amounts for them; of Harbin weights and rate are not public."""
    record = record_of("PAY5")
    also = {**record, "diagnoses": record["diagnoses"] + record["also"]}
    assert group_of(BY_ID["PAY5"]) == "BR25"
    assert group_of({**BY_ID["PAY5"], "record": json.dumps(also)}) == "BR23"


def grouped(place: Path, name: str, text: str, scheme: str, layout: str | None = None) -> list[str]:
    """The lines of a CSV file that grouping a file of this text wrote."""
    (place / name).write_text(text, encoding="utf-8")
    options = Options(allow_missing=("age_days", "birth_weight_g"), prefix="new_")
    grouper_ = Grouper(loaded(scheme).engine, options)
    group_files(grouper_, [place / name], place / "out.csv", layout=layout)
    return (place / "out.csv").read_text(encoding="utf-8-sig").splitlines()


def test_a_list_without_a_principal_diagnosis_keeps_its_codes(tmp_path: Path) -> None:
    """BUG14: CSV wrote an empty cell for a list whose first entry is missing."""
    diseases = [
        {"diag_type": "1", "diag_code": code, "maindiag_flag": flag}
        for code, flag in record_of("BUG14")["diseinfo"]
    ]
    message = {"setlinfo": {"setl_id": "S1", "gend": "1", "age": 40}, "diseinfo": diseases, "oprninfo": []}
    rows = grouped(tmp_path, "4101.json", json.dumps(message), "chs-drg-2.0")
    assert '"|K35.300|J96.900"' in rows[1] and '"no-principal-diagnosis"' in rows[1]


def test_a_stay_that_ends_on_its_first_day_is_one_day() -> None:
    """BUG17."""
    first, last = record_of("BUG17")["admission"], record_of("BUG17")["discharge"]
    batch = pa.RecordBatch.from_pydict({"d": [["I10.x00"]], "p": [[]], "a": [first], "o": [last]})
    sources = {"diagnoses": "d", "procedures": "p", "admission_date": "a", "discharge_date": "o"}
    columns = ColumnMap("c", {field: Source((name,)) for field, name in sources.items()})
    prepared = Normaliser(columns, ["los_days"], NormaliseOptions(stay="nights")).prepare(batch)
    assert prepared.batch["los_days"].to_pylist() == [1]


def test_the_sample_files_of_another_grouper_are_read_without_a_map(tmp_path: Path) -> None:
    """BUG19 and BUG20: names of the sample files, and lists of codes with commas between."""
    header = record_of("BUG19")["header"]
    assert "D61.900,E03.900,I10.x00x002" in BY_ID["BUG20"]["record"]
    text = f'{header}\n1,2,60,,,,5,1,"D61.900,E03.900,I10.x00x002",00.1801,QZ15\n'
    rows = grouped(tmp_path, "input.csv", text, "yancheng-2023", "opendrg")
    assert '"grouped"' in rows[1] and '"QJ15"' in rows[1]


def test_codes_without_dots_are_read_and_counted(tmp_path: Path) -> None:
    """BUG22."""
    record = record_of("BUG22")
    text = "record_id,sex,age_years,los_days,discharge_way,diagnoses,procedures\n"
    text += f"R1,1,40,5,1,{record['diagnoses'][0]},{record['procedures'][0]}\n"
    assert '"GD15"' in grouped(tmp_path, "in.csv", text, "chs-drg-1.1")[1]
