"""A budget revised in mid-year: months before stay, the rest share what is left, all twelve are the year."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given

from grouper.base.errors import UsageError
from grouper.base.money import yuan_of
from grouper.payment.policy.assumed import in_words
from grouper.payment.pool.budget import Budget, PoolBudget
from grouper.payment.pool.revision import Revised, Revision, read_revised

CASES = Path(__file__).with_name("revisions.csv")
BUDGET = """area = "a"
period = "2025"
[pools.employee]
budget = "1200000"
[pools.resident]
budget = "600000"
"""
FIRST = """area = "a"
period = "2025"
document = "医保〔2025〕31号"
from = "2025-07"
[pools.employee]
budget = "1500000"
"""
SECOND = """period = "2025"
document = "医保〔2025〕55号"
from = "2025-10"
[pools.employee]
budget = "1200000"
[pools.resident]
budget = "660000"
"""


@pytest.fixture
def files(tmp_path: Path) -> Mapping[str, str]:
    for name, text in (("budget", BUDGET), ("first", FIRST), ("second", SECOND)):
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    return {name: str(tmp_path / f"{name}.toml") for name in ("budget", "first", "second")}


def _rows() -> list[dict[str, str]]:
    with CASES.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("row", _rows(), ids=lambda row: f"{row['case']}-{row['month']}")
def test_the_months_of_a_revised_year(row: dict[str, str], files: Mapping[str, str]) -> None:
    named = [files["first"]] if row["case"] == "first" else [files["first"], files["second"]]
    pools = read_revised(files["budget"], named).of_month(int(row["month"])).pools
    assert {name: str(yuan_of(pool.budget)) for name, pool in pools.items()} == {
        "employee": row["employee"], "resident": row["resident"],
    }  # fmt: skip


def test_what_changed_is_told_from_its_month_on(files: Mapping[str, str]) -> None:
    revised = read_revised(files["budget"], [files["first"], files["second"]])
    assert revised.told(6) == {}
    ((name, value),) = revised.told(9).items()
    assert in_words(name, value, "zh") == (
        "全年预算调整（职工）",
        "原 1200000.00 元，现 1500000.00 元，差额 +300000.00 元；医保〔2025〕31号，自 2025-07 起",
    )
    assert set(revised.told()) == {
        "budget revision 1 employee", "budget revision 2 employee", "budget revision 2 resident",
    }  # fmt: skip
    assert revised.budget.pools["resident"].budget == 66_000_000


@given(
    st.lists(st.integers(0, 10**9), min_size=1, max_size=4),
    st.lists(st.integers(0, 5), min_size=12, max_size=12).filter(lambda w: w[0] > 0 and w[11] > 0),
    st.lists(st.integers(2, 12), min_size=3, max_size=3, unique=True),
)
def test_twelve_months_are_the_year_as_revised(
    years: list[int], weights: list[int], firsts: list[int]
) -> None:
    def year(fen: int) -> Budget:
        pool = PoolBudget("all", fen, None, (), ("all",), None, None, "")
        return Budget("", "2025", {"all": pool}, {}, "x")

    made = tuple(Revision("1", m, "x", year(fen)) for m, fen in zip(sorted(firsts), years[1:], strict=False))
    shares = {n: Fraction(w) for n, w in enumerate(weights, 1)}
    revised = Revised(year(years[0]), made, {"all": shares})
    try:
        parts = [revised.of_month(month).pools["all"].budget for month in range(1, 13)]
    except UsageError as error:
        assert "more than the year as revised" in error.en
        return
    assert sum(parts) == revised.budget.pools["all"].budget and min(parts) >= 0
    before = [
        Revised(year(years[0]), (), {"all": shares}).of_month(m).pools["all"].budget for m in range(1, 13)
    ]
    first = made[0].first if made else 13
    assert parts[: first - 1] == before[: first - 1]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('document = "医保〔2025〕31号"\n', "", "document: the number of the document .* is missing"),
        ('document = "医保〔2025〕31号"', 'document = "  "', "document: the number of the document"),
        ('from = "2025-07"', 'from = "2025-01"', "from: should be 2025-02 to 2025-12"),
        ('from = "2025-07"', 'from = "2026-07"', "from: should be 2025-02"),
        ('period = "2025"', 'period = "2024"', "area and period should be those of the budget"),
        ('area = "a"', 'area = "b"', "area and period should be those of the budget"),
        ("[pools.employee]", "[pools.other]", "pools.other: the budget file has no such pool"),
        ('budget = "1500000"', 'members = ["x"]', "members: only budget, reserve, carve_outs can be revised"),
        ('[pools.employee]\nbudget = "1500000"\n', "", "there must be a pool"),
        ('budget = "1500000"', 'budget = "500000"', "months before 7 have 600000.00 yuan already"),
    ],
)
def test_what_is_no_revision_is_refused(files: Mapping[str, str], old: str, new: str, told: str) -> None:
    assert old in FIRST
    Path(files["first"]).write_text(FIRST.replace(old, new), encoding="utf-8")
    with pytest.raises(UsageError, match=told):
        read_revised(files["budget"], [files["first"]]).of_month(8)


def test_revisions_come_in_the_order_of_their_months(files: Mapping[str, str]) -> None:
    with pytest.raises(UsageError, match="from: should be later than that of the revision before"):
        read_revised(files["budget"], [files["second"], files["first"]])
    Path(files["budget"]).write_text(BUDGET.replace('"2025"', '"2025-07"'), encoding="utf-8")
    with pytest.raises(UsageError, match="--revision changes the budget of a year"):
        read_revised(files["budget"], [files["first"]])
