"""The ICD tables: sizes, cross-references and the facts that other rooms rely on."""

from __future__ import annotations

import csv
import io
import time

import pytest

from grouper.base.errors import TableError
from grouper.base.paths import tables_dir
from grouper.codes import icd

FOLDER = tables_dir() / "icd"
KINDS = {"surgery", "therapeutic", "diagnostic", "interventional", ""}


def rows(name: str) -> list[dict[str, str]]:
    """A table as the csv module reads it: the slow and independent way."""
    text = (FOLDER / f"{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text)))


def test_lists_hold_what_the_csv_module_reads():
    assert icd.diagnoses() == {row["code"]: row["name"] for row in rows("diagnosis")}
    assert icd.procedures() == {row["code"]: row["name"] for row in rows("procedure")}
    assert icd.procedure_kinds() == {row["code"]: row["kind"] for row in rows("procedure")}


def test_counts_of_the_editions():
    assert len(icd.diagnoses()) == 33_304
    assert len(icd.procedures()) == 13_767
    assert len(icd.grey_diagnoses()) == 2_828
    assert len(icd.grey_procedures()) == 2_241
    kinds = list(icd.procedure_kinds().values())
    assert {kind: kinds.count(kind) for kind in KINDS} == {
        "surgery": 9_790, "therapeutic": 2_116, "diagnostic": 1_255, "interventional": 305, "": 301,
    }  # fmt: skip


def test_some_entries():
    assert icd.diagnoses()["I10.x00x002"] == "高血压"
    assert icd.procedures()["44.1300x001"] == "胃镜检查"
    assert "A00.000" in icd.grey_diagnoses()
    assert "A00.900" not in icd.grey_diagnoses()


@pytest.mark.parametrize("codes", [icd.diagnoses, icd.procedures])
def test_codes_differ_by_more_than_case_and_are_clean(codes):
    assert len({code.lower() for code in codes()}) == len(codes())
    assert all(code == code.strip() and name.strip() for code, name in codes().items())


@pytest.mark.parametrize(
    ("side", "codes", "size", "unmapped"),
    [("diagnosis", icd.diagnoses, 4_388, set()), ("procedure", icd.procedures, 561, {"00.31"})],
)
def test_every_crosswalk_target_is_an_insurance_code(side, codes, size, unmapped):
    crosswalk = icd.crosswalk(side)
    assert len(crosswalk) == size
    assert {clinical for clinical, insurance in crosswalk.items() if not insurance} == unmapped
    assert all(insurance in codes() for insurance in crosswalk.values() if insurance)
    same = {clinical for clinical, insurance in crosswalk.items() if clinical == insurance}
    assert same <= {"30.2911"}, "only this one is listed with its own code: the sources differ"


def test_250_clinical_codes_are_insurance_codes_with_another_meaning():
    diagnoses = icd.crosswalk("diagnosis").keys() & icd.diagnoses().keys()
    procedures = icd.crosswalk("procedure").keys() & icd.procedures().keys()
    assert (len(diagnoses), len(procedures)) == (245, 5)
    for side, both in (("diagnosis", diagnoses), ("procedure", procedures)):
        noted = {r["clinical_code"] for r in rows(f"{side}_crosswalk") if "also exists as an" in r["note"]}
        assert noted == both


def test_frequencies_name_known_codes():
    subcategories = {code[:5] for code in icd.diagnoses()} | {code[:3] for code in icd.diagnoses()}
    for row in rows("diagnosis_frequency"):
        assert row["code"] in (subcategories if row["cases"] else icd.diagnoses())
    assert {row["code"] for row in rows("procedure_frequency")} <= icd.procedures().keys()


@pytest.mark.parametrize(
    "name",
    ["diagnosis", "procedure", "diagnosis_crosswalk", "procedure_crosswalk", "diagnosis_frequency",
     "procedure_frequency"],
)  # fmt: skip
def test_tables_are_sorted_and_rectangular(name):
    """Sorted files give small diffs; the quick reader relies on the rest."""
    data = (FOLDER / f"{name}.csv").read_bytes()
    assert b"\r" not in data and b'"' not in data and data.endswith(b"\n")
    lines = data.decode().splitlines()
    assert len({line.count(",") for line in lines}) == 1
    codes = [line.split(",", 1)[0] for line in lines[1:]]
    assert codes == sorted(set(codes))


def test_the_folder_stays_small():
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < 3_500_000


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("code,title\nA,b\n", "header"),
        ("code,name\n", "rows"),
        ('code,name\nA,"b"\n', "quotes"),
        ("code,name\nA,b\nB\nC,d,e\n", "line 3"),
    ],
)
def test_a_broken_table_is_refused(tmp_path, monkeypatch, text, problem):
    (tmp_path / "icd").mkdir()
    (tmp_path / "icd" / "broken.csv").write_text(text, encoding="utf-8")
    monkeypatch.setattr(icd, "tables_dir", lambda: tmp_path)
    with pytest.raises(TableError, match=problem) as caught:
        icd.read_columns("broken", "code,name")
    assert "broken.csv" in caught.value.zh


def test_a_missing_table_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(icd, "tables_dir", lambda: tmp_path)
    with pytest.raises(TableError, match=r"nothing\.csv is missing"):
        icd.read_columns("nothing", "code,name")


def test_loading_both_lists_is_quick():
    """About 30 ms; the limit leaves room for a busy machine."""
    best = 1.0
    for _ in range(5):
        for cached in (icd._diagnosis_columns, icd._procedure_columns, icd.diagnoses, icd.procedures):
            cached.cache_clear()
        start = time.perf_counter()
        icd.diagnoses(), icd.procedures()
        best = min(best, time.perf_counter() - start)
    assert best < 0.1
