"""What was paid of a clearing otherwise than ordered: the next month, of the next year, takes it, once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from grouper.lake import Lake
from grouper.settlement.audit import audit
from grouper.settlement.orders import pay_order
from grouper.settlement.paid import record_paid
from grouper.settlement.plan.year_job import YearJob
from grouper.settlement.replay import replay
from grouper.settlement.year import clear_year

from . import settle_support as support

pytestmark = pytest.mark.slow  # seconds each; the tests of every run have a sister of theirs


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """April of a city, and the same stays a year later under other ids."""
    made = tmp_path_factory.mktemp("city") / "city"
    shutil.copytree(support.city(900, 0.03, (4, 5, 6)), made)
    like = made / "2025-04.parquet"
    for month in (4, 5):
        rows = []
        for row in support.take(made, "2025-04", 60):
            moved = {n: row[n].replace(year=2026, month=month) for n in ("admission_date", "discharge_date")
                     if row[n].month == 4}  # fmt: skip
            if len(moved) == 2:
                ids = {n: f"{month}{row[n]}" for n in ("settlement_id", "visit_id", "person_id", "record_id")
                       if row.get(n)}  # fmt: skip
                rows.append(row | moved | ids | {"settlement_date": moved["discharge_date"]})
        support.write(made / f"2026-{month:02}.parquet", rows, like)
    text = (made / "budget.toml").read_text(encoding="utf-8")
    (made / "2026.toml").write_text(text.replace('"2025"', '"2026"'), encoding="utf-8")
    assert pq.read_metadata(made / "2026-04.parquet").num_rows > 20
    return made


def _amount(lake: Lake, run: str, key: tuple[str, str], name: str) -> int:
    sql = f"SELECT fen FROM amounts WHERE run = '{run}' AND hospital_code = '{key[0]}' AND pool = '{key[1]}' "
    found = support.rows(lake, sql + f"AND name = '{name}'")
    return int(found[0]["fen"]) if found else 0


def test_the_next_month_takes_it_once(place: Path, tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    support.settle(lake, place, "2025-04")
    job = YearJob("2025", str(place / "budget.toml"), "tianmen", partial=True, held_remain=True)
    cleared = clear_year(lake, job, reports=False)
    final = {
        (row["hospital_code"], row["pool"]): row["fen"] for row in support.rows(
            lake, f"SELECT * FROM amounts WHERE run = '{cleared.run}' AND name = 'final' AND fen > 100000 "
            "ORDER BY hospital_code, pool")
    }  # fmt: skip
    over, under = list(final)[:2]
    pay_order(lake, "2025", tmp_path / "orders", who="Li")
    receipts = support.corrections(
        tmp_path / "paid.csv",
        [{"hospital_code": hospital, "pool": pool, "date": "2026-02-10", "voucher": f"V{number}",
          "amount": f"{(final[hospital, pool] + change) / 100:.2f}"}
         for number, ((hospital, pool), change) in enumerate(((over, 12_345), (under, -6_789)))],
    )  # fmt: skip
    done = record_paid(lake, "2025", receipts, who="Zhang")
    assert sorted(row.difference for row in done.rows if row.difference) == [-6_789, 12_345]
    options = {"budget": str(place / "2026.toml"), "max_held": "1"}
    first = support.settle(lake, place, "2026-04", **options)
    assert _amount(lake, first.run, over, "paid_difference") == 12_345
    assert _amount(lake, first.run, under, "carried_in") == -6_789
    again = support.settle(lake, place, "2026-04", **options)  # instead of it: it is taken there
    assert _amount(lake, again.run, over, "paid_difference") == 12_345
    second = support.settle(lake, place, "2026-05", **options)
    assert _amount(lake, second.run, over, "paid_difference") == 0
    assert not audit(lake).findings and replay(lake, again.run).same and replay(lake, second.run).same
