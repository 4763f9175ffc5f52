"""Files are read by their own names and with their own columns, whatever their folders are called."""

from __future__ import annotations

import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from grouper.base.errors import UsageError
from grouper.base.sql import parquet_schema, rows_of, scan
from grouper.fitting.history import HistoryOptions, read_history
from grouper.lake import views
from grouper.payment import pay
from grouper.payment.explain.row import is_priced, priced_row
from grouper.payment.packages.alliance import charge_cases, read_alliances
from grouper.payment.price.texts import load_texts
from grouper.settlement import tables
from grouper.synth.city import City, write_city

NAMES = (
    "x[1].parquet", "a*b.parquet", "q?.parquet", "[!a].parquet", "c]d.parquet", "p{a,b}.parquet",
    "~h.parquet",
    "total_cost=1.00/g.parquet", "n=5/[k]/it's **.parquet",
)  # fmt: skip
OTHERS = ("x1.parquet", "aXb.parquet", "qz.parquet", "b.parquet", "pa.parquet")


def write(path: Path, **columns: list[object]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (*NAMES, *OTHERS):
        write(tmp_path / name, n=[name], total_cost=["9.00"])
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "place", [lambda name: name, os.path.abspath, Path], ids=["relative", "absolute", "path"]
)
def test_a_path_is_read_to_the_letter(files: Path, name: str, place: Callable[[str], str | Path]) -> None:
    rows = duckdb.sql(f"SELECT * FROM {scan(place(name))}")
    assert rows.columns == ["n", "total_cost"] and rows.fetchall() == [(name, "9.00")]


def test_several_files_are_read_in_order_with_the_numbers_of_their_rows(files: Path) -> None:
    rows = duckdb.sql(f"SELECT n, file_row_number, path FROM {scan(*NAMES, numbered=True, named='path')}")
    assert [row[:2] for row in rows.fetchall()] == [(name, 0) for name in NAMES]


@pytest.mark.skipif(os.sep == "\\", reason="there the sign divides folders")
def test_a_name_that_duckdb_cannot_be_told_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="rename it"):
        scan(tmp_path / "a\\[1].parquet")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a workbook", b"PAR1 torn"])
def test_what_is_no_parquet_file_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "g.parquet"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"is no \(whole\) Parquet file; hint") as caught:
        parquet_schema(path, hint_zh="；提示", hint_en="; hint")
    assert "\n" not in str(caught.value) and "提示" in caught.value.zh
    with pytest.raises(UsageError, match="there is no file"):
        parquet_schema(tmp_path / "none.parquet")


def test_fitting_reads_the_file_that_is_named(tmp_path: Path) -> None:
    columns = {"drg": ["AA19"], "status": ["grouped"], "year": [2025]}
    write(tmp_path / "h1.parquet", **columns, total_cost=[Decimal("7.00")])
    path = write(tmp_path / "total_cost=1.00" / "h[1].parquet", **columns, total_cost=[Decimal("9.00")])
    with duckdb.connect() as connection:
        read_history(connection, [str(path)], "chs-drg-2.0", HistoryOptions(year_column="year"))
        assert connection.execute("SELECT g, y, fen FROM cases").fetchall() == [("AA19", 2025, 900)]


def test_a_lake_may_stand_in_any_folder(tmp_path: Path) -> None:
    """Only the lake's own folders are columns: not ``run=7`` and ``total_cost=1`` above it."""
    root = tmp_path / "run=7" / "total_cost=1.00" / "lake[1]"
    paths = []
    for month in ("05", "06"):
        place = root / "cases" / "area=lishui" / "year=2025" / f"month={month}" / f"run=0000{month}"
        paths.append(str(write(place / "part-00000.parquet", total_cost=[month])))
    source = views.scan_parts(paths)
    with duckdb.connect() as connection:
        found = connection.sql(f"SELECT * FROM {source} ORDER BY month")
        assert found.columns == ["total_cost", "area", "year", "month", "run"]
        assert found.fetchall() == [("05", "lishui", 2025, 5, "000005"), ("06", "lishui", 2025, 6, "000006")]
        plan = connection.sql(f"EXPLAIN ANALYZE SELECT * FROM {source} WHERE month = 6").fetchall()[0][1]
        assert "1/2" in plan, "a month is read without opening the others"


def test_the_charge_of_an_alliance_reads_the_cases_that_are_named(tmp_path: Path) -> None:
    def cases(path: Path, yuan: str) -> Path:
        return write(
            path, record_id=["1"], hospital_code=["A"], pay_status=["paid"], fund_due=[Decimal(yuan)],
            region_code=["330101"],
        )  # fmt: skip

    cases(tmp_path / "c1.parquet", "5.00")
    named = cases(tmp_path / "fund_due=1.00" / "c[1].parquet", "9.00")
    (tmp_path / "h.csv").write_bytes("hospital_code,alliance,说明\nA,East,县医院\n".encode("gb18030"))
    (tmp_path / "a.csv").write_text("alliance,county,insured\nEast,3301,100\n", "utf-8")
    charged = charge_cases([str(named)], read_alliances(str(tmp_path / "a.csv")), str(tmp_path / "h.csv"))
    assert [of.inside for of in charged.alliances] == [900]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_texts_come_in_any_of_their_encodings(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "t[1].csv"
    path.write_bytes('code,name\n01,"甲,医院"\n02,\n'.encode(encoding))
    with duckdb.connect() as connection:
        load_texts(connection, str(path), "t")
        assert connection.execute("FROM t").fetchall() == [("01", "甲,医院"), ("02", None)]


def test_the_library_refuses_what_is_no_grouped_file(tmp_path: Path) -> None:
    book = tmp_path / "g.xlsx"
    book.write_bytes(b"PK\x03\x04")
    with pytest.raises(UsageError, match=r"grouped files are Parquet or CSV"):
        pay(str(book), "lishui", str(tmp_path / "p.parquet"))


def test_a_name_that_looks_like_an_address_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pyarrow takes s3:x.parquet for an address; here a path is a path, read or written."""
    monkeypatch.chdir(tmp_path)
    name = "s3:x.parquet"
    table = pa.table({"pay_date": ["d"], "pay_status": ["s"], "pay_reason": ["r"], "record_id": ["1"]})
    tables.write(Path(name), table.schema, table.to_batches(), {"policy": {"sha256": "ab"}})
    assert rows_of(name) == 1 and parquet_schema(name).names == table.schema.names
    assert is_priced(name) and priced_row(name, "1")[0] == table.to_pylist()[0]
    assert tables.copy(Path(name), Path("file:y.parquet"), {}) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file:y.parquet", name]
    Path("hdfs:c").mkdir()
    write_city("hdfs:c", City(rows=240, hospitals=30), months=[1])
    assert rows_of("hdfs:c/2025-01.parquet") > 0
