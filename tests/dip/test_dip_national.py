"""DIP 3.0 as shipped: conformance vectors, every packet reached, random records, and the workbook imported.

The sample in ``tests/data`` holds every scenario of the vectors; set GROUPER_DIP_VECTORS to the folder of
the full ones to run all of them.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from grouper.base.errors import UsageError
from grouper.codes import icd
from grouper.commands.tables import tables
from grouper.grouping.dip.explain import explain
from grouper.grouping.dip.reference import Reference
from grouper.grouping.dip.tables.anomalies import anomalies
from grouper.grouping.dip.tables.catalogue import assemble, load, scheme_folders
from grouper.grouping.dip.tables.listing import code_lines, overview, verify
from grouper.grouping.dip.tables.rules import Rule, stands_in
from grouper.grouping.tables.sheets import read_book, write_book

from .dip_support import SAMPLE, batch_of, catalogue, engine, outcome, reference, rows_of, same
from .national_book import national_book

NATIONAL = "dip-3.0"
FULL = os.environ.get("GROUPER_DIP_VECTORS")
CONSERVATIVE_OP, NEVER_MAIN, SCOPED = "01.5300", "39.6100", "45.2302"
COLONOSCOPY = SCOPED
SHADOWED = {"JC-2339": "BX-361", "JC-3992": "BX-1143"}


def whole(dx: str, *operations: str, others: Any = (), **numbers: Any) -> dict[str, Any]:
    """The result columns of one record, on which kernel, reference and explanation must agree."""
    record = {"diagnoses": [dx, *others], "procedures": list(operations), **numbers}
    made = engine(NATIONAL)
    found = made.row(made.numbers(batch_of([record])), 0)
    trace = reference(NATIONAL).group(record)
    assert same({**found, "code": found["dip_code"], "kind": found["dip_kind"]}, outcome(trace))
    assert found["primary_care"] == (trace.primary_care if trace.row else None)
    assert explain(made, record).result == found
    return found


# --- vectors --------------------------------------------------------------------------------------


def test_kernel_and_reference_agree_with_every_vector() -> None:
    path = Path(FULL) / f"{NATIONAL}.parquet" if FULL else SAMPLE.with_name("dip3_conformance.parquet")
    records = pq.read_table(path).to_pylist()
    assert len({record["scenario"] for record in records}) == 7
    for record, row in zip(records, rows_of(engine(NATIONAL), records, ("primary_care",)), strict=True):
        assert row["code"] == record["expected_dip"], record
        assert same(row, outcome(reference(NATIONAL).group(record))), record


# --- every packet ---------------------------------------------------------------------------------


@cache
def codes_under() -> dict[str, list[str]]:
    """Diagnoses that may be the main one, by their beginnings."""
    found: dict[str, list[str]] = {}
    out = catalogue(NATIONAL).chain.exclusions.diagnoses
    for code in sorted(icd.diagnoses()):
        if not stands_in(code.upper(), out):
            for length in (3, 5):
                found.setdefault(code[:length].upper(), []).append(code)
    return found


def records_for(rule: Rule) -> Iterator[dict[str, Any]]:
    """Records that meet a rule, each with other operations of its terms."""
    principals = [c for b in rule.dx for c in codes_under().get(b, [])] or ["I21.900"]
    listed = rule.listed or rule.not_listed
    if listed:
        principals = [code for code in principals if not stands_in(code.upper(), listed.main)]
    others = [next(code for code in icd.diagnoses() if stands_in(code.upper(), t)) for t in rule.other_dx]
    others += ["U84.300"] if rule.listed else []
    if rule.any_dx:
        principals = codes_under()[rule.any_dx[0][0]]
    numbers: dict[str, Any] = {"age_years": 40}
    if rule.weight:
        numbers = {"age_years": 0, "age_days": 28, "birth_weight_g": rule.weight[1]}
    main, related = rule.packet.main, rule.packet.related
    for first in main[0] if main else ("",):
        for second in related[0] if related else ("",):
            rest = [term[0] for term in (*main[1:], *related[1:])]
            operations = [code for code in (first, *rest, second) if code]
            for principal in (principals[0], principals[-1]):
                yield {"diagnoses": [principal, *others], "procedures": operations, **numbers}


@pytest.mark.slow
def test_every_one_of_the_5125_packets_is_reached() -> None:
    rules = catalogue(NATIONAL).chain.rules
    assert len(rules) == 5125
    aimed = [(rule.row.code, record) for rule in rules for record in records_for(rule)]
    found = rows_of(engine(NATIONAL), [record for _, record in aimed], ("primary_care",))
    hit = {code for (code, _), row in zip(aimed, found, strict=True) if code == row["code"]}
    assert {rule.row.code for rule in rules} - hit == {*SHADOWED}
    assert len(hit) == 5123
    for rule in random.Random(1).sample(rules, 300):
        for record in list(records_for(rule))[:2]:
            (row,) = rows_of(engine(NATIONAL), [record], ("primary_care",))
            assert same(row, outcome(reference(NATIONAL).group(record)))


@pytest.mark.slow
def test_two_packets_are_reached_only_without_the_wider_one_before_them() -> None:
    """Merge rules stand before basic ones: these two ask for what a merge rule already takes."""
    plain = catalogue(NATIONAL)
    for code, before in SHADOWED.items():
        rules = [rule for rule in plain.chain.rules if rule.row.code in (code, before)]
        record = next(records_for(next(rule for rule in rules if rule.row.code == code)))
        for kept, wanted in ((rules, before), (rules[1:], code)):
            made = assemble(plain.meta, plain.options, [], "", "test", kept, plain.chain.exclusions)
            assert Reference(made).group(record).row == next(r.row for r in rules if r.row.code == wanted)
    places = {finding.place: finding for finding in verify(scheme_folders()[NATIONAL])}
    assert {*SHADOWED} <= {*places}
    assert "BX-361" in places["JC-2339"].en


# --- random records ---------------------------------------------------------------------------------


@st.composite
def records(draw: st.DrawFn) -> dict[str, Any]:
    """A record for some rule with operations added, doubled, dropped and put in another order."""
    rules = catalogue(NATIONAL).chain.rules
    aimed = list(records_for(draw(st.sampled_from(rules))))
    record = dict(draw(st.sampled_from(aimed)))
    odd = [CONSERVATIVE_OP, NEVER_MAIN, SCOPED, "17.7200x005", "39.6500", "96.7201", "47.0100"]
    added = draw(st.lists(st.sampled_from([*odd, *record["procedures"]]), max_size=3))
    record["procedures"] = draw(st.permutations([*record["procedures"], *added]))
    some = ["U84.300", "P07.100", "T31.000", "C78.000", "A15.000x010", "I10.x00"]
    record["diagnoses"] = [*record["diagnoses"], *draw(st.lists(st.sampled_from(some), max_size=2))]
    record["birth_weight_g"] = draw(st.sampled_from([None, 900, record.get("birth_weight_g")]))
    record["age_days"] = draw(st.sampled_from([None, 3, record.get("age_days")]))
    return record


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.lists(records(), min_size=4, max_size=4))
def test_kernel_reference_and_explanation_agree(some: list[dict[str, Any]]) -> None:
    for record, found in zip(some, rows_of(engine(NATIONAL), some, ("primary_care",)), strict=True):
        trace = reference(NATIONAL).group(record)
        assert same(found, outcome(trace)), record
        assert found["primary_care"] == (trace.primary_care if trace.row else None)
        step = explain(engine(NATIONAL), record)
        assert list(step.result.values()) == list(found.values())
        assert step.text("zh") and step.text("en")


# --- what is new in 3.0 -----------------------------------------------------------------------------


def test_an_operation_that_counts_as_conservative() -> None:
    assert whole("K59.101", CONSERVATIVE_OP)["dip_code"] == whole("K59.101")["dip_code"] == "JC-3697"


def test_an_operation_that_is_never_main_is_passed_over() -> None:
    passed = whole("K35.800x001", NEVER_MAIN, "47.0100")
    assert passed["dip_code"] == whole("K35.800x001", "47.0100")["dip_code"]
    assert whole("K35.800x001", NEVER_MAIN)["dip_code"] == whole("K35.800x001")["dip_code"]
    step = explain(engine(NATIONAL), {"diagnoses": ["K35.800x001"], "procedures": [NEVER_MAIN, "47.0100"]})
    assert f"{NEVER_MAIN} 不可作为主要手术操作，以 47.0100 为主要手术操作" in step.text("zh")
    assert f"{NEVER_MAIN} may not be the main procedure: 47.0100 is" in step.text("en")
    none = explain(engine(NATIONAL), {"diagnoses": ["K35.800x001"], "procedures": [NEVER_MAIN]})
    assert "no procedure may be the main one" in none.text("en")


def test_an_operation_that_is_main_within_its_scope_only() -> None:
    assert whole("A09.001", COLONOSCOPY)["dip_code"] == "BX-20"
    assert whole("J18.900", COLONOSCOPY)["dip_code"] == whole("J18.900")["dip_code"]


def test_resistant_tuberculosis_by_the_annex_or_another_diagnosis() -> None:
    assert whole("A15.000x010")["dip_code"] == "FZ-1836"
    assert whole("A15.000x001", others=["U84.300"])["dip_code"] == "FZ-1836"
    assert whole("A15.000x001", others=["A15.000x010"])["dip_code"] == "FZ-1837"
    assert whole("A18.000x002+M90.0*", others=["U84.300"])["dip_code"] == "FZ-1852"


def test_burns_and_chemotherapy_by_another_diagnosis() -> None:
    assert whole("T20.200", others=["T31.100"])["dip_code"] == "FZ-1748"
    assert whole("Z51.102", "99.2503", "99.2800x005", others=["C34.900"])["dip_code"] == "FZ-1771"


def test_plus_binds_looser_than_or() -> None:
    """65.6100|66.5100+40.5910 is one of the two, and 40.5910."""
    main = "68.4901"
    assert whole("C54.100", main, "66.5100", "40.5910")["dip_code"] == "BX-196"
    assert whole("C54.100", main, "66.5100")["dip_code"] == "BX-195"
    assert whole("C54.100", main, "40.5910")["dip_code"] == "BX-193"


def test_the_main_operation_does_not_serve_as_a_related_one() -> None:
    assert whole("C34.100x003", "32.2001", "32.2001")["dip_code"] == "BX-130"
    assert whole("C34.100x003", "32.2001", "32.2003")["dip_code"] != "BX-130"
    assert whole("C34.100x003", "32.2003", "32.2001")["dip_code"] == "BX-130"


def test_newborns_read_birth_weight() -> None:
    newborn = {"age_years": 0, "age_days": 3, "others": ["P07.100"]}
    assert whole("P22.000", **newborn, birth_weight_g=1499)["dip_code"] == "XQ-17"
    assert whole("P22.000", **newborn)["reason"] == "missing-birth-weight"
    assert "birth_weight_g" in engine(NATIONAL).fields


def test_codes_newer_than_the_edition_lead_to_their_packets() -> None:
    assert whole("D25.900", "17.7300x002")["dip_code"] == "BX-358"
    assert whole("C67.900", "17.7200x004")["dip_code"] == "BX-216"


def test_primary_care_is_told_by_diagnosis_and_operation() -> None:
    assert whole("I10.x00x002")["primary_care"] is True
    assert whole("D17.001", "86.3x03")["primary_care"] is True
    assert whole("D17.001", "86.3x13")["primary_care"] is False
    assert whole("D17.001", "86.3x03")["dip_code"] == whole("D17.001", "86.3x13")["dip_code"] == "BX-321"
    assert whole("Z00.000")["primary_care"] is None


def test_there_is_no_score() -> None:
    found = whole("K35.800x001", "47.0100")
    assert (found["score"], found["status"]) == (None, "grouped")
    text = explain(engine(NATIONAL), {"diagnoses": ["K35.800x001"], "procedures": ["47.0100"]}).text("zh")
    assert "目录没有该病种的分值" in text and "None" not in text


# --- tables -----------------------------------------------------------------------------------------


def test_the_tables_commands_know_it() -> None:
    lines = list(overview(catalogue(NATIONAL), "en"))
    assert "  merge: 1725" in lines and "  basic: 3268" in lines
    told = [*code_lines(catalogue(NATIONAL), "A15.000", "en")]
    assert told[0].startswith("A15.000 ") and any(
        line.startswith("FZ-1812  –  diagnosis_split") for line in told
    )
    found = [*verify(scheme_folders()[NATIONAL]), *anomalies(catalogue(NATIONAL))]
    assert {finding.severity for finding in found} <= {"warning"}
    names = {rule.row.name for rule in catalogue(NATIONAL).chain.rules}
    assert "" not in names and "心肺移植" in names


FILES = ("rules.csv", "lists.csv", "exclusions.csv", "primary_care.csv", "catalogue.csv")


def imported(tmp_path: Path, book: Any) -> tuple[Any, Path]:
    source, output = tmp_path / "dip3.xlsx", tmp_path / "out"
    write_book(book, source, "xlsx")
    arguments = [
        "import",
        str(source),
        "-o",
        str(output),
        "--id",
        NATIONAL,
        "--name",
        "n",
        "--area",
        "national",
    ]
    return CliRunner().invoke(tables, [*arguments, "--lang", "en"]), output


@pytest.mark.slow
def test_the_workbook_imports_to_exactly_the_shipped_files(tmp_path: Path) -> None:
    shipped = scheme_folders()[NATIONAL]
    result, output = imported(tmp_path, national_book(shipped))
    assert result.exit_code == 0, result.output
    for name in FILES:
        assert (output / name).read_bytes() == (shipped / name).read_bytes(), name
    assert load(output).options == catalogue(NATIONAL).options
    shutil.copyfile(shipped / "scheme.toml", output / "scheme.toml")
    assert load(output).digest == catalogue(NATIONAL).digest


@pytest.mark.slow
@pytest.mark.parametrize("form", [".xlsx", ""])
def test_export_and_import_give_the_shipped_files(tmp_path: Path, form: str) -> None:
    """A workbook, or a folder of CSV sheets, in the layout of the ministry, with names for readers."""
    shipped, source, output = scheme_folders()[NATIONAL], tmp_path / f"book{form}", tmp_path / "out"
    for arguments in (
        ["export", NATIONAL, str(source)],
        ["import", str(source), "-o", str(output), "--id", NATIONAL, "--name", "n", "--area", "national"],
    ):
        done = CliRunner().invoke(tables, [*arguments, "--lang", "en"])
        assert done.exit_code == 0, done.output
    for name in FILES:
        assert (output / name).read_bytes() == (shipped / name).read_bytes(), name
    assert load(output).options == catalogue(NATIONAL).options
    if form:
        sheet = read_book(source)["二、并项规则下的核心病种"].rows
        assert [cell for cell in sheet[1] if cell][:2] == ["分类", "序号"] and any(
            row[5] for row in sheet[2:]
        )


def test_scores_on_top_of_the_national_packets_have_no_column_there(tmp_path: Path) -> None:
    done = CliRunner().invoke(tables, ["export", "dip-3.0-example", str(tmp_path / "b.xlsx"), "--lang", "en"])
    assert isinstance(done.exception, UsageError)
    assert (
        "grouper tables export dip-3.0 gives" in done.exception.en and "copy the folder" in done.exception.en
    )


MERGED, PRE, TB = "二、并项规则下的核心病种", "一、先期分组", "三、诊断辅助细分-结核类病种"
OUT_DX, OUT_OP = "五、不纳入分组的主要诊断", "五、不纳入分组的主要手术操作"


@pytest.mark.parametrize(
    ("sheet", "row", "column", "value", "message"),
    [
        (MERGED, 5, 2, "肺癌", f"{MERGED}!C6: column 主要诊断编码: is no beginning"),
        (MERGED, 5, 4, "6.31", f"{MERGED}!E6: column 主要手术操作编码: is not the code"),
        (MERGED, 5, 1, "20", f"{MERGED}!B6: column 序号: number 20 repeats"),
        (MERGED, 5, 4, "", f"{MERGED}!E6: column 主要手术操作编码: must not be empty"),
        (PRE, 3, 5, "", f"{PRE}!F4: column 主要手术操作编码: must name operations"),
        (PRE, 19, 6, "轻", f"{PRE}!G20: column 出生体重: must be such as 1000-1499克"),
        (TB, 2, 8, "或许", f"{TB}!I3: column 是否耐药"),
        (OUT_OP, 2, 2, "不详", f"{OUT_OP}!C3: column 说明: must be"),
        (OUT_DX, 3, 0, "病", f"{OUT_DX}!A4: column 编码: is no diagnosis"),
    ],
)
def test_a_broken_cell_is_named(
    tmp_path: Path, sheet: str, row: int, column: int, value: str, message: str
) -> None:
    book = national_book(scheme_folders()[NATIONAL])
    book[sheet][row][column] = value
    result, output = imported(tmp_path, book)
    assert result.exit_code == 2 and not output.exists()
    assert message in result.output


@pytest.mark.parametrize("title", [PRE, MERGED])
def test_the_workbook_is_known_by_its_other_sheets(tmp_path: Path, title: str) -> None:
    book = national_book(scheme_folders()[NATIONAL])
    del book[title]
    result, output = imported(tmp_path, book)
    assert result.exit_code == 2 and not output.exists()
    assert f"the sheet '{title}' is missing" in result.output


def test_a_missing_sheet_and_a_missing_column_are_named_with_what_was_expected(tmp_path: Path) -> None:
    book = national_book(scheme_folders()[NATIONAL])
    del book["六、基层病种"]
    book["五、不纳入分组的主要手术操作"][1][2] = "其他"
    book["四、基础规则下的核心病种"].pop(7)
    result, _ = imported(tmp_path, book)
    assert (
        "the sheet '六、基层病种' is missing (columns 序号、主要诊断编码、主要手术操作编码)" in result.output
    )
    assert "the sheet '五、不纳入分组的主要手术操作' lacks the columns 说明" in result.output
