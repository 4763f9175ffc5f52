"""A lake is made whole again from what its runs wrote; nothing is deleted, and what is not proven is told."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from grouper.base.digests import sha256
from grouper.base.errors import UsageError
from grouper.lake import Lake, chain, intent, ledger
from grouper.lake.lock import writing
from grouper.lake.repair import repair
from grouper.settlement.audit import audit

from . import settle_support as support

pytestmark = pytest.mark.slow  # seconds each; the tests of every run have a sister of theirs

OLD = Path(__file__).parents[1] / "data"


def _contents(root: Path) -> set[str]:
    """What a lake holds, wherever it lies; its ledgers and lists apart."""
    return {
        sha256(p) for p in root.rglob("*") if p.is_file() and p.suffix not in (".duckdb", ".lock", ".csv")
    }


def _rows(lake: Lake) -> dict[str, list[tuple[object, ...]]]:
    with ledger.opened(lake) as connection:
        return {name: sorted(connection.execute(f"SELECT * FROM {name}").fetchall(), key=str)
                for name in ledger.COLUMNS}  # fmt: skip


LOST: dict[str, Callable[[Lake, Path], object]] = {
    "there is no ledger": lambda lake, root: lake.ledger.unlink(),
    "the ledger lacks run 000002": lambda lake, root: shutil.copy(root / "older.duckdb", lake.ledger),
    "the ledger cannot be read": lambda lake, root: lake.ledger.write_bytes(b"\0" * 5000),
    "the ledger (cannot be read|is damaged)": lambda lake, root: lake.ledger.write_bytes(
        lake.ledger.read_bytes()[:300_000]
    ),
    "run 000001 in the ledger differs from its record": lambda lake, root: _sql(
        lake, "UPDATE runs SET note = 'x' WHERE run = '000001'"
    ),
    "the table amounts of the ledger has rows of run 000002, which it does not list": lambda lake, root: _sql(
        lake, "UPDATE runs SET run = 'three' WHERE run = '000002'"
    ),
    "the ledger lacks the table amounts": lambda lake, root: _sql(lake, "DROP TABLE amounts"),
    "foreign table or view extra in the ledger": lambda lake, root: _sql(lake, "CREATE TABLE extra (x INT)"),
}
# The first three in every run.
EACH = [pytest.param(why, marks=() if n < 3 else pytest.mark.slow) for n, why in enumerate(LOST)]


def _sql(lake: Lake, sql: str) -> None:
    with duckdb.connect(str(lake.ledger)) as connection:
        connection.execute(sql)


@pytest.mark.parametrize("why", EACH)
def test_a_ledger_is_made_again_to_the_row(begun: tuple[Path, Path], lake: Lake, why: str) -> None:
    rows, before = _rows(lake), _contents(lake.root)
    LOST[why](lake, begun[1])
    harmed = sha256(lake.ledger) if lake.ledger.exists() else ""
    plan = repair(lake)
    assert plan.rebuild and [run.source for run in plan.runs] and not plan.unproven
    assert re.fullmatch(why, plan.rebuild[1]), plan.rebuild
    assert (sha256(lake.ledger) if lake.ledger.exists() else "") == harmed, "a plan changes nothing"
    repair(lake, do=True)
    assert _rows(lake) == rows and _contents(lake.root) == before
    assert not audit(lake).findings and repair(lake).nothing
    if harmed:
        assert sha256(lake.root / "set-aside/0001/ledger.duckdb") == harmed
        assert "ledger.duckdb" in (lake.root / "set-aside/0001/list.csv").read_text(encoding="utf-8")
    assert support.settle(lake, begun[0], "2025-06").run == "000003"


def test_files_of_nobody_are_set_aside_with_a_list(begun: tuple[Path, Path], lake: Lake) -> None:
    names = ["notes.txt", "cases/area=tianmen/year=2025/month=06/run=000009/part-00000.parquet",
             "reports/000007/report.html", ".staging/000004/rows.parquet"]  # fmt: skip
    for name in names:
        (lake.root / name).parent.mkdir(parents=True, exist_ok=True)
        (lake.root / name).write_text(name)
    (lake.root / "link").symlink_to(begun[0])
    plan = repair(lake, do=True)
    assert sorted(plan.aside) == sorted([*names, "link"]) and plan.rebuild is None
    for name in names:
        assert (lake.root / "set-aside/0001" / name).read_text() == name
    assert (lake.root / "set-aside/0001/link").is_symlink()
    done = audit(lake)
    assert not done.findings and done.aside == len(names) + 2
    (lake.root / "more").write_text("more")
    assert repair(lake, do=True).folder == "set-aside/0002"
    assert support.settle(lake, begun[0], "2025-06").run == "000003"


def test_what_no_record_proves_is_told(lake: Lake) -> None:
    lake.ledger.unlink()
    path = lake.root / "chain" / "000001.json"
    body = json.loads(path.read_text(encoding="utf-8"))
    body["run"]["note"] = "changed"
    path.write_text(json.dumps(body), encoding="utf-8")
    before = _contents(lake.root)
    plan = repair(lake, do=True)
    told = [(one.run, one.en.split(":")[0]) for one in plan.unproven]
    assert told[1:] == [("000001", "no record proves this run"),
                        ("000002", "does not follow from the hash of the run before")]  # fmt: skip
    assert "is missing, torn or was changed" in plan.unproven[0].en
    assert sum("run=000001" in name for name in plan.aside) == 6 and "chain/000001.json" in plan.aside
    assert _contents(lake.root) == before
    assert {f.run for f in audit(lake).findings} == {"000002"}


def test_a_torn_record_is_written_again_from_the_ledger(lake: Lake) -> None:
    path = lake.root / "chain" / "000002.json"
    path.write_text(path.read_text(encoding="utf-8")[:500], encoding="utf-8")
    plan = repair(lake, do=True)
    assert plan.rebuild is None and plan.fill == ["000002"] and plan.aside == ["chain/000002.json"]
    assert not audit(lake).findings and chain.read(lake, "000002").hash


def test_data_that_are_gone_stay_unproven(lake: Lake) -> None:
    lake.ledger.unlink()
    gone = next(lake.root.glob("cases/*/*/month=05/*/*.parquet"))
    gone.unlink()
    plan = repair(lake, do=True)
    assert [(one.run, "is missing" in one.en) for one in plan.unproven] == [("000002", True)]
    assert list(ledger.hashes(lake)) == ["000001", "000002"]
    assert any("is missing" in f.en for f in audit(lake).findings)


def test_a_run_that_died_is_ended_with_the_repair(begun: tuple[Path, Path], lake: Lake) -> None:
    before, place = _contents(lake.root), intent.begin(lake, "000003")
    (place / "rows.parquet").write_bytes(b"work")
    assert repair(lake).interrupted == ["000003"] and place.is_dir()
    repair(lake, do=True)
    assert not lake.staging.exists() and _contents(lake.root) == before
    shutil.copy(begun[1] / "older.duckdb", lake.ledger)
    intent.begin(lake, "000002")  # as if it had died: its record in the chain says that it had not
    intent.write(
        lake, intent.Intent("000002", {name: sha256(lake.root / name) for name in _of(lake, "000002")})
    )
    repair(lake, do=True)
    assert list(ledger.hashes(lake)) == ["000001", "000002"] and _contents(lake.root) == before


def _of(lake: Lake, run: str) -> list[str]:
    """The data files of a run."""
    return [path.relative_to(lake.root).as_posix() for path in lake.root.glob(f"*/*/*/*/run={run}/*")]


def test_a_run_at_work_is_not_disturbed(lake: Lake) -> None:
    with writing(lake), pytest.raises(UsageError, match="writing"):
        repair(lake, do=True)


def test_where_there_is_no_lake(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no lake"):
        repair(Lake(tmp_path / "nothing"))


def _of_older_format(folder: Path, *overlays: str) -> Lake:
    for name in ("lake-0.1.0", *overlays):
        shutil.copytree(OLD / name / "lake", folder, dirs_exist_ok=True)
    packed = folder / "ledger.duckdb.gz"
    (folder / "ledger.duckdb").write_bytes(gzip.decompress(packed.read_bytes()))
    packed.unlink()
    return Lake(folder)


@pytest.mark.parametrize("overlays", [(), ("lake-format-2",), ("lake-format-3",)])
def test_lakes_of_older_formats_have_nothing_to_repair(tmp_path: Path, overlays: tuple[str, ...]) -> None:
    lake = _of_older_format(tmp_path / "lake", *overlays)
    assert repair(lake).nothing and not audit(lake).findings


def test_runs_of_older_formats_without_any_ledger_are_set_aside(tmp_path: Path) -> None:
    """They have no records: nothing proves them but the ledger. Their files stay, each as it was."""
    lake = _of_older_format(tmp_path / "lake")
    before = _contents(lake.root)
    lake.ledger.unlink()
    assert len(repair(lake, do=True).aside) == 28
    assert _contents(lake.root / "set-aside") == before
