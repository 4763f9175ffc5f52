"""Whole files: every row has one state per rule, rules over all stays, and what is written."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from grouper.checks import CheckSummary, check_files, check_record, load_rules
from grouper.checks.month import MEASURES
from tests.in_process import call
from tests.support import loaded

HERE = Path(__file__).parent
SCHEME = "chs-drg-2.0"
MONTHS = tomllib.loads((HERE / "months.toml").read_text(encoding="utf-8"))
RECORDS = tomllib.loads((HERE / "cases.toml").read_text(encoding="utf-8"))["cases"]
BY_POLICY = {"edge-of-limits"}  # tested with amounts


def stays(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of a case with what they do not say from the base, each person for itself."""
    made = []
    for row in rows:
        plain = MONTHS["base"] | {name: value for name, value in row.items() if name != "times"}
        for _ in range(row.get("times", 1)):
            number = len(made) + 1
            person = plain["person_id"] or f"person {number}"
            made.append({**plain, "record_id": f"r{number}", "person_id": person})
    return made


def check(tmp_path: Path, rows: list[dict[str, Any]], **how: Any) -> tuple[CheckSummary, pl.DataFrame]:
    source = tmp_path / "records.parquet"
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(source)
    summary = check_files(loaded(SCHEME), [source], tmp_path / "found.parquet", **how)
    return summary, pl.read_parquet(tmp_path / "found.parquet")


@pytest.mark.parametrize("case", MONTHS["cases"], ids=lambda case: case["rule"])
def test_a_rule_over_all_stays_is_found_and_passes(tmp_path: Path, case: dict[str, Any]) -> None:
    _, found = check(tmp_path, stays(case["found"]))
    _, passed = check(tmp_path, stays(case["passed"]))
    mine = found.filter(pl.col("rule") == case["rule"])
    assert mine.height == 1
    assert "{" not in mine["text"][0] and "—" not in mine["text"][0]
    assert case["rule"] not in set(passed["rule"])


def test_every_rule_over_stays_has_both_and_a_measure() -> None:
    rules = load_rules().of("month")
    assert {case["rule"] for case in MONTHS["cases"]} | BY_POLICY == {rule.id for rule in rules}
    assert {rule.measure for rule in rules} == set(MEASURES)


def records() -> list[dict[str, Any]]:
    cases = [case[name] for case in RECORDS for name in ("found", "passed")]
    names = sorted({name for case in cases for name in case if name != "blank"})
    return [{name: case.get(name) for name in names} for case in cases]


def test_rows_in_are_rows_by_rule_and_findings_are_those_of_the_records(tmp_path: Path) -> None:
    rows = records()
    summary, found = check(tmp_path, rows, months=False)
    for tally in summary.tallies.values():
        assert tally.found + tally.passed + tally.not_evaluated == summary.rows == len(rows)
        assert tally.found == found.filter(pl.col("rule") == tally.rule.id).height
    assert summary.findings == found.height and summary.records == found["row"].n_unique()
    for number in range(1, len(rows) + 1, 7):
        alone = {(f.id, f.text) for f in check_record(rows[number - 1], loaded(SCHEME))}
        assert set(found.filter(pl.col("row") == number).select("rule", "text").iter_rows()) == alone


def test_what_a_file_lacks_is_counted_by_rule(tmp_path: Path) -> None:
    summary, _ = check(tmp_path, [{"diagnoses": ["K35.300"], "procedures": ["47.0901"]}] * 3)
    tally = summary.tallies["sex-diagnosis-female"]
    assert (tally.found, tally.passed, tally.not_evaluated, tally.lacks) == (0, 0, 3, ("sex",))
    assert summary.tallies["split-stay"].lacks == ("person_id", "admission_date", "discharge_date")
    assert summary.tallies["principal-grey"].passed == 3


def test_an_empty_file_has_no_findings(tmp_path: Path) -> None:
    source = tmp_path / "none.csv"
    source.write_text("diagnoses,procedures,sex\n", encoding="utf-8")
    summary = check_files(loaded(SCHEME), [source], tmp_path / "found.csv")
    assert (summary.rows, summary.findings) == (0, 0)


# --- the command --------------------------------------------------------------------------------------------


@pytest.fixture
def june(tmp_path: Path) -> Path:
    path = tmp_path / "june.csv"
    path.write_text(
        "record_id,diagnoses,procedures,sex,age_years\n1,O80.000,,1,30\n2,K35.300,47.0901,2,40\n3,R51.x00|I63.300,,1,70\n",
        encoding="utf-8",
    )
    return path


@pytest.mark.parametrize("end", ["csv", "parquet", "xlsx", "jsonl"])
def test_the_command_tells_the_summary_and_writes_findings(tmp_path: Path, june: Path, end: str) -> None:
    target = tmp_path / f"found.{end}"
    code, out, err = call("check", june, "--scheme", SCHEME, "-o", target)
    assert code == 0, err.decode()
    text = out.decode()
    assert "核查 3 份病案" in text and "男性有女性诊断 [sex-diagnosis-female]" in text and "未评估" in text
    assert target.stat().st_size > 0
    if end == "csv":
        assert "男性患者有女性诊断 O80.000 头位顺产" in target.read_text(encoding="utf-8-sig")


def test_the_command_speaks_english(june: Path) -> None:
    code, out, _ = call("check", june, "--scheme", SCHEME, lang="en")
    assert code == 0 and "3 records checked" in out.decode()
    assert not any("\u4e00" <= sign <= "\u9fff" for sign in out.decode())


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ((), "--scheme"), (("--scheme", SCHEME, "--month", "2025-06"), "--month"),
        (("--scheme", SCHEME, "-o", "x.doc"), "--to"),
    ],
)  # fmt: skip
def test_a_call_that_cannot_be_carried_out_is_refused(june: Path, more: tuple[str, ...], told: str) -> None:
    code, out, err = call("check", june, *more)
    assert code == 1 and told in err.decode() and not out


def test_the_output_is_no_input(june: Path) -> None:
    code, _, _ = call("check", june, "--scheme", SCHEME, "-o", june)
    assert code == 1 and june.read_text(encoding="utf-8").startswith("record_id")
