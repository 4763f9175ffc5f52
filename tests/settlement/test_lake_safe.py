"""What a run may take back, and what stops it: nothing is removed that is not its own unfinished work."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grouper.base.digests import sha256
from grouper.base.errors import DataError, UsageError
from grouper.lake import Lake, chain, commit, intent, ledger
from grouper.lake.layout import part
from grouper.lake.repair import repair
from grouper.settlement.audit import audit
from grouper.settlement.show import runs

from . import settle_support as support

pytestmark = pytest.mark.slow  # seconds each; the tests of every run have a sister of theirs

JUNE = part("cases", "tianmen", "2025-06", "000003").as_posix()


def _all(lake: Lake) -> dict[str, str]:
    """Every file but the lock, by its SHA-256."""
    return {p.relative_to(lake.root).as_posix(): sha256(p) for p in lake.root.rglob("*")
            if p.is_file() and p.name != ".lock"}  # fmt: skip


def _stops(lake: Lake, place: Path, words: str) -> None:
    """June cannot be settled, and no byte is changed."""
    before = _all(lake)
    with pytest.raises(DataError, match=words):
        support.settle(lake, place, "2025-06")
    assert _all(lake) == before


def test_without_its_ledger_nothing_is_done(begun: tuple[Path, Path], lake: Lake) -> None:
    lake.ledger.unlink()
    _stops(lake, begun[0], "its ledger ledger.duckdb is missing.*grouper lake repair")


def test_an_older_ledger_stops_the_run(begun: tuple[Path, Path], lake: Lake) -> None:
    shutil.copy(begun[1] / "older.duckdb", lake.ledger)
    _stops(lake, begun[0], "older than the data: it ends with run 000001, but .* has run 000002 too")


def test_an_older_ledger_stops_a_run_that_would_fail(begun: tuple[Path, Path], lake: Lake) -> None:
    shutil.copy(begun[1] / "older.duckdb", lake.ledger)
    before = _all(lake)
    with pytest.raises(DataError, match="older than the data"):
        support.settle(lake, begun[0], "2025-06", begun[0] / "hospitals.csv")
    assert _all(lake) == before


def test_the_ledger_of_another_lake_stops_the_run(
    begun: tuple[Path, Path], lake: Lake, tmp_path: Path
) -> None:
    other = Lake(tmp_path / "other")
    for month in ("2025-04", "2025-05"):
        support.settle(other, begun[0], month, note="another")
    shutil.copy(other.ledger, lake.ledger)
    _stops(lake, begun[0], "the hash of run 000002 .* is not that of chain/000002.json")


@pytest.mark.parametrize(
    "name",
    [
        JUNE, "cases/area=tianmen/year=2025/month=06/run=mine/x.parquet", "cases/notes.txt",
        "reports/000009/report.html", "chain/000001.txt", ".staging/000003/rows.parquet", ".staging/mine",
    ],
)  # fmt: skip
def test_files_of_nobody_stop_the_run(begun: tuple[Path, Path], lake: Lake, name: str) -> None:
    (lake.root / name).parent.mkdir(parents=True, exist_ok=True)
    (lake.root / name).write_bytes(b"of somebody")
    _stops(lake, begun[0], f"1 files that no run owns: {name}; no file was touched")


def test_a_folder_of_something_else_is_left_alone(begun: tuple[Path, Path], tmp_path: Path) -> None:
    other = Lake(tmp_path / "other")
    for name in (".staging/x", "reports/000001/x", "cases/area=x/year=1/month=1/run=mine/x"):
        (other.root / name).parent.mkdir(parents=True)
        (other.root / name).write_bytes(b"of somebody")
    _stops(other, begun[0], "3 files that no run owns: .staging/x, cases/.*, reports/000001/x; no file")


def _died(lake: Lake, files: dict[str, bytes], *, named: dict[str, bytes] | None = None) -> None:
    """A run 000003 that died with these files in their places, and with ``named`` in its intent."""
    place = intent.begin(lake, "000003")
    (place / "rows.parquet").write_bytes(b"work")
    for name, content in files.items():
        (lake.root / name).parent.mkdir(parents=True, exist_ok=True)
        (lake.root / name).write_bytes(content)
    told = files if named is None else named
    digests = {}
    for name, content in told.items():
        (place / "x").write_bytes(content)
        digests[name] = sha256(place / "x")
        (place / "x").unlink()
    intent.add(lake, "000003", digests)


def test_unfinished_work_goes_with_the_next_run(begun: tuple[Path, Path], lake: Lake) -> None:
    before = _all(lake)
    report = "reports/000003/report.html"
    _died(lake, {JUNE: b"half"}, named={JUNE: b"half", report: b"not yet there"})
    assert [(f.run, "unfinished" in f.en) for f in audit(lake).findings] == [("", True)]
    commit.ready(lake)
    assert _all(lake) == before and not (lake.root / "cases/area=tianmen/year=2025/month=06").exists()
    support.settle(lake, begun[0], "2025-06")
    assert support.data_files(lake) == support.known_files(lake)


def test_a_file_in_the_place_of_unfinished_work_stays(begun: tuple[Path, Path], lake: Lake) -> None:
    _died(lake, {JUNE: b"somebody's"}, named={JUNE: b"half"})
    _stops(lake, begun[0], f"no run owns: {JUNE}")


def test_an_intent_cannot_name_files_of_other_runs(begun: tuple[Path, Path], lake: Lake) -> None:
    april = part("cases", "tianmen", "2025-04", "000001").as_posix()
    _died(lake, {}, named={})
    path = lake.staging / "000003" / intent.NAME
    told = {april: sha256(lake.root / april)}
    for name in (april, "../x", "chain/000001.json", "reports/000003", "ledger.duckdb"):
        path.write_text(json.dumps({"run": "000003", "files": dict.fromkeys([name], told[april])}))
        _stops(lake, begun[0], "no run owns: .staging/000003/")


@pytest.mark.parametrize("torn", [False, True])
def test_a_run_that_died_before_it_could_say_anything(
    begun: tuple[Path, Path], lake: Lake, torn: bool
) -> None:
    (lake.staging / "000003").mkdir(parents=True)
    if torn:
        (lake.staging / "000003" / "intent.part").write_text("{")
    done = support.settle(lake, begun[0], "2025-06")
    assert done.run == "000003" and not lake.staging.exists()


def _dies_at_the_ledger(lake: Lake, place: Path) -> None:
    """A process that settles June dies when its record is in the chain and the ledger does not list it."""
    child = os.fork()
    if child == 0:
        ledger.append = lambda *_: os._exit(9)  # type: ignore[assignment,misc]
        support.settle(lake, place, "2025-06")
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert chain.runs(lake) == ["000001", "000002", "000003"]


def test_a_run_that_died_at_the_ledger_is_entered(begun: tuple[Path, Path], lake: Lake) -> None:
    _dies_at_the_ledger(lake, begun[0])
    assert list(ledger.hashes(lake)) == ["000001", "000002"]
    assert [(f.run, "enters it" in f.en) for f in audit(lake).findings] == [("", True)]
    commit.ready(lake)
    assert list(ledger.hashes(lake)) == ["000001", "000002", "000003"] and not audit(lake).findings
    assert support.data_files(lake) == support.known_files(lake)


@pytest.mark.parametrize("ledger_left", ["older", "none"])
def test_a_run_that_died_at_the_ledger_is_not_lost_with_it(
    begun: tuple[Path, Path], lake: Lake, ledger_left: str
) -> None:
    _dies_at_the_ledger(lake, begun[0])
    lake.ledger.unlink()
    if ledger_left == "older":
        shutil.copy(begun[1] / "older.duckdb", lake.ledger)
    _stops(lake, begun[0], "missing" if ledger_left == "none" else "older than the data")


def test_a_ledger_that_fails_after_all_keeps_its_run(
    begun: tuple[Path, Path], lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered = ledger.append

    def fails(*given: Any) -> str:
        entered(*given)
        raise OSError(5, "Input/output error", "ledger.duckdb")

    monkeypatch.setattr(ledger, "append", fails)
    with pytest.raises(UsageError):
        support.settle(lake, begun[0], "2025-06")
    assert list(ledger.hashes(lake)) == chain.runs(lake) == ["000001", "000002", "000003"]
    assert not audit(lake).findings and not lake.staging.exists()


def test_another_program_with_the_ledger_is_met_before_the_work(
    begun: tuple[Path, Path], lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import duckdb, sys\nwith duckdb.connect(sys.argv[1], read_only=True): print(1, flush=True); input()"
    )
    monkeypatch.setattr(ledger, "_TRIES", 2)
    command = [sys.executable, "-c", code, str(lake.ledger)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout and other.stdout.readline()
        assert not audit(lake).findings, "who reads does not disturb who reads"
        with pytest.raises(UsageError, match=r"open in another program.*nothing is wrong") as told:
            commit.ready(lake)
        assert "backup" not in told.value.en and "备份" not in told.value.zh
        other.communicate(b"\n")
    commit.ready(lake)


@pytest.mark.parametrize("look", [audit, runs, repair])
def test_another_program_that_writes_the_ledger_is_told_of(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, look: Callable[[Lake], object]
) -> None:
    code = "import duckdb, sys\nwith duckdb.connect(sys.argv[1]):\n print(1, flush=True)\n input()"
    monkeypatch.setattr(ledger, "_TRIES", 2)
    command = [sys.executable, "-c", code, str(lake.ledger)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout and other.stdout.readline()
        with pytest.raises(UsageError, match="open in another program"):
            look(lake)
        other.communicate(b"\n")
