"""A record that comes alone passes the same gate as a row of a file."""

from __future__ import annotations

import duckdb
import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from grouper.records.alone import reason_alone
from grouper.records.stays import Gate, given_columns, pass_gate, rows_sql

WORDS = {
    "record_id": ["a", " ", ""], "settlement_id": ["s", " "], "visit_id": ["v"], "hospital_code": ["h"],
    "person_id": ["p"], "refund_of": ["s", "x"], "refund_flag": ["1", "0", "是", "否", ""],
    "valid_flag": ["1", "0", "false", "true"], "interim_flag": ["1", "0", "true"],
    "admission_date": ["2025-06-01", "2025/6/3", "20250605", "2025-06-04 10:00:00", "bad", ""],
    "discharge_date": ["2025-06-02", "2025-06-04T09:00:00", "20250601", "2025-6-3", "never"],
    "total_cost": ["100", "-0.001", "-5.5", "0", "0.00", "0.004", "1e3", "12345678901234567", "x", ""],
}  # fmt: skip
RECORDS = st.fixed_dictionaries({}, optional={name: st.sampled_from(words) for name, words in WORDS.items()})


def by_files(record: dict[str, str]) -> str | None:
    """The answer of the gate of files, over a table of this one row."""
    rows = pa.table({**{name: [value] for name, value in record.items()}, "row_place": [0]})
    with duckdb.connect() as connection:
        connection.register("_records", rows)
        names = given_columns([name for name in rows.schema.names if name != "row_place"])
        found, has = rows_sql(connection, "_records", rows.schema, names, number="t.row_place")
        pass_gate(connection, found, has, Gate(amounts="total_cost" in has))
        left = connection.execute("SELECT reason FROM gate_left").fetchall()
    return str(left[0][0]) if left else None


@settings(max_examples=60, deadline=None)
@given(record=RECORDS)
@example(record={"refund_flag": "1", "total_cost": "5"})
@example(record={"refund_flag": "1", "total_cost": "0"})
@example(record={"total_cost": "-0.004", "record_id": "a"})
def test_alone_as_in_a_file(record: dict[str, str]) -> None:
    assert reason_alone(record) == by_files(record)
