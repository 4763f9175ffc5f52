"""Every layout gives the same canonical records, in the same order, with its columns kept."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from grouper.base.errors import DataError, UsageError
from grouper.records import NormaliseOptions, open_records

from . import record_files as layouts
from .record_files import EXPECTED, FIELDS, RECORDS

DAYS = NormaliseOptions(age_days_unit="days")


@pytest.mark.parametrize(
    ("write", "layout"),
    [
        (layouts.canonical_csv, "canonical"),
        (layouts.canonical_parquet, "canonical"),
        (layouts.dictionary_parquet, "canonical"),
        (layouts.large_parquet, "canonical"),
        (layouts.arrow_file, "canonical"),
        (layouts.arrow_stream, "canonical"),
        (layouts.canonical_jsonl, "canonical"),
        (layouts.canonical_json_array, "canonical"),
        (layouts.canonical_xlsx, "canonical"),
        (layouts.opendrg, "opendrg"),
        (layouts.hqms, "hqms"),
        (layouts.pinyin, "pinyin"),
        (layouts.json_4101, "settlement-list"),
        (layouts.json_4101a, "settlement-list"),
        (layouts.flat_tables, "settlement-list"),
    ],
)
@pytest.mark.parametrize("age", ["dates", "given"])
def test_same_records(write, layout, age, tmp_path, read):
    path = write(tmp_path)
    result = read(path, FIELDS, NormaliseOptions(age=age, age_days_unit="days"))
    got = [row | {"procedures": row["procedures"] or []} for row in result.rows]
    # An empty cell of joined codes is a null list: no codes either way.
    assert got == EXPECTED
    assert set(result.flags) == {0}
    with open_records(path) as source:
        assert source.layout == layout


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("write", [layouts.canonical_csv, layouts.hqms])
def test_encodings_are_detected(write, encoding, tmp_path, read):
    result = read(write(tmp_path, encoding), FIELDS)
    assert [row["department"] for row in result.rows] == [row["department"] for row in RECORDS]
    assert [row["sex"] for row in result.rows] == [1, 2, 2, 1, 2]


def test_encoding_is_detected_behind_much_ascii(tmp_path):
    path = tmp_path / "late.csv"
    path.write_bytes(
        b"diagnoses,department\n" + b"I10.x00,A\n" * 200_000 + "I10.x00,外科\n".encode("gb18030")
    )
    with open_records(path) as source:
        *_, last = source.batches()
    assert last["department"][-1].as_py() == "外科"


def test_named_encoding_that_is_wrong(tmp_path):
    path = layouts.canonical_csv(tmp_path, "gb18030")
    with open_records(path, encoding="utf-8") as source, pytest.raises(DataError, match="encoding="):
        list(source.batches())
    with pytest.raises(UsageError, match="encoding="):
        open_records(path, encoding="utf-99")


def test_agency_columns(tmp_path, read):
    result = read(layouts.agency(tmp_path), FIELDS, allow_missing=["birth_weight_g"])
    assert [row["diagnoses"] for row in result.rows] == [row["diagnoses"][:1] for row in RECORDS]
    assert [row["procedures"] or [] for row in result.rows] == [row["procedures"] for row in RECORDS]
    assert [row["age_days"] for row in result.rows] == [None, 5, None, None, None]
    assert [row["los_days"] for row in result.rows] == [row["los_days"] for row in RECORDS]
    assert "birth_weight_g" not in result.rows[0]


def test_settlement_list_sums(tmp_path, read):
    result = read(layouts.json_4101(tmp_path), [*FIELDS, "icu_hours"])
    assert [row["icu_hours"] for row in result.rows] == [0, 0, 27.5, 0, 0]
    assert {str(cost) for cost in result.kept["total_cost"].to_pylist()} == {"123.55"}
    assert {str(paid) for paid in result.kept["fund_paid"].to_pylist()} == {"80.00"}
    assert result.kept["present_on_admission"].to_pylist()[0] == ["1", "4", "4"]
    assert result.counts["other-than-western-diagnosis"] == len(RECORDS)


def test_flat_tables_as_a_list_of_files(tmp_path, read):
    folder = layouts.flat_tables(tmp_path)
    result = read(sorted(folder.iterdir()), [*FIELDS, "icu_hours"])
    assert [row["diagnoses"] for row in result.rows] == [row["diagnoses"] for row in RECORDS]
    assert [row["icu_hours"] for row in result.rows] == [0, 0, 27.5, 0, 0]


def test_personal_data_are_left_out(tmp_path):
    path = layouts.hqms(tmp_path)
    with open_records(path) as source:
        assert source.dropped == ("A11", "A20")
        assert "A11" not in source.schema.names
        assert len(source.schema.names) == 798
        assert "张三" not in str(pa.Table.from_batches(source.batches()).to_pylist())
    with open_records(path, keep_personal=True) as source:
        assert source.dropped == ()
        assert next(source.batches())["A11"][0].as_py() == "张三"


def test_all_columns_are_kept(tmp_path, read):
    result = read(layouts.pinyin(tmp_path), FIELDS, DAYS)
    assert result.kept["RYSJ_S"].to_pylist() == ["8"] * 5
    assert result.kept["BAH"].to_pylist() == [row["record_id"] for row in RECORDS]
    assert "XM" not in result.kept.column_names


def test_legacy_age_needs_a_unit(tmp_path, read):
    path = layouts.pinyin(tmp_path)
    assert read(path, FIELDS).rows[1]["age_days"] == 5  # the dates decide
    with pytest.raises(UsageError, match=r"row 2:.*age_days_unit="):
        read(path, FIELDS, NormaliseOptions(age="given"))


def test_several_files_follow_each_other(tmp_path, read):
    first, second = tmp_path / "a", tmp_path / "b"
    first.mkdir(), second.mkdir()
    paths = [layouts.hqms(first), layouts.hqms(second)]
    # The second file writes its header in another case.
    head, rest = paths[1].read_text("utf-8").split("\n", 1)
    paths[1].write_text(head.upper() + "\n" + rest, "utf-8")
    for batch_rows in (1, 2, 1000):
        result = read(paths, FIELDS, batch_rows=batch_rows)
        assert [row | {"procedures": row["procedures"] or []} for row in result.rows] == EXPECTED * 2
        assert result.kept["A48"].to_pylist() == [row["record_id"] for row in RECORDS] * 2


@pytest.mark.parametrize("write", [layouts.canonical_parquet, layouts.arrow_file, layouts.canonical_jsonl])
def test_batches_are_small_and_counted(write, tmp_path):
    with open_records([write(tmp_path)] * 3, batch_rows=2) as source:
        batches = list(source.batches())
        assert source.num_rows == 15
    assert max(batch.num_rows for batch in batches) <= 2
    ids = [value for batch in batches for value in batch["record_id"].to_pylist()]
    assert ids == [row["record_id"] for row in RECORDS] * 3


def test_parquet_keeps_dictionaries(tmp_path):
    for write in (layouts.canonical_parquet, layouts.dictionary_parquet, layouts.large_parquet):
        with open_records(write(tmp_path)) as source:
            for field in ("diagnoses", "procedures"):
                assert pa.types.is_dictionary(source.schema.field(field).type.value_type)


def test_standard_input(tmp_path, read, monkeypatch):
    path = layouts.canonical_parquet(tmp_path)
    with path.open("rb") as handle:
        monkeypatch.setattr("sys.stdin", type("Stdin", (), {"buffer": handle}))
        result = read("-", FIELDS, file_format="parquet")
    assert result.rows == EXPECTED
    with pytest.raises(UsageError, match="--format"):
        open_records("-")


def test_standard_input_is_not_left_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "spool"))
    (tmp_path / "spool").mkdir()
    for content, format_ in (
        (layouts.canonical_csv(tmp_path), "csv"),
        (layouts.opendrg(tmp_path), "parquet"),
    ):
        with content.open("rb") as handle:
            monkeypatch.setattr("sys.stdin", type("Stdin", (), {"buffer": handle}))
            if format_ == "csv":
                with open_records("-", file_format=format_) as source:
                    assert sum(batch.num_rows for batch in source.batches()) == 5
            else:
                with pytest.raises(DataError):
                    open_records("-", file_format=format_)
        assert list((tmp_path / "spool").iterdir()) == []


def test_output_of_a_nested_file_reads_back(tmp_path, read):
    """A settlement list that was written out flat is found again by its column names."""
    with open_records(layouts.json_4101(tmp_path)) as source:
        table = pa.Table.from_batches(source.batches())
    path = Path(tmp_path / "again.parquet")
    pa.parquet.write_table(table, path)
    assert read(path, FIELDS).rows == EXPECTED
