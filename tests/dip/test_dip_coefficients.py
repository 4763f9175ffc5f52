"""Dated coefficients of the auxiliary catalogue."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from dip_support import batch_of, engine

from grouper.dip.coefficients import Coefficients, final_scores
from grouper.errors import TableError

HEADER = "dip_code,aux_type,level,coefficient,valid_from,valid_to\n"
ROWS = """J18.9,severity,2,1.20,2025-01-01,2025-06-30
J18.9,severity,2,1.30,2025-07-01,
J18.9,severity,3,1.5,,
J18.9,age,5,1.25,,
"""


def table(tmp_path: Path, rows: str) -> Coefficients:
    (tmp_path / "c.csv").write_text(HEADER + rows, encoding="utf-8")
    return Coefficients.read(tmp_path / "c.csv")


@pytest.mark.parametrize(
    ("levels", "when", "value", "hit"),
    [
        ({"severity": (2, 1)}, date(2025, 6, 30), "1.20", "severity:2"),
        ({"severity": (2, 1)}, date(2025, 7, 1), "1.30", "severity:2"),
        ({"severity": (2, 1)}, date(2024, 12, 31), "1", ""),
        ({"severity": (1,)}, date(2025, 7, 1), "1", ""),
        ({"severity": (2, 1), "age": (5,)}, date(2025, 1, 1), "1.25", "age:5"),
        ({"severity": (3, 2, 1), "age": (5,)}, date(2025, 1, 1), "1.5", "severity:3"),
    ],
)
def test_the_highest_coefficient_of_the_day_counts(
    tmp_path: Path, levels: dict[str, tuple[int, ...]], when: date, value: str, hit: str
) -> None:
    whole = {"severity": (), "tumour": (), "cci": (0,), "age": (), "icu": ()} | levels
    assert table(tmp_path, ROWS).of("J18.9", whole, when) == (Decimal(value), hit)


def test_final_scores(tmp_path: Path) -> None:
    records = [
        {"diagnoses": ["J18.900", "j96000"], "los_days": 9, "age_years": 30},
        {"diagnoses": ["J18.900"], "los_days": 9, "age_years": 30},
        {"diagnoses": ["A00.000"], "los_days": 9, "age_years": 30},
        {"diagnoses": ["J18.900"], "los_days": 9, "age_years": 80},
        {"diagnoses": ["J18.900"], "los_days": 9, "age_years": 80},
    ]
    given = {
        "dip_code": ["J18.9", "J18.9", None, "J18.9", "Z99.9"],
        "score": [Decimal("100.3333"), Decimal(100), None, Decimal(100), Decimal(7)],
        "when": [date(2025, 3, 1), date(2025, 3, 1), date(2025, 3, 1), None, None],
    }
    got = final_scores(
        engine("dip-pingdingshan-2025"), table(tmp_path, ROWS), batch_of(records), *given.values()
    )
    coefficient, final, hit = (column.to_pylist() for column in got)
    assert coefficient == [Decimal("1.5"), 1, None, None, 1]
    assert final == [Decimal("150.499950"), 100, None, None, 7]
    assert hit == ["severity:3", "", None, None, ""]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("J18.9,colour,2,1.2,,\n", "line 2, column aux_type"),
        ("J18.9,severity,6,1.2,,\n", "column level"),
        ("J18.9,severity,2,0,,\n", "column coefficient"),
        ("J18.9,severity,2,1.2,2025-13-01,\n", "column valid_from"),
        ("J18.9,severity,2,1.2,,\nJ18.9,severity,2,1.3,2025-01-01,\n", "line 3: overlaps"),
    ],
)
def test_bad_tables(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(TableError, match=message):
        table(tmp_path, row)
