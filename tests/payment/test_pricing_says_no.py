"""What pricing must not take, and what the policies of the areas must say: one test a kind."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from grouper.base.errors import DataError, TableError
from grouper.payment import pay
from grouper.payment.check.verify import verify
from grouper.payment.policy.policy import find_policy
from grouper.payment.policy.terms import Terms
from grouper.payment.pool.budget import parse_budget
from grouper.payment.pool.clearing import clear_year
from grouper.payment.pool.statement import _cleared

from .pay_support import POLICY, SCHEMA, case, write_policy
from .pool_support import POINTS
from .pool_support import write_policy as write_pool_policy

AREAS = Path(__file__).parents[2] / "docs" / "areas"


def priced(place: Path, cases: list[dict[str, object]], policy: str = POLICY) -> list[dict[str, object]]:
    path = write_policy(place, policy)
    pq.write_table(pa.Table.from_pylist(cases, schema=SCHEMA), place / "g.parquet")
    pay(str(place / "g.parquet"), str(path), str(place / "o.parquet"))
    return pq.read_table(place / "o.parquet").to_pylist()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("5000,00", "is not an amount"), ("1,2", "is not an amount"), ("1e30", "is not an amount"),
        ("inf", "is not an amount"), ("12.345", "has parts of a fen"),
    ],
)  # fmt: skip
def test_money_that_is_none_is_refused_with_its_row(tmp_path: Path, text: str, told: str) -> None:
    path = write_policy(tmp_path)
    table = pa.Table.from_pylist([case("a", "15000"), case("b", "1")], schema=SCHEMA)
    texts = pa.array(["15000.00", text])
    table = table.set_column(table.schema.get_field_index("total_cost"), "total_cost", texts)
    pq.write_table(table, tmp_path / "g.parquet")
    with pytest.raises(
        DataError, match=rf"g\.parquet, row 2, column total_cost: '?{text}'? {told}"
    ) as caught:
        pay(str(tmp_path / "g.parquet"), str(path), str(tmp_path / "o.parquet"))
    assert "--" not in caught.value.en and not (tmp_path / "o.parquet").exists()


def test_a_choice_by_level_is_refused_in_words(tmp_path: Path) -> None:
    """By ``pay`` and by ``verify``: a formula is one for the whole policy."""
    own = 'high_formula = { by = ["level"], value = { "3" = "excess_over_standard", "2" = "standard" }, '
    policy = POLICY.replace('high_formula = { value = "excess_over_standard", ', own)
    with pytest.raises(TableError, match=r"parameter high_formula: a choice is one for the whole policy"):
        priced(tmp_path, [case("a", "45000")], policy)
    (found,) = (f for f in verify([str(tmp_path / "policy.toml")]) if f.severity == "error")
    assert "不能用 by" in found.zh


def test_a_column_is_of_one_scale_on_all_days(tmp_path: Path) -> None:
    """From none to one by level in July: the coefficient is 1.05, not 105."""
    dated = """coefficient_rule = { values = [{ to = 2025-06-30, value = "none" },
      { from = 2025-07-01, value = "level" }], source = "s", verified = true }
"""
    policy = "\n".join(line for line in POLICY.splitlines() if not line.startswith("coefficient_rule"))
    policy = policy.replace("[parameters]\n", f"[parameters]\n{dated}", 1)
    july = {"discharge_date": case("a", "1")["discharge_date"].replace(month=7)}
    rows = {
        row["record_id"]: row
        for row in priced(tmp_path, [case("a", "15000"), case("b", "15000", **july)], policy)
    }
    assert rows["b"]["coefficient"] == Decimal("1.05") and rows["b"]["amount"] == Decimal("13860.00")
    assert rows["a"]["amount"] == Decimal("12000.00")


def test_a_mean_of_the_group_that_no_table_has_is_an_error_of_verify(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(
        'id = "my/2025"\narea = "my"\nextends = "qingyang/2025"\nname = "a"\nname_en = "a"\n'
        "valid_from = 2025-07-08\nvalid_to = 2025-12-31\n[parameters]\n"
        'ratio_denominator = { value = "group_mean", source = "s", verified = true }\n',
        encoding="utf-8",
    )
    found = [f for f in verify([str(tmp_path / "p.toml")]) if f.kind == "no-group-mean"]
    assert [f.severity for f in found] == ["error"]


def test_a_score_is_a_decimal_in_the_statement(tmp_path: Path) -> None:
    hospital = {"hospital_code": "A", "pool": "p", "prepaid": "9", "deposit": "1", "score": "85.5"}
    budget = parse_budget({"period": "2025", "pools": {"p": {"budget": "10"}}, "hospitals": [hospital]})
    terms = Terms(write_pool_policy(tmp_path, {**POINTS, "assessment_full": "90"}).on(budget.last))
    (row,) = clear_year(terms, budget, {("A", "p"): 1000})
    assert _cleared(row, ["score", "clauses"])["score"] == "85.5"


def test_qingyang_has_the_two_day_rule_from_its_day_only() -> None:
    assert "short_stay" not in {route.name for route in find_policy("qingyang/2023").routes}
    (route,) = (route for route in find_policy("qingyang/2025").routes if route.name == "short_stay")
    assert str(route.start) == "2025-07-08"


@pytest.mark.parametrize(
    ("area", "words"),
    [
        ("qingyang", ["住院分娩按病种支付、产前检查按人头支付", "中医适宜技术、优势病种"]),
        ("tianmen", ["住院分娩按病种支付、产前检查按人头支付", "中西医同病同价"]),
        ("lishui", ["市、县两级责任分担"]),
        ("liaocheng", ["大医院慢性病病房单独管理"]),
    ],
)
def test_what_a_plan_asks_and_nothing_does_is_listed_as_missing(area: str, words: list[str]) -> None:
    missing = (AREAS / f"{area}.md").read_text(encoding="utf-8").split("## Missing")[1]
    assert all(word in missing for word in words)
