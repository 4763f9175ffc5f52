"""What a file from outside may hold without more than being refused, or a row of it rejected."""

from __future__ import annotations

import io
import json
import os
import random
import socket
import threading
import time
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from grouper.base.books import check_book
from grouper.base.certified import Certified
from grouper.base.digests import digests
from grouper.base.errors import DataError, GrouperError, TableError, UsageError
from grouper.base.exact import decimal_of
from grouper.base.sql import parquet_schema
from grouper.base.tables_in import read_table
from grouper.base.toml_in import read_toml
from grouper.grouping.drg.conditions import parse
from grouper.grouping.files import group_files
from grouper.payment.policy.policy import load_policy
from grouper.payment.pool.budget import parse_budget
from grouper.records import open_records
from grouper.records.columns import ColumnMap, Source, load_map
from grouper.records.footer import chunks
from grouper.records.jsonfile import one_value

from .in_process import call
from .support import loaded

HEAD = (
    "record_id,diagnoses,procedures,sex,age_years,age_days,birth_weight_g,los_days,discharge_way,department"
)
ROW = "R1,I10.x05,,1,60,,,5,1,内科"
LONG = "9" * 5000


def grouped(path: Path, **reading: Any) -> list[dict[str, Any]]:
    """The result rows of a file."""
    target = path.with_name("grouped.parquet")
    target.unlink(missing_ok=True)
    group_files(loaded("zhejiang-2022"), [path], target, **reading)
    return pq.read_table(target).to_pylist()


def written(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


# --- CSV ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("blank", ["\n", "\r\n", "\n\n\n"])
def test_a_blank_line_above_the_header_is_no_record(tmp_path: Path, blank: str) -> None:
    rows = grouped(written(tmp_path, "a.csv", f"{blank}{HEAD}\n{ROW}\n"))
    assert [row["record_id"] for row in rows] == ["R1"]


def test_a_blank_line_below_titles_is_no_record(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", f"某医院\n\n{HEAD}\n{ROW}\n")
    columns = ColumnMap("canonical", {n: Source((n,)) for n in HEAD.split(",")}, header_row=2)
    with open_records(path, columns=columns) as source:
        assert [batch.num_rows for batch in source.batches()] == [1]


@pytest.mark.parametrize(
    "column", ["sex", "age_years", "age_days", "birth_weight_g", "los_days", "discharge_way"]
)
def test_a_cell_of_5000_digits_is_one_bad_row(tmp_path: Path, column: str) -> None:
    cells = dict(zip(HEAD.split(","), ROW.split(","), strict=True)) | {column: LONG}
    infant = {"age_years": "0"} if column in ("age_days", "birth_weight_g") else {}
    bad = ",".join((cells | infant | {column: LONG}).values())
    rows = grouped(written(tmp_path, "a.csv", f"{HEAD}\n{ROW}\n{bad}\n"))
    read = column not in ("los_days", "discharge_way")  # which this scheme does not ask for
    assert [row["status"] for row in rows] == ["grouped", "invalid" if read else "grouped"]


@pytest.mark.parametrize(
    "text", [LONG, "1e999999999", "1e-999999999", "-" + LONG, "9" * 29, "0." + "1" * 5000]
)
def test_an_absurd_amount_is_one_bad_row(tmp_path: Path, text: str) -> None:
    began = time.monotonic()
    path = written(tmp_path, "a.csv", f"{HEAD},total_cost\n{ROW},12.50\n{ROW},{text}\n")
    from grouper.settlement.intake import InputFile, Reading, read_files

    read_files(
        [InputFile("month", str(path), Reading(), path.name)],
        loaded("zhejiang-2022"),
        tmp_path / "rows.parquet",
    )
    rows = pq.read_table(tmp_path / "rows.parquet").to_pylist()
    assert [(row["total_cost"], row["fault"]) for row in rows] == [
        (Decimal("12.50"), None), (None, "bad-amount:total_cost"),
    ]  # fmt: skip
    assert time.monotonic() - began < 10


def test_a_header_of_5000_digits_is_a_column_like_others(tmp_path: Path) -> None:
    assert len(grouped(written(tmp_path, "a.csv", f"{HEAD},JBDM{LONG}\n{ROW},x\n"))) == 1


def test_a_ragged_row_that_is_no_text_is_not_shown(tmp_path: Path) -> None:
    path = written(
        tmp_path, "a.csv", f"{HEAD}\n".encode() + f"{ROW}\n".encode() * 3 + "张三,".encode() + b"\xff,1\n"
    )
    with pytest.raises(DataError) as caught:
        grouped(path, encoding="utf-8")
    assert "张三" not in caught.value.zh + caught.value.en


def test_lines_that_end_in_carriage_returns_alone(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", f"{HEAD}\r{ROW}\r{ROW}\r")
    try:
        assert len(grouped(path)) == 2
    except GrouperError as error:
        assert error.zh


# --- names that stand twice --------------------------------------------------------------------------


def twice_csv(path: Path) -> None:
    path.write_text("diagnoses,sex,diagnoses\nI10,1,I11\n", "utf-8")


def twice_xlsx(path: Path) -> None:
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["diagnoses", "sex", "diagnoses"])
        sheet.write_row(1, 0, ["I10", "1", "I11"])


def twice_parquet(path: Path) -> None:
    pq.write_table(pa.table([["I10"], ["1"], ["I11"]], names=["diagnoses", "sex", "diagnoses"]), path)


def twice_arrow(path: Path) -> None:
    table = pa.table([["I10"], ["1"], ["I11"]], names=["diagnoses", "sex", "diagnoses"])
    opened = pa.ipc.new_file if path.suffix == ".arrow" else pa.ipc.new_stream
    with opened(path, table.schema) as writer:
        writer.write_table(table)


def twice_json(path: Path) -> None:
    text = '{"diagnoses": ["I10"], "sex": 1, "diagnoses": ["I11"]}'
    path.write_text(f"[{text}]" if path.suffix == ".json" else text, "utf-8")


def twice_4101(path: Path) -> None:
    path.write_text('{"setlinfo": {"setl_id": "1", "setl_id": "2"}, "diseinfo": []}', "utf-8")


@pytest.mark.parametrize(
    ("name", "make"),
    [("a.csv", twice_csv), ("a.xlsx", twice_xlsx), ("a.parquet", twice_parquet), ("a.arrow", twice_arrow),
     ("a.arrows", twice_arrow), ("a.json", twice_json), ("a.jsonl", twice_json), ("4101.json", twice_4101)],
)  # fmt: skip
def test_a_name_that_stands_twice_is_refused_in_every_format(tmp_path: Path, name: str, make: Any) -> None:
    make(tmp_path / name)
    with pytest.raises(DataError, match=r"repeat|twice"):
        grouped(tmp_path / name)


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'sex' twice"):
        one_value('{"sex": 1, "sex": 2}')
    with pytest.raises(UsageError, match="overwrite"):
        read_toml(written(tmp_path, "a.toml", "a = 1\na = 2\n"))
    with pytest.raises(UsageError, match="twice"):
        read_table(written(tmp_path, "t.csv", "a,a\n1,2\n"))


# --- depth --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("levels", [60, 5_000, 200_000])
@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "4101.json"])
def test_deep_json_is_refused(tmp_path: Path, name: str, levels: int) -> None:
    deep = "[" * levels + "1" + "]" * levels
    text = f'{{"diagnoses": ["I10"], "x": {deep}}}'
    text = f'{{"setlinfo": {{"setl_id": {deep}}}}}' if name == "4101.json" else text
    began = time.monotonic()
    with pytest.raises(DataError, match="deep"):
        grouped(written(tmp_path, name, text))
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("inside", ['["]",', '["[",', '{"a": "\\"]", "b":'])
def test_depth_hides_behind_no_text(tmp_path: Path, inside: str) -> None:
    closing = "}" if inside.startswith("{") else ',"["]'
    text = '{"x": ' + inside * 300 + "1" + closing * 300 + "}"
    json.loads(text)
    with pytest.raises(DataError, match="deep"):
        grouped(written(tmp_path, "a.jsonl", text))


def test_brackets_in_texts_are_no_depth(tmp_path: Path) -> None:
    row = {"diagnoses": ["I10.x05"], "procedures": [], "sex": 1, "age_years": 60, "los_days": 5,
           "discharge_way": 1, "department": "内科", "age_days": None, "birth_weight_g": None,
           "note": '[[[{{{"' * 100}  # fmt: skip
    rows = grouped(written(tmp_path, "a.jsonl", "\n".join([json.dumps(row)] * 50)))
    assert len(rows) == 50


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 5000, '{"a":' * 50 + "1" + "}" * 50])
def test_deep_json_on_standard_input(text: str) -> None:
    with pytest.raises(UsageError):
        one_value(text)


@pytest.mark.parametrize(
    "text",
    ["(" * 5000, "(" * 999 + "mcc" + ")" * 999, "not " * 5000 + "mcc", "age < " + LONG, "{" * 5000],
)
def test_deep_conditions_are_refused(text: str) -> None:
    with pytest.raises(TableError):
        parse(text)


def test_conditions_may_be_as_deep_as_people_write_them() -> None:
    assert parse("(" * 30 + "mcc" + ")" * 30) == parse("mcc")


# --- policies and budgets -----------------------------------------------------------------------------

POLICY = """
id = "a/b"
area = "a"
name = "n"
method = "dip"
valid_from = 2025-01-01
valid_to = 2025-12-31
[pools]
employee = ["310"]
"""


@pytest.mark.parametrize("base", ["sub/../a.toml", "./a.toml", "a.toml"])
def test_a_policy_that_extends_itself_by_whatever_way(tmp_path: Path, base: str) -> None:
    (tmp_path / "sub").mkdir()
    with pytest.raises(TableError, match="circle"):
        load_policy(written(tmp_path, "a.toml", f'extends = "{base}"\n{POLICY}'))


def test_a_long_row_of_policies_is_refused(tmp_path: Path) -> None:
    for number in range(40):
        written(tmp_path, f"p{number}.toml", f'extends = "p{number + 1}.toml"\n{POLICY}')
    with pytest.raises(TableError, match="more than 16 files"):
        load_policy(tmp_path / "p0.toml")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("extends = 5", "extends is a text"),
        ("notes = 5", "notes is a list"),
        ("routes = 5", "routes is a list of tables"),
        ("parameters = [1]", "parameters is a table"),
        ("weights = 5", "weights is a table"),
        ('[parameters]\npoint_value = "80"', "should be a table"),
        ("[parameters.point_value]\nvalue = 1.5\nverified = false\nsource = 'x'", "write decimals as texts"),
        ("[parameters.point_value]\nvalue = '1e999999999'\nverified = false\nsource = 'x'", "is no number"),
        (f"[parameters.point_value]\nvalue = '{LONG}'\nverified = false\nsource = 'x'", "is no number"),
        (f"[parameters.point_value]\nvalue = {LONG}\nverified = false\nsource = 'x'", "TOML"),
        ("[parameters.point_value]\nvalue = '1'\nverified = false\nsource = 'x'\nvalues = [5]",
         "list of tables"),
        ("[parameters.point_value]\nvalue = '1'\nverified = false\nsource = 'x'\nby = 5", "list of texts"),
        ("[parameters.point_value]\nvalue = '1'\nverified = false\nsource = 'x'\nfrom = 2025-01-01T10:00:00",
         "from is a date"),
        ("[[routes]]\nname='a'\nzh='a'\nmethod='by_item'\nsource='x'\nverified=false\n"
         "when = { total_cost = { above = 'abc' } }", "'abc' is no number"),
        ("[[routes]]\nname='a'\nzh='a'\nmethod='by_item'\nsource='x'\nverified=false\n"
         "when = { total_cost = { above = '1e999999999' } }", "is no number"),
    ],
)  # fmt: skip
def test_a_policy_of_another_shape_is_refused_in_words(tmp_path: Path, change: str, words: str) -> None:
    text = f"{POLICY}{change}\n" if change.startswith("[") else f"{change}\n{POLICY}"
    with pytest.raises(TableError, match=words):
        load_policy(written(tmp_path, "a.toml", text))


def test_a_time_is_no_day_of_a_policy(tmp_path: Path) -> None:
    text = POLICY.replace("2025-01-01", "2025-01-01T10:00:00")
    with pytest.raises(TableError, match="valid_from is a date"):
        load_policy(written(tmp_path, "a.toml", text))


@pytest.mark.parametrize(
    "amount", ["1e999999999", "1e-999999999", LONG, "nan", "inf", 10**70, 1.5, True, None]
)
def test_an_absurd_budget_is_refused_at_once(amount: Any) -> None:
    began = time.monotonic()
    with pytest.raises(UsageError):
        parse_budget({"period": "2025", "pools": {"employee": {"budget": amount}}})
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    ("value", "number"),
    [("12.50", Decimal("12.50")), (7, Decimal(7)), ("-1", Decimal(-1)), ("1e6", Decimal(1_000_000)),
     ("9" * 30, Decimal("9" * 30)), ("9" * 31, None), ("1e30", None), ("1e-31", None), ("0e-999999", None),
     ("", None), ("x", None), ("nan", None), (True, None), (1.5, None), (None, None), (10**61, None)],
)  # fmt: skip
def test_numbers_that_somebody_wrote(value: Any, number: Decimal | None) -> None:
    assert decimal_of(value) == number


# --- column maps ----------------------------------------------------------------------------------------


def test_a_column_map_does_not_search_for_ever(tmp_path: Path) -> None:
    path = written(tmp_path, "m.toml", f'[fields]\ndiagnoses = "d{"{n}" * 12}x"\n')
    began = time.monotonic()
    with pytest.raises(UsageError):
        load_map(path).bind(["d" + "1" * 60, "sex"])
    assert time.monotonic() - began < 1


# --- workbooks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "far", [(1_048_575, 16_383), (999_999, 60), (20_000, 16_383)], ids=["XFD1048576", "BI1000000", "XFD20001"]
)
def test_a_far_cell_is_refused_before_the_sheet_is_read(tmp_path: Path, far: tuple[int, int]) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, HEAD.split(","))
        sheet.write_row(1, 0, ROW.split(","))
        sheet.write_blank(*far, None, book.add_format({"bold": True}))
    with pytest.raises(DataError, match="too far apart"):
        grouped(path)
    with pytest.raises(UsageError, match="too far apart"):
        read_table(path)


@pytest.mark.parametrize(
    "cell",
    ['<c r="XFD1048576"><v>1</v></c>', "<c r='XFD1048576'><v>1</v></c>",
     '<c s="0" r = "XFD1048576"><v>1</v></c>',
     '<c r="xfd1048576"><v>1</v></c>', '<c r="ZZZZZZZ9"><v>1</v></c>', '<c r="A99999999999"><v>1</v></c>'],
)  # fmt: skip
def test_a_far_cell_is_seen_however_it_is_written(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet().write_row(0, 0, ["a", "b"])
    repacked(path, lambda name, text: text.replace("</row>", f"{cell}</row>") if "sheet1" in name else text)
    with pytest.raises(UsageError, match="too far apart"):
        check_book(path, "a.xlsx")


def repacked(path: Path, change: Any) -> None:
    with zipfile.ZipFile(path) as book:
        parts = {name: book.read(name).decode() for name in book.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        for name, text in parts.items():
            book.writestr(name, change(name, text))


def test_a_part_that_unpacks_beyond_measure_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet().write_row(0, 0, ["a", "b"])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as book:
        book.writestr("xl/sharedStrings2.xml", b" " * (70 << 20))
    with pytest.raises(UsageError, match="times its packed size"):
        check_book(path, "a.xlsx")


def test_a_large_sheet_that_is_full_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path, {"constant_memory": True}) as book:
        sheet = book.add_worksheet()
        for row in range(3_000):
            sheet.write_row(row, 0, ["x"] * 30)
    check_book(path, "a.xlsx")


def test_a_workbook_that_is_no_archive_of_one_is_refused(tmp_path: Path) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as book:
        book.writestr("xl/worksheets/sheet1.xml", "<worksheet/>")
    with pytest.raises(DataError, match="Excel"):
        grouped(written(tmp_path, "a.xlsx", target.getvalue()))


# --- Parquet and Arrow ------------------------------------------------------------------------------------


def columns(**changed: Any) -> pa.Table:
    row = {"diagnoses": ["I10.x05"], "procedures": [""], "sex": ["1"], "age_years": ["60"], "los_days": ["5"],
           "discharge_way": ["1"], "age_days": [None], "birth_weight_g": [None],
           "department": ["内科"]}  # fmt: skip
    return pa.table(row | changed)


@pytest.mark.parametrize(
    "changed",
    [
        {"sex": pa.array([["1"]])}, {"age_years": pa.array([{"a": 1}])}, {"sex": pa.array([b"\xff"])},
        {"los_days": pa.array([True])}, {"diagnoses": pa.array([5])}, {"diagnoses": pa.array([[["I10"]]])},
        {"diagnoses": pa.array([{"a": "I10"}])}, {"discharge_way": pa.array([[1]])},
        {"total_cost": pa.array([["1"]])}, {"insurance_type": pa.array([["310"]])},
        {"admission_date": pa.array([True])}, {"birth_date": pa.array([["2020-01-01"]])},
        {"admission_date": pa.array([0], pa.timestamp("s", "Nowhere/City")), "birth_date":
         pa.array(["2020-01-01"])},
        {"hospital_code": pa.array([{"a": 1}])},
    ],
    ids=lambda changed: ", ".join(f"{name} {array.type}" for name, array in changed.items()),
)  # fmt: skip
def test_columns_of_other_types_are_refused_in_words(tmp_path: Path, changed: dict[str, pa.Array]) -> None:
    pq.write_table(columns(**changed), tmp_path / "a.parquet")
    for read in (grouped, taken_in):
        try:
            read(tmp_path / "a.parquet")
        except GrouperError as error:
            assert next(iter(changed)) in error.en or "birth_date" in error.en or "age" in error.en


def taken_in(path: Path) -> None:
    from grouper.settlement.intake import InputFile, Reading, read_files

    read_files(
        [InputFile("month", str(path), Reading(), path.name)],
        loaded("zhejiang-2022"),
        path.with_name("rows.parquet"),
    )


def test_text_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    bad = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe")]
    )
    for column in ("sex", "diagnoses", "note"):
        pq.write_table(columns(**{column: bad}), tmp_path / "a.parquet")
        with pytest.raises(DataError, match=f"'{column}' is damaged"):
            grouped(tmp_path / "a.parquet")


def test_a_null_among_the_values_of_a_dictionary_is_a_null(tmp_path: Path) -> None:
    def words(*values: Any) -> pa.Array:
        return pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int8()), pa.array(values, pa.string()))

    table = columns().take([0, 0])
    codes = pa.ListArray.from_arrays(pa.array([0, 1, 2], pa.int32()), words("I10.x05", None))
    for name, array in (
        ("sex", words("1", None)),
        ("diagnoses", codes),
        ("insurance_type", words("310", None)),
    ):
        table = table.drop([name] if name in table.column_names else []).append_column(name, array)
    with pa.ipc.new_file(tmp_path / "a.arrow", table.schema) as writer:
        writer.write_table(table)
    rows = grouped(tmp_path / "a.arrow")
    assert [(row["sex"], row["diagnoses"], row["insurance_type"]) for row in rows] == [
        ("1", ["I10.x05"], "310"), (None, [None], None),
    ]  # fmt: skip
    taken_in(tmp_path / "a.arrow")
    assert pq.read_table(tmp_path / "rows.parquet")["insurance_type"].to_pylist() == ["310", None]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("value", [2**63 - 1, -(2**63), 10**17])
def test_times_that_no_calendar_has_are_bad_dates(tmp_path: Path, unit: str, value: int) -> None:
    when = pa.array([value], pa.int64()).view(pa.timestamp(unit))
    table = columns(admission_date=when, birth_date=["1960-01-01"])
    with pa.ipc.new_file(tmp_path / "a.arrow", table.schema) as writer:
        writer.write_table(table)
    group_files(loaded("zhejiang-2022"), [tmp_path / "a.arrow"], tmp_path / "a.csv")
    told = "grouped" if unit == "ns" and value == 10**17 else "invalid"
    assert f'"{told}"' in (tmp_path / "a.csv").read_text("utf-8")


def test_times_that_parquet_has_not_are_told(tmp_path: Path) -> None:
    when = pa.array([2**62], pa.int64()).view(pa.timestamp("s"))
    with pa.ipc.new_file(tmp_path / "a.arrow", columns(seen=when).schema) as writer:
        writer.write_table(columns(seen=when))
    with pytest.raises(DataError, match="leave the column out"):
        grouped(tmp_path / "a.arrow")
    assert not (tmp_path / "grouped.parquet").exists()


def test_an_absurd_decimal_is_one_bad_amount(tmp_path: Path) -> None:
    cost = pa.array([Decimal("9" * 36), Decimal(5)], pa.decimal128(38, 0))
    pq.write_table(columns().take([0, 0]).append_column("total_cost", cost), tmp_path / "a.parquet")
    taken_in(tmp_path / "a.parquet")
    assert pq.read_table(tmp_path / "rows.parquet")["total_cost"].to_pylist() == [None, Decimal("5.00")]


def test_the_footer_is_read_as_the_library_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table = columns(note=["x"], empty=pa.array([None], pa.int64()), cost=[1.5]).take([0] * 50)
    pq.write_table(table, path, row_group_size=20, use_dictionary=["note"])
    meta = pq.read_metadata(path)
    groups = [meta.row_group(number) for number in range(meta.num_row_groups)]
    wanted = [
        (c.path_in_schema, group.num_rows, c.num_values, c.total_uncompressed_size, c.has_dictionary_page,
         c.statistics.null_count if c.statistics else None)
        for group in groups for c in map(group.column, range(meta.num_columns))
    ]  # fmt: skip
    assert [tuple(chunk) for chunk in chunks(path)] == wanted


def test_a_footer_that_is_cut_or_flipped_chooses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(columns(note=["x"]), path)
    whole = path.read_bytes()
    rng = random.Random(1)
    for _ in range(500):
        data = bytearray(whole[-rng.choice((8, 50, len(whole))) :])
        for _ in range(3):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(data)
        assert all(chunk.rows is not None for chunk in chunks(path))


def test_a_flipped_bit_below_a_sum_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table = columns(note=["秘密" * 40])
    pq.write_table(
        table,
        path,
        compression="none",
        use_dictionary=False,
        write_page_checksum=True,
        write_statistics=False,
    )
    data = bytearray(path.read_bytes())
    at = data.index("秘密秘密".encode())
    data[at : at + 3] = "机".encode()  # still a text
    path.write_bytes(data)
    with pytest.raises(DataError, match="damaged or cut off"):
        grouped(path)


@pytest.mark.parametrize("suffix", ["arrow", "arrows", "parquet"])
def test_a_file_that_is_cut_off_while_it_is_read_is_an_error(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    table = columns().take([0] * 50_000)
    if suffix == "parquet":
        pq.write_table(table, path, row_group_size=10_000)
    else:
        opened = pa.ipc.new_file if suffix == "arrow" else pa.ipc.new_stream
        with opened(path, table.schema) as writer:
            writer.write_table(table, max_chunksize=10_000)
    with open_records(path, batch_rows=10_000) as source:
        batches = source.batches()
        next(batches)
        os.truncate(path, path.stat().st_size // 4)
        with pytest.raises(DataError):
            list(batches)


# --- pipes and devices ------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system with named pipes is needed")
@pytest.mark.parametrize("suffix", ["csv", "parquet", "arrow", "json", "jsonl", "xlsx"])
def test_a_pipe_is_refused_at_once(tmp_path: Path, suffix: str) -> None:
    pipe = tmp_path / f"a.{suffix}"
    os.mkfifo(pipe)
    readers = [
        lambda: grouped(pipe), lambda: read_table(pipe), lambda: read_toml(pipe),
        lambda: parquet_schema(pipe), lambda: digests([str(pipe)]), lambda: Certified().digest(pipe),
    ]  # fmt: skip
    for read in readers:
        ended: list[BaseException] = []
        thread = threading.Thread(
            target=lambda read=read, ended=ended: ended.append(raised(read)), daemon=True
        )
        thread.start()
        thread.join(5)
        assert ended, "it waits for a writer"
        assert isinstance(ended[0], GrouperError) and "a pipe or a device" in ended[0].en


def raised(read: Any) -> BaseException | None:
    try:
        read()
    except GrouperError as error:
        return error
    return None


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/full"])
def test_a_device_is_refused(device: str) -> None:
    if not Path(device).exists():
        pytest.skip("no such device")
    with pytest.raises(UsageError, match="a pipe or a device"):
        open_records(device, file_format="csv")
    with pytest.raises(UsageError, match="a pipe or a device"):
        read_toml(device)


def test_a_socket_is_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(str(tmp_path / "a.csv"))
        with pytest.raises(UsageError, match="a pipe or a device"):
            grouped(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("value", "shown"), [("9" * 60, "9" * 24 + "…"), ("1e400", "1e400"), (json.dumps("x" * 5000), "x…x")]
)
def test_a_message_does_not_echo_what_nobody_reads(value: str, shown: str) -> None:
    """A number that no column holds is shown as it was written, a long text by its ends."""
    fields = '"age_years":30,"sex":1,"discharge_date":"2025-06-01","insurance_type":"310"'
    record = f'{{"diagnoses":["K35.300"],{fields},"total_cost":{value}}}'
    code, _, err = call("explain", "-", "--policy", "lishui", stdin=record.encode())
    assert code != 0 and len(err) < 600 and shown in err.decode(), err.decode()[:700]
