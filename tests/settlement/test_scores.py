"""A score of a hospital that the year does not have is told, with its code, not passed over."""

from __future__ import annotations

from pathlib import Path

from grouper.commands.text.ledger import year_summary
from grouper.lake import Lake
from grouper.settlement.plan.year_job import YearJob
from grouper.settlement.year import clear_year

from . import settle_support as support


def test_scores_that_concern_nobody_are_told(tmp_path: Path) -> None:
    place, lake = support.city(900, 0.03, (5,)), Lake(tmp_path / "lake")
    support.settle(lake, place, "2025-05")
    sql = "SELECT hospital_code AS h, min(pool) AS p FROM hospitals_current GROUP BY 1 HAVING count(*) = 1"
    known = support.rows(lake, f"{sql} ORDER BY 1")
    code, pool = known[0]["h"], known[0]["p"]
    other = "resident" if pool == "employee" else "employee"
    lines = [(code, pool), (code, other), ("H9", "*"), ("H8", "employee"), (known[1]["h"], "*")]
    scores = support.corrections(
        tmp_path / "scores.csv",
        [{"kind": "quality", "hospital_code": h, "pool": p, "score": "90"} for h, p in lines],
    )
    job = YearJob("2025", str(place / "budget.toml"), "tianmen", corrections=(str(scores),), partial=True,
                  held_remain=True, threads=1)  # fmt: skip
    done = clear_year(lake, job, reports=False)
    assert done.unused_scores == tuple(sorted([(code, other), ("H8", "employee"), ("H9", "*")]))
    told = next(line for line in year_summary(done, "en") if "not used" in line)
    assert "H9 (all pools)" in told and "H8 (employee)" in told and f"{code} ({other})" in told
    assert any("H9（" in line or "H9 (全部" in line for line in year_summary(done, "zh"))
