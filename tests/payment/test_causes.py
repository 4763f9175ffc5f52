"""A case that is not paid for its grouping says what was wrong, with cases and yuan, from which input."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from grouper.payment import pay
from grouper.payment.price.causes import cause

from .pay_support import case, grouper, write_cases, write_policy

WRONG = {
    "a": ("needs-data", "missing-department", "100.00"),
    "b": ("invalid", "bad-sex", "20.50"),
    "c": ("needs-data", "missing-age", "3.00"),
    "d": ("needs-data", "missing-age", "4.00"),
    "e": ("ungrouped", "no-adrg", "5.00"),
}


def write(place: Path) -> None:
    write_policy(place)
    rows = {k: case(k, cost, status=status, reason=reason) for k, (status, reason, cost) in WRONG.items()}
    write_cases(place, [case("paid", "9000.00"), rows["a"], rows["c"]], name="one.parquet")
    write_cases(place, [rows["b"], rows["d"], rows["e"]], name="two.parquet")


def test_each_cause_has_its_cases_yuan_and_inputs(tmp_path: Path) -> None:
    write(tmp_path)
    files = [str(tmp_path / name) for name in ("one.parquet", "two.parquet")]
    done = pay(files, str(tmp_path / "policy.toml"), str(tmp_path / "paid.parquet"))
    held = {key: n for key, n in done.priced.reasons.items() if key.startswith("held:")}
    assert held == {
        "held:bad-sex": 1, "held:missing-age": 2, "held:missing-department": 1, "held:no-adrg": 1
    }  # fmt: skip
    assert done.priced.costs["held:missing-age"] == Decimal("7.00")
    assert done.priced.costs["held:bad-sex"] == Decimal("20.50")
    assert done.priced.places["held:missing-age"] == {files[0]: 1, files[1]: 1}
    assert done.priced.places["held:bad-sex"] == {files[1]: 1}


def test_the_summary_and_explain_name_it(tmp_path: Path) -> None:
    write(tmp_path)
    call = ("pay", "one.parquet", "two.parquet", "--policy", "policy.toml", "-o", "paid.parquet")
    code, _, err = grouper(*call, cwd=tmp_path)
    assert code == 0, err
    assert "1  缺科室，分组结果取决于科室 [missing-department]  100.00 元  (one.parquet 1)" in err
    assert "1  性别取值无法识别 [bad-sex]  20.50 元  (two.parquet 1)" in err
    assert "[held]" not in err
    code, out, _ = grouper(
        "explain", "paid.parquet", "--record", "b", "--policy", "policy.toml", cwd=tmp_path
    )
    assert code == 0 and "状态：暂不支付（性别取值无法识别）" in out


def test_only_reasons_that_stand_for_a_grouping_give_way() -> None:
    assert cause("held", "held", "bad-sex") == "bad-sex"
    assert cause("held", "no-pool", "bad-sex") == "no-pool"
    assert cause("paid", "ungrouped", "no-adrg") == "ungrouped"
    assert cause("held", "held", None) == "held"
