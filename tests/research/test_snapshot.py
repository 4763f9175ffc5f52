"""A snapshot holds what counts, once, and plain tools read it right."""

from __future__ import annotations

import json
import shutil
from decimal import Decimal
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from grouper.base.errors import UsageError
from grouper.base.provenance import PROVENANCE_KEY
from grouper.lake import Lake
from grouper.research.columns import TABLES, declared
from grouper.research.open import OpenLake
from grouper.research.snapshot import export

from ..in_process import call

YEARS = ("2024", "2025")


def _ledger(lake: Path, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(lake / "ledger.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture(scope="module")
def truth(old: Path) -> tuple[int, Decimal]:
    """Cases and cost of the years that were cleared, by the ledger: all months of this lake are in them."""
    ((number, fen),) = _ledger(
        old,
        "SELECT sum(cases), sum(cases_cost_fen) FROM runs WHERE run IN ('000002', '000007')",
    )
    return int(str(number)), Decimal(int(str(fen))) / 100


def _duckdb(folder: Path) -> tuple[int, Decimal]:
    with duckdb.connect() as connection:
        sql = f"SELECT count(*), sum(total_cost) FROM read_parquet('{folder}/**/*.parquet')"
        return connection.execute(sql).fetchall()[0]


def _polars(folder: Path) -> tuple[int, Decimal]:
    frame = pl.scan_parquet(folder / "*.parquet")
    return frame.select(pl.len(), pl.sum("total_cost")).collect().row(0)


def _pandas(folder: Path) -> tuple[int, Decimal]:
    frame = pd.read_parquet(folder)
    return len(frame), frame["total_cost"].sum()


def _pyarrow(folder: Path) -> tuple[int, Decimal]:
    table = ds.dataset(folder).to_table()
    return table.num_rows, pc.sum(table["total_cost"]).as_py()


@pytest.mark.parametrize("table", ["cases", "cases_cleared", "records"])
@pytest.mark.parametrize("read", [_duckdb, _polars, _pandas, _pyarrow])
def test_plain_readers_see_each_case_once(
    snapshot: Path, truth: tuple[int, Decimal], table: str, read
) -> None:  # type: ignore[no-untyped-def]
    assert read(snapshot / table) == truth


def test_plain_reading_of_the_run_files_is_no_truth(old: Path, truth: tuple[int, Decimal]) -> None:
    """What the snapshot is for: months, years and replaced rows stand side by side in the lake."""
    assert _duckdb(old / "cases")[0] > 2 * truth[0]


def test_runs_and_months_are_texts_in_every_reader(snapshot: Path) -> None:
    frame = pl.read_parquet(snapshot / "cases" / "*.parquet")
    assert frame["run"].unique().sort().to_list() == ["000001", "000003", "000005", "000006"]
    assert frame["month"].unique().sort().to_list() == ["01", "02", "03", "12"]
    assert set(pd.read_parquet(snapshot / "cases")["year"]) == set(YEARS)
    assert ds.dataset(snapshot / "cases").schema.field("run").type == pa.string()


def test_each_table_has_one_schema_with_the_declared_columns_first(snapshot: Path) -> None:
    for table in TABLES:
        schemas = [pq.read_schema(path).remove_metadata() for path in sorted((snapshot / table).iterdir())]
        assert all(schema.equals(schemas[0]) for schema in schemas), table
        names = [column.name for column in declared()[table]]
        assert schemas[0].names[: len(names)] == names


def test_a_lake_has_no_column_that_is_not_declared(month: Path, opened: OpenLake) -> None:
    with OpenLake(month) as today:
        for lake in (today, opened):
            for table in TABLES:
                names = lake.connection.sql(f"SELECT * FROM {table} LIMIT 0").columns
                assert list(names) == [column.name for column in declared()[table]], table


def test_no_column_or_table_is_a_reserved_word() -> None:
    with duckdb.connect() as connection:
        sql = "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category = 'reserved'"
        reserved = {name for (name,) in connection.execute(sql).fetchall()}
    assert "group" in reserved
    assert not reserved & {column.name for columns in declared().values() for column in columns}
    assert not reserved & set(TABLES)


def test_cmi_can_be_combined_over_pools_and_months(snapshot: Path) -> None:
    frame = pl.read_parquet(snapshot / "hospitals" / "*.parquet")
    known = frame.filter(pl.col("weighted_cases") > 0)
    assert known.height and known["cmi"].null_count() == 0
    for weight, number, cmi in known.select("weight_sum", "weighted_cases", "cmi").rows():
        assert abs(weight / number - cmi) <= Decimal("0.00005")
    assert frame.filter(pl.col("weighted_cases") == 0)["cmi"].null_count() == frame.height - known.height


def test_names_say_what_codes_mean(month: Path) -> None:
    with OpenLake(month) as lake:
        lacking = lake.connection.execute(
            "SELECT count(*) FROM cases AS c LEFT JOIN groups AS g USING (scheme_id, group_code) "
            "WHERE status = 'grouped' AND (g.name_zh IS NULL OR g.weight IS NULL)"
        ).fetchall()
        assert lacking == [(0,)]
        values = lake.connection.execute(
            "SELECT name_zh, name_en FROM code_values WHERE column_name = 'insurance_type' "
            "AND value IN ('310', '390') ORDER BY value"
        ).fetchall()
        assert values == [("职工基本医疗保险", "employees"), ("城乡居民基本医疗保险", "residents")]
        for column in (
            "method",
            "pay_status",
            "row_kind",
            "status",
            "sex",
            "route",
            "pay_reason",
            "discharge_way",
        ):
            unknown = lake.connection.execute(
                f"SELECT DISTINCT {column} FROM cases WHERE {column} IS NOT NULL "
                f"AND {column}::VARCHAR NOT IN "
                f"(SELECT value FROM code_values WHERE column_name = '{column}')"
            ).fetchall()
            assert not unknown, column


def test_groups_of_a_scheme_that_is_not_to_be_found_are_those_seen(opened: OpenLake) -> None:
    rows = opened.connection.execute("SELECT count(*), count(name_zh), count(weight) FROM groups").fetchall()
    ((number, named, weighed),) = rows
    assert number == named > 0 and weighed == 0


def test_every_file_says_what_made_it(snapshot: Path, old: Path) -> None:
    ((head,),) = _ledger(old, "SELECT hash FROM runs ORDER BY run DESC LIMIT 1")
    for path in snapshot.rglob("*.parquet"):
        told = json.loads(pq.read_metadata(path).metadata[PROVENANCE_KEY.encode()])
        assert told["head"] == head and told["table"] == path.parent.name
    assert str(head) in (snapshot / "README.md").read_text(encoding="utf-8")


def test_views_sql_works_in_plain_duckdb(snapshot: Path, truth: tuple[int, Decimal]) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"SET VARIABLE snapshot = '{snapshot}'")
        connection.execute((snapshot / "views.sql").read_text(encoding="utf-8"))
        rows = connection.execute("SELECT cases, total_cost FROM measures('all')").fetchall()
        assert rows == [truth]
        assert connection.execute("SELECT count(*) FROM point_values").fetchall()[0][0] > 0


@pytest.mark.slow
def test_an_own_snapshot_is_replaced_and_another_folder_refused(old: Path, tmp_path: Path) -> None:
    folder = tmp_path / "made"
    for _ in range(2):
        code, out, err = call("lake", "export", str(old), "-o", str(folder), "--lang", "en")
        assert code == 0 and b"cases as they stand" in out, err
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    code, _, err = call("lake", "export", str(old), "-o", str(folder), "--lang", "en")
    assert code == 1 and b"notes.txt" in err and (folder / "notes.txt").read_text() == "mine"
    with pytest.raises(UsageError, match="is an input"):
        export(Lake(old), old / "snapshot")
    assert not (old / "snapshot").exists()


def test_a_snapshot_of_a_private_lake_is_private(old: Path, tmp_path: Path) -> None:
    shutil.copytree(old, tmp_path / "lake")
    (tmp_path / "lake").chmod(0o700)
    export(Lake(tmp_path / "lake"), tmp_path / "made")
    modes = {
        path.stat().st_mode & 0o077 for path in (tmp_path / "made").rglob("*") if path.name != ".grouper-made"
    }
    assert modes == {0} and (tmp_path / "made").stat().st_mode & 0o077 == 0
