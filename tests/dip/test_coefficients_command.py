"""``grouper coefficients`` as a user calls it."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from grouper.base.errors import DataError
from grouper.commands import cli
from grouper.grouping.api import load_scheme
from grouper.grouping.files import group_files


def call(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, ["coefficients", "--lang", "en", *map(str, words)])


@pytest.fixture
def grouped(tmp_path: Path) -> Path:
    """Three pneumonias and a record without a packet, grouped by a shipped catalogue."""
    rows = [
        {"diagnoses": ["J18.900"], "age_years": 40, "day": date(2025, 3, 1)},
        {"diagnoses": ["J18.900", "J96.000"], "age_years": 40, "day": date(2025, 3, 1)},
        {"diagnoses": ["J18.900"], "age_years": 80, "day": date(2024, 3, 1)},
        {"diagnoses": [""], "age_years": 80, "day": None},
    ]
    table = pa.table(
        {
            "record_id": [str(i) for i in range(4)],
            "diagnoses": [row["diagnoses"] for row in rows],
            "procedures": pa.array([[] for _ in rows], pa.list_(pa.string())),
            "age_years": [row["age_years"] for row in rows],
            "age_days": pa.nulls(4, pa.int32()),
            "los_days": [9] * 4,
            "discharge_way": [1] * 4,
            "discharge_date": pa.array([row["day"] for row in rows], pa.date32()),
        }
    )
    pq.write_table(table, tmp_path / "in.parquet")
    group_files(load_scheme("dip-pingdingshan-2025"), [tmp_path / "in.parquet"], tmp_path / "g.parquet")
    return tmp_path / "g.parquet"


def test_grouped_files_get_their_coefficients(grouped: Path, tmp_path: Path) -> None:
    done = call(grouped, "-o", tmp_path / "o.parquet", "--parameters", "coefficients-example")
    assert done.exit_code == 0, done.output
    values = pq.read_table(tmp_path / "o.parquet")["auxiliary_coefficient"].to_pylist()
    assert [None if value is None else str(value) for value in values] == ["1.0000", "1.2500", "1.0500", None]
    assert "4 records" in done.stderr and "Parameters not verified: file, severity" in done.stderr
    assert "without packet, no coefficient  1" in done.stderr
    made = json.loads(pq.read_schema(tmp_path / "o.parquet").metadata[b"grouper.provenance"])
    assert made["scheme"]["id"] == "dip-pingdingshan-2025"
    assert made["auxiliary_coefficients"]["parameters"]["verified"] is False


def test_csv_round_trip(grouped: Path, tmp_path: Path) -> None:
    assert call(grouped, "-o", tmp_path / "o.csv", "--parameters", "coefficients-example").exit_code == 0
    text = (tmp_path / "o.csv").read_text(encoding="utf-8-sig")
    assert "severity:III=1.2500|secondary:respiratory-failure=1.1500" in text


def test_a_day_outside_names_row_column_and_flag(grouped: Path, tmp_path: Path) -> None:
    late = pq.read_table(grouped)
    days = pa.array([date(2025, 3, 1), date(2031, 1, 1), None, None], pa.date32())
    late = late.set_column(late.schema.get_field_index("discharge_date"), "discharge_date", days)
    pq.write_table(late, tmp_path / "late.parquet")
    done = call(tmp_path / "late.parquet", "-o", tmp_path / "o.csv", "--parameters", "coefficients-example")
    assert isinstance(done.exception, DataError)
    for word in ("row 2", "column discharge_date", "as_of="):
        assert word in str(done.exception)
    assert not (tmp_path / "o.csv").exists()
    words = ["--parameters", "coefficients-example", "--as-of", "2025-06-30"]
    assert call(tmp_path / "late.parquet", "-o", tmp_path / "o.csv", *words).exit_code == 0
    assert call(grouped, "-o", tmp_path / "o.csv", *words[:3], "June").exit_code == 2
