"""A lake that 0.1.0 made is read, audited, computed again, continued and cleared by the code of today."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from grouper.commands.text.ledger import replay_lines
from grouper.lake import Lake, chain, ledger, whole
from grouper.lake.formats import FORMAT, HASHED
from grouper.lake.views import connect
from grouper.payment.policy.legacy_digest import digest_in, legacy_digest
from grouper.payment.policy.policy import load_policy
from grouper.settlement import audit as auditing
from grouper.settlement import replay as replaying

from ..in_process import call

pytestmark = pytest.mark.slow  # seconds each; the tests of every run have a sister of theirs

OLD = Path(__file__).parents[1] / "data" / "lake-0.1.0"
FORMAT_2 = OLD.with_name("lake-format-2")
FORMAT_3 = OLD.with_name("lake-format-3")
RUNS = ("000001", "000002", "000003", "000004", "000005")
MARCH = (
    "settle", "--policy", "policy/lake.toml", "--month", "2025-03", "--input", "inputs/2025-03.parquet",
    "--budget", "budget-2025.toml", "--hospitals", "hospitals.csv", "--max-rejected", "0.3", "--threads", "1",
    "--no-report", "-o", "lake",
)  # fmt: skip
YEAR = (
    "clear", "--policy", "policy/lake.toml", "--year", "2025", "--budget", "budget-2025.toml", "--partial",
    "--corrections", "assessment.csv", "--threads", "1", "--no-report", "-o", "lake",
)  # fmt: skip


def _copied(folder: Path, *more: Path) -> Path:
    """The folder of 0.1.0 as it was when its last run ended, with what ``more`` add to it."""
    place = folder / "old"
    for source in (OLD, *more):
        shutil.copytree(source, place, dirs_exist_ok=True)
    packed = place / "lake" / "ledger.duckdb.gz"
    (place / "lake" / "ledger.duckdb").write_bytes(gzip.decompress(packed.read_bytes()))
    packed.unlink()
    return place


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return _copied(tmp_path)


@pytest.fixture(scope="module")
def continued(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The old lake with March settled and 2025 cleared by the command of today."""
    place = _copied(tmp_path_factory.mktemp("continued"))
    for command in (MARCH, YEAR):
        code, _, err = _grouper(place, *command)
        assert code == 0, err
    return place


def _grouper(place: Path, *arguments: str) -> tuple[int, str, str]:
    """The command, called in ``place``: exit code, stdout, stderr."""
    code, out, err = call(*arguments, "--lang", "en", cwd=place)
    return code, out.decode(), err.decode()


def _audit(place: Path, *runs: str) -> list[str]:
    """The lines of an audit with runs computed again."""
    again = [part for run in runs for part in ("--replay", run)]
    code, out, err = _grouper(place, "audit", "lake", *again)
    assert code == 0, out + err
    return out.splitlines()


def _ledger(place: Path, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(place / "lake" / "ledger.duckdb")) as connection:
        return connection.execute(sql).fetchall()


def test_it_is_read_and_computed_again_and_stays_as_it_is(old: Path) -> None:
    before = (old / "lake" / "ledger.duckdb").read_bytes()
    code, out, err = _grouper(old, "status", "lake")
    assert code == 0, err
    assert [line.split()[0] for line in out.splitlines() if line[:6] in RUNS] == list(RUNS)
    assert "302,177.35" in out and "4,903,365.99" in out
    code, out, err = _grouper(old, "statement", "lake", "--hospital", "H33990100001", "--year", "2024")
    assert code == 0 and "lake 2024  run 000002" in out, out + err
    lines = _audit(old, *RUNS)
    assert "5 runs, 28 files, 101 checks, 0 differ" in lines[0]
    assert sum("replay of" in line for line in lines) == len(RUNS)
    assert sum(line.endswith(("same rows", "same bytes")) for line in lines) == 28
    assert (old / "lake" / "ledger.duckdb").read_bytes() == before


@pytest.mark.parametrize("more", [(), (FORMAT_2,), (FORMAT_3,)], ids=["format 1", "format 2", "format 3"])
def test_steps_come_on_top_of_it(tmp_path: Path, more: tuple[Path, ...]) -> None:
    """Options, an order and a payment of a month that was settled before there were steps."""
    place = _copied(tmp_path, *more)
    for command in (
        ("lake", "set", "lake", "--two-persons", "--who", "Zhao"),
        ("pay-order", "lake", "--month", "2025-02", "--who", "Li", "-o", "orders"),
    ):
        code, out, err = _grouper(place, *command)
        assert code == 0, err
    assert "pool fund" in out and "2025-02, run 000005: ordered" in out
    (row,) = _ledger(place, "SELECT hospital_code, pool, fen FROM amounts WHERE run = '000005' AND name = "
                     "'payable' AND fen > 0 ORDER BY ALL LIMIT 1")  # fmt: skip
    line = f"{row[0]},{row[1]},2025-03-10,V1,{row[2]}"
    (place / "paid.csv").write_text(f"hospital_code,pool,date,voucher,amount\n{line}\n", encoding="utf-8")
    code, out, err = _grouper(
        place, "paid", "lake", "--month", "2025-02", "--from", "paid.csv", "--who", "Li"
    )
    assert code == 0 and "carried to the next month" in out, out + err
    assert _audit(place)[0].endswith("0 differ")
    code, out, err = _grouper(place, "status", "lake")
    assert code == 0 and "paid in part" in out and "two persons settle and approve" in out


@pytest.mark.slow
def test_a_month_and_a_clearing_come_on_top_of_it(continued: Path) -> None:
    lines = _audit(continued, *RUNS, "000006", "000007")
    assert "7 runs, 38 files, 139 checks, 0 differ" in lines[0]
    assert sum(line.endswith(("same rows", "same bytes")) for line in lines) == 38
    rows = _ledger(continued, "SELECT run, format, hash FROM runs ORDER BY run")
    assert [number for _, number, _ in rows] == [None] * 5 + [FORMAT] * 2
    with gzip.open(OLD / "lake" / "ledger.duckdb.gz") as packed:
        then = continued.parent / "then.duckdb"
        then.write_bytes(packed.read())
    with duckdb.connect(str(then), read_only=True) as connection:
        hashes = connection.execute("SELECT hash FROM runs ORDER BY run").fetchall()
    assert [found for _, _, found in rows[:5]] == [found for (found,) in hashes]


@pytest.mark.slow
def test_a_lake_of_format_3_is_computed_again_as_it_was(tmp_path: Path) -> None:
    """Its clearing of three months has the budget of the year, as that version took it."""
    place = _copied(tmp_path, FORMAT_3)
    lines = _audit(place, "000006", "000007")
    assert "7 runs, 38 files" in lines[0] and lines[0].endswith("0 differ")
    assert sum(line.endswith(("same rows", "same bytes")) for line in lines) == 10
    code, _, err = _grouper(place, *YEAR)
    assert code == 0, err
    budgets = _pool_budgets(Lake(place / "lake"))
    assert budgets["000007"] == {"2400000.00", "3600000.12"}
    assert budgets["000008"] == {"553846.17", "900000.03"}  # 3 of 13 parts, 3 of 12


def _pool_budgets(lake: Lake) -> dict[str, set[str]]:
    with connect(lake) as connection:
        rows = connection.execute("SELECT run, budget FROM pools_all").fetchall()
    return {run: {str(found) for other, found in rows if other == run} for run, _ in rows}


@pytest.mark.slow
@pytest.mark.parametrize(("kept", "number"), [(FORMAT_2, 2), (FORMAT_3, 3)])
def test_a_lake_of_a_later_format_is_read_and_continued(tmp_path: Path, kept: Path, number: int) -> None:
    place = _copied(tmp_path, kept)
    lines = _audit(place, "000006", "000007")
    assert "7 runs, 38 files, 139 checks, 0 differ" in lines[0]
    assert sum(line.endswith(("same rows", "same bytes")) for line in lines) == 10
    before = _ledger(place, "SELECT run, hash FROM runs ORDER BY run")
    code, _, err = _grouper(place, *MARCH, "--reopen")
    assert code == 0, err
    rows = _ledger(place, "SELECT run, hash FROM runs ORDER BY run")
    assert rows[:7] == before and _ledger(place, "SELECT format FROM runs ORDER BY run")[5:] == [
        (number,),
        (number,),
        (FORMAT,),
    ]
    lake = Lake(place / "lake")
    assert [(run, chain.read(lake, run).hash) for run in chain.runs(lake)] == rows
    assert "8 runs" in _audit(place, "000006", "000008")[0]


def test_a_new_run_has_the_canonical_digest_and_an_old_one_that_of_0_1_0(continued: Path) -> None:
    policy = load_policy(continued / "policy" / "lake.toml")
    rows = _ledger(continued, "SELECT policy_sha256, coalesce(format, 1) FROM runs ORDER BY run")
    assert [digest_in(policy, int(str(number))) for _, number in rows] == [found for found, _ in rows]
    assert rows[0][0] == legacy_digest(policy) != policy.digest == rows[-1][0]
    assumed = _ledger(continued, "SELECT count(*) FROM parameters WHERE name LIKE 'policy 20%'")
    assert assumed == [(0,)]  # the month of the withdrawal went by the same policy, and it is seen to


def test_a_new_column_of_the_ledger_leaves_old_runs_true(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger without it is whole; the next run adds the column, and the hash of that run is over it."""
    counts = {**ledger.COLUMNS["counts"], "cost_yuan": "VARCHAR"}
    monkeypatch.setattr(ledger, "COLUMNS", {**ledger.COLUMNS, "counts": counts})
    hashed = HASHED[FORMAT] | {"counts": (*HASHED[FORMAT]["counts"], "cost_yuan")}
    monkeypatch.setitem(HASHED, FORMAT, hashed)
    lake = Lake(old / "lake")
    done = auditing.audit(lake)
    assert (done.runs, done.findings) == (5, [])
    with ledger.opened(lake) as connection:
        last = ledger.read(connection, "000005")
    told = [{**row, "cost_yuan": "1.00"} for row in last.rows["counts"]]
    run = {**last.run, "run": "000006", "format": FORMAT}
    ledger.append(lake, ledger.Record(run, {**last.rows, "counts": told}))
    rows = _ledger(old, "SELECT run, cost_yuan FROM counts GROUP BY ALL ORDER BY run")
    assert rows == [*((number, None) for number in RUNS), ("000006", "1.00")]
    assert _ledger_findings(lake) == []
    _ledger(old, "UPDATE counts SET cost_yuan = '2.00' WHERE run = '000006'")
    assert [finding.run for finding in _ledger_findings(lake)] == ["000006"]


def test_a_column_that_no_run_has_been_hashed_over_may_be_missing_and_no_other(old: Path) -> None:
    lake = Lake(old / "lake")
    assert ledger.may_lack({1}) == {("runs", "format")} and ledger.may_lack({1, FORMAT}) == set()
    _ledger(old, "ALTER TABLE counts DROP COLUMN cost_fen")
    with pytest.raises(ledger.BrokenLedger, match=r"ledger\.duckdb: .*cost_fen"):
        ledger.append(lake, ledger.Record({"run": "000006", "format": FORMAT}, {"counts": [{"rows": 1}]}))
    told = [finding.en for finding in _ledger_findings(lake)]
    assert any("column cost_fen of the table counts of the ledger is missing" in line for line in told)


def _ledger_findings(lake: Lake) -> list[whole.Finding]:
    """What is wrong with the ledger itself, whatever the files."""
    with ledger.opened(lake) as connection:
        return [*whole.shape(connection), *whole.linked(whole.records(connection))]


@pytest.mark.parametrize(
    ("sql", "run"),
    [
        ("UPDATE counts SET rows = rows + 1 WHERE run = '000003' AND status = 'input'", "000003"),
        ("UPDATE runs SET note = 'x' WHERE run = '000006'", "000006"),
        ("UPDATE runs SET format = NULL WHERE run = '000006'", "000006"),
        ("UPDATE runs SET format = 2 WHERE run = '000003'", "000003"),
    ],
)
def test_what_is_changed_in_the_ledger_shows_in_either_format(
    continued: Path, tmp_path: Path, sql: str, run: str
) -> None:
    place = tmp_path / "copy"
    shutil.copytree(continued, place)
    _ledger(place, sql)
    code, out, err = _grouper(place, "audit", "lake")
    assert code == 3
    assert f"{run}  its rows in the ledger were changed" in " ".join((out + err).split("\n")).replace(
        ":", " "
    )


def test_the_hash_covers_every_column_that_the_ledger_has_today() -> None:
    """A column that is added needs a format of its own; older formats stay as they are."""
    links = {"runs": ("previous_hash", "hash")}
    for table, columns in ledger.COLUMNS.items():
        outside = links.get(table, ("run",))
        assert set(HASHED[FORMAT][table]) == set(columns) - set(outside)
    assert list(HASHED) == list(range(1, FORMAT + 1))


def test_a_lake_of_a_newer_format_is_refused_and_left_alone(continued: Path, tmp_path: Path) -> None:
    place = tmp_path / "copy"
    shutil.copytree(continued, place)
    _ledger(place, "UPDATE runs SET format = 9, software = '7.5.0' WHERE run = '000007'")
    before = {path: path.stat().st_mtime_ns for path in (place / "lake").rglob("*.parquet")}
    april = tuple("2025-04" if part == "2025-03" else part for part in MARCH)
    for command in (("status", "lake"), ("audit", "lake"), april):
        code, _, err = _grouper(place, *command)
        assert code == 2
        assert f"lake format 9 is newer than {FORMAT}" in err and "use grouper 7.5.0 or later" in err
    assert {path: path.stat().st_mtime_ns for path in (place / "lake").rglob("*.parquet")} == before


@pytest.mark.parametrize(
    ("extra", "older", "same"),
    [(False, False, True), (False, True, True), (True, True, True), (True, False, False)],
)
def test_columns_that_came_later_do_not_make_an_old_run_differ(
    tmp_path: Path, extra: bool, older: bool, same: bool
) -> None:
    kept = next(OLD.glob("lake/cases/*/*/month=01/*/*.parquet"))
    table = pq.read_table(kept, partitioning=None)
    if extra:
        table = table.append_column("of_later", pa.nulls(table.num_rows, pa.string()))
    pq.write_table(table, tmp_path / "made.parquet")
    pq.write_table(table.slice(1), tmp_path / "fewer.parquet")
    with duckdb.connect() as connection:
        assert replaying._same_rows(connection, tmp_path / "made.parquet", kept, older) is same
        assert not replaying._same_rows(connection, tmp_path / "fewer.parquet", kept, older)
        added = replaying.Parted(("of_later",), ())
        assert replaying._parted(tmp_path / "made.parquet", kept, older) == (None if same else added)
        if extra:  # and a column that is gone is a difference in any format
            assert not replaying._same_rows(connection, kept, tmp_path / "made.parquet", older)
            lost = replaying.Parted((), ("of_later",))
            assert replaying._parted(kept, tmp_path / "made.parquet", older) == lost


def test_a_replay_names_the_columns_in_which_a_table_parts() -> None:
    parted = {
        "cases": replaying.Parted(("tax",), ("fee", "toll")),
        "pools": replaying.Parted((), ()),
    }
    done = replaying.Replayed("000001", {"cases": "differs", "pools": "differs", "records": "bytes"}, parted)
    assert list(replay_lines([done], "en"))[1:] == [
        "  cases  differs (columns: new tax; gone fee, toll)",
        "  pools  differs (columns: another order)",
        "  records  same bytes",
    ]
    assert "  cases  不同（列：多出 tax；缺少 fee、toll）" in list(replay_lines([done], "zh"))
