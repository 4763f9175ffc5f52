"""Each rule of scope record by a record where it is found and one where it passes (cases.toml)."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grouper.base.errors import TableError
from grouper.checks import check_record, checked, load_rules
from grouper.checks.evaluate import unknown_names
from grouper.checks.lists import code_lists
from grouper.checks.record import checker_of
from grouper.checks.rules import read_rules
from grouper.codes import icd
from grouper.records.columns import detect_layout
from tests.support import loaded

HERE = Path(__file__).parent
SCHEME = "chs-drg-2.0"
CASES = tomllib.loads((HERE / "cases.toml").read_text(encoding="utf-8"))["cases"]
# Declared, but no layout has their field yet: not evaluated, whatever the record.
NO_FIELD = {"principal-several", "birth-outcome-count"}


def record(case: dict[str, Any]) -> dict[str, Any]:
    plain = {name: value for name, value in case.items() if name != "blank"}
    return plain | dict.fromkeys(case.get("blank", ()))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["rule"])
def test_a_rule_is_found_where_it_should_and_passes_where_it_should(case: dict[str, Any]) -> None:
    found, passed = (checked(record(case[name]), loaded(SCHEME)) for name in ("found", "passed"))
    assert case["rule"] in {finding.id for finding in found.findings}
    assert case["rule"] in passed.passed


def test_every_rule_of_a_record_has_both() -> None:
    assert {case["rule"] for case in CASES} | NO_FIELD == {rule.id for rule in load_rules().of("record")}


def test_all_34_checks_have_a_rule() -> None:
    assert {rule.check for rule in load_rules().rules} == set(range(1, 35))


def test_texts_name_what_there_is_and_tell_where_they_come_from() -> None:
    rules = load_rules()
    assert unknown_names(rules.rules) == []
    assert all(rule.source and not rule.verified for rule in rules.rules)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["rule"])
def test_a_finding_speaks_both_languages_and_leaves_no_placeholder(case: dict[str, Any]) -> None:
    for lang in ("zh", "en"):
        [finding] = [
            f for f in check_record(record(case["found"]), loaded(SCHEME), lang=lang) if f.id == case["rule"]
        ]
        assert finding.text and finding.mend
        assert not any(sign in finding.text + finding.mend for sign in "{}$")


def test_the_correction_is_of_the_codes_that_the_record_holds() -> None:
    headache = {"diagnoses": ["R51.x00", "I63.300"], "procedures": [], "sex": 1, "age_years": 70}
    [finding] = [f for f in check_record(headache, loaded(SCHEME)) if f.id == "symptom-principal"]
    assert (finding.correction, finding.corrected_group) == ("principal=I63.300", "BR15")


def test_a_rule_whose_field_a_record_lacks_is_not_evaluated() -> None:
    done = checked({"diagnoses": ["K35.300"], "procedures": []}, loaded(SCHEME))
    assert {"sex-diagnosis-female", "drug-share", "principal-arose", *NO_FIELD} <= set(done.not_evaluated)
    assert "principal-grey" in done.passed


def test_every_rule_has_one_state() -> None:
    for case in CASES[:10]:
        done = checked(record(case["found"]), loaded(SCHEME))
        told = [*(finding.id for finding in done.findings), *done.passed, *done.not_evaluated]
        assert sorted(told) == sorted(rule.id for rule in load_rules().of("record"))


# --- a file's rows and a record's are the same -----------------------------------------------------------

_POOL = [record(case[name]) for case in CASES for name in ("found", "passed")]
_NAMES = sorted({name for case in _POOL for name in case})


@given(st.lists(st.sampled_from(_POOL), min_size=1, max_size=8))
@settings(max_examples=15, deadline=None)
def test_a_record_by_itself_is_found_as_in_company(records: list[dict[str, Any]]) -> None:
    rows = [{name: one.get(name) for name in _NAMES} for one in records]
    frame = pl.DataFrame(rows, infer_schema_length=None)
    texts = [name for name, kind in frame.schema.items() if kind == pl.Null]
    batch = pa.table(frame.with_columns(pl.col(texts).cast(pl.String))).combine_chunks().to_batches()[0]
    checker = checker_of(loaded(SCHEME), "", None, "zh")
    reader = checker.reader(detect_layout(batch.schema.names), batch.schema)
    together = checker.check(reader.read(batch), reader.fields).findings
    for number, row in enumerate(rows, 1):
        alone = {(f.id, f.text, "|".join(f.codes), f.correction) for f in check_record(row, loaded(SCHEME))}
        mine = together.filter(pl.col("row") == number).select("rule", "text", "codes", "correction")
        assert set(mine.iter_rows()) == alone


# --- lists ------------------------------------------------------------------------------------------------


def test_lists_are_derived_from_scheme_and_editions() -> None:
    lists = code_lists()
    number = {
        name: sum(lists.has(name, code, "") for code in codes)
        for name, codes in (
            ("male_op", icd.procedures()), ("female_op", icd.procedures()),
            ("grey_dx", icd.diagnoses()), ("birth_outcome", icd.diagnoses()),
        )
    }  # fmt: skip
    assert number == {
        "male_op": 103,
        "female_op": 428,
        "grey_dx": len(icd.grey_diagnoses()),
        "birth_outcome": 20,
    }
    assert not lists.has("birth_outcome", "Z37.000", "")


def test_every_prefix_of_a_list_and_of_a_combination_is_a_code_of_the_edition() -> None:
    from grouper.base.paths import tables_dir
    from grouper.base.tables_in import read_table

    known = {"diagnosis": icd.diagnoses(), "procedure": icd.procedures()}
    for row in read_table(tables_dir() / "checks" / "codes.csv"):
        assert any(code.startswith(row.text("code")) for code in known[row.text("side")]), row.text("code")
    for row in read_table(tables_dir() / "checks" / "combinations.csv"):
        for name in ("first", "combined"):
            assert any(code.startswith(row.text(name)) for code in icd.diagnoses()), row.text(name)


# --- areas and faults in the tables -----------------------------------------------------------------------


def test_an_area_switches_rules_and_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    from grouper.base.tables_in import Row
    from grouper.checks import rules as module

    def rows(_: Path) -> list[Row]:
        cells = [
            ("here", "stay-long", "days", "10", "", ""), ("here", "drug-share", "on", "false", "", ""),
            ("here", "stay-zero", "severity", "error", "", ""), ("there", "stay-long", "days", "5", "", ""),
        ]  # fmt: skip
        names = ("area", "rule", "setting", "value", "valid_from", "valid_to")
        return [
            Row("areas.csv", n, dict(zip(names, cell, strict=True)), TableError)
            for n, cell in enumerate(cells, 2)
        ]

    monkeypatch.setattr(module, "area_rows", rows)
    here = load_rules("here")
    assert (here["stay-long"].limits["days"], here["stay-zero"].severity, here.off) == (
        10,
        "error",
        ("drug-share",),
    )
    assert "drug-share" not in {rule.id for rule in here.rules}
    assert load_rules()["stay-long"].limits["days"] == 60


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ('severity = "error"', "severity"), ('when = "principal_blank"', "when"),
        ('source = ["A"]', "source"),
        ("verified = false", "verified"), ("check = 1", "check"),
    ],
)  # fmt: skip
def test_a_fault_in_a_rule_is_told_with_its_place(tmp_path: Path, change: str, told: str) -> None:
    text = "[rank]\nerror = 9\nwarn = 3\nhint = 1\nyuan_per_point = 1000\n"
    text += '[sources]\nA = "x"\n[[rules]]\nid = "r"\ncheck = 1\nseverity = "error"\nscope = "record"\n'
    text += 'when = "principal_blank"\nsource = ["A"]\nverified = false\n'
    text += "".join(f'{name} = "a"\n' for name in ("name", "name_en", "zh", "en", "mend_zh", "mend_en"))
    good = tmp_path / "rules.toml"
    good.write_text(text, encoding="utf-8")
    assert len(read_rules(good)[0]) == 1
    other = {"when": 'when = "los_days > $days"', "source": 'source = ["Z"]'}.get(told, f'{told} = "no"')
    good.write_text(text.replace(change, other), encoding="utf-8")
    with pytest.raises(TableError, match=told):
        read_rules(good)
