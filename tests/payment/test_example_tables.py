"""The example weights and scores of edition 3.0 are what their script makes, and say what they are."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from grouper.base.exact import half_up
from grouper.grouping.dip.tables.catalogue import load
from grouper.payment.policy.policy import load_policy, policy_files

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ("national/drg-rate-3.0", "national/drg-points-3.0", "national/dip-3.0")


@pytest.mark.slow
def test_the_script_makes_the_same_bytes(tmp_path: Path) -> None:
    script = ROOT / "benchmarks" / "example_tables.py"
    done = subprocess.run([sys.executable, "-P", script, "--to", tmp_path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    made = {p.relative_to(tmp_path): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert len(made) == 4
    for name, content in made.items():
        assert (ROOT / "tables" / name).read_bytes() == content, name
    means = dict(line.split(": mean cost ") for line in done.stdout.splitlines())
    rate = load_policy(policy_files()["national/drg-rate-3.0"]).parameters["base_rate"].values[0].value
    assert rate == half_up(Fraction(means["chs-drg-3.0"].split()[0]), 2)
    assert half_up(Fraction(means["dip-3.0"].split()[0]), 2) == Decimal("10041.01")


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_says_that_it_is_one(name: str) -> None:
    found = load_policy(policy_files()[name])
    assert "示例" in found.name and "example" in found.name_en and not found.validity_verified
    assert not any(d.verified for p in found.parameters.values() for d in p.values)
    if found.weights:
        assert not found.weights.verified and "虚构" in found.weights.source


@pytest.mark.slow
def test_the_example_scores_are_of_the_national_packets_and_local_mixed_groups() -> None:
    made, national = (load(ROOT / "tables" / "dip" / name) for name in ("dip-3.0-example", "dip-3.0"))
    codes = {row.code for row in national.entries}
    assert codes < {row.code for row in made.entries}
    assert {row.kind for row in made.entries if row.code not in codes} == {"mixed"}
    assert made.meta["verified"] is False
