"""Weights fitted to a history are a weight table as they stand: payment prices by them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from grouper.fitting.weights import WeightOptions, fit, write
from grouper.payment.policy.policy import load_policy
from grouper.payment.price.lookups import load_lookups

from .pay_support import case, write_cases, write_policy


@pytest.mark.parametrize("dear", ["20000.00", "30000.00"])
def test_payment_takes_the_table_that_weights_fit_writes(tmp_path: Path, dear: str) -> None:
    """Ten stays at 10,000 in one group and ten dear ones in another: weights are cost over mean cost."""
    history = [case(f"a{n}", "10000.00") for n in range(10)]
    history += [case(f"b{n}", dear, drg="ES33") for n in range(10)]
    source = write_cases(tmp_path, history)
    policy_file = write_policy(tmp_path)
    fitted = fit([source], "chs-drg-2.0", WeightOptions(year_weights=(1,)))
    write(fitted, tmp_path / "weights.csv")
    policy = load_policy(policy_file)
    rows = load_lookups(policy).rows["weights"]
    mean = (Fraction(10000) + Fraction(dear)) / 2
    for group, cost in (("GE19", Fraction(10000)), ("ES33", Fraction(dear))):
        assert abs(rows[(group,)]["weight"] - cost / mean) <= Fraction(1, 20000)
        assert rows[(group,)]["mean_cost"] == cost
    assert rows[("AA19",)]["weight"] is None  # a group without cases has none
