"""Files that must be refused, with a message that says where and what to do."""

from __future__ import annotations

import json
import threading

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from grouper.base.errors import DataError, GrouperError, UsageError
from grouper.records import Normaliser, open_records
from grouper.records.sample import read_sample

from . import record_files as layouts
from .record_files import FIELDS, RECORDS, write_csv


def workbook(path, rows, sheets=("Sheet1",)):
    with xlsxwriter.Workbook(str(path)) as book:
        for name in sheets:
            sheet = book.add_worksheet(name)
            for i, row in enumerate(rows):
                for j, value in enumerate(row):
                    if value is not None:
                        (sheet.write_number if isinstance(value, float) else sheet.write_string)(i, j, value)
    return path


HEADER = ["record_id", "diagnoses", "procedures"]


@pytest.mark.parametrize("at", [1, 2, 7, 40])
def test_excel_numbers_in_code_columns_are_refused(tmp_path, at):
    rows = [HEADER] + [["x", "I10.x00", 6.31 if i == at else "06.3100"] for i in range(1, 41)]
    path = workbook(tmp_path / "r.xlsx", rows)
    with pytest.raises(DataError) as caught:
        open_records(path)
    assert f"r.xlsx[Sheet1] row {at + 1}, column 'procedures'" in caught.value.en
    assert f"第 {at + 1} 行" in caught.value.zh
    assert "format the column as text" in caught.value.en


def test_excel_column_of_numbers_only(tmp_path):
    path = workbook(
        tmp_path / "r.xlsx", [HEADER, ["a", "I10.x00", None], ["b", "I10.x00", 6.31], ["c", "I10", 6.31]]
    )
    with pytest.raises(DataError, match="row 3, column 'procedures'"):
        open_records(path)


def test_excel_text_codes_keep_their_zeros(tmp_path, read):
    rows = [HEADER, ["a", "I10.x00", "06.3100|00.5500"], ["b", "I10.x00", None], ["c", "J18.900", "38.93"]]
    result = read(workbook(tmp_path / "r.xlsx", rows), [])
    assert [row["procedures"] for row in result.rows] == [["06.3100", "00.5500"], None, ["38.93"]]
    assert result.rows[2]["diagnoses"] == ["J18.900"]


def test_excel_sheets(tmp_path, read):
    path = workbook(tmp_path / "r.xlsx", [HEADER, ["a", "I10.x00", "38.93"]], ["one", "二"])
    with pytest.raises(UsageError, match=r"one, 二.*sheet="):
        open_records(path)
    assert len(read(path, [], sheet="二").rows) == 1
    with pytest.raises(UsageError, match="sheet="):
        open_records(path, sheet="three")
    (tmp_path / "no.xlsx").write_bytes(b"PK")
    with pytest.raises(DataError, match="not a valid Excel file"):
        open_records(tmp_path / "no.xlsx")


@pytest.mark.parametrize(
    "procedures",
    [pa.array([6.31]), pa.array([[6.31]]), pa.array([631]), pa.array([6.31]).cast(pa.decimal128(8, 4))],
)
def test_parquet_numbers_for_codes(tmp_path, procedures):
    pq.write_table(pa.table({"diagnoses": [["I10.x00"]], "procedures": procedures}), tmp_path / "r.parquet")
    with pytest.raises(DataError, match=r"r\.parquet column 'procedures'.*6\.31"):
        open_records(tmp_path / "r.parquet")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('{"diagnoses":["I10"],"procedures":[6.31]}', "'procedures'"),
        ('{"diagnoses":["I10"],"procedures":["x"]}\n{"diagnoses":["I10"],"procedures":[6.31]}', "record 2"),
        (
            '{"diagnoses":"I10","procedures":"x","age_years":1}\n\n{"diagnoses":"I10","age_years":"2"}',
            "record 2",
        ),
        ('{"diagnoses":["I10"]\n', "record 1|object number 1"),
        ('{"diagnoses":["I10"]}\n{"diagnoses"', "record 2"),
        ("", "no records"),
        ("\n \n", "no records"),
        ("[1, 2]", "object number 1"),
    ],
)
def test_json_that_is_refused(tmp_path, lines, message):
    path = tmp_path / "r.jsonl"
    path.write_text(lines)
    with pytest.raises(DataError, match=message):
        open_records(path)


def test_json_fields_that_come_late(tmp_path, read):
    rows = [{"diagnoses": ["I10.x00"], "procedures": [], "note": None, "seen": "2025-01-01"}] * 3
    rows += [
        {"diagnoses": ["J18"], "procedures": ["38.93"], "sex": 1, "cost": 1, "note": "x", "seen": "later"},
        {"diagnoses": [], "procedures": [], "cost": 1.5},
    ]
    path = tmp_path / "r.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    result = read(path, ["sex"])
    assert [row["sex"] for row in result.rows] == [None, None, None, 1, None]
    assert result.kept["cost"].to_pylist() == [None, None, None, 1, 1.5]
    assert result.kept["seen"].to_pylist() == ["2025-01-01"] * 3 + ["later", None]


def test_json_blocks(tmp_path, monkeypatch, read):
    """The same rows whatever the size of the pieces in which the file is read."""
    for size in (7, 64, 1000):
        monkeypatch.setattr("grouper.records.jsonfile._BLOCK", size)
        monkeypatch.setattr("grouper.records.jsonfile._CHUNK", size)
        monkeypatch.setattr("grouper.records.jsonfile._OBJECTS_PER_BLOCK", 2)
        for write in (
            layouts.canonical_jsonl,
            layouts.canonical_json_array,
            layouts.json_4101,
            layouts.json_4101a,
        ):
            assert len(read(write(tmp_path), FIELDS).rows) == len(RECORDS)


def test_one_message_alone(tmp_path, read):
    path = tmp_path / "one.json"
    path.write_text(json.dumps(layouts.message(RECORDS[0]), indent=2, ensure_ascii=False), "utf-8")
    assert read(path, FIELDS, allow_missing=["age_days", "birth_weight_g"]).rows[0]["sex"] == 1
    assert read(path, ["age_days"]).rows[0]["age_days"] is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"diagnoses,procedures\nI10,a\nJ18,b,c\n", "row 3: 3 columns instead of 2"),
        (b"diagnoses,Diagnoses\nI10,a\n", "same name"),
        (b"diagnoses,diagnoses\nI10,a\n", "repeat"),
        (b"diagnoses\n\xff\xff\xff\n", "encoding="),
    ],
)
def test_csv_that_is_refused(tmp_path, content, message):
    path = tmp_path / "r.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught, open_records(path) as source:
        list(source.batches())
    assert "J18" not in str(caught.value)  # rows may hold personal data


def test_csv_details(tmp_path, read):
    path = tmp_path / "r.csv"
    path.write_bytes(b'\xef\xbb\xbfdiagnoses;"proce\ndures";;\nI10.x00;"a\nb";;\n\n J18 ;;x;y\n')
    with open_records(path) as source:
        assert source.schema.names == ["diagnoses", "proce\ndures", "column_3", "column_4"]
        rows = pa.Table.from_batches(source.batches()).to_pylist()
    assert [list(row.values()) for row in rows] == [
        ["I10.x00", "a\nb", None, None],
        [" J18 ", None, "x", "y"],
    ]
    (tmp_path / "head.csv").write_text("diagnoses,procedures\n")
    assert read(tmp_path / "head.csv", []).rows == []


def test_unknown_files(tmp_path):
    (tmp_path / "r.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UsageError, match=r"r\.csv.*grouper columns FILE.*columns="):
        open_records(tmp_path / "r.csv")
    with pytest.raises(UsageError, match=r"unknown layout 'x'.*canonical, settlement-list, hqms"):
        open_records(tmp_path / "r.csv", layout="x")
    with pytest.raises(UsageError, match="there is no file"):
        open_records(tmp_path / "missing.csv")
    (tmp_path / "r.dat").write_text("diagnoses\nI10\n")
    with pytest.raises(UsageError, match="--format"):
        open_records(tmp_path / "r.dat")
    with open_records(tmp_path / "r.dat", file_format="csv") as source:
        assert source.layout == "canonical"
    with pytest.raises(UsageError, match="'xml'"):
        open_records(tmp_path / "r.dat", file_format="xml")
    (tmp_path / "r.parquet").write_bytes(b"not parquet")
    with pytest.raises(DataError, match="not a valid parquet file"):
        open_records(tmp_path / "r.parquet")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no input files"):
        open_records(tmp_path / "empty")


def test_files_that_do_not_agree(tmp_path):
    one = write_csv(tmp_path / "1.csv", ["diagnoses", "procedures"], [["I10", ""]])
    two = write_csv(tmp_path / "2.csv", ["diagnoses", "procedures", "sex"], [["I10", "", "1"]])
    with pytest.raises(DataError, match=r"1\.csv has no column 'sex', but .*2\.csv has"):
        open_records([one, two])
    with pytest.raises(DataError, match=r"1\.csv has no column 'sex', but .*2\.csv has"):
        open_records([two, one])
    lists = pa.array([["I10"]])
    pq.write_table(pa.table({"diagnoses": lists, "sex": pa.array([1], pa.int8())}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"sex": pa.array([200], pa.int32()), "diagnoses": lists}), tmp_path / "2.parquet")
    pq.write_table(pa.table({"sex": ["1"], "diagnoses": lists}), tmp_path / "3.parquet")
    with open_records([tmp_path / "1.parquet", tmp_path / "2.parquet"]) as source:
        assert pa.Table.from_batches(source.batches())["sex"].to_pylist() == [1, 200]
    with pytest.raises(DataError, match=r"3\.parquet: column 'sex' has the type string.*int8"):
        open_records([tmp_path / "1.parquet", tmp_path / "3.parquet"])


def test_empty_columns_written_as_numbers(tmp_path, read):
    """A tool that knows no other "missing" than NaN writes an empty column of codes as one of numbers."""
    columns = {"JBDM": ["I10"] * 3, "JBDM1": pa.nulls(3, pa.float64()), "SSJCZBM1": ["38.93", None, None]}
    pq.write_table(pa.table(columns), tmp_path / "r.parquet", row_group_size=2)
    assert [row["diagnoses"] for row in read(tmp_path / "r.parquet", []).rows] == [["I10"]] * 3
    columns["JBDM1"] = pa.array([None, None, 10.1])
    pq.write_table(pa.table(columns), tmp_path / "r.parquet", row_group_size=2)
    with pytest.raises(DataError, match="'JBDM1'"):
        open_records(tmp_path / "r.parquet")


def test_flat_extracts_that_are_named_like_tables(tmp_path, read):
    header = ["setl_id", "main_diag_code", "gend", "adm_time"]
    paths = [write_csv(tmp_path / f"setlinfo_{i}.csv", header, [[f"{i}", "I10", "1", ""]]) for i in range(2)]
    assert len(read(paths, ["sex"], allow_missing=["procedures"]).rows) == 2


def test_a_folder_of_files(tmp_path, read):
    folder = tmp_path / "many"
    folder.mkdir()
    for i in range(3):
        write_csv(folder / f"{i}.csv", ["record_id", "diagnoses", "procedures"], [[f"{i}", "I10", ""]])
    (folder / "README").write_text("not data")
    assert read(folder, []).kept["record_id"].to_pylist() == ["0", "1", "2"]


def test_headers_of_unknown_files(tmp_path):
    path = write_csv(tmp_path / "r.txt", ["性别", "诊断"], [["男", "I10"]], "gb18030")
    assert read_sample(path).header == ["性别", "诊断"]
    assert read_sample(layouts.canonical_xlsx(tmp_path)).header == list(RECORDS[0])
    with pytest.raises(UsageError, match="there is no file"):
        read_sample(tmp_path / "missing.csv")


def test_every_message_is_in_both_languages(tmp_path):
    (tmp_path / "r.csv").write_text("a,b\n1,2\n")
    with pytest.raises(GrouperError) as caught:
        open_records(tmp_path / "r.csv")
    assert "--columns" in caught.value.zh and "无法识别" in caught.value.zh


def test_prepare_from_several_threads(tmp_path):
    with open_records(layouts.hqms(tmp_path)) as source:
        normaliser = Normaliser(source.columns, FIELDS)
        batch = next(source.batches())
        expected = normaliser.prepare(batch)
        results = [None] * 8

        def work(i):
            results[i] = normaliser.prepare(batch)

        threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for result in results:
        assert result.batch.equals(expected.batch)
        assert result.flags.equals(expected.flags)
        assert result.counts == expected.counts


@pytest.mark.parametrize("number", ["9" * 5000, "1e999999999", "-" + "9" * 400])
@pytest.mark.parametrize("suffix", ["json", "jsonl"])
def test_endless_numbers_in_json_are_values_of_their_row(tmp_path, read, suffix, number):
    lines = [f'{{"diagnoses": ["J18"], "age_years": {age}}}' for age in (number, 50)]
    text = "[" + ",".join(lines) + "]" if suffix == "json" else "\n".join(lines)
    (tmp_path / f"r.{suffix}").write_text(text)
    result = read(tmp_path / f"r.{suffix}", ["age_years"], allow_missing=["procedures"])
    assert [row["age_years"] for row in result.rows] == [None, 50]
    assert [bool(flags) for flags in result.flags] == [True, False]
