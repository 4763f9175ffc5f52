"""A lake that is open: its repr, tables, queries, and the grouper as a function."""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import grouper
from grouper.base.errors import UsageError
from grouper.grouping.family import FAMILIES
from grouper.lake.layout import Lake
from grouper.lake.views import connect
from grouper.research.functions import FIELDS, register
from grouper.research.open import OpenLake
from grouper.synth.city import City, city_batches

from ..in_process import call


def test_it_says_what_it_is_in_one_line(opened: OpenLake, old: Path) -> None:
    assert repr(opened) == f"<OpenLake {old}: 4 months, 2 years cleared, run 000007>"
    assert "cases" in opened.tables and "group_measures" in opened.tables


def test_a_path_may_be_a_text(old: Path) -> None:
    assert Lake(str(old)) == Lake(old)
    with connect(str(old)) as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchall() == [(7,)]
    with grouper.open_lake(str(old)) as lake:
        assert lake.sql("SELECT count(*) FROM periods").fetchall() == [(6,)]


def test_cases_come_in_every_kind(opened: OpenLake) -> None:
    frame, table = opened.cases(kind="polars"), opened.cases(kind="arrow")
    assert isinstance(frame, pl.LazyFrame) and isinstance(table, pa.Table)
    number = table.num_rows
    assert frame.collect().height == number
    assert opened.cases().aggregate("count(*)").fetchall() == [(number,)]
    assert opened.cases(effective=False, kind="arrow").num_rows > number
    with pytest.raises(UsageError, match="there are cases"):
        opened.table("case")


@pytest.mark.parametrize("query", ["DROP VIEW cases", "SELECT 1; SELECT 2", "selec", "FROM nothing", ""])
def test_what_is_no_query_is_refused(opened: OpenLake, query: str) -> None:
    with pytest.raises(UsageError):
        opened.sql(query)


def test_the_command_writes_what_it_is_asked(old: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    code, _, err = call("sql", str(old), "SELECT area, count(*) AS n FROM cases GROUP BY 1", "-o", str(path))
    assert code == 0, err
    (row,) = pq.read_table(path).to_pylist()
    code, out, _ = call("sql", str(old), "SELECT area, count(*) AS n FROM cases GROUP BY 1")
    assert code == 0 and out.decode().splitlines()[1].replace('"', "") == f"{row['area']},{row['n']}"
    code, _, err = call("sql", str(old), "SELECT 1", "-o", str(old / "out.csv"), "--lang", "en")
    assert code == 1 and not (old / "out.csv").exists(), err


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_without_a_query_it_lists_what_there_is(old: Path, lang: str) -> None:
    code, out, _ = call("sql", str(old), "--lang", lang)
    lines = out.decode().splitlines()
    assert code == 0 and {line.split()[0].partition("(")[0] for line in lines} >= {
        "cases", "measures", "riv", "readmissions", *FAMILIES,
    }  # fmt: skip
    assert all(len(line.split(maxsplit=1)) == 2 for line in lines)


@pytest.fixture(scope="module")
def rows() -> pa.Table:
    """Discharges with everything that schemes read, some of it wrong."""
    return pa.Table.from_batches(list(city_batches(City(rows=24_000, hospitals=30, dirty=0.1, year=2025), 3)))


@pytest.mark.parametrize("scheme", ["zhejiang-2022", "dip-taian-2025"])
def test_the_function_in_sql_is_group_row_by_row(rows: pa.Table, scheme: str) -> None:
    loaded = grouper.load_scheme(scheme)
    plain = loaded.group(rows)
    with duckdb.connect() as connection:
        name = register(connection, loaded)
        assert name == loaded.engine.kind
        connection.register("rows", rows)
        more = ", ".join(f"{field} := {field}" for field in FIELDS[2:])
        made = connection.sql(
            f"SELECT unnest({name}(diagnoses, procedures, {more})) FROM rows"
        ).to_arrow_table()
        assert made.column_names == loaded.result_names and made.num_rows == rows.num_rows > 1_000
        for column in loaded.result_names:
            assert made[column].to_pylist() == plain[column].to_pylist(), column


def test_what_is_not_given_is_missing(month: Path) -> None:
    with OpenLake(month, scheme="chs-drg-2.0") as lake:
        ((status, reason),) = lake.sql(
            "SELECT g.status, g.reason FROM (SELECT drg(['P22.000'], [], sex := 1, age_years := 0) AS g)"
        ).fetchall()
        assert (status, reason.partition("-")[0]) == ("needs-data", "missing")


def test_the_scheme_of_the_lake_is_taken_when_a_query_asks_for_it(month: Path) -> None:
    given = ", ".join(f"{field} := {field}" for field in FIELDS[2:] if field != "birth_date")
    query = f"SELECT count(*) FROM records WHERE drg(diagnoses, procedures, {given}).drg IS DISTINCT FROM drg"
    with OpenLake(month) as lake:
        assert lake.sql(query).fetchall() == [(0,)]
        with pytest.raises(UsageError, match="--scheme"):
            lake.sql("SELECT dip(diagnoses, procedures) FROM records")
