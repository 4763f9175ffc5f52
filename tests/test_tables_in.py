"""Small tables come in the encodings and formats that people have; what is wrong is named by its place."""

from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path

import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from grouper.base.errors import DataError, GrouperError, TableError, UsageError
from grouper.base.tables_in import read_header, read_rows, read_sheets, read_table

TEXT = "code,name\n01,甲医院\n\n02, 乙医院 \n,\n"
CELLS = [(2, ["01", "甲医院"]), (4, ["02", "乙医院"])]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("sign", [",", "\t", ";"])
def test_texts_in_any_of_their_encodings(tmp_path: Path, encoding: str, ends: str, sign: str) -> None:
    path = tmp_path / "h.csv"
    path.write_bytes(TEXT.replace("\n", ends).replace(",", sign).encode(encoding))
    table = read_table(path, needed=("code",), known=("name",))
    assert (table.header, table.rows) == (("code", "name"), CELLS)
    assert [(row.row, row.text("name"), row.text("none")) for row in table] == [
        (2, "甲医院", ""),
        (4, "乙医院", ""),
    ]
    assert read_header(path) == ("code", "name")


def book(path: Path, **sheets: list[list[object]]) -> Path:
    with xlsxwriter.Workbook(path) as made:
        for name, rows in sheets.items():
            sheet = made.add_worksheet(name)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
    return path


def test_a_workbook_is_read_as_the_text_is(tmp_path: Path) -> None:
    rows = [["code", "name"], ["01", "甲医院"], [], ["02", " 乙医院 "]]
    path = book(tmp_path / "h.xlsx", Sheet1=rows, 空=[])  # type: ignore[arg-type]
    table = read_table(path, needed=("code", "name"))
    assert (table.header, table.rows) == (("code", "name"), CELLS)
    assert list(read_sheets(path)) == ["Sheet1", "空"]


def test_numbers_of_a_workbook_are_texts_without_a_tail(tmp_path: Path) -> None:
    path = book(tmp_path / "h.xlsx", a=[["n", "x"], [310, 0.1], [12600.00, 1e-7]])
    assert read_table(path).rows == [(2, ["310", "0.1"]), (3, ["12600", "0.0000001"])]


@pytest.mark.parametrize(
    ("cell", "text"),
    [(0.1 + 0.2, "0.3"), (-0.5, "-0.5"), (1.0123456789012, "1.0123456789012"), (1e-12, "0.000000000001"),
     (0, "0"), (-0.0, "0"), (1e14, "100000000000000"), (16599.99, "16599.99")],
)  # fmt: skip
def test_a_number_of_a_workbook_keeps_its_fifteen_digits(tmp_path: Path, cell: float, text: str) -> None:
    assert read_table(book(tmp_path / "h.xlsx", a=[["n"], [cell]])).rows == [(2, [text])]


@pytest.mark.parametrize("cell", [6.4, 310.0, 101, 0, -1, 1234567890123])
@pytest.mark.parametrize("column", ["hospital_code", "record_id", "code", "drg"])
def test_a_number_where_a_code_should_stand_is_refused(tmp_path: Path, cell: float, column: str) -> None:
    path = book(tmp_path / "h.xlsx", a=[["name", column], ["甲", "0101"], [], ["乙", cell]])
    with pytest.raises(DataError) as caught:
        read_table(path, kind=DataError, flag="--hospitals")
    assert f"h.xlsx (--hospitals), row 4, column {column}: the cell is a number" in caught.value.en
    assert "format the column as text" in caught.value.en
    assert f"第 4 行 {column} 列：单元格是数值" in caught.value.zh and "设为文本" in caught.value.zh


def test_codes_that_are_texts_keep_every_sign(tmp_path: Path) -> None:
    codes = ["06.40", "0101", "1234567890123456", "1E05", "true", "1"]
    path = book(tmp_path / "h.xlsx", a=[["code", "level"], *([code, 3.0] for code in codes)])
    assert read_table(path).rows == [(row, [code, "3"]) for row, code in enumerate(codes, 2)]


def test_truth_values_and_numbers_of_a_workbook_may_be_words(tmp_path: Path) -> None:
    path = book(tmp_path / "h.xlsx", a=[["flag", "insurance_type"], [True, 310.0], ["01", "0310"]])
    assert read_table(path).rows == [(2, ["true", "310"]), (3, ["01", "0310"])]


def test_a_truth_value_where_a_code_should_stand_is_refused_and_its_word_is_not(tmp_path: Path) -> None:
    path = book(tmp_path / "h.xlsx", a=[["hospital_code"], ["true"], [True]])
    with pytest.raises(UsageError, match=r"row 3, column hospital_code: the cell is a truth value") as caught:
        read_table(path)
    assert "第 3 行 hospital_code 列：单元格是逻辑值" in caught.value.zh


@pytest.mark.parametrize(("formula", "shown"), [("=1/0", "#DIV/0!"), ("=NA()", "#N/A"), ("=a", "#NAME?")])
@pytest.mark.parametrize("left", [0, 1])
def test_an_error_of_a_workbook_is_refused_and_its_text_is_not(
    tmp_path: Path, formula: str, shown: str, left: int
) -> None:
    path = tmp_path / "h.xlsx"
    with xlsxwriter.Workbook(path) as made:
        sheet = made.add_worksheet()
        if left:
            sheet.write_column(0, 0, ["x", "1", "2", "3"])
        sheet.write_column(0, left, ["code", "01", "02", shown])
        sheet.write_column(0, left + 1, ["score", "1", "2", "3"])
        sheet.write_formula(2, left + 1, formula, None, shown)
    with pytest.raises(UsageError, match=r"row 3, column score: the cell is an error") as caught:
        read_table(path)
    assert "第 3 行 score 列：单元格是公式错误" in caught.value.zh
    fine = book(tmp_path / "f.xlsx", a=[["code"], [shown]])
    assert read_table(fine).rows == [(2, [shown])]


@pytest.mark.parametrize(
    ("text", "where"),
    [("code,name\n01,a\n\n02,b\0c\n", "row 4, column name"), ("code,na\0me\n01,a\n", "row 1, column 2")],
)
def test_a_nul_in_a_cell_is_refused(tmp_path: Path, text: str, where: str) -> None:
    (tmp_path / "h.csv").write_bytes(text.encode())
    with pytest.raises(UsageError, match=f"{where}: the cell holds a NUL") as caught:
        read_table(tmp_path / "h.csv")
    assert "NUL" in caught.value.zh


@pytest.mark.parametrize("name", ["h.csv", "h.xlsx"])
def test_empty_rows_above_the_header_are_told_as_such(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "h.xlsx":
        book(path, a=[[], [], ["code"], ["01"]])
    else:
        path.write_text("\n\ncode\n01\n", "utf-8")
    with pytest.raises(UsageError, match=r"row 1 is empty.* in row 3") as caught:
        read_table(path)
    assert "第 1 行为空" in caught.value.zh and "第 3 行" in caught.value.zh


@pytest.mark.parametrize("cell", [1234567890123456, 12345678901234567, 1e20, -1234567890123456.0])
def test_a_number_of_more_digits_than_a_workbook_keeps_is_refused(tmp_path: Path, cell: float) -> None:
    path = book(tmp_path / "h.xlsx", a=[["", ""], ["", "id"], ["", 123456789012345], ["", cell]])
    for read in (read_sheets, read_table):
        with pytest.raises(
            UsageError, match=r"h.xlsx\[a\], row 4, column 2: a number of more than 15 digits"
        ):
            read(path)  # type: ignore[operator]
    fine = book(tmp_path / "f.xlsx", a=[["id", "x"], [123456789012345, 0.123456789012345]])
    assert read_table(fine).rows == [(2, ["123456789012345", "0.123456789012345"])]


def test_of_several_filled_sheets_none_is_chosen(tmp_path: Path) -> None:
    path = book(tmp_path / "h.xlsx", a=[["x"]], b=[["x"]])
    with pytest.raises(UsageError, match=r"several sheets \(a, b\)"):
        read_table(path)


@pytest.mark.parametrize(
    ("text", "en", "zh"),
    [
        ("", "the file is empty", "没有表头"),
        ("\n\n", "the file is empty", "没有表头"),
        ("a,b,a\n", "row 1: the column name a is there twice", "第 1 行：列名 a 重复"),
        ("a,,b\n", "row 1: column 2 has no name", "第 2 列没有列名"),
        ("hospital,b\n1,2\n", "lacks the column hospital_code", "缺少列 hospital_code"),
        ("hospital_cod,b\n", "lacks the column hospital_code; did you mean hospital_cod?", "是否为"),
        ("hospital_code,leve\n", "row 1, column leve: unknown column; did you mean level?", "未知的列"),
        ("hospital_code,level\n1,秘密,3\n", "row 2: 3 columns instead of 2", "第 2 行：应有 2 列，实有 3 列"),
        ("hospital_code,level\n1,2\n秘密\n", "row 3: 1 columns instead of 2", "第 3 行：应有 2 列"),
        ('hospital_code,level\n1,"秘密\n2,3\n', "row 2: no correct CSV", "第 2 行：不是正确的 CSV"),
        ("hospital_code,level\n1," + "秘密" * 70_000, "row 2: no correct CSV", "单元格过长"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_its_place_and_no_row_is_shown(
    tmp_path: Path, text: str, en: str, zh: str
) -> None:
    path = tmp_path / "h.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(DataError) as caught:
        read_table(path, needed=("hospital_code",), known=("level", "b"), flag="--hospitals", kind=DataError)
    assert en in str(caught.value) and zh in caught.value.zh
    for told in (caught.value.zh, caught.value.en):
        assert "h.csv (--hospitals)" in told and "秘密" not in told


@pytest.mark.parametrize("name", ["none.csv", "none.xlsx"])
def test_a_file_that_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(TableError, match="there is no file"):
        read_table(tmp_path / name, kind=TableError)


def test_what_is_no_text_and_no_workbook(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"a,b\n\xff\xff\xff")
    (tmp_path / "a.xlsx").write_bytes(b"PK\x03\x04")
    with pytest.raises(UsageError, match="neither in UTF-8 nor in GB18030"):
        read_table(tmp_path / "a.csv")
    with pytest.raises(UsageError, match="no workbook"):
        read_table(tmp_path / "a.xlsx")
    with pytest.raises(UsageError, match="cannot read"):
        read_table(tmp_path)


_cell = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5).map(str.strip)


@given(st.lists(st.lists(_cell, min_size=2, max_size=2), max_size=5), st.sampled_from(["utf-8", "gb18030"]))
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], encoding: str
) -> None:
    out = StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows([["a", "b"], *rows])
    path = tmp_path_factory.mktemp("t") / "t.csv"
    path.write_bytes(out.getvalue().encode(encoding))
    wanted = [(number, row) for number, row in enumerate(rows, 2) if any(row)]
    if encoding == "utf-8":
        assert read_table(path).rows == wanted
    else:  # some texts in GB18030 are texts in UTF-8, too; then they are read as these
        assert len(read_table(path).header) == 2


@given(st.binary(max_size=60), st.sampled_from([".csv", ".xlsx", ".txt"]))
def test_only_errors_for_people_come_out(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, kind: str
) -> None:
    path = tmp_path_factory.mktemp("t") / f"t{kind}"
    path.write_bytes(data)
    for read in (read_table, read_header, read_rows):
        try:
            read(path)
        except GrouperError as error:
            assert "\n" not in error.zh + error.en
