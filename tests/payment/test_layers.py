"""Capitation and alliances as commands: the worked examples, by a policy file of their own."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

from .pay_support import POLICY, case, grouper, write_cases, write_policy

LAYERS = """
[parameters.capitation]
by = ["group"]
value = { chronic = "1100" }
source = "试验办法"
verified = false

[parameters.capitation_keep]
value = "0.85"
source = "试验办法"
verified = true

[parameters.alliance_per_head]
value = "1000"
source = "试验办法"
verified = true

[parameters.alliance_keep]
value = "0.85"
source = "试验办法"
verified = true
"""


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_package_keeps_its_share_of_the_surplus(tmp_path: Path) -> None:
    """12,000 heads at 1,100 and a factor of 0.97 make 12,804,000; 12,500,000 were spent; 85 % of 304,000."""
    policy = write_policy(tmp_path, POLICY + LAYERS)
    table, out = tmp_path / "packages.csv", tmp_path / "out.csv"
    table.write_text("institution,package,heads,actual,factor\nA,chronic,12000,12500000,0.97\n", "utf-8")
    code, _, err = grouper(
        "capitation", table, "--policy", policy, "--as-of", "2025-06-30", "-o", out, lang="en"
    )
    assert code == 0 and "not verified: capitation" in err, err
    (row,) = _rows(out)
    found = {name: Decimal(row[name]) for name in ("package", "surplus", "kept", "due")}
    assert found == {"package": 12804000, "surplus": 304000, "kept": 258400, "due": 12758400}


def test_an_alliance_pays_for_care_elsewhere(tmp_path: Path) -> None:
    """300 million for 300,000 insured; 205 inside, 83 outside; 12 left; 85 % at a score of 92: 9.384."""
    policy = write_policy(tmp_path, POLICY + LAYERS)
    table, out = tmp_path / "alliances.csv", tmp_path / "out.csv"
    table.write_text(
        "alliance,county,insured,outpatient,outside,score\nEast,3301,300000,205000000,83000000,92\n", "utf-8"
    )
    code, _, err = grouper(
        "alliance", table, "--policy", policy, "--as-of", "2025-06-30", "-o", out, lang="en"
    )
    assert code == 0, err
    (row,) = _rows(out)
    assert Decimal(row["balance"]) == 12_000_000 and Decimal(row["kept"]) == 9_384_000


def test_priced_cases_are_charged_to_the_alliance_of_the_insured(tmp_path: Path) -> None:
    """Of three cases, one is treated at home, one elsewhere, and one belongs to nobody's alliance."""
    policy = write_policy(tmp_path, POLICY + LAYERS)
    source = write_cases(tmp_path, [case("home", "15000.00"), case("away", "15000.00", hospital_code="B"),
                                    case("other", "15000.00")])  # fmt: skip
    priced = tmp_path / "priced.parquet"
    assert grouper("pay", source, "--policy", policy, "-o", priced)[0] == 0
    (tmp_path / "hospitals.csv").write_text("hospital_code,alliance\nA,East\nB,\n", "utf-8")
    (tmp_path / "persons.csv").write_text(
        "record_id,region_code\nhome,330101\naway,330102\nother,440101\n", "utf-8"
    )
    (tmp_path / "a.csv").write_text("alliance,county,insured,score\nEast,3301,100,100\n", "utf-8")
    call = ["alliance", tmp_path / "a.csv", "--policy", policy, "--as-of", "2025-06-30", "--cases", priced]
    code, _, err = grouper(*call, "-o", tmp_path / "out.csv", lang="en")
    assert code == 1 and "--hospitals" in err
    persons = ["--hospitals", tmp_path / "hospitals.csv", "--persons", tmp_path / "persons.csv"]
    code, _, err = grouper(*call, *persons, "-o", tmp_path / "out.csv", lang="en")
    assert code == 0 and "fund of no alliance: 8,565.00" in err, err
    (row,) = _rows(tmp_path / "out.csv")
    assert Decimal(row["inside"]) == Decimal(row["outside"]) == Decimal("8565.00")
