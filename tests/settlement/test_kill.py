"""The whole program killed at random moments: reports, keyed person ids and a corrected month among them.

May is settled in a lake, twice; June is what is killed, started again, and killed again some times before
it may end. It must end as one that was never killed, to the byte, with nothing left beside it. After every
other kill the ledger is lost too, or an older one put in its place: the command stops, repair makes it
again, and no file of a committed run has changed.
"""

from __future__ import annotations

import datetime as dt
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest

from grouper.base.digests import sha256
from grouper.lake import Lake, chain, ledger
from grouper.lake.repair import repair
from grouper.settlement.audit import audit
from grouper.settlement.month import settle_month

from . import settle_support as support

AREA = "lishui"  # readmission within 15 days reaches the closed month
BEFORE = ["000001", "000002"]
HOSPITALS = 4  # few, so that a run is short; each has a statement


@dataclass
class Scene:
    """A lake before the run, its ledger before its last run, the command, and what a run that nobody kills
    makes of them."""

    base: Path
    older: Path
    command: list[str]
    following: list[str]
    whole: dict[str, str]
    spans: list[float] = field(default_factory=list)


def _files(root: Path) -> dict[str, str]:
    """Every file and folder of a lake but lock and ledger; the SHA-256 of files."""
    return {
        path.relative_to(root).as_posix(): sha256(path) if path.is_file() else ""
        for path in root.rglob("*")
        if path.name not in (".lock", "ledger.duckdb", "ledger.duckdb.wal")
        and path.relative_to(root).parts[0] != "set-aside"
    }


def _months(place: Path, folder: Path) -> dict[str, Path]:
    """Some cases of May and June of a few hospitals, a late one, and two persons of May who come again."""
    may, june = (support.take(place, month, 400) for month in ("2025-05", "2025-06"))
    some = {code for code, _ in Counter(row["hospital_code"] for row in may).most_common(HOSPITALS)}
    may, june = ([row for row in rows if row["hospital_code"] in some][:40] for rows in (may, june))
    late, again = may.pop(), []
    for number, row in enumerate(sorted(may, key=lambda row: row["discharge_date"])[-2:]):
        stay = {"admission_date": row["discharge_date"] + dt.timedelta(days=4),
                "discharge_date": row["discharge_date"] + dt.timedelta(days=12)}  # fmt: skip
        again.append(dict(row) | stay | {"record_id": f"again{number}", "settlement_id": f"again-s{number}",
                                         "visit_id": f"again-v{number}"})  # fmt: skip
    like = place / "2025-05.parquet"
    gone = [{"kind": "withdrawal", "settlement_id": may[0]["settlement_id"], "reason": "twice"}]
    return {
        "may": support.write(folder / "may.parquet", may, like),
        "june": support.write(folder / "june.parquet", [*june, *again], like),
        "late": support.write(folder / "late.parquet", [late], like),
        "gone": support.corrections(folder / "gone.csv", gone),
    }


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    place, folder = support.city(3600, 0.03, (5, 6)), tmp_path_factory.mktemp("kill")
    months, key = _months(place, folder), folder / "key"
    key.write_bytes(b"a key of this test, 32 bytes long")
    key.chmod(0o600)
    base = Lake(folder / "base")
    own = support.job(place, "2025-05", months["may"], area=AREA, pseudonymise=str(key))
    settle_month(base, own, reports=False)
    older = shutil.copy(base.ledger, folder / "older.duckdb")
    settle_month(base, own, reports=False)
    given: Mapping[str, Any] = {
        "area": AREA, "month": "2025-06", "input": months["june"], "budget": place / "budget.toml",
        "hospitals": place / "hospitals.csv", "max-rejected": "0.3", "pseudonymise": key, "threads": 1,
    }  # fmt: skip
    more = ["--corrections", str(months["late"]), "--corrections", str(months["gone"])]
    command, following = _command(given, *more), _command(given | {"month": "2025-07"})
    made = Scene(base.root, Path(older), command, following, {})
    lake = Lake(folder / "whole")
    shutil.copytree(base.root, lake.root)
    done = _again(made, lake)
    assert "/s" not in done and "  price  " not in done, "stages are told on terminals only"
    made.whole = _files(lake.root)
    kinds = {row["kind"] for row in support.rows(lake, "SELECT DISTINCT kind FROM adjustments_current")}
    assert {"late", "withdrawal", "readmission"} <= kinds and not audit(lake).findings
    assert sum(name.startswith("reports/000003/hospitals/") for name in made.whole) >= 2 * HOSPITALS
    return made


def _command(given: Mapping[str, Any], *more: str) -> list[str]:
    words = [word for name, value in given.items() for word in (f"--{name}", str(value))]
    return [sys.executable, "-P", "-m", "grouper", "settle", *words, *more, "--lang", "en"]


def _again(scene: Scene, lake: Lake) -> str:
    """Run the command to its end; returns what it said."""
    begin = time.monotonic()
    done = subprocess.run([*scene.command, "-o", str(lake.root)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    scene.spans.append(time.monotonic() - begin)
    return done.stderr


def _reached(root: Path) -> str:
    """How far a killed run had come, by what is there of it."""
    if (root / "reports").exists():
        return "reports"
    if any(root.glob("*/area=*/year=*/month=06")):
        return "placed"
    staged = root / ".staging" / "000003"
    for name in ("cases", "settled", "priced", "rows"):
        if (staged / f"{name}.parquet").exists():
            return name
    return "begun" if staged.exists() else "early"


def _next(scene: Scene, lake: Lake) -> None:
    """The next settlement, of July, clears away what a run killed after its commit left. This one has the
    lists of June again, which it rejects, and so writes nothing itself."""
    done = subprocess.run([*scene.following, "-o", str(lake.root)], capture_output=True, text=True)
    assert done.returncode == 2 and "already-settled" in done.stderr, done.stderr


def _lose(scene: Scene, lake: Lake, how: str) -> None:
    """Lose the ledger, or have an older one; the command stops and touches nothing, repair makes it again."""
    committed = set(_files(scene.base))
    if "000003" in chain.runs(lake):
        committed |= set(scene.whole)
    before = _files(lake.root)
    for name in ("ledger.duckdb", "ledger.duckdb.wal"):
        (lake.root / name).unlink(missing_ok=True)
    if how == "older":
        shutil.copy(scene.older, lake.ledger)
    stopped = subprocess.run([*scene.command, "-o", str(lake.root)], capture_output=True, text=True)
    words = "is missing" if how == "none" else "is older than the data"
    assert stopped.returncode == 2 and words in stopped.stderr and "grouper lake repair" in stopped.stderr
    assert _files(lake.root) == before
    repair(lake, do=True)
    after = _files(lake.root)
    assert {name: after.get(name) for name in committed} == {name: before[name] for name in committed}
    assert {path.name for path in lake.root.glob("set-aside/*/*")} <= {"ledger.duckdb", "list.csv"}
    assert list(ledger.hashes(lake)) == chain.runs(lake)


def _ends_before(scene: Scene, process: subprocess.Popen[bytes], share: float) -> bool:
    """Kill a run at a share of the time that the last ones took; True where it was over before. How long it
    took is then known anew, so that the next kill comes in time whatever else the machine does."""
    recent, begin = scene.spans[-4:], time.monotonic()
    try:
        process.wait(share * sum(recent) / len(recent))
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        return process.wait() != -signal.SIGKILL
    scene.spans.append(time.monotonic() - begin)
    return True


def _kills(scene: Scene, root: Path, shares: Sequence[float]) -> list[str]:
    """Kill one run after the other on a lake, each at a share of the time that one takes, and look; then
    let one end, and look. Returns how far each was: "over" where the run ended before it was killed."""
    shutil.copytree(scene.base, root)
    lake, reached = Lake(root), list[str]()
    for number, share in enumerate(shares):
        process = subprocess.Popen(
            [*scene.command, "-o", str(root)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        over = _ends_before(scene, process, share)
        if not over and number % 2:
            _lose(scene, lake, "older" if number % 4 == 1 else "none")
        runs = list(ledger.hashes(lake))
        assert [finding for finding in audit(lake).findings if finding.run] == []
        if over or chain.runs(lake) != BEFORE:
            reached.append("over" if over else "committed" if runs != BEFORE else "chained")
            break
        reached.append(_reached(root))  # as before: what was begun is invisible
    if reached[-1] not in ("over", "committed", "chained"):
        _again(scene, lake)
    elif reached[-1] in ("committed", "chained"):
        now = _files(root)
        assert {name: now.get(name) for name in scene.whole} == scene.whole
        _next(scene, lake)
    assert _files(root) == scene.whole
    for view in ("runs", "runs_current"):
        kept = [row["run"] for row in support.rows(lake, f"SELECT run FROM {view} ORDER BY run")]
        assert kept == [*BEFORE, "000003"][view == "runs_current" :]
    assert not audit(lake).findings
    shutil.rmtree(root)
    return reached


@pytest.mark.slow
@pytest.mark.parametrize(("kills", "lakes"), [(4, 1), (24, 12)])
def test_killed_anywhere(scene: Scene, tmp_path: Path, kills: int, lakes: int) -> None:
    rng, found = random.Random(kills), Counter[str]()
    # Spread over the run: one in each part of it, at a random moment of the part; those of a lake far apart.
    shares = [0.25 + 0.75 * (number + rng.random()) / kills for number in range(kills)]
    waiting, number = [shares[n::lakes] for n in range(lakes)], 0
    with ThreadPoolExecutor(2) as workers:
        while waiting:
            names = [tmp_path / f"{number + n}" for n in range(len(waiting))]
            number += len(waiting)
            left = []
            for wanted, reached in zip(
                waiting, workers.map(_kills, repeat(scene), names, waiting), strict=True
            ):
                found.update(reached)
                done = len(reached) - (reached[-1] == "over")
                left.append([share * 0.9 for share in wanted[done:]])
            waiting = [wanted for wanted in left if wanted]
            assert number < 4 * kills, found
    assert found.total() - found["over"] == kills
    print(dict(found))
    if kills >= 24:
        staged = sum(found[name] for name in ("rows", "priced", "settled", "cases", "placed", "reports"))
        assert staged >= kills // 4, found
