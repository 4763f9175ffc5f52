"""The file of a what-if is the reform beside the policy as it is, and says which reform."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from grouper.base.errors import ReconciliationError
from grouper.base.provenance import PROVENANCE_KEY
from grouper.payment import load_policy, pay
from grouper.payment.price.whatif import CHANGED, PREFIX, write_beside

from .pay_support import CASES, write_cases, write_policy

CHANGES = {"base_rate": "11000", "level_coefficient.3": "1.1"}


def test_amounts_of_the_reform_stand_beside_those_of_the_policy(tmp_path: Path) -> None:
    cases, policy = str(write_cases(tmp_path)), load_policy(write_policy(tmp_path))
    alone = {name: str(tmp_path / f"{name}.parquet") for name in ("as-it-is", "reform", "both")}
    pay(cases, policy, alone["as-it-is"])
    pay(cases, policy.changed(CHANGES), alone["reform"])
    done = pay(cases, policy, alone["both"], what_if=CHANGES)
    before, after, both = (pq.read_table(path) for path in alone.values())
    assert both.select(before.column_names).equals(before)
    added = both.column_names[before.num_columns :]
    assert added == [f"{PREFIX}{name}" for name in CHANGED if name in before.column_names]
    for name in added:
        assert both[name].equals(after[name.removeprefix(PREFIX)])
    assert both["what_if_amount"].to_pylist() != both["amount"].to_pylist()
    assert done.what_if is not None
    assert sum(filter(None, both["what_if_amount"].to_pylist())) == done.what_if.total["amount_after"]
    told = json.loads(both.schema.metadata[PROVENANCE_KEY.encode()])
    assert told["what_if"] == {
        "changes": CHANGES,
        "policy": "test/rate + base_rate, level_coefficient.3",
        "sha256": policy.changed(CHANGES).digest,
        "columns": added,
    }
    assert told["policy"]["sha256"] == policy.digest
    assert "what_if" not in json.loads(before.schema.metadata[PROVENANCE_KEY.encode()])
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".what-if")]


@pytest.mark.parametrize("others", [CASES[:-1], CASES[::-1]])
def test_other_rows_are_never_put_beside(tmp_path: Path, others: list[dict]) -> None:
    policy = str(write_policy(tmp_path))
    for name, cases in (("a", CASES), ("b", others)):
        pay(
            str(write_cases(tmp_path, cases, f"in-{name}.parquet")), policy, str(tmp_path / f"{name}.parquet")
        )
    before, after, output = (str(tmp_path / f"{name}.parquet") for name in "abc")
    with pytest.raises(ReconciliationError, match="differ"):
        write_beside(before, after, output, {}, shared=True)
    assert not (tmp_path / "c.parquet").exists()
