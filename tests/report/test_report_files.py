"""Workbooks, statements and feeds: what a spreadsheet reads back, and that no text becomes a formula."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import time
import zipfile
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastexcel
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grouper.base.errors import UsageError
from grouper.base.output import Output, neutral_texts
from grouper.report import Paths, ReportData, write_feeds, write_month, write_statements
from grouper.report.cells import cell, file_name, neutral
from grouper.report.draw.svg import fitted, log_ticks, text_width, tick_text, ticks
from grouper.report.numbers import Lang, number, percent
from grouper.report.statement import statement_page
from grouper.report.statement_rows import read_statement

from .report_support import Sample

EVIL = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", ' =HYPERLINK("http://x")', "＝1+1"]


@pytest.mark.parametrize("text", EVIL)
def test_texts_that_could_be_formulas_are_neutralised(text: str) -> None:
    assert neutral(text) == "'" + text


@pytest.mark.parametrize("text", ["", "云州市中医院", "A+B", "2025-06", "—", "1=1"])
def test_other_texts_are_left_alone(text: str) -> None:
    assert neutral(text) == text


def test_numbers_stay_numbers() -> None:
    assert cell(Decimal("-12.50")) == "-12.50" and cell(-3) == -3 and cell(None) == ""
    assert cell(Decimal("1E+3")) == "1000"
    assert cell("-12.50") == "'-12.50"


@given(st.text())
def test_a_neutral_text_never_begins_like_a_formula(text: str) -> None:
    assert not neutral(text).lstrip().startswith(tuple("=+-@"))
    assert neutral(text) in (text, "'" + text)


@given(st.lists(st.none() | st.text(max_size=4) | st.sampled_from(EVIL), max_size=5))
def test_columns_are_neutral_as_cells_are(texts: list[str | None]) -> None:
    """Of a whole column at once, but for numbers as texts and dashes, which are nobody's formula."""
    for before, after in zip(texts, neutral_texts(pa.array(texts, pa.string())).to_pylist(), strict=True):
        harmless = before is not None and (before.strip("-－") == "" or before[1:].isdigit())
        assert after == (before if before is None or harmless else neutral(before)), (before, after)


@pytest.mark.parametrize("text", ["-12.50", "+3", "-1,234.50", "-2e5", "-", "--", "－", "0.5", "", "A-1"])
def test_numbers_as_texts_and_dashes_are_read_back_as_they_were(text: str) -> None:
    assert neutral_texts(pa.array([text])).to_pylist() == [text]


def test_results_for_people_hold_no_formulas(tmp_path: Path) -> None:
    """The files of ``grouper group`` and ``pay``: CSV with an apostrophe, XLSX with cells of text."""
    evil = [text for text in EVIL if not text[1:].isdigit()]
    texts = [*evil, "-5.00", "plain", None]
    numbers = [Decimal(f"-{n}.50") for n in range(len(texts))]
    columns = {
        "=name": pa.array(texts),
        "word": pa.array(texts).dictionary_encode(),
        "codes": pa.array([[text, "x"] if text else None for text in texts]),
        "yuan": pa.array(numbers, pa.decimal128(18, 2)),
    }
    table = pa.table(columns)
    for form in ("csv", "xlsx", "jsonl"):
        with Output(str(tmp_path / f"out.{form}"), form) as out:
            writer = out.open(table.schema)
            for batch in table.to_batches():
                writer.write(batch)
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["'=name", "word", "codes", "yuan"]
    assert [row[0] for row in rows] == [row[1] for row in rows] == [
        *("'" + text for text in evil), "-5.00", "plain", "",
    ]  # fmt: skip
    assert [row[2] for row in rows][: len(evil)] == [f"'{text}|x" for text in evil]
    assert [row[3] for row in rows] == [str(number) for number in numbers]
    with zipfile.ZipFile(tmp_path / "out.xlsx") as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet and sheet.count('t="inlineStr"') + sheet.count('t="s"') > 3 * len(evil)
    kept = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["=name"] for row in kept] == texts


@given(st.text(min_size=1))
def test_file_names_stay_in_their_folder(code: str) -> None:
    name = file_name(code)
    assert "/" not in name and "\\" not in name and name not in ("", ".", "..") and "\0" not in name


def biggest(sample: Sample) -> str:
    table = sample.tables()["hospitals"].group_by("hospital_code").aggregate([("paid", "sum")])
    return str(max(table.to_pylist(), key=lambda row: row["paid_sum"])["hospital_code"])


def sheets(path: Path) -> dict[str, list[list[Any]]]:
    book = fastexcel.read_excel(path)
    return {
        name: [list(row.values()) for row in book.load_sheet(name, header_row=None).to_polars().to_dicts()]
        for name in book.sheet_names
    }


def test_the_workbook_says_what_the_tables_say(month: Sample, tmp_path: Path) -> None:
    code = biggest(month)
    tables = {
        name: table.filter(pc.equal(table["hospital_code"], code))
        for name, table in month.tables().items()
        if "hospital_code" in table.column_names
    }
    page, book, listed = write_statements(month.data(), tmp_path, hospitals=[code])
    assert (page.name, book.name, listed.name) == (f"{code}.html", f"{code}.xlsx", f"{code}-cases.xlsx")
    found = sheets(book)
    assert list(found) == ["汇总", "各月拨付", "病组", "未支付病例", "病例调整", "扣款", "来历"]
    summary = {row[0]: row for row in found["汇总"] if row[0]}
    due = pc.sum(tables["hospitals"]["fund_due"]).as_py()
    assert Decimal(str(summary["统筹应付（元）"][3])).quantize(Decimal("0.01")) == due
    assert int(float(summary["病例数"][3])) == tables["cases"].num_rows
    assert dict(row[:2] for row in found["来历"])["病例明细"] == listed.name
    unpaid = tables["cases"].filter(pc.not_equal(tables["cases"]["pay_status"], "paid"))
    assert sorted(row[0] for row in found["未支付病例"][1:]) == sorted(unpaid["record_id"].to_pylist())
    header, *cases = sheets(listed)["病例"]
    assert len(cases) == tables["cases"].num_rows > 20
    fund = header.index("统筹应付（元）")
    told = sum((Decimal(str(row[fund])) for row in cases if row[fund] is not None), Decimal(0))
    assert told.quantize(Decimal("0.01")) == due
    assert "人员（假名）" not in header
    header, *groups = found["病组"]
    paid = tables["cases"].filter(pc.equal(tables["cases"]["pay_status"], "paid"))
    assert sum(int(float(row[3])) for row in groups) == paid.num_rows
    assert all(row[0] and row[1] for row in groups), "a group has a code and a name, or is said to be none"
    charts = {row["record_id"]: row["record_no"] for row in month.tables()["records"].to_pylist()}
    header = sheets(listed)["病例"][0]
    for rows in (found["未支付病例"], found["病例调整"], [header, *cases]):
        record, chart = (rows[0].index(name) for name in ("记录号", "病案号"))
        assert [row[chart] for row in rows[1:]] == [charts[row[record]] for row in rows[1:]]
    assert len(found["病例调整"]) - 1 == tables["adjustments"].num_rows
    assert all(row[found["未支付病例"][0].index("请医院报送")] for row in found["未支付病例"][1:])


def test_adjustments_and_deductions_are_what_the_summary_says(month: Sample, tmp_path: Path) -> None:
    """Adjustments of cases add up to those of the summary, what is taken off to its audit deductions."""
    table = month.tables()["hospitals"]
    code = month.tables()["adjustments"]["hospital_code"][0].as_py()
    rows = [row for row in table.to_pylist() if row["hospital_code"] == code]
    changes = [r for r in month.tables()["adjustments"].to_pylist() if r["hospital_code"] == code]
    taken_off = {"kind": "audit_deduction", "record_id": None, "difference": Decimal("-2000.00")}
    made = [row | {"document": None} for row in changes]
    made.append({**changes[0], **taken_off, "document": "医保稽〔2025〕1号"})
    whole = sum(r["difference"] for r in changes)
    rows[0] |= {
        "adjustments": whole, "due_total": rows[0]["fund_due"] + whole, "carried_in": Decimal("30.00"),
        "audit": Decimal("2030.00"),
    }  # fmt: skip
    rows[1:] = [
        row | {"adjustments": Decimal(0), "carried_in": Decimal(0), "audit": Decimal(0)} for row in rows[1:]
    ]
    paths = {**dict(month.paths.items())}
    for name, listed in (("hospitals", rows), ("adjustments", made)):
        paths[name] = [str(tmp_path / f"{name}.parquet")]
        pq.write_table(pa.Table.from_pylist(listed), paths[name][0])
    data = ReportData.from_paths(Paths(**paths), month.run_info)
    with data.open() as query:
        statement = read_statement(query, code, data.info)
    assert sum(row["difference"] for row in statement.changes) == statement.total["adjustments"] == whole
    taken = statement.taken(data.info)
    assert sum(amount for *_, amount in taken) == statement.total["audit"] == 2030
    assert [amount for *_, amount in taken] == [2000, 30] and "医保稽〔2025〕1号" in taken[0][1]
    page = statement_page(statement, data.info, "zh")
    assert "人民币" in page and "制表" in page and "2,030.00" in page


def test_a_workbook_is_set_up_to_be_read_and_printed(month: Sample, tmp_path: Path) -> None:
    _, book, listed = write_statements(month.data(), tmp_path, "en", hospitals=[biggest(month)])
    with zipfile.ZipFile(book) as archive, zipfile.ZipFile(listed) as cases:
        texts = [archive.read(f"xl/worksheets/sheet{n}.xml").decode() for n in range(1, 5)]
        texts.append(cases.read("xl/worksheets/sheet1.xml").decode())
        styles = archive.read("xl/styles.xml").decode() + cases.read("xl/styles.xml").decode()
        whole = "".join(archive.read(name).decode("utf-8", "replace") for name in archive.namelist())
    for place, text in enumerate(texts):
        assert ('state="frozen"' in text) == (place > 0)  # the summary has nothing to freeze
        assert 'paperSize="9"' in text and 'fitToHeight="0"' in text
        assert "<f>" not in text and "<hyperlink" not in text and "<col " in text
    for pattern in ('"#,##0.0000"', '"0.0000"'):
        assert pattern in styles
    assert '"#,##0.00"' in styles or 'numFmtId="4"' in styles  # built in
    assert "2000-01-01" in whole


def spoilt(sample: Sample, folder: Path, text: str) -> Sample:
    """The sample with a hostile hospital name and group name, and the same in what was rejected."""
    paths = dict(sample.paths.items())
    for name, columns in (
        ("hospitals", ["hospital_name", "county"]), ("cases", ["group_name"]),
        ("rejected", ["reason_text_en"]), ("adjustments", ["reason", "source_file"]),
    ):  # fmt: skip
        table = pq.read_table(paths[name][0])
        for column in columns:
            place = table.column_names.index(column)
            table = table.set_column(place, column, pa.array([text] * table.num_rows))
        paths[name] = [str(folder / f"{name}.parquet")]
        pq.write_table(table, paths[name][0])
    return Sample(Paths(**paths), sample.run_info)


@pytest.mark.parametrize("text", EVIL)
def test_no_formula_gets_into_workbooks_and_feeds(month: Sample, tmp_path: Path, text: str) -> None:
    sample = spoilt(month, tmp_path, text)
    _, *books = write_statements(sample.data(), tmp_path / "books", hospitals=[biggest(month)])
    for book in books:
        with zipfile.ZipFile(book) as archive:
            for name in archive.namelist():
                assert b"<f>" not in archive.read(name)
    for rows in (rows for book in books for rows in sheets(book).values()):
        for row in rows:
            for value in row:
                assert not (isinstance(value, str) and value.startswith(tuple("=@\t")))
    for path in write_feeds(sample.data(), tmp_path / "csv", cases=True):
        for row in csv.reader(io.StringIO(path.read_text("utf-8-sig"), newline="")):
            for value in row:
                assert not value.startswith(("=", "@", "\t", "\r", "+", "＝"))
                if value.startswith("-"):
                    Decimal(value)  # a number, not a text


def test_feeds_hold_the_tables_exactly(month: Sample, tmp_path: Path) -> None:
    tables = month.tables()
    written = {path.stem: path for path in write_feeds(month.data(), tmp_path, cases=True)}
    assert set(written) == {"hospitals", "pools", "rejected", "adjustments", "cases"}
    for name, path in written.items():
        rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"), newline="")))
        assert len(rows) == tables[name].num_rows
        assert "person_id" not in rows[0]
    rows = list(csv.DictReader(io.StringIO(written["hospitals"].read_text("utf-8-sig"), newline="")))
    assert sum(Decimal(row["fund_due"]) for row in rows) == pc.sum(tables["hospitals"]["fund_due"]).as_py()


def test_person_ids_appear_only_when_they_are_pseudonyms(month: Sample, tmp_path: Path) -> None:
    persons = set(month.tables()["cases"]["person_id"].to_pylist())
    for pseudonymised in (False, True):
        folder = tmp_path / str(pseudonymised)
        data = month.data(pseudonymised=pseudonymised)
        *_, book = write_statements(data, folder, hospitals=[biggest(month)])
        *_, feed = write_feeds(data, folder, cases=True)
        with zipfile.ZipFile(book) as archive:
            texts = [archive.read(name).decode("utf-8", "replace") for name in archive.namelist()]
        for text in ("".join(texts), feed.read_text("utf-8-sig")):
            assert any(person in text for person in persons) == pseudonymised


def test_cases_of_closed_months_are_no_cases_of_this_one(month: Sample, tmp_path: Path) -> None:
    """Late and corrected cases stand in the month's table; the month's figures do not count them."""
    from grouper.report.measures import measure

    table = month.tables()["cases"]
    late = table.slice(0, 5)
    late = late.set_column(table.column_names.index("row_kind"), "row_kind", pa.array(["late"] * 5))
    both = tmp_path / "cases.parquet"
    pq.write_table(pa.concat_tables([table, late]), both)
    sample = Sample(Paths(**{**dict(month.paths.items()), "cases": [str(both)]}), month.run_info)
    figures = measure(sample.data())
    assert figures.total["rows"] == table.num_rows and all(check.holds for check in figures.checks)
    *_, feed = write_feeds(sample.data(), tmp_path, cases=True)
    assert feed.read_text("utf-8-sig").count("\n") == table.num_rows + 5 + 1


@pytest.mark.slow
def test_statements_are_the_same_bytes_again(year: Sample, tmp_path: Path) -> None:
    def digests(folder: Path) -> dict[str, str]:
        write_statements(year.data(), folder)
        write_feeds(year.data(), folder / "csv")
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}

    first = digests(tmp_path / "a")
    time.sleep(1.1)  # workbooks know the second in which they were made
    hospitals = set(year.tables()["hospitals"]["hospital_code"].to_pylist())
    assert len(first) == 3 * len(hospitals) + 4
    assert first == digests(tmp_path / "b")


def test_no_text_of_a_case_is_a_formula_and_its_words_are_chinese(month: Sample, tmp_path: Path) -> None:
    table = month.tables()["cases"]
    first = table["hospital_code"][0].as_py()
    evil = pa.array([*EVIL, *table["settlement_id"].to_pylist()[len(EVIL) :]], pa.string())
    changed = tmp_path / "cases.parquet"
    of_first = pc.equal(table["hospital_code"], first)
    table = pa.concat_tables([table.filter(of_first), table.filter(pc.invert(of_first))])
    pq.write_table(
        table.set_column(table.column_names.index("settlement_id"), "settlement_id", evil), changed
    )
    sample = Sample(Paths(**{**dict(month.paths.items()), "cases": [str(changed)]}), month.run_info)
    *_, book = write_statements(sample.data(), tmp_path, hospitals=[first])
    header, *cases = sheets(book)["病例"]
    numbers = [str(row[header.index("结算号")]) for row in cases]
    assert {f"'{text}" for text in EVIL} <= set(numbers)
    with zipfile.ZipFile(book) as archive:
        assert "<f>" not in archive.read("xl/worksheets/sheet1.xml").decode()
    assert {row[header.index("状态")] for row in cases} <= {"支付", "暂不支付", "不由本政策支付"}
    assert {row[header.index("记录种类")] for row in cases} == {"本期病例"}


def test_a_hospital_that_is_not_there_is_named(month: Sample, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no hospital nowhere"):
        write_statements(month.data(), tmp_path, hospitals=["nowhere"])


def test_numbers_are_written_for_people() -> None:
    assert number(Decimal("-1234.565"), 2) == "\u22121,234.57"
    assert number(Decimal("0.001"), 2, signed=True) == "0.00" == number(Decimal("-0.001"), 2)
    assert number(Decimal(5), 1, signed=True) == "+5.0" and number(None) == "—"
    assert percent(1, 0) == "—" and percent(Decimal(1), Decimal(3), 2) == "33.33%"
    assert Lang("zh").big(Decimal(123_456_789)) == "12,345.7"
    assert Lang("en").big(Decimal(123_456_789)) == "123,456.8"


@given(st.floats(-1e9, 1e9), st.floats(1e-3, 1e9))
def test_ticks_cover_and_are_round(low: float, span: float) -> None:
    span = max(span, abs(low) * 1e-6)  # below that floats cannot tell ticks apart
    marks = ticks(low, low + span)
    step = marks[1] - marks[0]
    assert marks[0] <= low + step * 1e-6 and marks[-1] >= low + span - step * 1e-6
    assert 2 <= len(marks) <= 12
    assert len({tick_text(mark, step) for mark in marks}) == len(marks)


@given(st.floats(1, 1e8), st.floats(1, 1e3))
def test_logarithmic_ticks_cover(low: float, times: float) -> None:
    marks = log_ticks(low, low * times)
    assert marks[0] <= low * 1.000001 and marks[-1] >= low * times * 0.999999 and len(marks) >= 2


@given(st.text(), st.floats(20, 300))
def test_texts_are_cut_to_their_room(text: str, room: float) -> None:
    assert text_width(fitted(text, room)) <= room


def test_no_report_is_written_over_what_it_is_made_from(month: Sample, tmp_path: Path) -> None:
    """A name that leads to a table of the run, here by a link, is refused, and the table stays."""
    table = tmp_path / "cases.parquet"
    table.write_bytes(Path(month.paths.cases[0]).read_bytes())
    data = ReportData.from_paths(replace(month.paths, cases=[str(table)]), month.run_info)
    hospital = pq.read_table(table, columns=["hospital_code"])["hospital_code"][0].as_py()
    for name in ("report.html", "hospitals.csv", f"{hospital}.html", f"{hospital}.xlsx"):
        (tmp_path / name).symlink_to(table)
    before = table.read_bytes()
    for write in (
        lambda: write_month(data, {}, tmp_path),
        lambda: write_feeds(data, tmp_path),
        lambda: write_statements(data, tmp_path, hospitals=[hospital]),
    ):
        with pytest.raises(UsageError, match="is an input"):
            write()
    assert table.read_bytes() == before
