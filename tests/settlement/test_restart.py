"""A run is there whole or not at all: without room, beside another, over broken files."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grouper.base.errors import DataError, UsageError
from grouper.lake import Lake, ledger
from grouper.lake.lock import writing
from grouper.settlement.audit import audit
from grouper.settlement.month import settle_month

from . import settle_support as support


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A city, and a lake in which May is settled; June is what the tests try."""
    place = support.city(3600, 0.03, (5, 6))
    root = tmp_path_factory.mktemp("lake")
    support.settle(Lake(root), place, "2025-05")
    return place, root


class Zygote:
    """Forks settlements of a month; see zygote.py."""

    def __init__(self, place: Path, month: str) -> None:
        asked = support.job(place, month)
        options = asked.as_json()
        here = Path(__file__).parent
        self.process = subprocess.Popen(
            [sys.executable, str(here / "zygote.py"), options], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def start(self, lake: Path, limit: int | None = None) -> int:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps({"lake": str(lake), "limit": limit}) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def status(self) -> int:
        assert self.process.stdout
        return int(self.process.stdout.readline())

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def zygote(begun: tuple[Path, Path]) -> Iterator[Zygote]:
    made = Zygote(begun[0], "2025-06")
    yield made
    made.close()


def _copy(begun: tuple[Path, Path], target: Path) -> Lake:
    shutil.copytree(begun[1], target)
    return Lake(target)


def _whole(lake: Lake) -> int:
    """The lake holds whole runs only; returns how many."""
    found = [f for f in audit(lake).findings if f.run]
    assert not found, found
    return int(support.rows(lake, "SELECT count(*) AS n FROM runs")[0]["n"])


@pytest.mark.slow
def test_no_room_on_the_disk(begun: tuple[Path, Path], zygote: Zygote, tmp_path: Path) -> None:
    """A limit on the size of files stops the run at different places, as a full disk does."""
    lake = _copy(begun, tmp_path / "lake")
    before = support.data_files(lake)
    failed = 0
    for limit in (100, 4_000, 9_000, 20_000, 40_000, 80_000, 300_000):
        zygote.start(lake.root, limit)
        status = zygote.status()
        assert status in (0, 1), status
        if status:
            failed += 1
            assert _whole(lake) == 1 and support.data_files(lake) == before
        else:
            break
    assert failed >= 4
    support.settle(lake, begun[0], "2025-06")
    assert not audit(lake).findings and support.data_files(lake) == support.known_files(lake)


def test_a_disk_that_is_full(begun: tuple[Path, Path], tmp_path: Path) -> None:
    """On a file system of its own, where it may be mounted."""
    small = tmp_path / "small"
    small.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(small)], capture_output=True
    )
    if done.returncode:
        pytest.skip("file systems may not be mounted here; the limit on files stands for it")
    try:
        lake = Lake(small / "lake")
        with pytest.raises(UsageError, match=r"make room|No space left on device$"):
            support.settle(lake, begun[0], "2025-05")
        assert support.data_files(lake) == set()
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_two_runs_at_once(begun: tuple[Path, Path], tmp_path: Path) -> None:
    lake = _copy(begun, tmp_path / "lake")
    with writing(lake), pytest.raises(UsageError, match="another run is writing"):
        support.settle(lake, begun[0], "2025-06")
    support.settle(lake, begun[0], "2025-06")
    assert _whole(lake) == 2


def test_readers_see_the_lake_while_a_run_is_staged(begun: tuple[Path, Path], tmp_path: Path) -> None:
    lake = _copy(begun, tmp_path / "lake")
    with writing(lake):
        (lake.staging / "000002").mkdir(parents=True)
        assert support.rows(lake, "SELECT count(*) AS n FROM runs_current") == [{"n": 1}]


def test_an_input_that_cannot_be_read(begun: tuple[Path, Path], tmp_path: Path) -> None:
    lake = _copy(begun, tmp_path / "lake")
    whole = (begun[0] / "2025-06.parquet").read_bytes()
    torn = tmp_path / "torn.parquet"
    torn.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"torn\.parquet"):
        support.settle(lake, begun[0], "2025-06", torn)
    with pytest.raises(UsageError, match=r"nothing\.parquet"):
        support.settle(lake, begun[0], "2025-06", tmp_path / "nothing.parquet")
    assert _whole(lake) == 1 and support.data_files(lake) == support.known_files(lake)


def test_a_corrupted_table_stops_the_next_run(begun: tuple[Path, Path], tmp_path: Path) -> None:
    lake = _copy(begun, tmp_path / "lake")
    path = next(lake.root.glob("cases/*/*/*/*/*.parquet"))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match="restore it from a backup"):
        support.settle(lake, begun[0], "2025-06")
    assert any("was changed" in f.en for f in audit(lake).findings)


def test_a_ledger_that_cannot_be_read(begun: tuple[Path, Path], tmp_path: Path) -> None:
    lake = _copy(begun, tmp_path / "lake")
    lake.ledger.write_bytes(b"\0" * 5000)
    with pytest.raises(DataError, match="Restore it from a backup"):
        support.settle(lake, begun[0], "2025-06")


def test_a_run_that_fails_leaves_nothing(
    begun: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = _copy(begun, tmp_path / "lake")

    def fail(*_: Any) -> str:
        raise OSError(28, "No space left on device", "ledger.duckdb")

    monkeypatch.setattr(ledger, "append", fail)
    with pytest.raises(UsageError, match="make room"):
        support.settle(lake, begun[0], "2025-06")
    assert support.data_files(lake) == support.known_files(lake)


@pytest.mark.slow
def test_a_plan_that_no_longer_holds_is_made_again(begun: tuple[Path, Path], tmp_path: Path) -> None:
    from grouper.settlement.plan.job import make_plan

    lake = _copy(begun, tmp_path / "lake")
    job = dataclasses.replace(support.job(begun[0], "2025-06"), reopen=True)
    plan = make_plan(lake, job)
    support.settle(lake, begun[0], "2025-06")
    done = settle_month(lake, job, plan, reports=False)
    assert done.run == "000003"
    assert support.rows(lake, "SELECT run FROM runs_current WHERE period = '2025-06'") == [{"run": "000003"}]
