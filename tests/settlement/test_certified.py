"""What the ledger certifies is what was read: a file that changes between the two stops the run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from grouper import group_files, load_scheme
from grouper.base.certified import Certified
from grouper.base.errors import DataError
from grouper.lake import Lake
from grouper.settlement.month import settle_month
from grouper.settlement.plan.job import make_plan

from . import settle_support as support

WORDS = "was replaced or changed while the run was reading it"


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("city")
    shutil.copytree(support.city(900, 0.03, (5,)), made, dirs_exist_ok=True)
    return made


@pytest.fixture
def place(city: Path, tmp_path: Path) -> Path:
    shutil.copytree(city, tmp_path / "city")
    return tmp_path / "city"


def _replace(path: Path) -> None:
    """Another file of the same content in its place."""
    shutil.copy(path, path.with_name("other"))
    os.replace(path.with_name("other"), path)


def _write(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"\n")


def _and_back(path: Path) -> None:
    """Changed and put back, times of change set back too."""
    was, content = path.stat(), path.read_bytes()
    path.write_bytes(content[:-1])
    path.write_bytes(content)
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))


@pytest.mark.parametrize("change", [_replace, _write, _and_back, Path.unlink])
@pytest.mark.parametrize("name", ["2025-05.parquet", "budget.toml", "hospitals.csv"])
def test_a_file_changed_between_plan_and_read(
    place: Path, name: str, change: Callable[[Path], object]
) -> None:
    lake = Lake(place / "lake")
    job = support.job(place, "2025-05")
    plan = make_plan(lake, job)
    change(place / name)
    with pytest.raises(DataError, match=WORDS):
        settle_month(lake, job, plan, reports=False)
    assert support.data_files(lake) == set()


@pytest.mark.parametrize("stage", ["read", "price", "statements"])
def test_a_file_changed_while_the_run_works(place: Path, stage: str) -> None:
    lake = Lake(place / "lake")

    @contextmanager
    def change(name: str) -> Iterator[None]:
        if name == stage:
            _replace(place / "2025-05.parquet")
        yield None

    with pytest.raises(DataError, match=WORDS):
        settle_month(lake, support.job(place, "2025-05"), stage=change, reports=False)
    assert support.data_files(lake) == set()


def test_a_file_added_to_a_folder_of_inputs(place: Path) -> None:
    folder = place / "inputs"
    folder.mkdir()
    shutil.move(place / "2025-05.parquet", folder / "a.parquet")
    lake, job = Lake(place / "lake"), support.job(place, "2025-05", folder)
    plan = make_plan(lake, job)
    shutil.copy(folder / "a.parquet", folder / "b.parquet")
    with pytest.raises(DataError, match=WORDS):
        settle_month(lake, job, plan, reports=False)


def test_the_content_counts_where_the_marks_say_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a disk whose clock is coarse."""
    monkeypatch.setattr("grouper.base.certified._mark", lambda found: (found.st_size,))
    (tmp_path / "a").write_bytes(b"one")
    certified = Certified()
    certified.digest(tmp_path / "a")
    (tmp_path / "a").write_bytes(b"two")
    certified.look()
    with pytest.raises(DataError, match=WORDS):
        certified.check()


def test_grouping_stops_too(place: Path) -> None:
    source, target = place / "2025-05.parquet", place / "grouped.parquet"

    def change(done: int, total: int | None) -> None:
        _replace(source)

    with pytest.raises(DataError, match=WORDS):
        group_files(load_scheme("chs-drg-2.0"), [str(source)], str(target), progress=change)
    assert not target.exists()
