"""``grouper pay``: exact amounts, statements, reforms, and errors that say what to do."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from grouper.base.output import PROVENANCE_KEY
from grouper.payment import pay
from grouper.payment.price.whatif import Side, compare, percent

from .pay_support import CASES, POLICY, case, grouper, write_cases, write_policy


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write_policy(tmp_path)
    write_cases(tmp_path)
    return tmp_path


def rows(path: Path) -> dict[str, dict[str, object]]:
    return {row["record_id"]: row for row in pq.read_table(path).to_pylist()}


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_pay_prices_and_sums_up(place: Path) -> None:
    code, out, err = grouper(
        "pay", "grouped.parquet", "--policy", "policy.toml", "-o", "paid.parquet", cwd=place
    )
    assert (code, out) == (0, ""), err
    found = rows(place / "paid.parquet")
    amounts = {name: row["amount"] for name, row in found.items()}
    assert amounts == {
        "normal": Decimal("12600.00"),
        "high": Decimal("19800.00"),
        "low": Decimal("3500.00"),
        "long": Decimal("20000.00"),
        "lost": None,
        "later": Decimal("13860.00"),
    }
    assert found["normal"]["fund_due"] == Decimal("8565.00")
    for text in ("6 例", "支付  5", "暂不支付  1", "1  按项目 [by_item]", "未入组 [ungrouped]", "106,500.00"):
        assert text in err, text
    assert "基础费率 [base_rate]  费率通知 第二条" in err
    assert "等级系数 [level_coefficient]" not in err  # verified
    hospitals = {(r["hospital_code"], r["pool"]): r for r in read_csv(place / "paid-hospitals.csv")}
    assert hospitals["A", "employee"]["amount"] == "35900.00"
    assert (hospitals["B", "employee"]["cases"], hospitals["B", "employee"]["held"]) == ("2", "1")
    pools = {r["pool"]: r for r in read_csv(place / "paid-pools.csv")}
    total = sum(Decimal(r["fund_due"]) for r in hospitals.values())
    assert total == sum(Decimal(r["fund_due"]) for r in pools.values())
    assert total == sum(row["fund_due"] for row in found.values() if row["fund_due"] is not None)


def test_the_summary_comes_in_english(place: Path) -> None:
    code, _, err = grouper(
        "pay", "grouped.parquet", "--policy", "policy.toml", "-o", "paid.parquet", lang="en", cwd=place
    )
    assert code == 0, err
    assert "Policy test/rate: Test policy; 6 cases" in err and "1 parameters used are not verified" in err
    assert not any("\u4e00" <= char <= "\u9fff" for char in err.replace("费率通知 第二条", ""))


def test_as_of_takes_one_day_for_all(place: Path) -> None:
    done = pay(str(place / "grouped.parquet"), str(place / "policy.toml"), str(place / "o.parquet"),
               as_of=date(2025, 8, 1))  # fmt: skip
    assert rows(place / "o.parquet")["normal"]["amount"] == Decimal("13860.00")
    assert [item["name"] for item in done.priced.unverified] == ["base_rate"]


def test_what_if_stands_side_by_side(place: Path) -> None:
    """H2 instead of H1: the excess of the high case is paid at 70 %, and nothing else changes."""
    code, _, err = grouper(
        "pay", "grouped.parquet", "--policy", "policy.toml", "-o", "paid.parquet",
        "--what-if", "high_discount=0.7", cwd=place,
    )  # fmt: skip
    assert code == 0, err
    found = {row["hospital_code"]: row for row in read_csv(place / "paid-what-if.csv")}
    assert found["A"]["amount_difference"] == "-2160.00"  # 17,640 for 19,800
    assert found["A"]["amount_percent"] == "-6.02"  # of 35,900
    assert found["B"]["amount_difference"] == "0.00"
    assert "如果 high_discount=0.7" in err and "-2,160.00" in err
    assert err.index("如果 high_discount") < err.index("用到的未核实参数")
    assert rows(place / "paid.parquet")["high"]["amount"] == Decimal("19800.00")  # the policy as it is
    assert sorted(p.name for p in place.glob("paid*")) == [
        "paid-hospitals.csv", "paid-pools.csv", "paid-what-if.csv", "paid.parquet",
    ]  # fmt: skip
    assert not list(place.glob(".*"))


def test_one_key_of_a_parameter_can_change(place: Path) -> None:
    done = pay(str(place / "grouped.parquet"), str(place / "policy.toml"), str(place / "o.parquet"),
               what_if={"level_coefficient.3": "1"})  # fmt: skip
    assert done.what_if is not None
    assert done.what_if.table["amount_after"].to_pylist()[0] == Decimal("36500.00")  # 12,000 + 21,000 + 3,500
    assert done.what_if.total["amount_difference"] == Decimal("600.00") - Decimal("660.00")


def test_percent_is_exact() -> None:
    assert percent(Decimal("3"), Decimal("4")) == Decimal("33.33")
    assert percent(Decimal("800"), Decimal("801")) == Decimal("0.13")  # 0.125, away from zero
    assert percent(Decimal("800"), Decimal("799")) == Decimal("-0.13")
    assert percent(Decimal("0"), Decimal("5")) is None
    side = Side(1, Decimal("1.00"), Decimal("0.50"))
    both = compare({"A": side}, {"B": side}, {"x": "1"})
    assert both.table["hospital_code"].to_pylist() == ["A", "B"]
    assert both.table["amount_percent"].to_pylist() == [Decimal("-100.00"), None]
    assert both.total["amount_difference"] == 0


def test_a_budget_settles(place: Path) -> None:
    """Sharing out a pool: the dues add up to the budget, and the statement goes on to the month's payment."""
    (place / "budget.toml").write_text(
        'period = "2025-06"\n[pools.employee]\nbudget = "50000.00"\nsource = "试验"\n', encoding="utf-8"
    )
    points = (place / "policy.toml").read_text(encoding="utf-8").replace('"drg_rate"', '"drg_points"')
    points = points.replace('id = "test/rate"', 'id = "test/points"') + "\n".join([
        "",
        '[parameters.points_scale]\nvalue = "100"\nsource = "s"\nverified = true',
        '[parameters.points_digits]\nvalue = 4\nsource = "s"\nverified = true',
        '[parameters.point_value]\nvalue = "100"\nsource = "s"\nverified = true',
        '[parameters.pool_method]\nvalue = "points_total"\nsource = "s"\nverified = false',
    ])  # fmt: skip
    points = points.replace("[parameters.base_rate]", "[parameters.mean_cost]").replace(
        "[[parameters.base_rate.values]]", "[[parameters.mean_cost.values]]"
    )
    (place / "points.toml").write_text(points, encoding="utf-8")
    write_cases(place, [c for c in CASES if c["record_id"] != "later"])
    code, _, err = grouper(
        "pay", "grouped.parquet", "--policy", "points.toml", "-o", "paid.parquet", "--budget", "budget.toml",
        "--what-if", "points_scale=200", cwd=place,
    )  # fmt: skip
    assert code == 0, err
    assert "按预算结算" in err and "没有清算" in err and "pool_method" in err
    found = rows(place / "paid.parquet")
    funds = [row["settled_fund"] for row in found.values() if row["settled_fund"] is not None]
    assert sum(funds) == Decimal("50000.00")
    what_if = read_csv(place / "paid-what-if.csv")
    assert sum(Decimal(row["fund_difference"]) for row in what_if) == 0  # a budget is a budget
    code, out, _ = grouper(
        "explain", "paid.parquet", "--record", "normal", "--policy", "points.toml", cwd=place
    )
    assert code == 0 and f"基金 {found['normal']['settled_fund']} 元" in out


@pytest.mark.parametrize(
    ("arguments", "code", "zh", "en"),
    [
        (["--policy", "atlantis"], 1, "没有政策 atlantis", "no policy atlantis"),
        (["--policy", "policy.toml", "--as-of", "2030-01-01"], 1, "--as-of", "--as-of"),
        (
            ["--policy", "policy.toml", "--what-if", "base_rat=1"],
            1,
            "未知参数 base_rat",
            "unknown parameter base_rat",
        ),
        (["--policy", "policy.toml", "--what-if", "base_rate"], 1, "名称=值", "NAME=VALUE"),
        (["--policy", "policy.toml", "--what-if", "base_rate=ten"], 1, "不是数", "no number"),
        (["--policy", "policy.toml", "--hospitals", "none.csv"], 1, "--hospitals", "--hospitals"),
        (["--policy", "policy.toml", "--budget", "policy.toml"], 1, "policy.toml", "policy.toml"),
        (["--policy", "policy.toml", "-o", "paid.csv"], 1, ".parquet", ".parquet"),
        (["--policy", "policy.toml", "-o", "grouped.parquet"], 1, "输入文件", "is an input"),
        (["--policy", "policy.toml", "-o", "no/where.parquet"], 1, "没有这个目录", "no such folder"),
    ],
)
def test_errors_name_what_is_wrong(place: Path, arguments: list[str], code: int, zh: str, en: str) -> None:
    before = sorted(path.name for path in place.iterdir())
    output = [] if "-o" in arguments else ["-o", "paid.parquet"]
    for lang, text in (("zh", zh), ("en", en)):
        found, out, err = grouper("pay", "grouped.parquet", *arguments, *output, lang=lang, cwd=place)
        assert (found, out) == (code, ""), err
        assert text in err and "Traceback" not in err
    assert sorted(path.name for path in place.iterdir()) == before


def test_missing_columns_and_bad_rows(place: Path) -> None:
    table = pq.read_table(place / "grouped.parquet")
    pq.write_table(table.drop_columns(["los_days"]), place / "short.parquet")
    code, _, err = grouper(
        "pay", "short.parquet", "--policy", "policy.toml", "-o", "o.parquet", lang="en", cwd=place
    )
    assert code == 1 and "los_days" in err and "--columns" in err and "short.parquet" in err
    write_cases(place, [case("twice", "1.00"), case("twice", "2.00")])  # neither can be told to be right
    code, _, err = grouper(
        "pay", "grouped.parquet", "--policy", "policy.toml", "-o", "o.parquet", lang="en", cwd=place
    )
    assert code == 2 and "duplicate-conflict 2" in err
    assert not (place / "o.parquet").exists()


def test_a_yearly_limit_needs_what_was_paid_before(place: Path) -> None:
    """By the benefit rules: without the column the file is refused, with it the limit bears."""
    parameters = {"item_rule": "benefit", "policy_ratio": "0.85", "item_annual_cap": "250000"}
    text = "".join(
        f'[parameters.{n}]\nvalue = "{v}"\nsource = "s"\nverified = true\n' for n, v in parameters.items()
    )
    write_policy(place, POLICY + text)
    table = pq.read_table(place / "grouped.parquet")
    for name, yuan in (("own_expense", "800"), ("self_pay_first", "600"), ("deductible", "700")):
        table = table.append_column(name, pa.array([Decimal(yuan)] * len(table), pa.decimal128(18, 2)))
    pq.write_table(table, place / "grouped.parquet")
    pay_it = ("pay", "grouped.parquet", "--policy", "policy.toml", "-o", "o.parquet")
    code, _, err = grouper(*pay_it, lang="en", cwd=place)
    assert (
        code == 1 and "pool_paid_before" in err and "--columns" in err and not (place / "o.parquet").exists()
    )
    before = pa.array([Decimal("240000")] * len(table), pa.decimal128(18, 2))
    pq.write_table(table.append_column("pool_paid_before", before), place / "grouped.parquet")
    code, _, err = grouper(*pay_it, cwd=place)
    assert code == 0, err
    found = rows(place / "o.parquet")
    assert found["long"]["fund_due"] == found["long"]["person_paid"] == Decimal("10000.00")
    assert found["long"]["item_difference"] == Decimal("-4620.00")
    assert found["normal"]["fund_due"] == Decimal("8565.00") and found["normal"]["item_fund"] is None


def test_the_output_says_where_it_comes_from(place: Path) -> None:
    pay(str(place / "grouped.parquet"), str(place / "policy.toml"), str(place / "o.parquet"))
    told = json.loads(pq.read_metadata(place / "o.parquet").metadata[PROVENANCE_KEY.encode()])
    assert told["policy"]["id"] == "test/rate" and len(told["policy"]["sha256"]) == 64
    rates = [p for p in told["parameters"] if p["name"] == "base_rate"]
    assert [(p["from"], p["article"], p["verified"]) for p in rates] == [
        ("2025-01-01", "第二条", False),
        ("2025-07-01", "第二条", False),
    ]


def test_importing_the_package_costs_nothing() -> None:
    code = (
        "import sys, grouper.payment; print([m for m in ('duckdb', 'pyarrow', 'polars') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("name", ["total_cost=1.00/g.parquet", "g[1].parquet"])
def test_a_file_is_priced_by_its_content_not_by_its_path(place: Path, name: str) -> None:
    """A folder that looks like a column is none, and a name that looks like a pattern is a name."""
    (place / "total_cost=1.00").mkdir()
    pq.write_table(pq.read_table(place / "grouped.parquet").slice(1), place / "g1.parquet")
    (place / name).write_bytes((place / "grouped.parquet").read_bytes())
    code, _, err = grouper("pay", name, "--policy", "policy.toml", "-o", "paid.parquet", cwd=place)
    assert code == 0, err
    found = rows(place / "paid.parquet")
    assert len(found) == len(CASES) and found["normal"]["total_cost"] == Decimal("15000.00")


def test_grouped_texts_and_tables_in_gb18030_are_read_as_records_are(place: Path) -> None:
    table = pq.read_table(place / "grouped.parquet").to_pylist()
    lines = [[*table[0], "医院名称"], *([*map(str, row.values()), "甲医院"] for row in table)]
    text = "\n".join(",".join(line) for line in lines)
    for name, encoding in (("a.csv", "utf-8"), ("b.csv", "gb18030")):
        (place / name).write_bytes(text.encode(encoding))
    (place / "h.csv").write_bytes("hospital_code,county,名称\nA,X,甲\nB,X,乙\n".encode("gb18030"))
    made = []
    for name, more in (("grouped.parquet", []), ("a.csv", []), ("b.csv", ["--hospitals", "h.csv"])):
        call = ["pay", name, "--policy", "policy.toml", "-o", "paid.parquet"]
        code, _, err = grouper(*call, *more, cwd=place)
        assert code == 0, err
        made.append({key: row["amount"] for key, row in rows(place / "paid.parquet").items()})
    assert made[0] == made[1] == made[2]


@pytest.mark.parametrize("name", ["g.xlsx", "torn.parquet"])
def test_a_file_that_pay_cannot_read_is_refused_in_one_line(place: Path, name: str) -> None:
    (place / "g.xlsx").write_bytes(b"PK\x03\x04")
    (place / "torn.parquet").write_bytes((place / "grouped.parquet").read_bytes()[:-7])
    code, out, err = grouper("pay", name, "--policy", "policy.toml", "-o", "p.parquet", lang="en", cwd=place)
    assert (code, out, err.count("\n")) == (1, "", 1) and "no (whole) Parquet file" in err
    assert not (place / "p.parquet").exists()


MAP = """[fields]
settlement_id = "结算编号"
person_id = "人员"
hospital_code = "医院"
insurance_type = "险种"
admission_date = "入院"
discharge_date = "出院"
total_cost = "总费用"
pool_paid = "统筹"
fund_paid = "基金"
sex = "性别"
age_years = "年龄"
los_days = "天数"
discharge_way = "离院方式"
procedures = "手术"
admission_type = "类别"
department = "科室"
diagnoses = { columns = ["主要诊断", "其他诊断"], separator = ";" }
"""


def test_a_map_with_several_columns_of_diagnoses_serves_group_and_pay(tmp_path: Path) -> None:
    """The principal diagnosis is the first code of the map; cases go by their settlement."""
    head = "结算编号,人员,医院,险种,入院,出院,总费用,统筹,基金,性别,年龄,天数,离院方式,"
    head += "主要诊断,其他诊断,手术,类别,科室\n"
    rows = [
        f"S{n},P{n},A,310,2025-06-04,2025-06-10,15000.00,10965.00,10965.00,男,30,6,1,K35.300,I10.x00;E11.900,"
        "47.0100,21,普外科\n"
        for n in (1, 2)
    ]
    (tmp_path / "in.csv").write_text(head + "".join(rows), encoding="utf-8")
    (tmp_path / "map.toml").write_text(MAP, encoding="utf-8")
    (tmp_path / "h.csv").write_text("hospital_code,hospital_level\nA,3\n", encoding="utf-8")
    mapped = ("--columns", "map.toml")
    call = (
        "group",
        "in.csv",
        "--scheme",
        "zhejiang-2022",
        *mapped,
        "-o",
        "g.csv",
    )
    code, _, err = grouper(*call, cwd=tmp_path)
    assert code == 0, err
    call = (
        "pay",
        "g.csv",
        "--policy",
        "lishui/2022",
        *mapped,
        "--as-of",
        "2022-06-10",
        "--hospitals",
        "h.csv",
    )
    code, _, err = grouper(*call, "-o", "p.parquet", cwd=tmp_path)
    assert code == 0, err
    assert "没有 record_id，以 settlement_id 为病例标识" in err
    made = pq.read_table(tmp_path / "p.parquet").to_pylist()
    assert [(row["record_id"], row["principal"]) for row in made] == [("S1", "K35.300"), ("S2", "K35.300")]
    assert {row["pay_status"] for row in made} == {"paid"}
