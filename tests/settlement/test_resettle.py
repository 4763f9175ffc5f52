"""After --reopen the following months are done again from what the ledger names, or refused by name."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from grouper.base.errors import DataError, UsageError
from grouper.commands.text.resettle import again_lines, end_lines
from grouper.lake import Lake
from grouper.settlement import states
from grouper.settlement.audit import audit
from grouper.settlement.plan.year_job import YearJob
from grouper.settlement.resettle import cleared, resettle, waiting
from grouper.settlement.year import clear_year

from . import settle_support as support

pytestmark = pytest.mark.slow  # seconds each; the tests of every run have a sister of theirs

MONTHS = ("2025-04", "2025-05", "2025-06")


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a city of its own and a lake of three months and their clearing."""
    root = tmp_path_factory.mktemp("resettle")
    shutil.copytree(support.city(900, 0.03, (4, 5, 6)), root / "city")
    lake = Lake(root / "lake")
    for month in MONTHS:
        support.settle(lake, root / "city", month)
    codes = support.rows(lake, "SELECT DISTINCT hospital_code AS code FROM hospitals_current ORDER BY 1")
    scores = support.corrections(
        root / "scores.csv",
        [{"kind": "quality", "hospital_code": row["code"], "pool": "*", "score": "90"} for row in codes],
    )
    job = YearJob(
        "2025", str(root / "city" / "budget.toml"), "tianmen", partial=True, held_remain=True,
        corrections=(str(scores),),
    )  # fmt: skip
    clear_year(lake, job, reports=False)
    return root


@pytest.fixture
def place(settled: Path, tmp_path: Path) -> Path:
    """A copy of a test's own, in which the ledger's paths lead to the files as they were."""
    shutil.copytree(settled / "lake", tmp_path / "lake")
    return tmp_path


def _amounts(lake: Lake, period: str) -> list[dict[str, object]]:
    sql = (
        "SELECT a.hospital_code, a.pool, a.name, a.fen FROM amounts AS a JOIN runs_current AS r USING (run) "
        f"WHERE r.period = '{period}' ORDER BY ALL"
    )
    return support.rows(lake, sql)


def test_the_following_months_come_out_as_they_were_when_nothing_changed(place: Path, settled: Path) -> None:
    lake = Lake(place / "lake")
    before = {month: _amounts(lake, month) for month in MONTHS}
    support.settle(lake, settled / "city", "2025-04", reopen=True)
    assert [state.name for state in states.states(lake)] == ["replaced", "void", "void", "void", "settled"]
    months = waiting(lake, "2025-05")
    assert [month.period for month in months] == ["2025-05", "2025-06"]
    done = list(resettle(lake, months, who="Wang", reports=False))
    assert [again.done.run for again in done] == ["000006", "000007"]
    assert {month: _amounts(lake, month) for month in MONTHS} == before
    assert all(again.before == again.after and not again.changed for again in done)
    assert cleared(lake, "") == ["2025"]
    assert "the clearing of 2025 is invalid" in "\n".join(end_lines(months, done, ["2025"], "en"))
    assert "原" in "\n".join(again_lines(done[0], "zh"))
    notes = support.rows(lake, "SELECT started_by, note FROM runs WHERE run = '000006'")
    assert notes == [{"started_by": "Wang", "note": "resettle 000002"}]
    assert not audit(lake).findings


def test_differences_are_told_by_month(place: Path, settled: Path) -> None:
    """April pays another point value: what May took back and added of April comes out otherwise."""
    lake, city = Lake(place / "lake"), settled / "city"
    paid = support.rows(
        lake,
        "SELECT settlement_id FROM cases_current WHERE month = 4 AND method = 'group' AND settled_fund > 0 "
        "ORDER BY 1 LIMIT 3",
    )
    fixes = support.corrections(
        place / "fix.csv", [{"kind": "withdrawal", "reason": "x", **row} for row in paid]
    )
    support.settle(lake, city, "2025-05", reopen=True, corrections=(str(fixes),))
    first = _adjusted(lake, "2025-05")
    support.settle(lake, city, "2025-04", reopen=True, value="settlement")
    done = next(iter(resettle(lake, waiting(lake, "2025-05"), reports=False)))
    now = _adjusted(lake, "2025-05")
    assert (done.before["adjustments"], done.after["adjustments"]) == (first, now) and first != now
    told = "\n".join(again_lines(done, "en"))
    assert f"{(now - first) / 100:,.2f}" in told


def _adjusted(lake: Lake, period: str) -> int:
    sql = "SELECT sum(difference * 100)::BIGINT AS fen FROM adjustments_current WHERE month = "
    return int(support.rows(lake, f"{sql}{int(period[5:])} AND kind <> 'audit_deduction'")[0]["fen"])


def test_files_are_what_the_ledger_says_or_named(place: Path, tmp_path: Path) -> None:
    city = tmp_path / "city"
    shutil.copytree(support.city(900, 0.03, (4, 5, 6)), city)
    lake = Lake(tmp_path / "own")
    for month in MONTHS:
        support.settle(lake, city, month)
    support.settle(lake, city, "2025-04", reopen=True)
    months = waiting(lake, "2025-05")
    kept = (city / "2025-06.parquet").read_bytes()
    (city / "2025-06.parquet").unlink()
    with pytest.raises(DataError, match=r"2025-06\.parquet is not found"):
        list(resettle(lake, months, reports=False))
    shutil.copy(city / "2025-05.parquet", city / "2025-06.parquet")
    with pytest.raises(DataError, match=r"2025-06\.parquet is no longer what the run read"):
        list(resettle(lake, months, reports=False))
    assert [s.name for s in states.states(lake)].count("void") == 2  # and nothing was settled
    (city / "2025-06.parquet").write_bytes(kept)
    assert len(list(resettle(lake, months, reports=False))) == 2


def test_an_earlier_month_comes_first_and_a_valid_one_is_refused(place: Path, settled: Path) -> None:
    lake = Lake(place / "lake")
    with pytest.raises(UsageError, match=r"2025-05 has no invalid run; invalid months: none"):
        waiting(lake, "2025-05")
    support.settle(lake, settled / "city", "2025-04", reopen=True)
    with pytest.raises(UsageError, match=r"2025-05 are invalid too and come first: --from 2025-05"):
        waiting(lake, "2025-06")


def test_where_approval_is_required_it_makes_one_draft_at_a_time(place: Path, settled: Path) -> None:
    lake = Lake(place / "lake")
    support.settle(lake, settled / "city", "2025-04", reopen=True)
    states.set_options(lake, who="Li", approval=True)
    months = waiting(lake, "2025-05")
    done = list(resettle(lake, months, who="Wang", reports=False))
    assert [again.period for again in done] == ["2025-05"] and done[0].draft
    assert "--from 2025-06" in "\n".join(end_lines(months, done, [], "zh"))
    with pytest.raises(UsageError, match=r"2025-05 are invalid too|draft of 2025-05"):
        list(resettle(lake, waiting(lake, "2025-06"), who="Wang", reports=False))
    states.approve(lake, "2025-05", who="Zhao")
    assert [
        again.period for again in resettle(lake, waiting(lake, "2025-06"), who="Wang", reports=False)
    ] == ["2025-06"]
