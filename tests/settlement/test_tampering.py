"""What is done to a lake behind its back, kind by kind, and what audit says of it. A clean lake has no finding."""

# ruff: noqa: E501  # a kind is a line
from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from grouper.base.digests import sha256
from grouper.base.errors import GrouperError
from grouper.lake import Lake, chain, ledger, whole
from grouper.lake.layout import TABLES
from grouper.settlement.audit import audit
from grouper.settlement.month import settle_month
from grouper.settlement.plan.year_job import YearJob
from grouper.settlement.replay import replay
from grouper.settlement.year import clear_year

from . import settle_support as support

pytestmark = pytest.mark.slow  # seconds each; the tests of every run have a sister of theirs

LAST = "000003"


@dataclass(frozen=True)
class Scene:
    """A copy of the lake: April and May with their reports, and the year cleared. ``older``: the lake as it was
    after May. ``city``: copies of what its runs read. ``head``: of the chain, as somebody wrote it down."""

    lake: Lake
    older: Lake
    city: Path
    head: str

    def path(self, pattern: str) -> Path:
        """The one file, or the first, of a pattern."""
        return min(self.lake.root.glob(pattern))

    def sql(self, *statements: str) -> None:
        """Statements in the ledger."""
        with duckdb.connect(str(self.lake.ledger)) as connection:
            for statement in statements:
                connection.execute(statement)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    folder = tmp_path_factory.mktemp("tampering")
    shutil.copytree(support.city(900, 0.03, (4, 5)), folder / "city")
    lake = Lake(folder / "lake")
    for month in ("2025-04", "2025-05"):
        settle_month(lake, _few(folder, month))
    shutil.copytree(lake.root, folder / "older")
    done = clear_year(lake, YearJob("2025", str(folder / "city" / "budget.toml"), "tianmen", partial=True, threads=1, held_remain=True),
                      reports=False)  # fmt: skip
    return Scene(lake, Lake(folder / "older"), folder / "city", done.hash)


def _few(folder: Path, month: str) -> object:
    """A month of the three hospitals with most cases, so that there are few reports."""
    like = folder / "city" / f"{month}.parquet"
    rows = support.take(folder / "city", month, 400)
    codes = sorted({row["hospital_code"] for row in rows})[:3]
    few = [row for row in rows if row["hospital_code"] in codes]
    return support.job(
        folder / "city", month, support.write(folder / "city" / f"{month}-few.parquet", few, like)
    )


@pytest.fixture
def scene(made: Scene, tmp_path: Path) -> Scene:
    shutil.copytree(made.lake.root, tmp_path / "lake", symlinks=True)
    return replace(made, lake=Lake(tmp_path / "lake"))


# --- what is done -----------------------------------------------------------------------------------------------


def _flip(path: Path, place: int = -400) -> None:
    content = bytearray(path.read_bytes())
    content[place if len(content) > abs(place) else len(content) // 2] ^= 1
    path.write_bytes(content)


def _swap(one: Path, other: Path) -> None:
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def _fen_more(scene: Scene) -> None:
    path = scene.path("cases/*/*/month=04/*/*.parquet")
    table = pq.read_table(path, partitioning=None)
    number = table.schema.get_field_index("settled_fund")
    column = pa.array([None if v is None else v + 1 for v in table["settled_fund"].to_pylist()],
                      table.schema.field(number).type)  # fmt: skip
    pq.write_table(table.set_column(number, table.schema.field(number), column), path)


def _provenance(scene: Scene) -> None:
    path = scene.path("cases/*/*/month=04/*/*.parquet")
    table = pq.read_table(path, partitioning=None)
    told = json.loads(table.schema.metadata[b"grouper.provenance"])
    told["policy"]["id"] = "another"
    pq.write_table(table.replace_schema_metadata({"grouper.provenance": json.dumps(told)}), path)


def _add(scene: Scene, name: str, content: bytes = b"x") -> None:
    path = scene.lake.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _linked(scene: Scene, path: Path) -> None:
    """A file or folder moved out of the lake, with a link to it in its place."""
    outside = scene.lake.root.parent / "outside"
    path.rename(outside)
    path.symlink_to(outside)


def _drop_run(scene: Scene, run: str) -> None:
    scene.sql(*(f"DELETE FROM {table} WHERE run = '{run}'" for table in ledger.COLUMNS))


def _cut_off(scene: Scene, *, chained: bool = True, data: bool = True) -> None:
    """The last run taken out of the ledger, and of what else there is."""
    _drop_run(scene, LAST)
    if chained:
        (scene.lake.chain / f"{LAST}.json").unlink()
    if data:
        for folder in scene.lake.root.glob(f"*/*/*/*/run={LAST}"):
            shutil.rmtree(folder)


def _older(scene: Scene, *names: str) -> None:
    """Parts of the lake as they were after May."""
    for name in names:
        source, target = scene.older.root / name, scene.lake.root / name
        if source.is_dir():
            shutil.rmtree(target)
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)


def _records(lake: Lake) -> list[ledger.Record]:
    with ledger.opened(lake) as connection:
        return whole.records(connection)


def _anew(scene: Scene, change: Callable[[ledger.Record], None], *, chained: bool) -> None:
    """History written again from its first run, with every hash right; the chain too, where ``chained``."""
    rows, previous = [], ""
    for record in _records(scene.lake):
        change(record)
        own = ledger.digest(record.body(previous))
        if chained:
            chain.write(scene.lake, scene.lake.root, record, previous)
        rows.append((record, previous, own))
        previous = own
    ledger.create(scene.lake, scene.lake.root, rows)


def _other_person(record: ledger.Record) -> None:
    record.run["started_by"] = "somebody else"


def _other_file(scene: Scene) -> None:
    """A statement changed, and its digest in the ledger with it."""
    path = scene.path("reports/000001/hospitals/*.html")
    path.write_text("other amounts", encoding="utf-8")
    name, size = path.relative_to(scene.lake.root).as_posix(), path.stat().st_size
    scene.sql(f"UPDATE outputs SET bytes = {size}, sha256 = '{sha256(path)}' "
              f"WHERE path = '{name}'")  # fmt: skip


def _swap_runs(scene: Scene) -> None:
    for table in ledger.COLUMNS:
        scene.sql(f"UPDATE {table} SET run = CASE run WHEN '000001' THEN '000002' ELSE '000001' END "
                  "WHERE run < '000003'")  # fmt: skip


def _link_changed(scene: Scene) -> None:
    path = scene.lake.chain / "000002.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"fen": ', '"fen": 1', 1), encoding="utf-8")


def _link_anew(scene: Scene) -> None:
    """A record in the chain with another name and a hash that is right for it."""
    link = chain.read(scene.lake, "000002")
    _other_person(link.record)
    chain.write(scene.lake, scene.lake.root, link.record, link.previous)


def _intent(scene: Scene, name: str) -> None:
    path = scene.path(name)
    files = {path.relative_to(scene.lake.root).as_posix(): "0" * 64}
    _add(scene, ".staging/000004/intent.json", json.dumps({"run": "000004", "files": files}).encode())


def _month_renamed(scene: Scene, table: str) -> None:
    folder = scene.path(f"{table}/*/*/month=04")
    folder.rename(folder.with_name("month=06"))


# --- the table --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kind:
    """A kind of tampering and what audit says. ``expect``: the head as it was written down is given to audit;
    ``run``: is computed again. Those that are not ``quick`` are run with the slow tests."""

    name: str
    do: Callable[[Scene], object]
    says: str
    quick: bool = False
    expect: bool = False
    run: str = ""


SETS = {
    "note": "'x'", "started_by": "'x'", "as_of": "'x'", "software": "'0.0.1'", "policy_id": "'x'", "voids": "'000001'",
    "options_json": "'{}'", "fund_due_fen": "fund_due_fen + 1", "rejected": "rejected + 1", "format": "1",
    "period": "'2025-06'", "area": "'yulin'",
}  # fmt: skip
ROWS = {
    "inputs": "sha256 = repeat('0', 64)", "outputs": "rows = rows + 1", "parameters": "value = '99'",
    "counts": "rows = rows + 1", "amounts": "fen = fen + 1",
}  # fmt: skip
CHANGED = "its rows in the ledger were changed"
FOREIGN = {
    "table": ("CREATE TABLE t (x INT)", "foreign table or view t"),
    "view": ("CREATE VIEW v AS SELECT * FROM runs", "foreign table or view v"),
    "schema": ("CREATE SCHEMA s", "foreign schema s"),
    "table in a schema": ("CREATE SCHEMA s; CREATE TABLE s.t (x INT)", "foreign table or view s.t"),
    "macro": ("CREATE MACRO m(a) AS a + 1", "foreign macro m"),
    "sequence": ("CREATE SEQUENCE q", "foreign sequence q"),
    "index": ("CREATE INDEX i ON runs (run)", "foreign index i"),
    "type": ("CREATE TYPE e AS ENUM ('a')", "foreign type e"),
    "column": ("ALTER TABLE counts ADD COLUMN x INT", "foreign column x in the table counts"),
}
KINDS: Sequence[Kind] = (
    # data
    *(Kind(f"a byte of {table} is changed", lambda s, t=table: _flip(s.path(f"{t}/*/*/month=04/*/*.parquet")),
           f"000001  the file was changed: {table}/", quick=table == "cases") for table in TABLES),
    Kind("a data file is cut", lambda s: os.truncate(s.path("cases/*/*/*/*/*.parquet"), 900), "the file was changed: cases/"),
    Kind("a data file is emptied", lambda s: os.truncate(s.path("pools/*/*/*/*/*.parquet"), 0), "the file was changed: pools/"),
    Kind("a data file is gone", lambda s: s.path("hospitals/*/*/*/*/*.parquet").unlink(), "hospitals/.* is missing", quick=True),
    Kind("every file of a table is gone", lambda s: shutil.rmtree(s.lake.root / "records"), "records/.* is missing"),
    Kind("the files of two runs are swapped",
         lambda s: _swap(s.path("cases/*/*/month=04/*/*"), s.path("cases/*/*/month=05/*/*")), "the file was changed: cases/", quick=True),
    Kind("a case is paid a yuan more", _fen_more, "the file was changed: cases/", quick=True),
    Kind("the provenance of a data file is changed", _provenance, "the file was changed: cases/", quick=True),
    Kind("a part is added to a run", lambda s: shutil.copy(p := s.path("cases/*/*/month=04/*/*"), p.with_name("part-00001.parquet")),
         "no run owns the file cases/.*part-00001.parquet", quick=True),
    Kind("a partition is copied to another month", lambda s: shutil.copytree(p := s.path("cases/*/*/month=04"), p.with_name("month=07")),
         "no run owns the file cases/.*month=07"),
    Kind("a run of nobody is added", lambda s: _add(s, "cases/area=tianmen/year=2025/month=06/run=000009/part-00000.parquet"),
         "no run owns the file cases/.*run=000009", quick=True),
    Kind("a table of nobody is added", lambda s: _add(s, "cases2/part-00000.parquet"), "no run owns the file cases2/"),
    Kind("a month is renamed", lambda s: _month_renamed(s, "cases"), "no run owns the file cases/.*month=06", quick=True),
    Kind("an area is renamed", lambda s: (p := s.path("pools/area=*")).rename(p.with_name("area=other")), "pools/.* is missing"),
    Kind("a data file is a link", lambda s: _linked(s, s.path("cases/*/*/month=04/*/*")), "is a link; a lake has none", quick=True),
    Kind("a folder is a link", lambda s: _linked(s, s.lake.root / "pools"), "pools is a link; a lake has none", quick=True),
    Kind("a hidden file is added", lambda s: _add(s, ".DS_Store"), "no run owns the file .DS_Store"),
    Kind("a file is added", lambda s: _add(s, "readme.txt"), "no run owns the file readme.txt", quick=True),
    Kind("a pipe is added", lambda s: os.mkfifo(s.lake.root / "pipe"), "no run owns the file pipe"),
    Kind("work of nobody is added", lambda s: _add(s, ".staging/000004/rows.parquet"), "no run owns the file .staging/000004/"),
    Kind("an intent is forged", lambda s: _intent(s, "cases/*/*/month=04/*/*"), "no run owns the file .staging/000004/intent.json", quick=True),
    # reports
    Kind("the report is changed", lambda s: _flip(s.path("reports/000001/report.html")), "the file was changed: reports/000001/report.html", quick=True),
    Kind("a statement is changed", lambda s: _flip(s.path("reports/*/hospitals/*.html")), "the file was changed: reports/.*/hospitals/", quick=True),
    Kind("a workbook is replaced", lambda s: s.path("reports/*/hospitals/*.xlsx").write_bytes(b"PK"), "the file was changed: reports/.*xlsx"),
    Kind("two statements are swapped", lambda s: _swap(*sorted(s.lake.root.glob("reports/000002/hospitals/*.html"))[:2]),
         "000002  the file was changed: reports/000002/hospitals/"),
    Kind("a feed is changed", lambda s: _flip(s.path("reports/*/csv/hospitals.csv"), -5), "the file was changed: reports/.*hospitals.csv"),
    Kind("a statement is gone", lambda s: s.path("reports/*/hospitals/*.xlsx").unlink(), "the file reports/.*xlsx is missing", quick=True),
    Kind("the reports of a run are gone", lambda s: shutil.rmtree(s.lake.reports / "000002"), "000002  the file reports/.* is missing"),
    Kind("a report is added", lambda s: _add(s, "reports/000001/hospitals/H9.html"), "no run owns the file reports/000001/hospitals/H9.html"),
    Kind("reports of no run are added", lambda s: _add(s, "reports/000007/report.html"), "no run owns the file reports/000007/"),
    Kind("a statement and its digest are changed", _other_file, f"000001  {CHANGED}", quick=True),
    # ledger
    *(Kind(f"{name} of a run is changed", lambda s, n=name, v=value: s.sql(f"UPDATE runs SET {n} = {v} WHERE run = '000002'"),
           f"000002  {CHANGED}", quick=name in ("note", "voids", "fund_due_fen")) for name, value in SETS.items()),
    *(Kind(f"a row of {table} is changed", lambda s, t=table, v=value: s.sql(f"UPDATE {t} SET {v} WHERE run = '000001'"),
           f"000001  {CHANGED}", quick=table == "amounts") for table, value in ROWS.items()),
    *(Kind(f"the rows of {table} are gone", lambda s, t=table: s.sql(f"DELETE FROM {t} WHERE run = '000001'"), f"000001  {CHANGED}",
           quick=table == "outputs") for table in ROWS),
    Kind("a row is doubled", lambda s: s.sql("INSERT INTO amounts SELECT * FROM amounts WHERE run = '000001' LIMIT 1"), CHANGED),
    Kind("rows of no run are added", lambda s: s.sql("INSERT INTO counts (run, rows) VALUES ('000008', 1)"), "counts .* rows of run 000008", quick=True),
    Kind("a hash is replaced", lambda s: s.sql("UPDATE runs SET hash = repeat('0', 64) WHERE run = '000001'"), f"000001  {CHANGED}", quick=True),
    Kind("a hash is gone", lambda s: s.sql("UPDATE runs SET hash = NULL WHERE run = '000003'"), CHANGED),
    Kind("a previous hash is replaced", lambda s: s.sql("UPDATE runs SET previous_hash = '' WHERE run = '000002'"), "does not follow from the hash"),
    Kind("the first run is dropped", lambda s: _drop_run(s, "000001"), "run 000001 is missing", quick=True),
    Kind("a run is listed twice", lambda s: s.sql("INSERT INTO runs SELECT * FROM runs WHERE run = '000001'"), "is 2 times in the ledger"),
    Kind("two runs are swapped", _swap_runs, "000001  does not follow from the hash|000002  does not follow", quick=True),
    Kind("a run has another id", lambda s: s.sql("UPDATE runs SET run = 'three' WHERE run = '000003'"), "is no id of a run"),
    *(Kind(f"a foreign {name} is added", lambda s, q=sql: s.sql(*q.split("; ")), words, quick=name in ("table", "column"))
      for name, (sql, words) in FOREIGN.items()),
    Kind("a table is dropped", lambda s: s.sql("DROP TABLE parameters"), "the ledger lacks the table parameters", quick=True),
    Kind("the list of runs is dropped", lambda s: s.sql("DROP TABLE runs"), "lacks the table runs|cannot read .*ledger.duckdb"),
    Kind("a column is dropped", lambda s: s.sql("ALTER TABLE runs DROP COLUMN note"), "column note of the table runs of the ledger is missing"),
    Kind("a column has another type", lambda s: s.sql("ALTER TABLE counts ALTER rows TYPE VARCHAR"), "column rows .* of another type than BIGINT"),
    Kind("the ledger is gone", lambda s: s.lake.ledger.unlink(), "its ledger ledger.duckdb is missing", quick=True),
    Kind("the ledger is cut", lambda s: os.truncate(s.lake.ledger, 300_000), "cannot read .*ledger.duckdb", quick=True),
    Kind("the ledger is something else", lambda s: s.lake.ledger.write_bytes(b"x" * 9000), "cannot read .*ledger.duckdb"),
    Kind("the ledger is empty", lambda s: ledger.create(s.lake, s.lake.root), "is in the chain but not in the ledger"),
    Kind("the ledger is a link", lambda s: _linked(s, s.lake.ledger), "ledger.duckdb is a link"),
    # chain
    Kind("a record is changed", _link_changed, "chain/000002.json is missing, torn or was changed", quick=True),
    Kind("a record is torn", lambda s: os.truncate(s.lake.chain / "000001.json", 200), "chain/000001.json is missing, torn or was"),
    Kind("a record is gone", lambda s: (s.lake.chain / "000002.json").unlink(), "000002  its record chain/000002.json is missing", quick=True),
    Kind("the chain is gone", lambda s: shutil.rmtree(s.lake.chain), "its record chain/000001.json is missing"),
    Kind("two records are swapped", lambda s: _swap(s.lake.chain / "000001.json", s.lake.chain / "000002.json"), "chain/000001.json is missing, torn or was"),
    Kind("a record is written anew", _link_anew, "the ledger differs from its record chain/000002.json", quick=True),
    Kind("a record of no run is added", lambda s: shutil.copy(s.lake.chain / "000003.json", s.lake.chain / "000004.json"), "000004  is in the chain but not in the ledger"),
    Kind("another file is in the chain", lambda s: _add(s, "chain/notes.json"), "no run owns the file chain/notes.json"),
    # history
    Kind("the last run is dropped from the ledger", lambda s: _cut_off(s, chained=False, data=False), "000003  is in the chain but not in the ledger, which was cut off", quick=True),
    Kind("the last run is dropped from ledger and chain", lambda s: _cut_off(s, data=False), "no run owns the file .*run=000003", quick=True),
    Kind("the last run is cut off wholly", _cut_off, "the chain never had", quick=True, expect=True),
    Kind("the ledger is rolled back", lambda s: _older(s, "ledger.duckdb"), "is in the chain but not in the ledger, which was cut off or rolled back", quick=True),
    Kind("ledger and chain are rolled back", lambda s: _older(s, "ledger.duckdb", "chain"), "no run owns the file .*run=000003"),
    Kind("the lake is rolled back", lambda s: _older(s, *(p.name for p in s.older.root.iterdir())), "the chain never had", expect=True),
    Kind("the lake is an older copy", lambda s: (shutil.rmtree(s.lake.root), shutil.copytree(s.older.root, s.lake.root)), "the chain never had", quick=True, expect=True),
    Kind("history is written anew in the ledger", lambda s: _anew(s, _other_person, chained=False), "the ledger differs from its record", quick=True),
    Kind("history is written anew", lambda s: _anew(s, _other_person, chained=True), "the chain never had", quick=True, expect=True),
    # what its runs read
    Kind("the budget is changed", lambda s: _other_input(s, "budget.toml", "9000000", "9000001"), "budget.toml is no longer what the run read", quick=True, run="000002"),
    Kind("an input is changed", lambda s: _flip(s.city / "2025-05-few.parquet"), "2025-05-few.parquet is no longer what the run read", run="000002"),
    Kind("an input is gone", lambda s: (s.city / "2025-05-few.parquet").rename(s.city / "away"), "2025-05-few.parquet is not found", quick=True, run="000002"),
)  # fmt: skip


def _other_input(scene: Scene, name: str, before: str, after: str) -> None:
    path = scene.city / name
    path.write_text(path.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")


def _said(scene: Scene, kind: Kind) -> list[tuple[str, str]]:
    """What audit says, in English and Chinese; of an error too."""
    try:
        done = audit(scene.lake, expect=[scene.head] if kind.expect else [])
        if kind.run:
            replay(scene.lake, kind.run)
    except GrouperError as error:
        return [(error.en, error.zh)]
    return [(f"{found.run}  {found.en}", found.zh) for found in done.findings]


def _parameters() -> list[object]:
    return [
        pytest.param(kind, id=kind.name, marks=[] if kind.quick else [pytest.mark.slow]) for kind in KINDS
    ]


@pytest.mark.parametrize("kind", _parameters())
def test_it_is_found(scene: Scene, made: Scene, tmp_path: Path, kind: Kind) -> None:
    kept = {}
    if kind.run:  # what runs read stands where their record says, and comes back after the case
        kept = {path: path.read_bytes() for path in scene.city.iterdir()}
    try:
        kind.do(scene)
        said = _said(scene, kind)
    finally:
        for path, content in kept.items():
            path.write_bytes(content)
        (scene.city / "away").unlink(missing_ok=True)
    assert any(re.search(kind.says, en) for en, _ in said), said
    assert all(re.search("[一-鿿]{2}", zh) for _, zh in said), said


def test_a_clean_lake_has_no_finding(made: Scene) -> None:
    done = audit(made.lake, expect=[made.head])
    assert done.findings == [] and done.head == made.head and done.since == (LAST,)
    assert replay(made.lake, "000002").same
    assert audit(made.older).findings == []


def test_the_table_is_long_and_says_each_kind_once() -> None:
    names = [kind.name for kind in KINDS]
    assert len(names) == len(set(names)) >= 40
    assert sum(kind.quick for kind in KINDS) >= 30
