"""Every key of a budget file is gone by, named as not used, or refused: nothing is passed over in silence."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.csv as csv
import pytest

from grouper.base.errors import UsageError
from grouper.payment.policy.words import pool_named
from grouper.payment.pool.budget import parse_budget
from grouper.payment.pool.unused import check_pools, not_used, refuse_without_lake

from .pay_support import grouper
from .pool_support import POINTS, RATE, make_cases, write_cases, write_policy


def budget(period: str = "2025-06", hospitals: Any = (), top: Any = None, **pools: Any) -> Any:
    tables = {name: {"budget": "100"} | more for name, more in pools.items()}
    return parse_budget({"period": period, "pools": tables, "hospitals": list(hospitals)} | (top or {}))


@pytest.mark.parametrize(
    ("text", "pool"),
    [
        ("职工", "employee"), ("职工医保", "employee"), ("职工基金池", "employee"), ("Employees", "employee"),
        ("urban employee basic medical insurance", "employee"), ("城乡居民", "resident"),
        ("城乡居民基本医疗保险", "resident"), ("resident", "resident"), ("390", "resident"), ("全部", "all"),
        ("少儿", "少儿"), ("生育", "生育"),
    ],
)  # fmt: skip
def test_the_words_of_a_pool(text: str, pool: str) -> None:
    assert pool_named(text, ("employee", "resident", "all")) == pool


def test_pools_in_chinese_are_those_of_the_policy(tmp_path: Path) -> None:
    found = budget(职工={}, 居民医保={"members": ["居民", "employees2"]}, hospitals=[
        {"hospital_code": "H1", "pool": "职工", "audit": "5"}
    ])  # fmt: skip
    assert [*found.pools] == ["employee", "resident"]
    assert found.pools["resident"].members == ("resident", "employees2")
    assert found.entry("H1", "employee").audit == 500
    with pytest.raises(UsageError, match="there twice"):
        budget(职工={}, employee={})
    policy = write_policy(tmp_path, POINTS)
    with pytest.raises(UsageError) as wrong:
        check_pools(policy, budget(少儿={}))
    assert "pools.少儿" in wrong.value.zh and "employee 职工" in wrong.value.zh
    check_pools(policy, budget(职工={}))


def test_months_of_a_yearly_file_go_by_chinese_names_too() -> None:
    found = budget("2025", 职工={"month_weights": ["1"] * 11 + ["2"]})
    assert found.pools["employee"].month_weights[12] == 2
    with pytest.raises(UsageError, match="month_weights"):
        budget("2025", employee={"month_weights": ["1"] * 11})
    with pytest.raises(UsageError, match=r"month_weights.*annual_budget"):
        budget("2025-06", employee={"month_weights": ["1"] * 12})


def test_keys_that_nothing_goes_by_are_named(tmp_path: Path) -> None:
    entry = {"hospital_code": "H1", "pool": "employee", "prepaid": "1", "deposit": "2", "score": "90"}
    points, rate = write_policy(tmp_path, POINTS), write_policy(tmp_path, RATE, "drg_rate")
    month = budget(hospitals=[entry], employee={"point_value": "9", "pay_ratio": "0.7"})
    named = [each.key for each in not_used(points, month)]
    assert named == ["hospitals.prepaid", "hospitals.deposit", "hospitals.score", "pools.employee.pay_ratio"]
    named = [each.key for each in not_used(rate, month)]
    assert named[-2:] == ["pools.employee.point_value", "pools.employee.pay_ratio"]
    assert not_used(points, budget("2025", hospitals=[entry], employee={})) == []
    text = not_used(points, month)[0].text("zh")
    assert text.startswith("预算文件的 hospitals.prepaid 没有用到：1 行")


def test_an_advance_that_pay_cannot_work_out_is_refused() -> None:
    entry = {"hospital_code": "H1", "pool": "employee", "advance_base": "1000"}
    refuse_without_lake(budget(hospitals=[entry], employee={}))  # a month lends it
    with pytest.raises(UsageError, match=r"advance_base.*last year"):
        refuse_without_lake(budget(employee={}, top={"advance_base": "last_year"}))
    with pytest.raises(UsageError, match=r"advance_base of H1, employee.*advance"):
        refuse_without_lake(budget("2025", hospitals=[entry], employee={}))


def test_pay_lends_and_offsets_an_advance_and_says_so(tmp_path: Path) -> None:
    write_policy(tmp_path, POINTS | {"advance_months": "1"})
    cases = [row for row in make_cases(200) if row["discharge_date"].month == 3]
    write_cases(tmp_path / "grouped.parquet", cases)
    hospital, other = sorted({row["hospital_code"] for row in cases})[:2]
    (tmp_path / "budget.toml").write_text(
        f"""period = "2025-03"
area = "elsewhere"
[pools.职工]
budget = "500000"
[pools.居民]
budget = "500000"
[[hospitals]]
hospital_code = "{hospital}"
pool = "职工"
advance_base = "1000.50"
[[hospitals]]
hospital_code = "{other}"
pool = "employee"
advance = "30.25"
prepaid = "7"
""", encoding="utf-8",
    )  # fmt: skip
    call = "pay grouped.parquet --policy policy.toml -o paid.parquet --budget budget.toml"
    code, _, err = grouper(*call.split(), cwd=tmp_path)
    assert code == 0, err
    assert "拨付预付金 1,000.50" in err and "冲抵预付金 30.25" in err
    assert "hospitals.prepaid 没有用到" in err and "预算文件的 area 没有用到" in err
    rows = csv.read_csv(tmp_path / "paid-hospitals.csv").to_pylist()
    found = {(row["hospital_code"], row["pool"]): row for row in rows}
    one, two = found[hospital, "employee"], found[other, "employee"]
    assert Decimal(str(one["payable"])) == Decimal(str(one["prepaid"])) + Decimal("1000.50")
    assert Decimal(str(two["payable"])) == Decimal(str(two["prepaid"])) - Decimal("30.25")
