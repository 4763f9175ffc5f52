"""The columns of every table of the lake, for the format of today: they are part of the format."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from grouper.lake import Lake
from grouper.lake.formats import FORMAT
from grouper.lake.layout import TABLES
from grouper.settlement.plan.year_job import YearJob
from grouper.settlement.year import clear_year
from grouper.synth.city import City, write_city

from . import settle_support as support

KNOWN = Path(__file__).with_name("table_columns.csv")
HEADER = ("format", "table", "column", "type", "runs")
AREAS = {"drg": "lishui", "dip": "tianmen"}
TOLD = "a new column is a new format: docs/formats.md"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, ...]]:
    """Rows as those of the file, from the tables of a month and of a clearing by either method."""
    place = tmp_path_factory.mktemp("city")
    write_city(place, City(rows=240, hospitals=30, year=2025))
    scores = (str(place / "assessment.csv"),)
    runs: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for method, area in AREAS.items():
        lake = Lake(tmp_path_factory.mktemp(method) / "lake")
        support.settle(lake, place, "2025-05", area=area)
        job = YearJob(
            "2025", str(place / "budget.toml"), area, partial=True, corrections=scores, held_remain=True
        )
        clear_year(lake, job, reports=False)
        for path in lake.root.glob("*/area=*/**/*.parquet"):
            kind = "year" if "month=00" in path.parts else "month"
            for name in pq.read_schema(path):
                runs[path.relative_to(lake.root).parts[0], name.name, str(name.type)].add(f"{method}-{kind}")
    return {(str(FORMAT), *key, " ".join(sorted(names))) for key, names in runs.items()}


@pytest.mark.slow
def test_the_columns_of_the_tables_are_those_of_the_format(found: set[tuple[str, ...]]) -> None:
    with KNOWN.open(encoding="utf-8", newline="") as file:
        header, *rows = map(tuple, csv.reader(file))
    assert header == HEADER and {table for _, table, *_ in rows} == set(TABLES)
    assert found - set(rows) == set(), TOLD
    assert set(rows) - found == set(), TOLD
