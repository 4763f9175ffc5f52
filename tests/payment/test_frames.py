"""A dataframe is priced as a file is: the same rows, columns and fen, whatever its kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pandas
import polars
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import grouper
from grouper.base.errors import DataError, UsageError
from grouper.payment import pay

from .pay_support import CASES, SCHEMA, case, write_cases, write_policy

# A refund with its original, a row of a wrong status and parameters of two times are in it.
ROWS = [*CASES, case("again", "9000.00", hospital_code="C"), case("back", "-9000.00", hospital_code="C")]
KINDS: dict[str, Any] = {
    "pyarrow": (lambda t: t, lambda t: t, pa.Table),
    "record batch": (lambda t: t.combine_chunks().to_batches()[0], lambda b: pa.Table.from_batches([b]),
                     pa.RecordBatch),
    "polars": (polars.from_arrow, lambda f: f.to_arrow(), polars.DataFrame),
    "polars lazy": (lambda t: polars.from_arrow(t).lazy(), lambda f: f.collect().to_arrow(),
                    polars.LazyFrame),
    "pandas": (lambda t: t.to_pandas(), pa.Table.from_pandas, pandas.DataFrame),
    "duckdb": (duckdb.from_arrow, lambda r: r.to_arrow_table(), duckdb.DuckDBPyRelation),
}  # fmt: skip


@pytest.fixture
def table() -> pa.Table:
    return pa.Table.from_pylist(ROWS, schema=SCHEMA)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_a_frame_is_priced_as_its_file(kind: Any, table: pa.Table, tmp_path: Path) -> None:
    held, arrow, expected = kind
    policy = str(write_policy(tmp_path))
    pay(str(write_cases(tmp_path, ROWS)), policy, str(tmp_path / "out.parquet"))
    priced = grouper.price(held(table), policy)
    assert isinstance(priced, expected)
    assert _texts(arrow(priced)) == _texts(pq.read_table(tmp_path / "out.parquet"))


def _texts(table: pa.Table) -> list[dict[str, Any]]:
    """Rows as texts without the zeros behind a number, as pandas has dates and whole numbers its own way."""
    return [{name: _text(value) for name, value in row.items()} for row in table.to_pylist()]


def _text(value: Any) -> str | None:
    if value is None or value != value:
        return None
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def test_all_rows_come_back_in_their_order_with_their_index(table: pa.Table, tmp_path: Path) -> None:
    frame = table.to_pandas().set_index(pandas.Index(range(70, 70 + len(ROWS))))
    priced = grouper.price(frame, str(write_policy(tmp_path)))
    assert list(priced.index) == list(frame.index) and list(priced.record_id) == list(frame.record_id)
    assert dict(zip(priced.record_id, priced.pay_status, strict=True))["back"] == "left"


def test_errors_name_the_frame(table: pa.Table, tmp_path: Path) -> None:
    policy = str(write_policy(tmp_path))
    with pytest.raises(UsageError, match="the frame lacks the column hospital_level") as lacking:
        grouper.price(table.drop_columns(["hospital_level"]), policy)
    assert "数据表" in lacking.value.zh and "/" not in lacking.value.zh.replace("test/rate", "")
    wrong = pa.Table.from_pylist([case("x", "15000.00", status="bogus")], schema=SCHEMA)
    with pytest.raises(DataError, match=r"^the frame.* 1.*bogus"):
        grouper.price(wrong, policy)


def test_the_day_of_a_time_with_a_zone_is_that_of_the_zone(table: pa.Table, tmp_path: Path) -> None:
    policy = str(write_policy(tmp_path))
    place = table.schema.get_field_index("discharge_date")
    zoned = pc.assume_timezone(table["discharge_date"].cast(pa.timestamp("us")), "Asia/Shanghai")
    priced = grouper.price(table.set_column(place, "discharge_date", zoned), policy)
    assert priced["pay_date"].equals(grouper.price(table, policy)["pay_date"])
