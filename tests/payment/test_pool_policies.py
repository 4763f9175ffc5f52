"""Every shipped policy that says how its pool works can be settled and cleared for a year."""

from __future__ import annotations

import csv
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from grouper.payment.policy.policy import Policy, load_policy, policy_files
from grouper.payment.policy.sharing import jumps
from grouper.payment.policy.terms import Terms
from grouper.payment.pool.budget import Budget, parse_budget
from grouper.payment.pool.clearing import clear_month, clear_year, dues, months_paid
from grouper.payment.pool.pool import Volume, settle_pools
from grouper.payment.pool.settle import settle_cases
from grouper.payment.pool.statement import hospital_statement

from .pool_support import make_cases, price

POLICIES = {name: load_policy(path) for name, path in policy_files().items()}
WITH_POOLS = sorted(name for name, policy in POLICIES.items() if "pool_method" in policy.parameters)
HOSPITALS = ("H1", "H2", "H3")


def budget_of(policy: Policy, period: str) -> Budget:
    entry = {"prepaid": "1000000", "deposit": "50000", "score": "85"}
    return parse_budget(
        {
            "period": period,
            "pools": {pool: {"budget": "9000000"} for pool in policy.pools},
            "hospitals": [{"hospital_code": h, "pool": p, **entry} for h in HOSPITALS for p in policy.pools],
        }
    )


def volumes_of(policy: Policy) -> dict[str, dict[str, Volume]]:
    """Points near 90 yuan each; 5 % more by item than the budget allows."""
    made = {
        h: Volume(Fraction(20_000 + 1111 * n, 1), 90_000_000, 1_000_000, 330_000_000, 0, 320_000_000 + n)
        for n, h in enumerate(HOSPITALS)
    }
    return dict.fromkeys(policy.pools, made)


def test_the_five_areas_say_how_their_pools_work() -> None:
    areas = {name.split("/")[0] for name in WITH_POOLS}
    assert {"lishui", "liaocheng", "qingyang", "tianmen", "yulin", "national"} <= areas


@pytest.mark.parametrize("name", WITH_POOLS)
def test_a_year_of_a_policy(name: str) -> None:
    policy = POLICIES[name]
    terms = Terms(policy.on(policy.valid_from))
    budget = budget_of(policy, str(policy.valid_from.year))
    pools = settle_pools(terms, budget, volumes_of(policy))
    for pool in pools.values():
        inside = pool.fixed if pool.outside == "inside" else 0
        assert pool.by_points + inside + pool.residual == pool.total
        if policy.parameters.get("sharing"):
            assert pool.shared is not None
            jumps(terms.choice("sharing"))  # refuses segments that do not rise from 0
    for row in clear_year(terms, budget, dues(pools)):
        assert row.prepaid + row.deposit + row.balance == row.due
        assert 0 <= row.returned <= row.deposit


@pytest.mark.parametrize("name", WITH_POOLS)
def test_a_month_of_a_policy(name: str) -> None:
    policy = POLICIES[name]
    terms = Terms(policy.on(policy.valid_from))
    budget = budget_of(policy, f"{policy.valid_from.year}-{policy.valid_from.month:02d}")
    pools = settle_pools(terms, budget, volumes_of(policy))
    rows = clear_month(terms, budget, dues(pools))
    assert len(rows) == len(HOSPITALS) * len(policy.pools)
    assert all(row.deposit + row.prepaid + row.deferred == row.due for row in rows)
    assert months_paid(terms, 12)[-1] == 12


@pytest.mark.parametrize("area", ["lishui", "liaocheng", "qingyang", "tianmen", "yulin", "national"])
def test_cases_of_an_area_from_price_to_statement(tmp_path: Path, area: str) -> None:
    """Pricing, settlement and statement of the shipped policies on a small year."""
    for name in (name for name in WITH_POOLS if name.startswith(f"{area}/")):
        policy = POLICIES[name]
        rows = [row | more_of(policy, n) for n, row in enumerate(make_cases(200))]
        priced = price(policy, tmp_path, rows)
        budget = parse_budget(
            {"period": str(policy.valid_from.year), "pools": {p: {"budget": "2000000"} for p in policy.pools}}
        )
        output = str(tmp_path / "settled.parquet")
        run = settle_cases(policy, [priced], budget, output)
        table = hospital_statement([output], run.pools, budget)
        total = sum(due for due in dues(run.pools).values())
        assert run.counts["paid"] > 100 and total > 0
        assert sum(table["fund_due"].to_pylist()) * 100 == total


def more_of(policy: Policy, n: int) -> dict[str, Any]:
    """What a policy reads of a case beyond ``make_cases``: a group of its tables, a date within it."""
    found: dict[str, Any] = {
        "drg": GROUPS[policy.id][n % len(GROUPS[policy.id])],
        "dip_code": "K80.2:51.2300",
        "dip_kind": "core",
        "primary_care": False,
        "score": Decimal("812.5"),
        "admission_type": "21",
        "payment_method": "4",
        "department": "普通外科",
        "discharge_way": 1,
        "age_years": 60,
        "person_id": f"P{n // 2}",
        "diagnoses": ["K80.200"],
        "procedures": ["51.2300"],
        "hospital_coefficient": Decimal("1.02"),
        "discharge_date": date(policy.valid_from.year, 12, 1 + n % 28),
        "admission_date": date(policy.valid_from.year, 11, 1 + n % 28),
    }
    return found


def groups_of(policy: Policy) -> list[str]:
    if policy.weights is None:
        return ["K80.2:51.2300"]
    with policy.weights.path.open(encoding="utf-8-sig", newline="") as file:
        return [row["drg"] for row in csv.DictReader(file) if row["weight"]][10:60]


GROUPS = {policy.id: groups_of(policy) for policy in POLICIES.values()}


def test_tianmen_does_not_pay_an_overspend() -> None:
    """总额预算、按季预拨、结余留用、超支不补: whatever is spent, the pool pays its money."""
    name = next(name for name in WITH_POOLS if name.startswith("tianmen/"))
    policy = POLICIES[name]
    terms = Terms(policy.on(policy.valid_from))
    budget = budget_of(policy, str(policy.valid_from.year))
    for pool in settle_pools(terms, budget, volumes_of(policy)).values():
        assert pool.total == pool.money.amount and pool.fund_balance == 0
    assert months_paid(terms, 2) == ()


def test_lishui_shares_by_its_slope() -> None:
    name = next(name for name in WITH_POOLS if name.startswith("lishui/"))
    policy = POLICIES[name]
    terms = Terms(policy.on(policy.valid_from))
    budget = budget_of(policy, str(policy.valid_from.year))
    segments = terms.choice("sharing")
    over = next(s for s in segments if s.start == Decimal(1))
    for pool in settle_pools(terms, budget, volumes_of(policy)).values():
        actual, money = 3 * 330_000_000, pool.money.amount
        assert actual > money
        assert abs(pool.total - (money + Fraction(over.slope) * (actual - money))) <= Fraction(1, 2)


def test_tianmen_keeps_no_reserve() -> None:
    """超支不补: what is kept back for an overspend could never be paid; hospitals share the whole."""
    policy = next(policy for name, policy in POLICIES.items() if name.startswith("tianmen/"))
    terms = Terms(policy.on(policy.valid_from))
    budget = budget_of(policy, str(policy.valid_from.year))
    for pool in settle_pools(terms, budget, volumes_of(policy)).values():
        assert pool.money.reserve == 0 and pool.money.amount == pool.money.budget - pool.money.carve_outs


@pytest.mark.parametrize("area", ["liaocheng", "qingyang"])
def test_a_surplus_of_standards_stays_with_the_fund(area: str) -> None:
    """However large the budget is, no standard is paid more than once."""
    for name in (name for name in WITH_POOLS if name.startswith(f"{area}/")):
        policy = POLICIES[name]
        terms = Terms(policy.on(policy.valid_from))
        money = {pool: {"budget": "88000000000"} for pool in policy.pools}
        budget = parse_budget({"period": str(policy.valid_from.year), "pools": money})
        for pool in settle_pools(terms, budget, volumes_of(policy)).values():
            assert (pool.value, pool.bound, pool.residual) == (1, "surplus", 0)
            assert pool.fund_balance == pool.money.amount - pool.total > 0
        assert "surplus_rule" not in terms.assumed
