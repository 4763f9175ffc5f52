"""City and counties share what a year leaves or lacks: whose it is, to the fen, and nothing is lost."""

from __future__ import annotations

import csv
import shutil
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from grouper.base.errors import UsageError
from grouper.base.money import fen_of
from grouper.commands.text.ledger import year_summary
from grouper.lake import Lake
from grouper.payment.policy.policy import Policy, load_policy, policy_files
from grouper.payment.policy.terms import Terms
from grouper.payment.pool.budget import Budget, parse_budget
from grouper.settlement.counties import CITY, share_counties
from grouper.settlement.plan.year_job import YearJob
from grouper.settlement.replay import replay
from grouper.settlement.year import clear_year

from . import settle_support as support

pytestmark = pytest.mark.slow  # seconds each; the tests of every run have a sister of theirs

CASES = Path(__file__).with_name("county_sharing.csv")


@dataclass(frozen=True)
class _Pool:
    """What sharing reads of a settled pool."""

    fund_balance: int


def _policy(surplus: str = "0.5", overspend: str = "0.5") -> Policy:
    changes = {"county_surplus_share": surplus, "county_overspend_share": overspend}
    return load_policy(policy_files()["lishui/2022"]).changed(changes)


def _budget(weights: dict[str, str]) -> Budget:
    return parse_budget({"period": "2025", "pools": {"all": {"budget": 0, "counties": weights}}})


def _share(policy: Policy, balance: int, weights: dict[str, str]) -> dict[str, int]:
    terms, pools = Terms(policy.on(date(2025, 12, 31))), {"all": _Pool(balance)}
    return {part.county: part.fen for part in share_counties(terms, pools, _budget(weights))}  # type: ignore[arg-type]


def _pairs(text: str) -> dict[str, str]:
    return dict(part.split("=") for part in text.split())


def _rows() -> list[dict[str, str]]:
    with CASES.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("row", _rows(), ids=lambda row: row["balance"])
def test_who_has_how_much(row: dict[str, str]) -> None:
    found = _share(
        _policy(row["surplus_share"], row["overspend_share"]),
        fen_of(Decimal(row["balance"])),
        _pairs(row["weights"]),
    )
    assert found.pop(CITY) == fen_of(Decimal(row["city"])), row["why"]
    assert found == {county: fen_of(Decimal(yuan)) for county, yuan in _pairs(row["counties"]).items()}, row[
        "why"
    ]


@given(
    st.integers(-(10**12), 10**12),
    st.integers(0, 100),
    st.lists(st.integers(0, 9), min_size=1, max_size=6).filter(any),
)
def test_money_in_is_money_out(balance: int, rate: int, weights: list[int]) -> None:
    share = f"{rate / 100:.2f}"
    found = _share(_policy(share, share), balance, {f"C{n}": str(w) for n, w in enumerate(weights)})
    assert sum(found.values()) == balance
    assert all(fen * balance >= 0 for fen in found.values())


def test_a_policy_without_shares_is_refused_and_no_counties_are_no_sharing() -> None:
    plain = load_policy(policy_files()["tianmen/2025"])
    with pytest.raises(UsageError, match=r"pools.all.counties: the policy has no county_overspend_share"):
        _share(plain, -100, {"A": "1"})
    assert _share(plain, -100, {}) == {}


@pytest.mark.parametrize("given_", [["A"], {"A": 0.5}, {"A": "-1"}, {"A": "0"}])
def test_weights_are_numbers(given_: Any) -> None:
    with pytest.raises(UsageError, match="counties"):
        _budget(given_)


def test_a_clearing_says_and_keeps_it(tmp_path: Path) -> None:
    place = tmp_path / "city"
    shutil.copytree(support.city(900, 0.03, (4, 5, 6)), place)
    text = (place / "budget.toml").read_text(encoding="utf-8")
    (place / "budget.toml").write_text(text + 'counties = { 339901 = "2", 339902 = "1" }\n', encoding="utf-8")
    lake = Lake(tmp_path / "lake")
    support.settle(lake, place, "2025-04", area="lishui")
    job = YearJob("2025", str(place / "budget.toml"), "lishui", partial=True, held_remain=True)
    scores = [{"kind": "quality", "hospital_code": row["code"], "pool": "*", "score": "95"} for row in
              support.rows(lake, "SELECT DISTINCT hospital_code AS code FROM hospitals_current")]  # fmt: skip
    path = str(support.corrections(tmp_path / "scores.csv", scores))
    done = clear_year(lake, YearJob(**{**job.__dict__, "corrections": (path,)}), reports=False)
    balance = {pool["pool"]: pool["fund_balance"] for pool in done.pools}["resident"]
    told = support.rows(lake, "SELECT name, fen FROM amounts WHERE name LIKE 'county:%' ORDER BY name")
    assert [row["name"] for row in told] == ["county:339901", "county:339902", "county:city"]
    assert sum(row["fen"] for row in told) == fen_of(balance) != 0
    cited = support.rows(lake, "SELECT name FROM parameters WHERE name LIKE 'county_%share'")
    assert len(cited) == 1
    assert "市县分担的年度" in "\n".join(year_summary(done, "zh"))
    assert replay(lake, done.run).same
