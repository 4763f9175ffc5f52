"""Cases meet their records on the way into the table of the lake."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grouper.base.arrow import in_lots
from grouper.base.errors import ReconciliationError
from grouper.settlement import tables
from grouper.settlement.records import widened

SETTLED = pa.schema({"record_id": pa.string(), "settled_fund": pa.decimal128(18, 2)})


def settled(*ids: str) -> pa.RecordBatch:
    funds = pa.array([Decimal(number) for number in range(len(ids))], SETTLED.field("settled_fund").type)
    return pa.RecordBatch.from_arrays([pa.array(ids, pa.string()), funds], schema=SETTLED)


@given(st.lists(st.integers(0, 5), max_size=6), st.lists(st.integers(0, 7), max_size=9))
def test_lots_are_the_rows_in_their_order_however_they_were_cut(cut: list[int], lots: list[int]) -> None:
    parts, before = [], 0
    for size in [*cut, 1]:
        parts.append(pa.record_batch({"n": pa.array(range(before, before + size), pa.int64())}))
        before += size
    take = in_lots(parts[0].schema, iter(parts))
    found = [take(lot)["n"].to_pylist() for lot in lots]
    assert [n for lot in found for n in lot] == list(range(min(sum(lots), before)))
    assert all(len(lot) == wanted for lot, wanted in zip(found, lots, strict=True)) or sum(lots) > before


@pytest.mark.parametrize("ids", [["b", "a"], ["a", "c"], ["a", "b", "c"]])
def test_a_case_beside_the_record_of_another_is_an_error(tmp_path: Path, ids: list[str]) -> None:
    pq.write_table(
        pa.table({"visit_id": ["v1", "v2"], "record_id": ["a", "b"]}), tmp_path / "records.parquet"
    )
    whole, batches = widened(iter([settled("a"), settled("b")]), tmp_path / "records.parquet", SETTLED)
    assert [batch["visit_id"].to_pylist() for batch in batches] == [["v1"], ["v2"]]
    assert whole.field("input_row").type == pa.string()  # a record that says nothing of it
    _, batches = widened(iter([settled(*ids)]), tmp_path / "records.parquet", SETTLED)
    with pytest.raises(ReconciliationError, match="another order"):
        list(batches)


def test_what_comes_after_may_have_other_columns(tmp_path: Path) -> None:
    """Cases of closed months under another policy: columns that one of the two lacks are empty."""
    connection = duckdb.connect()
    other = "SELECT 'z' AS record_id, 7::DECIMAL(18,2) AS settled_fund, 3::DECIMAL(18,4) AS settled_points"
    path = tmp_path / "cases.parquet"
    rows = tables.write_after(connection, (SETTLED, iter([settled("a", "b")])), [other], path)
    assert rows == 3
    assert pq.read_table(path).to_pylist() == [
        {"record_id": name, "settled_fund": Decimal(fund), "settled_points": points and Decimal(points)}
        for name, fund, points in (("a", "0.00", None), ("b", "1.00", None), ("z", "7.00", "3.0000"))
    ]
