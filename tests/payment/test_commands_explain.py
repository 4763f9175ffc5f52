"""``grouper explain --policy``: formula, numbers and clause, and the same amounts as the file."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from grouper.base.errors import DataError, UsageError
from grouper.payment import explain_case, find_policy, load_policy, pay
from grouper.payment.check.monotonic import typical_row
from grouper.payment.explain.row import parse_settings, priced_row, typed
from grouper.payment.formula.expression import Field, Number, Product, Sum
from grouper.payment.formula.simplify import settle
from grouper.payment.policy.policy import policy_files
from grouper.payment.price.build import build
from grouper.payment.price.lookups import load_lookups

from .pay_support import CASES, DIP, POLICY, case, grouper, write_cases, write_policy

RECORD = ["--dx", "K35.300", "--proc", "47.0100", "--sex", 1, "--age", 30, "--los", 6, "--discharge-way", 1]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    pay(str(write_cases(tmp_path)), str(write_policy(tmp_path)), str(tmp_path / "paid.parquet"))
    return tmp_path


def test_the_formula_stands_with_numbers_and_clause(place: Path) -> None:
    code, out, err = grouper(
        "explain", "paid.parquet", "--record", "high", "--policy", "policy.toml", cwd=place
    )
    assert code == 0, err
    lines = [line.strip() for line in out.splitlines()]
    for line in (
        "支付（high）：试验政策 [test/rate]，2025-06-10",
        "费率 = 基础费率 = 10000 元/权重",
        "基础费率：来源 费率通知，第二条，未核实",
        "等级系数（医院等级 3）：来源 试验办法，已核实",
        "支付标准 = 权重 × 费率 × 系数 = 1.2 × 10000 × 1.05 = 12600.00 元",
        "倍率类型 = 总费用 > 高倍率界限 × 支付标准 = 45000 > 3 × 12600 = 高倍率",
        "病组价值 = 支付标准 + 总费用 − 高倍率界限 × 支付标准 = 12600 + 45000 − 3 × 12600 = 19800.00 元",
        "高倍率病例算法 超过支付标准的部分：来源 试验办法，已核实",
        "状态：支付（高倍率病例）",
    ):
        assert line in lines, line
    assert "与文件不同" not in out and "另一政策" not in out
    assert "除外支付" not in out  # amounts of 0 and factors of 1 are not told


def test_it_speaks_english(place: Path) -> None:
    code, out, _ = grouper(
        "explain", "paid.parquet", "--record", "normal", "--policy", "policy.toml", lang="en", cwd=place
    )
    assert code == 0
    assert "payment standard = weight × base rate × coefficient = 1.2 × 10000 × 1.05 = 12600.00 yuan" in out
    assert (
        "fund due = amount due in all − paid by the patient − other funds = 12600 − 4035 − 0 = 8565.00 yuan"
        in out
    )
    assert "cost ratio = total cost ÷ payment standard = 15000 ÷ 12600 ≈ 1.190476 times" in out
    kept = [line for line in out.splitlines() if not any(word in line for word in ("试验", "费率通知"))]
    assert not any("\u4e00" <= char <= "\u9fff" for line in kept for char in line)


def test_every_row_of_the_file_is_explained_as_it_stands(place: Path) -> None:
    policy = load_policy(place / "policy.toml")
    for name in (str(item["record_id"]) for item in CASES):
        row, digest = priced_row(str(place / "paid.parquet"), name)
        told = explain_case(policy, row, stored=row)
        assert told.differences == () and told.priced_by(digest).notes == told.notes
        assert told.head["pay_status"] == row["pay_status"]
        results = {line.column: line.result["zh"] for line in told.lines}
        if row["amount"] is not None:
            assert Decimal(results["amount"]) == row["amount"]
            assert Decimal(results["fund_due"]) == row["fund_due"]
        json.dumps(told.as_dict())


def test_the_route_is_told_with_its_article(place: Path) -> None:
    code, out, _ = grouper(
        "explain", "paid.parquet", "--record", "long", "--policy", "policy.toml", cwd=place
    )
    assert code == 0
    assert "长期住院按项目（住院天数 > 60）：来源 试验办法，第三条，已核实" in out
    assert "应付总额 = 总费用 = 20000.00 元" in out and "支付标准" not in out


BENEFIT = (
    '[parameters.item_rule]\nvalue = "benefit"\nsource = "待遇办法"\narticle = "第二条"\nverified = true\n'
    '[parameters.policy_ratio]\nby = ["level"]\nvalue = { "3" = "0.85" }\n'
    'source = "待遇办法"\nverified = true\n'
    '[parameters.item_cap]\nvalue = "12000"\nsource = "限额通知"\nverified = true\n'
    '[parameters.item_annual_cap]\nvalue = "250000"\nsource = "年度通知"\nverified = true\n'
)


def test_the_benefit_is_told_with_its_difference(tmp_path: Path) -> None:
    policy = load_policy(write_policy(tmp_path, POLICY + BENEFIT))
    row = {
        **case("long", "20000.00", los_days=61), "group": "GE19", "diagnoses": ["K35.300"],
        "own_expense": "800", "self_pay_first": "600", "deductible": "700", "pool_paid_before": "240000",
    }  # fmt: skip
    told = explain_case(policy, row)
    lines = {line.column: line for line in told.lines}
    assert lines["item_base"].numbers["zh"] == "max(20000 − 800 − 600 − 700, 0)"
    assert lines["item_rest"].numbers["zh"] == "max(250000 − 240000, 0)"
    assert lines["item_fund"].numbers["zh"] == "min(min(17900 × 0.85, 12000), 10000)"
    named = {clause.name for clause in (*lines["item_fund"].clauses, *lines["item_rest"].clauses)}
    assert named == {"item_rule", "policy_ratio", "item_cap", "item_annual_cap"}
    assert lines["item_difference"].result["zh"] == "-4620.00"  # of 14,620 recorded
    assert "待遇与记录之差 = 按待遇规则的基金 − 按项目统筹基金 = 10000 − 14620 = -4620.00 元" in told.text(
        "zh"
    )
    assert "fund due = fund by the benefit rules = 10000.00 yuan" in told.text("en")
    assert "fund_formula" not in {clause.name for line in told.lines for clause in line.clauses}
    held = explain_case(policy, row | {"fund_paid": "34000"})
    assert held.head["pay_reason"] == "benefit-differs" and "超过总费用" in held.text("zh")


def test_a_held_case_says_why(place: Path) -> None:
    code, out, _ = grouper(
        "explain", "paid.parquet", "--record", "lost", "--policy", "policy.toml", cwd=place
    )
    assert code == 0 and "状态：暂不支付（未入组）" in out and "未入组病例 暂不支付：来源 试验办法" in out


def test_another_policy_shows_what_differs(place: Path) -> None:
    write_policy(place, POLICY.replace('"3" = "1.05"', '"3" = "1.1"'), "other.toml")
    code, out, _ = grouper(
        "explain", "paid.parquet", "--record", "normal", "--policy", "other.toml", cwd=place
    )
    assert code == 0
    assert "与文件不同：amount 为 13200，文件为 12600" in out
    assert "另一政策" in out


def test_a_changed_file_is_found_out(place: Path) -> None:
    table = pq.read_table(place / "paid.parquet")
    amounts = [Decimal("1.00") if v is not None else None for v in table["fund_due"].to_pylist()]
    place_of = table.schema.get_field_index("fund_due")
    bad = table.set_column(place_of, table.schema.field("fund_due"), pa.array(amounts, pa.decimal128(18, 2)))
    pq.write_table(bad, place / "bad.parquet")
    code, out, _ = grouper(
        "explain", "bad.parquet", "--record", "normal", "--policy", "policy.toml", cwd=place
    )
    assert code == 0 and "与文件不同：fund_due 为 8565，文件为 1" in out


def test_a_record_is_grouped_then_paid(place: Path) -> None:
    """From options, and from JSON: the grouping, then the payment of the group found."""
    given = {
        "total_cost": "15000", "fund_paid": "10965", "pool_paid": "10965", "insurance_type": "310",
        "hospital_level": "3",
    }  # fmt: skip
    sets = [x for name, value in given.items() for x in ("--set", f"{name}={value}")]
    code, by_options, err = grouper(
        "explain", *RECORD, "--policy", "policy.toml", "--as-of", "2025-03-01", *sets, cwd=place
    )
    assert code == 0, err
    assert "GE19" in by_options and "= 8565.00 元" in by_options
    record = {
        "diagnoses": ["K35.300"], "procedures": ["47.0100"], "sex": 1, "age_years": 30, "los_days": 6,
        "discharge_way": 1, "discharge_date": "2025-03-01", **given, "total_cost": 15000.0,
    }  # fmt: skip
    code, by_json, err = grouper(
        "explain", "-", "--policy", "policy.toml", "--json", stdin=json.dumps(record).encode(), cwd=place
    )
    assert code == 0, err
    told = json.loads(by_json)
    assert told["grouping"]["result"]["drg"] == "GE19"
    assert told["payment"]["values"]["fund_due"] == "8565"
    assert told["payment"]["values"]["fund_due"] == told["payment"]["lines"][-2]["result"]["en"].removesuffix(
        ".00"
    )


def test_a_file_of_records_gives_its_own_columns(place: Path) -> None:
    path = place / "records.csv"
    path.write_text(
        "record_id,diagnoses,procedures,sex,age_years,los_days,discharge_way,total_cost,fund_paid,pool_paid,"
        "insurance_type,hospital_level,discharge_date\n"
        "r1,K35.300,47.0100,1,30,6,1,15000.00,10965.00,10965.00,310,3,2025-03-01\n"
        "r2,K35.300,47.0100,1,30,6,1,45000.00,40000.00,40000.00,310,3,2025-03-01\n"
    )
    allow = [x for name in ("age_days", "birth_weight_g", "department") for x in ("--allow-missing", name)]
    code, out, err = grouper(
        "explain", "records.csv", "--record-id", "r2", "--policy", "policy.toml", *allow, cwd=place
    )
    assert code == 0, err
    assert "应付总额 = 病组价值 = 19800.00 元" in out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([*RECORD, "--policy", "policy.toml"], "--as-of"),
        ([*RECORD, "--policy", "policy.toml", "--as-of", "2025-03-01"], "total_cost"),
        (
            [*RECORD, "--policy", "policy.toml", "--as-of", "2025-03-01", "--set", "total_cost=ten"],
            "total_cost",
        ),
        ([*RECORD, "--policy", "policy.toml", "--as-of", "2025-03-01", "--set", "totl_cost=1"], "totl_cost"),
        ([*RECORD, "--policy", "policy.toml", "--as-of", "2029-03-01"], "2029-03-01"),
        ([*RECORD, "--set", "total_cost=1"], "--policy"),
        (RECORD, "--scheme"),
        (["paid.parquet", "--policy", "policy.toml"], "--record-id"),
        (["paid.parquet", "--policy", "policy.toml", "--record", "none"], "none"),
    ],
)
def test_errors_name_the_flag(place: Path, arguments: list[object], text: str) -> None:
    for lang in ("zh", "en"):
        code, out, err = grouper("explain", *arguments, lang=lang, cwd=place)
        assert code in (1, 2) and out == "" and text in err and "Traceback" not in err, err


def test_dip_is_told_in_points(tmp_path: Path) -> None:
    """1,400 points at 1.08 and 9.5 yuan; the high case keeps the coefficient inside, as in Jining."""
    policy = load_policy(write_policy(tmp_path, DIP))
    row = {
        **case("x", "40000.00"), "group": "K35.3:47.0100", "score": "1400", "dip_kind": "core",
        "auxiliary_coefficient": "1",
    }  # fmt: skip
    told = explain_case(policy, row)
    lines = {line.column: line for line in told.lines}
    assert lines["standard"].numbers["zh"] == "1400 × 1.08"
    assert lines["amount"].result["zh"] == "24801.04"
    assert lines["outlier"].result == {"zh": "高倍率", "en": "high outlier"}
    assert lines["group_value"].clauses[-1].name == "high_formula"


def test_the_rank_of_the_run_counts(tmp_path: Path) -> None:
    """Of 10 discharges 10 % may be high: the second by excess is paid as normal, and its file row says so."""
    cap = '[parameters.high_case_cap]\nvalue = "0.1"\nsource = "s"\nverified = true\n'
    cases = [case("first", "60000.00"), case("second", "50000.00")]
    cases += [case(f"n{n}", "12000.00") for n in range(8)]
    paths = str(write_cases(tmp_path, cases)), str(write_policy(tmp_path, POLICY + cap))
    pay(*paths, str(tmp_path / "paid.parquet"))
    told = {}
    for name in ("first", "second"):
        row, _ = priced_row(str(tmp_path / "paid.parquet"), name)
        told[name] = explain_case(load_policy(tmp_path / "policy.toml"), row, stored=row)
        assert told[name].differences == ()
    assert told["first"].values["outlier"] == "high" and told["second"].values["outlier"] == "normal"
    assert "2 > ⌊0.1 × 10⌋" in told["second"].text("zh")
    single = case("second", "50000.00") | {"group": "GE19", "hospital_cases": 10}
    alone = explain_case(load_policy(tmp_path / "policy.toml"), single)
    assert alone.values["outlier"] == "high" and "排第一" in alone.text("zh")


def test_settling_a_formula_keeps_its_value() -> None:
    row = {"a": Decimal("3"), "b": Decimal("0"), "c": Decimal("1")}
    a, b = Field("a", 2, "甲", "A"), Field("b", 2, "乙", "B")
    expr = Sum(Product(a, Number(Decimal(1))), Product(b, Number(Decimal(5))), True)
    known = {"b": Number(Decimal(0))}
    settled = settle(expr, row, known)
    assert settled == a and settled.value(row) == expr.value(row)
    kept = Product(a, Number(Decimal(1), "high_discount"))
    assert settle(kept, row, known) == kept  # a parameter of 1 is told


def test_values_are_typed_or_refused() -> None:
    assert typed("total_cost", "1.50") == Decimal("1.50") and typed("los_days", "3") == 3
    assert typed("diagnoses", "A|B") == ["A", "B"] and typed("hospital_level", 3) == "3"
    assert typed("total_cost", "") is None
    for name, value in (("total_cost", "NaN"), ("los_days", "x"), ("total_cost", [1])):
        with pytest.raises(DataError, match=name):
            typed(name, value)
    assert parse_settings(["a=1", " b = 2=3 "]) == {"a": "1", "b": "2=3"}
    with pytest.raises(UsageError, match="NAME=VALUE"):
        parse_settings(["a"])
    assert find_policy("national/dip").method == "dip"


@pytest.mark.parametrize("name", sorted(policy_files()))
def test_every_shipped_policy_explains_its_cases(name: str) -> None:
    """Cheap, usual and dear cases, on the ways that a policy may send them: told as they are priced."""
    policy = load_policy(policy_files()[name])
    values = policy.on(policy.valid_to)
    steps, lookups = build(policy, values), load_lookups(policy)
    insurance = next(iter(policy.pools.values()))[0]
    for cost in ("500.00", "9000.00", "600000.00"):
        for other in ({}, {"los_days": 75}, {"admission_type": "2105"}, {"status": "ungrouped"}):
            row = typical_row(policy, steps, values, lookups) | {"insurance_type": insurance, **other}
            row |= {"total_cost": cost, "pool_paid": "400.00", "fund_paid": "450.00"}
            told = explain_case(policy, row, policy.valid_to)
            for lang in ("zh", "en"):
                assert told.text(lang)
            results = {
                line.column: Decimal(line.result["zh"]) for line in told.lines if line.column != "outlier"
            }
            for column in ("amount", "fund_due", "income"):
                assert results.get(column) == told.values[column], (column, told.text("en"))


def test_a_record_of_a_grouped_file_is_explained_anew(tmp_path: Path) -> None:
    """Its result columns are no reason to refuse it, nor is an option named that explain does not have."""
    head = "record_id,hospital_code,hospital_level,insurance_type,sex,age_years,los_days,discharge_way,"
    head += "discharge_date,diagnoses,procedures,total_cost,pool_paid,fund_paid\n"
    line = "a,A,3,310,1,30,6,1,2025-06-10,K35.300,47.0100,15000.00,10965.00,10965.00\n"
    (tmp_path / "in.csv").write_text(head + line, encoding="utf-8")
    scheme = ("--scheme", "chs-drg-2.0")
    code, _, err = grouper("group", "in.csv", *scheme, "-o", "grouped.csv", cwd=tmp_path)
    assert code == 0, err
    write_policy(tmp_path)
    told = []
    for name in ("in.csv", "grouped.csv"):
        call = ("explain", name, "--record-id", "a", *scheme, "--policy", "policy.toml", "--scheme-differs")
        code, out, err = grouper(*call, cwd=tmp_path)
        assert code == 0, err
        told.append(out)
    assert told[0] == told[1]
    assert "GE19" in told[0]


@pytest.mark.slow
def test_refunds_of_a_part_are_taken_off_as_in_pay(tmp_path: Path) -> None:
    """45,000 less 5,000 is explained as the 40,000 that ``pay`` prices, and it is said."""
    head = "record_id,settlement_id,refund_of,hospital_code,hospital_level,insurance_type,sex,age_years,"
    head += "los_days,discharge_way,discharge_date,diagnoses,procedures,total_cost,pool_paid,fund_paid\n"
    rest = "A,3,310,1,30,6,1,2025-06-10,K35.300,47.0100"
    lines = (
        f"a,Sa,,{rest},45000.00,30000.00,30000.00\nb,Sb,Sa,{rest},-4000.00,-3000.00,-3000.00\n"
        f"c,Sc,Sa,{rest},-1000.00,-500.00,-500.00\nd,Sd,,{rest},45000.00,30000.00,30000.00\n"
    )
    (tmp_path / "in.csv").write_text(head + lines, encoding="utf-8")
    write_policy(tmp_path)
    for call in (
        "group in.csv --scheme chs-drg-2.0 -o grouped.csv",
        "pay grouped.csv --policy policy.toml --scheme-differs -o paid.parquet",
    ):
        code, _, err = grouper(*call.split(), cwd=tmp_path)
        assert code == 0, err
    of_the_file = ("--scheme", "chs-drg-2.0", "--scheme-differs")
    found = {row["record_id"]: row for row in pq.read_table(tmp_path / "paid.parquet").to_pylist()}
    assert [found[n]["total_cost"] for n in "ad"] == [Decimal("40000.00"), Decimal("45000.00")]
    for name in ("in.csv", "grouped.csv", "paid.parquet"):
        told = {}
        for record in "ad":
            scheme = () if name == "paid.parquet" else of_the_file
            call = ("explain", name, "--record-id", record, *scheme, "--policy", "policy.toml")
            code, out, err = grouper(*call, cwd=tmp_path)
            assert code == 0, err
            assert f"= {found[record]['amount']} 元" in out
            told[record] = out
        if name != "paid.parquet":
            assert "已减去 2 笔部分冲正，总费用为 40000.00 元" in told["a"] and "部分冲正" not in told["d"]
    call = ("explain", "in.csv", "--record-id", "b", *of_the_file, "--policy", "policy.toml")
    code, out, _ = grouper(*call, cwd=tmp_path)
    assert code == 0 and "不作病例" in out and "[refund-joined]" in out


def test_a_priced_file_keeps_the_level_that_its_policy_does_not_ask_for(place: Path) -> None:
    """Explained by a policy that pays by level it is as that policy would price it."""
    flat = (place / "policy.toml").read_text(encoding="utf-8")
    flat = flat.replace('coefficient_rule = { value = "level"', 'coefficient_rule = { value = "none"')
    by_level = r"\[parameters\.(level_coefficient|high_threshold)\].*?(?=\n\[|\Z)"
    flat = re.sub(by_level, "", flat, flags=re.DOTALL)
    high = 'high_threshold = { value = "3", source = "s", verified = true }'
    flat = flat.replace("[parameters]", f"[parameters]\n{high}", 1)
    (place / "flat.toml").write_text(flat, encoding="utf-8")
    code, _, err = grouper("pay", "grouped.parquet", "--policy", "flat.toml", "-o", "flat.parquet", cwd=place)
    assert code == 0, err
    rows = {row["record_id"]: row for row in pq.read_table(place / "flat.parquet").to_pylist()}
    assert rows["normal"]["hospital_level"] == "3" and rows["normal"]["reason"] == "grouped"
    assert rows["normal"]["amount"] == Decimal("12000.00")
    call = ("explain", "flat.parquet", "--record-id", "normal", "--policy", "policy.toml")
    code, out, err = grouper(*call, cwd=place)
    assert code == 0 and "= 12600.00 元" in out and "—" not in out, out + err
