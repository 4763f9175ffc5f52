"""Budget files: what they say, and the errors that name the key."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from grouper.base.errors import UsageError
from grouper.payment.policy.terms import Terms
from grouper.payment.pool.budget import Entry, distributable, parse_budget, read_budget

from .pool_support import POINTS, write_policy

FILE = """
area = "test"
period = "2025"
hospitals = "hospitals.csv"

[pools.employee]
growth_base = "1000000"
growth_rate = "0.055"
carve_outs = [{ name = "异地", amount = "50000", source = "文件一" }]

[pools.resident]
budget = 2000000
reserve = "0"
members = ["resident", "rural"]
"""
CSV = "hospital_code,pool,prepaid,deposit,advance,audit,score\nH1,employee,100.01,5,,,\nH1,*,,,,,92.5\n"


def raw(**changes: Any) -> dict[str, Any]:
    return {"period": "2025", "pools": {"employee": {"budget": "100"}}} | changes


def test_a_budget_file_and_its_table(tmp_path: Path) -> None:
    (tmp_path / "budget.toml").write_text(FILE, encoding="utf-8")
    (tmp_path / "hospitals.csv").write_text(CSV, encoding="utf-8")
    budget = read_budget(tmp_path / "budget.toml")
    assert (budget.first, budget.last, budget.yearly) == (date(2025, 1, 1), date(2025, 12, 31), True)
    assert budget.pools["employee"].budget == 105_500_000
    assert budget.pool_of("rural") == "resident"
    assert budget.entry("H1", "employee") == Entry(10_001, 500, 0, 0, Fraction("92.5"))
    assert budget.entry("H2", "employee") is None
    terms = Terms(write_policy(tmp_path, POINTS).on(budget.last))
    money = distributable(budget.pools["employee"], terms, budget.where)
    assert (money.reserve, money.carve_outs, money.amount) == (5_275_000, 5_000_000, 95_225_000)
    assert distributable(budget.pools["resident"], terms, budget.where).reserve == 0


def test_a_missing_reserve_rate_is_assumed_and_told(tmp_path: Path) -> None:
    terms = Terms(
        write_policy(tmp_path, {k: v for k, v in POINTS.items() if k != "reserve_rate"}).on(date(2025, 1, 1))
    )
    budget = parse_budget(raw())
    assert distributable(budget.pools["employee"], terms, "b").reserve == 0
    assert terms.assumed == {"reserve_rate": "0"}


@pytest.mark.parametrize("weights", [None, ["1"] * 11 + ["2"]])
def test_the_months_of_a_year_add_up(weights: list[str] | None) -> None:
    pool = {"annual_budget": "1000000.07"} | ({"month_weights": weights} if weights else {})
    months = [
        parse_budget({"period": f"2025-{month:02d}", "pools": {"p": pool}}).pools["p"].budget
        for month in range(1, 13)
    ]
    assert sum(months) == 100_000_007
    assert (months[11] > months[0]) == bool(weights)


def test_the_last_day_of_february() -> None:
    assert parse_budget(raw(period="2028-02")).last == date(2028, 2, 29)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"period": 2025}, "period"),
        ({"period": "2025-13"}, "period"),
        ({"year": "2025"}, "year"),
        ({"pools": {}}, "pools"),
        ({"pools": {"e": {}}}, "pools.e.budget"),
        ({"pools": {"e": {"budget": 1.5}}}, "pools.e.budget"),
        ({"pools": {"e": {"budget": "-1"}}}, "pools.e.budget"),
        ({"pools": {"e": {"budget": "1.001"}}}, "pools.e.budget"),
        ({"pools": {"e": {"budget": "x"}}}, "pools.e.budget"),
        ({"pools": {"e": {"budget": "1", "reserves": "1"}}}, "pools.e.reserves"),
        ({"pools": {"e": {"growth_base": "1"}}}, "pools.e.growth_rate"),
        ({"pools": {"e": {"budget": "2", "growth_base": "1", "growth_rate": "0"}}}, "pools.e"),
        ({"pools": {"e": {"annual_budget": "12"}}}, "pools.e.annual_budget"),
        (
            {"pools": {"e": {"budget": "1", "carve_outs": [{"name": "x", "amount": "1"}]}}},
            "carve_outs[1].source",
        ),
        ({"pools": {"e": {"budget": "1", "members": []}}}, "pools.e.members"),
        ({"pools": {"e": {"budget": "1"}, "f": {"budget": "1", "members": ["e"]}}}, "members"),
        ({"hospitals": [{"pool": "employee"}]}, "hospitals[1].hospital_code"),
        ({"hospitals": [{"hospital_code": "H", "pool": "x"}]}, "hospitals[1].pool"),
        ({"hospitals": [{"hospital_code": "H", "pool": "employee", "paid": "1"}]}, "hospitals[1].paid"),
        ({"hospitals": [{"hospital_code": "H", "pool": "*", "prepaid": "1"}]}, "hospitals[1].pool"),
        ({"hospitals": [{"hospital_code": "H", "pool": "employee"}] * 2}, "hospitals[2]"),
        ({"hospitals": "nowhere.csv"}, "nowhere.csv"),
    ],
)
def test_errors_name_the_key(change: dict[str, Any], key: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_budget(raw(**change), "budget.toml")
    assert key in error.value.en and key in error.value.zh


def test_carve_outs_beyond_the_budget_are_refused(tmp_path: Path) -> None:
    carve_outs = [{"name": "x", "amount": "101", "source": "s"}]
    budget = parse_budget(raw(pools={"employee": {"budget": "100", "carve_outs": carve_outs}}))
    terms = Terms(write_policy(tmp_path, POINTS).on(budget.last))
    with pytest.raises(UsageError, match="exceed"):
        distributable(budget.pools["employee"], terms, "budget.toml")


@pytest.mark.parametrize("word", ["employee", "职工", "职工医保", "职工基金池"])
def test_a_pool_by_its_chinese_name(word: str) -> None:
    budget = parse_budget(raw(hospitals=[{"hospital_code": "H1", "pool": word, "advance_base": "5"}]))
    assert budget.entry("H1", "employee") == Entry(advance_base=500)


def test_an_unknown_pool_lists_those_of_the_budget() -> None:
    with pytest.raises(UsageError) as caught:
        parse_budget(raw(hospitals=[{"hospital_code": "H1", "pool": "居民", "score": "5"}]))
    assert "'居民' 不是预算中的池；可用：employee 职工" in caught.value.zh
