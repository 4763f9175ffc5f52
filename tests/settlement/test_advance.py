"""An advance (预付金): paid at the beginning of a year, offset by months, recovered by the clearing."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from grouper.base.errors import UsageError
from grouper.commands.text.ledger import month_summary, statement_lines, year_summary
from grouper.lake import Lake
from grouper.settlement.audit import audit
from grouper.settlement.plan.year_job import YearJob
from grouper.settlement.replay import replay
from grouper.settlement.show import statement_of, write_statement
from grouper.settlement.year import clear_year

from . import settle_support as support
from .year_end_told import page_of

YEAR = dt.timedelta(days=365)
DATES = ("birth_date", "admission_date", "discharge_date", "settlement_date")
POOLS = """[pools.employee]
budget = "9000000"
[pools.resident]
budget = "6000000"
"""


def _budget(path: Path, period: str, more: str = "", *hospitals: dict[str, str]) -> str:
    rows = "".join(
        "[[hospitals]]\n" + "".join(f'{name} = "{value}"\n' for name, value in row.items())
        for row in hospitals
    )
    path.write_text(f'period = "{period}"\nregions = ["3399"]\n{more}{POOLS}{rows}', encoding="utf-8")
    return str(path)


def _rows(lake: Lake, year: int, month: int) -> dict[tuple[str, str], dict[str, Any]]:
    found = support.rows(lake, f"SELECT * FROM hospitals_current WHERE year = {year} AND month = {month}")
    return {(row["hospital_code"], row["pool"]): row for row in found}


def _clear(lake: Lake, folder: Path, year: str, budget: str) -> Any:
    codes = support.rows(lake, "SELECT DISTINCT hospital_code AS code FROM hospitals_current ORDER BY 1")
    scores = support.corrections(
        folder / f"scores-{year}.csv",
        [{"kind": "quality", "hospital_code": row["code"], "pool": "*", "score": "95"} for row in codes],
    )
    job = YearJob(
        year, budget, "tianmen", corrections=(str(scores),), partial=True, held_remain=True, threads=1
    )
    return clear_year(lake, job, reports=False)


@pytest.mark.slow
def test_an_advance_is_paid_offset_and_recovered(tmp_path: Path) -> None:
    """January lends one month (Tianmen: advance_months = 1, by quarters, so that nothing else is paid then),
    February takes 30,000 of it back, the clearing the rest: money out = money in."""
    lake, place = Lake(tmp_path / "lake"), support.city(3600, 0.03, (1, 2))
    case = next(r for r in support.take(place, "2025-01", 40) if r["insurance_type"] == "310")
    key = (case["hospital_code"], "employee")
    named = {"hospital_code": key[0], "pool": key[1]}
    year = _budget(tmp_path / "2025.toml", "2025", "", named | {"advance_base": "80000.01"})
    month = _budget(tmp_path / "2025-02.toml", "2025-02", "", named | {"advance": "30000"})
    done = support.settle(lake, place, "2025-01", budget=year)
    support.settle(lake, place, "2025-02", budget=month)
    january, february = _rows(lake, 2025, 1), _rows(lake, 2025, 2)
    row = january[key]
    assert (row["advanced"], row["payable"], row["prepaid"], row["carried"]) == (
        Decimal("80000.01"), Decimal("80000.01"), Decimal(0), Decimal(0),
    )  # fmt: skip
    assert "advance_months = 1" in row["clauses"]
    others = [r for k, r in (*january.items(), *february.items()) if k != key]
    assert not any(r["advanced"] for r in others) and february[key]["advanced"] == 0
    assert february[key]["advance"] == 30_000
    assert any("拨付预付金 80,000.01 元" in line for line in month_summary(done, "zh"))
    (advanced,) = support.rows(lake, "SELECT sum(fen) AS fen FROM amounts WHERE name = 'advanced'")
    assert advanced["fen"] == 8_000_001
    cleared = _clear(lake, tmp_path, "2025", year)
    rows = support.rows(lake, "SELECT * FROM hospitals_cleared")
    (row,) = (r for r in rows if (r["hospital_code"], r["pool"]) == key)
    assert row["advance"] == Decimal("50000.01")
    assert row["final"] == row["balance"] + row["returned"] - Decimal("50000.01") - row["audit"]
    assert not any(r["advance"] for r in rows if r is not row)
    assert any("冲抵预付金 50,000.01" in line for line in year_summary(cleared, "zh"))
    assert audit(lake).findings == []
    for run in ("000001", "000003"):
        assert set(replay(lake, run).tables.values()) == {"bytes"}
    _the_statement_and_the_page_explain_it(lake, key[0], tmp_path / "statements")


def _the_statement_and_the_page_explain_it(lake: Lake, hospital: str, folder: Path) -> None:
    statement = write_statement(lake, "000001", hospital, folder)[0].read_text("utf-8")
    for text in (statement, page_of(lake, "000001", "zh")):
        assert "拨付预付金" in text and "80,000.01" in text and "应拨另含预付金" in text
    assert "拨付预付金" not in page_of(lake, "000002", "zh")
    told = "\n".join(statement_lines(statement_of(lake, hospital, period="2025-01"), "en"))
    assert "advance paid" in told


@pytest.mark.slow
def test_an_advance_by_the_dues_of_last_year(tmp_path: Path) -> None:
    """All hospitals by the average of their months in the lake; one has none by agreement, one its own."""
    lake, place = Lake(tmp_path / "lake"), support.city(3600, 0.03, (11, 12))
    then = _budget(tmp_path / "2025.toml", "2025")
    by_last = _budget(tmp_path / "2026.toml", "2026", 'advance_base = "last_year"\n')
    rows = [
        row
        | {name: row[name] + YEAR for name in DATES if row.get(name)}
        | {"record_id": f"n{n}", "settlement_id": f"s{n}"}
        for n, row in enumerate(support.take(place, "2025-11", 12))
    ]
    for row in rows:
        back = dt.timedelta(days=304)  # November 2026 -> January 2026
        row |= {name: row[name] - back for name in DATES[1:] if row.get(name)}
    january = support.write(tmp_path / "january.parquet", rows, place / "2025-11.parquet")
    with pytest.raises(UsageError, match="no month of 2025"):
        support.settle(lake, place, "2026-01", january, budget=by_last)
    for month in ("2025-11", "2025-12"):
        support.settle(lake, place, month, budget=then)
    sums: dict[tuple[str, str], Decimal] = {}
    for number in (11, 12):
        for key, row in _rows(lake, 2025, number).items():
            sums[key] = sums.get(key, Decimal(0)) + row["due_total"]
    none, own = sorted(key for key, due in sums.items() if due > 100 and key[1])[:2]
    told = [
        {"hospital_code": key[0], "pool": key[1], "advance_base": base}
        for key, base in ((none, "0"), (own, "1234.5"))
    ]
    budget = _budget(tmp_path / "2026.toml", "2026", 'advance_base = "last_year"\n', *told)
    support.settle(lake, place, "2026-01", january, budget=budget)
    found = {key: row["advanced"] for key, row in _rows(lake, 2026, 1).items() if row["advanced"]}
    expected = {key: due / 2 for key, due in sums.items() if due > 0 and key != none} | {
        own: Decimal("1234.5")
    }
    assert found.keys() == expected.keys()
    assert all(abs(found[key] - expected[key]) <= Decimal("0.005") for key in found)
    assert set(replay(lake, "000003").tables.values()) == {"bytes"}
    support.settle(lake, place, "2026-01", january, budget=by_last)
    wrong = _budget(tmp_path / "wrong.toml", "2026", "", told[1] | {"advance": "5"})
    with pytest.raises(UsageError, match=rf"advance of {own[0]}, {own[1]} is 500 fen, in the ledger \d+"):
        _clear(lake, tmp_path, "2026", wrong)
