"""Small cities, budgets and jobs for the tests of settlement."""

from __future__ import annotations

import csv
import functools
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from grouper.lake import Lake, guide
from grouper.lake.views import connect
from grouper.settlement.month import Done, settle_month
from grouper.settlement.plan.job import Job
from grouper.synth.city import City, city_batches
from grouper.synth.city.hospitals import hospital_csv

BUDGET = """period = "2025"
regions = ["3399"]
[pools.employee]
budget = "{0}"
[pools.resident]
budget = "{0}"
"""


@functools.cache
def city(rows: int = 3600, dirty: float = 0.03, months: tuple[int, ...] = tuple(range(1, 13))) -> Path:
    """A folder with months of a city, its hospitals and a budget of the year; made once a process."""
    folder = Path(tempfile.mkdtemp(prefix="city-"))
    made = City(rows=rows, hospitals=30, dirty=dirty, year=2025)
    for month in months:
        table = pa.Table.from_batches(list(city_batches(made, month)))
        pq.write_table(table, folder / f"2025-{month:02}.parquet")
    (folder / "hospitals.csv").write_text(hospital_csv(made), encoding="utf-8")
    (folder / "budget.toml").write_text(BUDGET.format("9000000"), encoding="utf-8")
    return folder


def job(place: Path, month: str, *inputs: Path | str, **other: Any) -> Job:
    """A month of a folder made by ``city``, in an area whose pricing is quick."""
    files = tuple(str(path) for path in inputs) or (str(place / f"{month}.parquet"),)
    own = {
        "budget": str(place / "budget.toml"), "hospitals": str(place / "hospitals.csv"), "area": "tianmen",
        "max_rejected": "0.3", "threads": 1,
    }  # fmt: skip
    return Job(month, files, **(own | other))


def settle(lake: Lake, place: Path, month: str, *inputs: Path | str, **other: Any) -> Done:
    return settle_month(lake, job(place, month, *inputs, **other), reports=False)


def rows(lake: Lake, sql: str) -> list[dict[str, Any]]:
    """A query over the views of a lake."""
    with connect(lake) as connection:
        return connection.sql(sql).to_arrow_table().to_pylist()


def take(place: Path, month: str, number: int = 40) -> list[dict[str, Any]]:
    """Plain cases of a month as dictionaries: valid, positive, no refunds, discharged in the month."""
    table = pq.read_table(place / f"{month}.parquet")
    found = [
        row for row in table.to_pylist()
        if row["total_cost"] and row["total_cost"] > 0 and not row["refund_flag"] and row["valid_flag"]
        and f"{row['discharge_date']:%Y-%m}" == month and row["hospital_code"] != "H00000000000"
        and row["sex"] and row["admission_type"] != "2105"
    ]  # fmt: skip
    seen: set[str] = set()
    plain = [row for row in found if not (row["person_id"] in seen or seen.add(row["person_id"]))]  # type: ignore[func-returns-value]
    return plain[:number]


def write(path: Path, found: Sequence[Mapping[str, Any]], like: Path) -> Path:
    """Rows as Parquet with the columns of ``like``."""
    schema = pq.read_schema(like)
    pq.write_table(pa.Table.from_pylist(list(found), schema=schema), path)
    return path


def write_csv(path: Path, found: Sequence[Mapping[str, Any]], encoding: str = "utf-8") -> Path:
    """Rows as CSV, lists joined by |; blank where there is none."""
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, list(found[0]))
        writer.writeheader()
        for row in found:
            writer.writerow({k: "|".join(v) if isinstance(v, list) else v for k, v in row.items()})
    return path


def corrections(path: Path, found: Sequence[Mapping[str, str]]) -> Path:
    """A decisions file."""
    names = list(dict.fromkeys(name for row in found for name in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(found)
    return path


def data_files(lake: Lake) -> set[str]:
    """All files of a lake but the lock and the ledger."""
    found = {p.relative_to(lake.root).as_posix() for p in lake.root.rglob("*") if p.is_file()}
    return found - {".lock", "ledger.duckdb", "ledger.duckdb.wal", *guide.NAMES}


def known_files(lake: Lake) -> set[str]:
    """The data files that the ledger knows, and the records of its runs."""
    sql = "SELECT path FROM outputs UNION ALL SELECT 'chain/' || run || '.json' FROM runs"
    return {row["path"] for row in rows(lake, sql)}
