"""Scores for the packets of DIP 3.0 from a history that is added up by hand, and local mixed groups below.

Eleven usable stays of one year, scores against 10,000 yuan at 1,000 points:

    BX-216    10,000 + 20,000              mean 15,000  score 1,500
    JC-3697   4 × 4,000                                 score   400
    K59:SS    3 × 9,000, in no packet                   score   900
    K:SS      6,000, alone in K63 and K6                score   600
    I:BSZL    3,000, alone in I70 and I7                score   300
"""

from __future__ import annotations

import csv
import tomllib
from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import grouper
from grouper.base.errors import TableError, UsageError
from grouper.commands.catalogue import catalogue as catalogue_command
from grouper.fitting.catalogue import CatalogueOptions, build
from grouper.grouping.dip.tables import catalogue as dip_catalogue
from grouper.grouping.dip.tables.listing import verify
from grouper.payment.policy.policy import load_policy
from grouper.payment.price.pricing import Files, price_files

pytestmark = pytest.mark.slow  # seconds each; the tests of every run have a sister of theirs

BLADDER, STILL, VESSEL = ("C67.900", "17.7200x004"), ("K59.101",), ("I70.200x002",)
OUTSIDE, ALONE = ("K59.101", "51.2300"), ("K63.801", "47.0100")
STAYS = [
    (BLADDER, 10_000),
    (BLADDER, 20_000),
    *[(STILL, 4_000)] * 4,
    *[(OUTSIDE, 9_000)] * 3,
    (ALONE, 6_000),
    (VESSEL, 3_000),
]
SCORES = {"BX-216": 1500, "JC-3697": 400, "K59:SS": 900, "K:SS": 600, "I:BSZL": 300}
CASES = {"BX-216": 2, "JC-3697": 4, "K59:SS": 3, "K:SS": 1, "I:BSZL": 1}
LEFT_OUT = [("Z00.000",), ("P22.000",)]  # excluded; a newborn without a birth weight


def history() -> pa.Table:
    stays = [*STAYS, *((codes, 5_000) for codes in LEFT_OUT)]
    newborn = [codes[0] == "P22.000" for codes, _ in stays]
    return pa.table(
        {
            "record_id": [str(n) for n in range(len(stays))],
            "discharge_date": [date(2026, 6, 1)] * len(stays),
            "diagnoses": [[codes[0], *(["P07.100"] * (codes[0] == "P22.000"))] for codes, _ in stays],
            "procedures": pa.array([list(codes[1:]) for codes, _ in stays], pa.list_(pa.string())),
            "age_years": [0 if new else 50 for new in newborn],
            "age_days": [3 if new else None for new in newborn],
            "birth_weight_g": pa.array([None] * len(stays), pa.int32()),
            "total_cost": pa.array([Decimal(cost) for _, cost in stays], pa.decimal128(12, 2)),
        }
    )  # fmt: skip


@pytest.fixture
def source(tmp_path: Path) -> Path:
    pq.write_table(history(), tmp_path / "history.parquet")
    return tmp_path / "history.parquet"


@pytest.fixture
def folder(source: Path, tmp_path: Path) -> Path:
    output = tmp_path / "city-3.0"
    arguments = [
        *["build", "--on", "dip-3.0", str(source), "-o", str(output), "--id", "city-3.0", "--name", "某市"],
        *["--area", "city", "--mixed-min", "3", "--trim", "none", "--year-weights", "1"],
        *["--method", "quota", "--quota", "10000", "--lang", "en"],
    ]
    run = CliRunner().invoke(catalogue_command, arguments)
    assert run.exit_code == 0, run.output
    assert "packets of dip-3.0 with cases get scores" in run.output
    assert "2 core packets, 3 mixed groups" in run.output
    return output


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_scores_and_mixed_groups_are_those_added_up_by_hand(folder: Path) -> None:
    found = [*rows_of(folder / "scores.csv"), *rows_of(folder / "catalogue.csv")]
    assert {row["code"]: Decimal(row["score"]) for row in found} == SCORES
    assert {row["code"]: int(row["case_count"]) for row in found} == CASES
    assert [row["code"] for row in rows_of(folder / "scores.csv")] == ["BX-216", "JC-3697"]
    said = tomllib.loads((folder / "quality.toml").read_text(encoding="utf-8"))
    assert said["left_out"] == {"missing-birth-weight": 1, "principal-excluded": 1}
    assert (said["cases"], said["packets_with_scores"], said["mixed_groups"]) == (11, 2, 3)
    assert Decimal(said["mean_cost_yuan"]) * 11 == pytest.approx(Decimal(82_000), abs=Decimal("0.0001"))


@pytest.mark.slow
def test_the_history_falls_where_its_scores_come_from(folder: Path, source: Path) -> None:
    made = dip_catalogue.load(folder)
    assert (made.meta["base"], made.meta["valid_from"]) == ("dip-3.0", date(2027, 1, 1))
    assert len(made.chain.rules) == 5125 and made.chain.overlay
    assert not [finding for finding in verify(folder) if finding.severity == "error"]
    grouped = grouper.load_scheme(str(folder)).group(pq.read_table(source))
    assert Counter(grouped["dip_code"].to_pylist()[:11]) == CASES
    assert pc.sum(grouped["score"].slice(0, 11)).as_py() == 8200  # 82,000 yuan at 10 yuan a point
    bare = grouper.load_scheme(str(folder)).group(
        pa.table({**empty(), "diagnoses": [["J32.002"]], "procedures": pa.array([[]], pa.list_(pa.string()))})
    )
    assert (bare["status"].to_pylist(), bare["score"].to_pylist()) == (["grouped"], [None])


def empty() -> dict[str, Any]:
    return {
        "age_years": [40],
        "age_days": pa.array([None], pa.int32()),
        "birth_weight_g": pa.array([None], pa.int32()),
    }


def test_pay_values_the_history_at_its_cost(folder: Path, source: Path, tmp_path: Path) -> None:
    """At 10 yuan a point with a coefficient of 1 the values of the cases are their costs again: 82,000."""
    grouped = grouper.load_scheme(str(folder)).group(pq.read_table(source).slice(0, 11))
    rows = grouped.num_rows
    zero = pa.array([Decimal("0.00")] * rows, pa.decimal128(12, 2))
    more = {
        "hospital_code": pa.array(["H1"] * rows),
        "hospital_level": pa.array(["3"] * rows),
        "insurance_type": pa.array(["310"] * rows),
        "hospital_coefficient": pa.array([Decimal("1.00")] * rows, pa.decimal128(6, 2)),
        "admission_type": pa.array(["21"] * rows),
        "department": pa.array(["内科"] * rows),
        "los_days": pa.array([5] * rows),
        "pool_paid": grouped["total_cost"],
        "fund_paid": grouped["total_cost"],
        **dict.fromkeys(("own_expense", "self_pay_first", "deductible"), zero),
    }
    for name, column in more.items():
        grouped = grouped.append_column(name, column)
    pq.write_table(grouped, tmp_path / "grouped.parquet")
    policy = tmp_path / "policy.toml"
    policy.write_text(
        'id = "city/2027"\narea = "city"\nextends = "national/dip"\nname = "某市"\nname_en = "City"\n'
        'scheme = "city-3.0"\nvalid_from = 2026-01-01\nvalid_to = 2027-12-31\nnotes = []\n[parameters]\n'
        'point_value = { value = "10", source = "test", verified = true }\n'
        'coefficient_rule = { value = "hospital", source = "test", verified = true }\n',
        encoding="utf-8",
    )
    output = tmp_path / "priced.parquet"
    price_files(load_policy(policy), Files([str(tmp_path / "grouped.parquet")]), str(output), threads=1)
    priced = pq.read_table(output)
    assert pc.sum(priced["case_value"]).as_py() * 10 == 82_000


def test_what_does_not_fit_on_a_catalogue_is_refused(folder: Path, source: Path) -> None:
    with pytest.raises(UsageError, match="has mixed groups of its own"):
        build([source], CatalogueOptions(on="dip-taian-2025"))
    with pytest.raises(UsageError, match="--core and --on exclude each other"):
        build([source], CatalogueOptions(on="dip-3.0", core=20))
    scores = (folder / "scores.csv").read_text(encoding="utf-8")
    (folder / "scores.csv").write_text(scores.replace("BX-216", "BX-9999"), encoding="utf-8")
    with pytest.raises(TableError, match=r"scores\.csv, line 2, column code: 'BX-9999'"):
        dip_catalogue.load(folder)
