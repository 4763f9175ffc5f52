"""Any dataframe in, the same kind out; and the group depends on the record alone."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pandas
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import grouper
from grouper.base.errors import DataError, UsageError
from grouper.grouping.drg.engine import RESULT_COLUMNS

from .support import RECORD_COLUMNS, loaded, random_records, table_of, vectors

# How each library holds the records, and how to read a column back.
KINDS: dict[str, tuple[Callable[[pa.Table], Any], Callable[[Any, str], list], type]] = {
    "pyarrow": (lambda t: t, lambda f, c: f[c].to_pylist(), pa.Table),
    "record batch": (
        lambda t: t.combine_chunks().to_batches()[0],
        lambda f, c: f[c].to_pylist(),
        pa.RecordBatch,
    ),
    "polars": (polars.from_arrow, lambda f, c: f[c].to_list(), polars.DataFrame),
    "polars lazy": (
        lambda t: polars.from_arrow(t).lazy(),
        lambda f, c: f.collect()[c].to_list(),
        polars.LazyFrame,
    ),
    "pandas": (lambda t: t.to_pandas(), lambda f, c: list(f[c]), pandas.DataFrame),
    "pandas arrow": (
        lambda t: t.to_pandas(types_mapper=pandas.ArrowDtype),
        lambda f, c: list(f[c]),
        pandas.DataFrame,
    ),
    "duckdb": (
        duckdb.from_arrow,
        lambda f, c: [r[0] for r in f.project(c).fetchall()],
        duckdb.DuckDBPyRelation,
    ),
}


@pytest.fixture(params=KINDS.items(), ids=KINDS.keys())
def kind(request: pytest.FixtureRequest) -> tuple[Callable, Callable, type]:
    return request.param[1]


def records(scheme: str, rows: int = 300) -> pa.Table:
    return vectors(scheme).slice(0, rows)


def test_the_same_kind_comes_back_with_the_same_groups(kind: tuple[Callable, Callable, type]) -> None:
    make, read, type_ = kind
    table = records("chs-drg-2.0")
    grouped = loaded("chs-drg-2.0").group(make(table.select(RECORD_COLUMNS)))
    assert isinstance(grouped, type_)
    assert read(grouped, "drg") == table["expected_drg"].to_pylist()
    assert read(grouped, "record_id") == table["record_id"].to_pylist()
    columns = (
        grouped.collect_schema().names()
        if isinstance(grouped, polars.LazyFrame)
        else (
            grouped.schema.names
            if hasattr(grouped, "schema") and isinstance(grouped, pa.Table | pa.RecordBatch)
            else list(grouped.columns)
        )
    )
    assert columns == RECORD_COLUMNS + list(RESULT_COLUMNS)


def test_dataframes_keep_their_own_columns_untouched() -> None:
    frame = records("chs-drg-2.0", 20).select(RECORD_COLUMNS).to_pandas()
    frame.index = range(100, 120)
    grouped = loaded("chs-drg-2.0").group(frame)
    assert list(grouped.index) == list(range(100, 120))
    pandas.testing.assert_frame_equal(grouped[RECORD_COLUMNS], frame)


def test_streams_stay_streams() -> None:
    table = records("guangxi-2022")
    batches = table.select(RECORD_COLUMNS).to_batches(max_chunksize=37)
    out = list(loaded("guangxi-2022").group_batches(iter(batches)))
    assert [b.num_rows for b in out] == [b.num_rows for b in batches]
    assert pa.Table.from_batches(out)["drg"].to_pylist() == table["expected_drg"].to_pylist()
    reader = table.select(RECORD_COLUMNS).to_reader()
    assert sum(b.num_rows for b in loaded("guangxi-2022").group_batches(reader)) == table.num_rows


def test_no_rows_give_no_rows(kind: tuple[Callable, Callable, type]) -> None:
    make, read, _ = kind
    if (
        make(records("chs-drg-2.0", 1)).__class__.__module__.startswith("pyarrow")
        and kind[2] is pa.RecordBatch
    ):
        empty = pa.RecordBatch.from_pylist([], records("chs-drg-2.0").select(RECORD_COLUMNS).schema)
        assert loaded("chs-drg-2.0").group(empty).num_rows == 0
        return
    grouped = loaded("chs-drg-2.0").group(make(records("chs-drg-2.0", 0).select(RECORD_COLUMNS)))
    assert read(grouped, "drg") == []


ENCODINGS = {
    "plain": lambda t: t,
    "large lists": lambda t: _cast(t, pa.large_list(pa.large_string())),
    "dictionaries": lambda t: _cast(t, pa.list_(pa.dictionary(pa.int32(), pa.string()))),
    "joined text": lambda t: _joined(t),
}


def _cast(table: pa.Table, kind: pa.DataType) -> pa.Table:
    for name in ("diagnoses", "procedures"):
        at = table.schema.get_field_index(name)
        table = table.set_column(at, name, pa.chunked_array([pa.array(table[name].to_pylist(), kind)]))
    return table


def _joined(table: pa.Table) -> pa.Table:
    for name in ("diagnoses", "procedures"):
        at = table.schema.get_field_index(name)
        table = table.set_column(at, name, pa.array(["|".join(codes) for codes in table[name].to_pylist()]))
    return table


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**32),
    scheme=st.sampled_from(["chs-drg-2.0", "zhejiang-2022", "guangxi-2022"]),
    encoding=st.sampled_from(sorted(ENCODINGS)),
    chunk=st.integers(1, 60),
    data=st.data(),
)
def test_a_record_never_changes_another(
    seed: int, scheme: str, encoding: str, chunk: int, data: st.DataObject
) -> None:
    """Row order, batch splits, the kind of column and the neighbours of a record change nothing."""
    drg = loaded(scheme)
    rows = random_records(drg, random.Random(seed), 60)
    alone = {row["record_id"]: g for row, g in zip(rows, drg.group(table_of(rows)).to_pylist(), strict=True)}
    shuffled = data.draw(st.permutations(rows))[: data.draw(st.integers(1, 60))]
    table = ENCODINGS[encoding](table_of(shuffled))
    for batch in drg.group_batches(iter(table.to_batches(max_chunksize=chunk))):
        for row in batch.to_pylist():
            before = alone[row["record_id"]]
            assert {c: row[c] for c in RESULT_COLUMNS} == {c: before[c] for c in RESULT_COLUMNS}


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), scheme=st.sampled_from(["chs-drg-2.0", "zhejiang-2024", "liaocheng-2022"]))
def test_the_order_of_other_diagnoses_never_matters(seed: int, scheme: str) -> None:
    drg = loaded(scheme)
    rng = random.Random(seed)
    rows = random_records(drg, rng, 40)
    turned = []
    for row in rows:
        others = row["diagnoses"][1:]
        rng.shuffle(others)
        turned.append({**row, "diagnoses": row["diagnoses"][:1] + others})
    first, second = drg.group(table_of(rows)), drg.group(table_of(turned))
    for column in ("drg", "status", "reason", "complication"):
        assert first[column].to_pylist() == second[column].to_pylist()


def test_missing_columns_are_named_before_any_work() -> None:
    table = records("zhejiang-2022").select(
        ["record_id", "diagnoses", "procedures", "sex", "age_years", "age_days"]
    )
    with pytest.raises(UsageError, match="department") as error:
        loaded("zhejiang-2022").group(table)
    assert "--columns" in error.value.en and "--allow-missing" in error.value.zh
    allowed = grouper.load_scheme("zhejiang-2022", allow_missing=["birth_weight_g", "department"])
    assert allowed.group(table).num_rows == table.num_rows


def test_result_columns_in_the_way_are_refused() -> None:
    drg = loaded("chs-drg-2.0")
    once = drg.group(records("chs-drg-2.0").select(RECORD_COLUMNS))
    with pytest.raises(UsageError, match="prefix="):
        drg.group(once)
    again = grouper.load_scheme("chs-drg-1.1", prefix="old_").group(once)
    assert "old_drg" in again.column_names


def test_what_is_no_dataframe_is_refused() -> None:
    with pytest.raises(DataError, match="Arrow stream"):
        loaded("chs-drg-2.0").group({"diagnoses": [["I10.x00"]]})


def test_an_area_and_a_date_choose_the_edition() -> None:
    from datetime import date

    assert grouper.load_scheme("liaocheng", when=date(2024, 5, 1)).id == "liaocheng-2022"
    assert grouper.load_scheme("liaocheng", when=date(2025, 5, 1)).id == "liaocheng-2025"
    with pytest.raises(UsageError, match="--date"):
        grouper.load_scheme("liaocheng")
    with pytest.raises(UsageError, match="does not apply"):
        grouper.load_scheme("liaocheng-2025", when=date(2024, 5, 1))
    with pytest.raises(UsageError, match="no scheme"):
        grouper.load_scheme("atlantis")


def test_batches_of_a_stream_are_matched_by_name() -> None:
    drg = loaded("chs-drg-2.0")
    first = records("chs-drg-2.0").select(RECORD_COLUMNS).slice(0, 40).combine_chunks().to_batches()[0]
    turned = first.select(RECORD_COLUMNS[::-1])
    one, two = drg.group_batches([first, turned])
    assert two.schema.equals(one.schema) and two.equals(one)
    with pytest.raises(DataError, match="different columns: sex"):
        list(drg.group_batches([first, first.drop_columns(["sex"])]))
    other = pa.RecordBatch.from_arrays(
        [
            c.cast(pa.string()) if n == "sex" else c
            for n, c in zip(first.schema.names, first.columns, strict=True)
        ],
        first.schema.names,
    )
    with pytest.raises(DataError, match="column 'sex' has different types"):
        list(drg.group_batches([first, other]))


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_codes_without_a_principal_diagnosis_are_all_kept(tmp_path: Path, suffix: str) -> None:
    rows = {
        "record_id": ["a"],
        "diagnoses": [[None, "I10.x00", "E11.900"]],
        "procedures": [[]],
        "sex": [1],
        "age_years": [60],
    }
    pq.write_table(pa.table(rows), tmp_path / "in.parquet")
    drg = grouper.load_scheme("chs-drg-2.0")
    grouper.group_files(drg, [tmp_path / "in.parquet"], tmp_path / f"out.{suffix}")
    again = grouper.load_scheme("chs-drg-2.0", prefix="again_")
    grouper.group_files(again, [tmp_path / f"out.{suffix}"], tmp_path / "again.parquet")
    table = pq.read_table(tmp_path / "again.parquet")
    assert table["diagnoses"].to_pylist() == ["|I10.x00|E11.900"]
    assert table["reason"].to_pylist() == table["again_reason"].to_pylist() == ["no-principal-diagnosis"]
