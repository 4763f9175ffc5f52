"""A policy prices, is verified and explains by a family of schemes that payment has never heard of."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import grouper
from grouper.base.errors import UsageError
from grouper.commands import cli
from grouper.grouping.family import FAMILIES
from grouper.grouping.files import group_files
from grouper.payment import pay
from grouper.payment.check.verify import scheme_groups, verify

from .. import letter_family
from .pay_support import POLICY

WEIGHTS = (
    "drg,name,weight,mean_cost,basic,unstable\nHEART,循环,1.20,,,\nLUNGS,呼吸,0.70,,,\nBELLY,消化,1,,,\n"
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A scheme of letters, a policy by rates and weights for it, and three records."""
    monkeypatch.setitem(FAMILIES, letter_family.KIND, letter_family.__name__)
    scheme = letter_family.write(tmp_path / "letters")
    (tmp_path / "weights.csv").write_text(WEIGHTS, encoding="utf-8")
    text = POLICY.replace('scheme = "chs-drg-2.0"', f"scheme = {json.dumps(str(scheme))}")
    (tmp_path / "policy.toml").write_text(text, encoding="utf-8")
    records(["I63.900", "J18.900", "Z51.102"]).write_parquet(tmp_path / "in.parquet")
    return tmp_path


def records(principal: list[str]) -> pl.DataFrame:
    """Stays of 15,000 yuan at hospital A, level 3; of each the pool pays 10,965."""
    count, yuan = len(principal), pl.Decimal(18, 2)
    same: dict[str, Any] = {
        "hospital_code": "A",
        "hospital_level": "3",
        "insurance_type": "310",
        "discharge_date": dt.datetime(2025, 6, 10),
        "los_days": 6,
    }
    return pl.DataFrame(
        {
            "record_id": principal,
            "diagnoses": [[code] for code in principal],
            "procedures": pl.Series([[]] * count, dtype=pl.List(pl.String)),
            "total_cost": pl.Series([Decimal("15000.00")] * count, dtype=yuan),
            "pool_paid": pl.Series([Decimal("10965.00")] * count, dtype=yuan),
            "fund_paid": pl.Series([Decimal("10965.00")] * count, dtype=yuan),
            **{name: [value] * count for name, value in same.items()},
        }
    )


def test_grouped_files_are_priced_by_the_groups_of_the_family(place: Path) -> None:
    """10,000 yuan x 1.05 at level 3 x weight: 12,600 for 1.20 and 7,350 for 0.70; without a group, held."""
    loaded = grouper.load_scheme(str(place / "letters"))
    group_files(loaded, [place / "in.parquet"], place / "grouped.parquet")
    pay(str(place / "grouped.parquet"), str(place / "policy.toml"), str(place / "paid.parquet"))
    paid = pq.read_table(place / "paid.parquet").to_pylist()
    assert {row["record_id"]: row["amount"] for row in paid} == {
        "I63.900": Decimal("12600.00"),
        "J18.900": Decimal("7350.00"),
        "Z51.102": None,
    }


def test_verify_knows_the_groups_of_the_family(place: Path) -> None:
    findings = [item for item in verify([str(place / "policy.toml")]) if item.severity == "error"]
    assert findings == []
    assert scheme_groups(str(place / "letters"), scored=False) == {"HEART", "LUNGS", "BELLY"}


@pytest.mark.parametrize(("name", "scored"), [("chs-drg-2.0", True), ("dip-taian-2025", False)])
def test_a_method_by_scores_needs_a_family_that_gives_them(name: str, scored: bool) -> None:
    with pytest.raises(UsageError, match="which the method is not"):
        scheme_groups(name, scored)


def test_an_explanation_goes_on_to_the_payment(place: Path) -> None:
    values = ["hospital_code=A", "hospital_level=3", "insurance_type=310", "total_cost=15000"]
    values += ["pool_paid=10965", "fund_paid=10965", "discharge_date=2025-06-10", "los_days=6"]
    settings = [word for value in values for word in ("--set", value)]
    arguments = ["explain", "--dx", "I63.900", "--policy", str(place / "policy.toml"), *settings]
    done = CliRunner().invoke(cli, [*arguments, "--lang", "en"])
    assert done.exit_code == 0, done.output + repr(done.exception)
    assert "I → HEART" in done.stdout
    assert "12600.00 yuan" in done.stdout
