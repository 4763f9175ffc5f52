"""The ledger as others look at it while it is written, and the views that a reader asks for."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest

from grouper.base.errors import DataError
from grouper.lake import Lake, ledger, views
from grouper.lake.layout import part
from grouper.settlement.plan.asked import Asked
from grouper.settlement.plan.job import Job
from grouper.settlement.plan.year_job import YearJob


def _record(run: str, period: str, kind: str = "settle") -> ledger.Record:
    head = {"run": run, "kind": kind, "area": "lishui", "period": period, "voids": ""}
    return ledger.Record(head, {"counts": [{"status": "case", "reason": "", "rows": 1, "cost_fen": 2}]})


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake(tmp_path / "lake")
    for number, month in enumerate(("2025-05", "2025-06"), 1):
        ledger.append(made, _record(f"{number:06}", month))
    return made


def _runs(lake: Lake) -> list[str]:
    with ledger.opened(lake) as connection:
        return [row[0] for row in connection.execute("SELECT run FROM runs ORDER BY run").fetchall()]


def test_threads_read_while_one_writes(lake: Lake, tmp_path: Path) -> None:
    other = Lake(tmp_path / "other")
    ledger.append(other, _record("000001", "2025-05"))
    with ThreadPoolExecutor(4) as workers:
        looks = [workers.submit(_runs, place) for _ in range(30) for place in (lake, other)]
        ledger.append(lake, _record("000003", "2025-07"))
        found = [look.result() for look in looks]
    assert all(runs in (["000001", "000002"], ["000001", "000002", "000003"]) for runs in found[::2])
    assert found[1::2] == [["000001"]] * 30
    assert _runs(lake) == ["000001", "000002", "000003"] and ledger.next_run(lake) == "000004"


def test_a_forked_process_reads_on_its_own(lake: Lake) -> None:
    assert _runs(lake)
    child = os.fork()
    if child == 0:
        os._exit(0 if _runs(lake) == ["000001", "000002"] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_reader_waits_for_a_writer(lake: Lake) -> None:
    """Another process has the file for a second."""
    code = (
        "import duckdb, sys, time\n"
        "with duckdb.connect(sys.argv[1]) as connection:\n"
        "    print('held', flush=True)\n"
        "    time.sleep(1)\n"
        "    connection.execute('DELETE FROM counts')\n"
    )
    command = [sys.executable, "-c", code, str(lake.ledger)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout and other.stdout.readline() == "held\n"
        with ledger.opened(lake) as connection:
            assert connection.execute("SELECT count(*) FROM counts").fetchone() == (0,)
    assert other.returncode == 0


def test_a_ledger_that_is_none_is_named_and_others_go_on(lake: Lake, tmp_path: Path) -> None:
    torn = Lake(tmp_path / "torn")
    torn.root.mkdir()
    torn.ledger.write_bytes(b"\0" * 5000)
    with pytest.raises(DataError, match="Restore it from a backup"):
        _runs(torn)
    with pytest.raises(duckdb.Error), ledger.opened(lake) as connection:
        connection.execute("INSERT INTO runs (run) VALUES ('000009')")
    assert _runs(lake) == ["000001", "000002"]


def test_only_the_views_that_are_wanted(lake: Lake) -> None:
    """``kinds`` leaves out the rest, and what is there reads the same files."""
    outputs = []
    for run, table in (("000001", "cases"), ("000002", "cases"), ("000002", "adjustments")):
        path = part(table, "lishui", f"2025-0{4 + int(run)}", run)
        (lake.root / path).parent.mkdir(parents=True)
        sql = f"SELECT '{run}-1' AS record_id, '000001' AS original_run"
        duckdb.sql(f"COPY ({sql}) TO '{lake.root / path}' (FORMAT parquet)")
        outputs.append((run, table, path.as_posix()))
    with duckdb.connect(str(lake.ledger)) as connection:
        for entry in outputs:
            connection.execute("INSERT INTO outputs (run, table_name, path) VALUES (?, ?, ?)", entry)

    def made(**wanted: object) -> dict[str, int]:
        with views.connect(lake, **wanted) as connection:  # type: ignore[arg-type]
            sql = "SELECT view_name FROM duckdb_views() WHERE NOT internal AND contains(view_name, '_')"
            names = [row[0] for row in connection.execute(sql).fetchall()]
            counts = {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone() for name in names}
            return {name: row[0] for name, row in counts.items() if row}

    everything = {"runs_current": 2, "cases_all": 2, "cases_current": 2, "cases_effective": 2,
                  "adjustments_all": 1, "adjustments_current": 1}  # fmt: skip
    assert made() == everything
    some = {name: rows for name, rows in everything.items() if not name.endswith("_all")}
    assert made(kinds=("current",)) == some
    assert made(kinds=("current",), without=["000002"]) == {
        "runs_current": 1, "cases_current": 1, "cases_effective": 1,
    }  # fmt: skip


def test_jobs_are_told_and_read_back_in_one_way() -> None:
    """The texts stand in ledgers: they stay as they are."""
    month = Job("2025-06", ("a", "b"), "b.toml", "h.csv", who="Li", threads=2, allow_missing=("x",))
    year = YearJob("2025", "b.toml", "lishui", corrections=("q.csv",), when="now", memory="1GB")
    assert Job.from_json(month.as_json()) == Job(
        "2025-06", ("a", "b"), "b.toml", "h.csv", allow_missing=("x",)
    )
    assert YearJob.from_json(year.as_json()) == YearJob("2025", "b.toml", "lishui", corrections=("q.csv",))
    assert year.as_json() == (
        '{"area": "lishui", "budget": "b.toml", "corrections": ["q.csv"], "draft": false, '
        '"held_remain": false, "partial": false, "policy": "", "revision": [], "year": "2025"}'
    )
    assert issubclass(Job, Asked) and issubclass(YearJob, Asked)
