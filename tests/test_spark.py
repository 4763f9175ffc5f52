"""On a real Spark of two workers: grouped and priced as on one machine, row by row and fen by fen."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import grouper
from grouper.base.arrow import plain_table
from grouper.base.errors import UsageError

from .payment.pay_support import CASES, SCHEMA, write_policy
from .support import RECORD_COLUMNS, loaded, vectors

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    sql = pytest.importorskip("pyspark.sql")
    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = sql.SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    # Workers import the installed package, not the sources beside them. The variable of this process would
    # not reach them where an earlier test has already started the machine that they come from.
    builder = builder.config("spark.executorEnv.PYTHONSAFEPATH", "1")
    built = builder.config("spark.sql.shuffle.partitions", "2").getOrCreate()
    yield built
    built.stop()


def rows(table: pa.Table) -> list[dict[str, Any]]:
    return sorted(plain_table(table).to_pylist(), key=lambda row: row["record_id"])


def test_rows_are_grouped_as_on_one_machine(session: Any) -> None:
    table = vectors("chs-drg-2.0").select(RECORD_COLUMNS).slice(0, 4000)
    table = table.set_column(0, "record_id", pa.array([f"{n:06}" for n in range(table.num_rows)]))
    from grouper import spark

    found = spark.group(session.createDataFrame(table).repartition(5), loaded("chs-drg-2.0")).toArrow()
    assert rows(found) == rows(loaded("chs-drg-2.0").group(table))


def test_a_missing_column_is_told_before_a_job_runs(session: Any) -> None:
    from grouper import spark

    table = vectors("chs-drg-2.0").select(RECORD_COLUMNS).slice(0, 5).drop_columns(["sex"])
    with pytest.raises(UsageError, match="sex"):
        spark.group(session.createDataFrame(table), "chs-drg-2.0")


def test_areas_are_priced_as_each_alone(session: Any, tmp_path: Path) -> None:
    from grouper import spark

    policy = str(write_policy(tmp_path))
    areas = ("331100", "371500")
    cases = [case | {"record_id": f"{area}-{case['record_id']}"} for area in areas for case in CASES]
    table = pa.Table.from_pylist(cases, schema=SCHEMA)
    area = pa.array([name[:6] for name in table["record_id"].to_pylist()])
    frame = session.createDataFrame(table.append_column("area", area))
    found = rows(spark.price(frame, policy, by=["area"]).toArrow())
    number = len(CASES)
    alone = [grouper.price(table.slice(at, number), policy) for at in (0, number)]
    expected = rows(pa.concat_tables(alone))
    assert [row["area"] for row in found] == [row["record_id"][:6] for row in found]
    assert [{n: row[n] for n in expected[0] if n in row} for row in found] == [
        {n: v for n, v in row.items() if n in found[0]} for row in expected
    ]
    assert {"amount", "fund_due", "pay_status", "pay_reason"} <= found[0].keys()
    total = sum(row["amount"] or 0 for row in expected)
    assert sum(row["amount"] or 0 for row in found) == total > 0
    with pytest.raises(UsageError, match="county"):
        spark.price(frame, policy, by=["county"])
