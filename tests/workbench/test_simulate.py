"""``grouper simulate``: sums tie to ``pay``; lists by hand; what is missing is told; papers in Chinese."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import fastexcel
import polars as pl
import pytest

import grouper
from grouper.base.errors import UsageError
from grouper.base.sql import scan
from grouper.grouping.files import group_files
from grouper.payment import find_policy, pay
from grouper.workbench.loaded import scheme
from grouper.workbench.simulate.result import Simulation
from grouper.workbench.simulate.run import simulate
from grouper.workbench.simulate.tables import Table

from ..in_process import call
from ..report.test_words import CODE, NAMES, WORD, texts_of

pytestmark = pytest.mark.slow  # seconds each; the tests of every run have a sister of theirs

SCHEME, POLICY = "zhejiang-2022", "lishui/2022"
CASE: dict[str, Any] = {
    "record_id": "a",
    "hospital_code": "H1",
    "hospital_level": "3",
    "insurance_type": "310",
    "admission_type": "21",
    "diagnoses": ["K80.000x002"],
    "procedures": ["51.2300"],
    "sex": 1,
    "age_years": 60,
    "los_days": 6,
    "discharge_way": 1,
    "admission_date": "2025-06-01",
    "discharge_date": "2025-06-07",
    "total_cost": "9000.00",
    "pool_paid": "4000.00",
    "fund_paid": "5000.00",
    "person_id": "p",
    "department": "普外",
    "doctor": "甲",
    "病区": "一区",
    "refund_flag": False,
    "valid_flag": True,
}
FUNDS = ("pool_paid", "fund_paid")
# Limits of HC35, the group of CASE, at this hospital: 3553.51 and 17767.55 yuan.
ROWS: list[dict[str, Any]] = [
    CASE,
    {**CASE, "record_id": "high", "person_id": "high", "total_cost": "30000.00", "doctor": "乙"},
    {
        **CASE,
        "record_id": "above",
        "person_id": "above",
        "total_cost": "18000.00",
        "doctor": "乙",
        "病区": "二区",
    },
    {**CASE, "record_id": "below", "person_id": "below", "total_cost": "16500.00", "department": None},
    {
        **CASE,
        "record_id": "low",
        "person_id": "low",
        "total_cost": "3500.00",
        "pool_paid": "1000.00",
        "fund_paid": "1200.00",
    },
    {
        **CASE,
        "record_id": "far",
        "person_id": "far",
        "total_cost": "4000.00",
        "pool_paid": "1000.00",
        "fund_paid": "1200.00",
    },
    {
        **CASE,
        "record_id": "zero",
        "person_id": "zero",
        "diagnoses": ["Z99.900", "K29.500"],
        "procedures": [],
        "department": "内科",
    },
    {**CASE, "record_id": "foreign", "person_id": "foreign", "insurance_type": "340"},
    {**CASE, "record_id": "void", "person_id": "void", "valid_flag": False, "total_cost": "777.00"},
    {
        **CASE,
        "record_id": "back",
        "person_id": "back",
        "refund_flag": True,
        "total_cost": "-100.00",
        "pool_paid": "-50.00",
        "fund_paid": "-50.00",
    },
    {
        **CASE,
        "record_id": "sexless",
        "person_id": "sexless",
        "sex": None,
        "diagnoses": ["P07.300"],
        "procedures": [],
        "age_years": 0,
    },
]


def write(path: Path, rows: list[dict[str, Any]] = ROWS, drop: tuple[str, ...] = ()) -> Path:
    pl.DataFrame(rows, infer_schema_length=None).drop(drop).write_parquet(path)
    return path


def run(
    tmp_path: Path, rows: list[dict[str, Any]] = ROWS, drop: tuple[str, ...] = (), **how: Any
) -> Simulation:
    file = write(tmp_path / "june.parquet", rows, drop)
    return simulate(scheme(SCHEME), [file], find_policy(POLICY), tmp_path / "out", **how)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Simulation:
    return run(tmp_path_factory.mktemp("simulate"))


@pytest.fixture(scope="module")
def paid(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, Decimal, Decimal]]:
    """Rows, cost and income by status, of ``grouper pay`` on the same rows."""
    place = tmp_path_factory.mktemp("pay")
    file = write(place / "june.parquet")
    group_files(scheme(SCHEME), [file], place / "g.parquet")
    pay(str(place / "g.parquet"), POLICY, str(place / "p.parquet"))
    rows = duckdb.sql(
        "SELECT pay_status, count(*), sum(total_cost), "
        f"coalesce(sum(income) FILTER (pay_status = 'paid'), 0) FROM {scan(place / 'p.parquet')} GROUP BY 1"
    ).fetchall()
    return {status: (rows, cost, income) for status, rows, cost, income in rows}


def column(table: Table, title: str) -> list[Any]:
    place = [each.title for each in table.columns].index(title)
    return [row[place] for row in table.rows]


def total(table: Table, title: str) -> Any:
    assert table.total is not None
    return table.total[[each.title for each in table.columns].index(title)]


def test_standings_are_those_of_pay(made: Simulation, paid: Mapping[str, tuple[Any, ...]]) -> None:
    assert set(paid) >= {"paid", "held", "left"} and made.totals.rows == len(ROWS)
    for status, (rows, cost, income) in paid.items():
        assert made.totals.of(status)[:3] == (rows, cost, income), status
    assert made.whole["result"] == paid["paid"][2] - paid["paid"][1]


@pytest.mark.parametrize("name", ["去向", "科室", "医师", "病组", "病区"])
def test_every_sheet_ties_to_pay_to_the_fen(
    made: Simulation, paid: Mapping[str, tuple[Any, ...]], name: str
) -> None:
    table = made.tables[name]
    assert sum(column(table, "行数")) == total(table, "行数") == len(ROWS)
    whole = sum(cost for _, cost, _ in paid.values())
    costs = sum(column(table, "总费用（元）"))
    if name != "去向":
        apart = [n for n, each in enumerate(table.columns) if each.title.endswith("费用（元）")][1:]
        costs += sum(row[n] for row in table.rows for n in apart)
        costs += sum(
            row[n]
            for row in table.rows
            for n, each in enumerate(table.columns)
            if each.title == "其费用（元）" and n not in apart
        )
    assert costs == whole
    assert sum(value or 0 for value in column(table, "应得收入（元）")) == paid["paid"][2]
    assert sum(value or 0 for value in column(table, "收益（元）")) == paid["paid"][2] - paid["paid"][1]


def test_the_dearest_losses_come_first_and_say_why(made: Simulation) -> None:
    table = made.tables["亏损前50"]
    assert column(table, "记录号")[:2] == ["high", "above"]
    results = column(table, "收益（元）")
    assert results == sorted(results) and all(value < 0 for value in results)
    assert "高倍率：费用比界限 17,767.55 元高 12,232.45 元" in column(table, "原因")
    assert any("未到高倍率" in text for text in column(table, "原因"))


def test_limits_are_those_of_a_case_and_only_costs_near_them_are_listed(made: Simulation) -> None:
    told = grouper.case(CASE, policy=POLICY, when=date(2025, 6, 7)).as_dict()
    limits = {each["kind"]: Decimal(each["yuan"]) for each in told["prices"][0]["limits"]}
    table = made.tables["临界病例"]
    found = dict(
        zip(
            column(table, "记录号"),
            zip(
                *(column(table, title) for title in ("界限", "界限金额（元）", "相差（元）", "位置")),
                strict=True,
            ),
            strict=True,
        )
    )
    low, high = limits["low"], limits["high"]
    assert found == {
        "above": ("高倍率", high, Decimal("18000") - high, "已超过"),
        "below": ("高倍率", high, Decimal("16500") - high, "未到"),
        "low": ("低倍率", low, Decimal("3500") - low, "未到"),
    }


def test_rows_without_a_group_say_what_mends_them_and_what_it_is_worth(made: Simulation) -> None:
    table = made.tables["待改正"]
    at = column(table, "记录号").index("zero")
    [item] = [
        item
        for item in grouper.case(ROWS[6], policy=POLICY).as_dict()["alternatives"]["items"]
        if item["kind"] == "principal"
    ]
    assert "K29.500" in column(table, "如何改正")[at] and column(table, "改正后病组")[at].startswith("GW15")
    assert column(table, "差额（元）")[at] == Decimal(item["prices"][0]["difference"])
    assert column(table, "差额（元）")[column(table, "记录号").index("sexless")] is None
    assert "void" not in column(table, "记录号")


def test_reviews_are_held_against_the_quota_of_the_policy(made: Simulation) -> None:
    table = made.tables["特例单议"]
    [n], [high] = column(table, "按病组病例"), column(table, "高倍率病例")
    assert high == 2 and column(table, "名额（例）") == [int(n * Decimal("0.05"))]
    assert column(table, "超出名额（例）") == [high]


def test_all_rows_are_listed_in_order_with_standing_and_reason(made: Simulation) -> None:
    sheet = fastexcel.read_excel(made.paths["cases"]).load_sheet(0).to_polars()
    assert sheet["记录号"].to_list() == [row["record_id"] for row in ROWS]
    assert sheet["去向"].null_count() == 0 and sheet["原因"].null_count() == 0
    assert set(sheet["去向"]) == {"支付", "暂不支付", "不作病例"}


def test_without_the_funds_the_income_is_an_estimate_and_told_so(tmp_path: Path, made: Simulation) -> None:
    done = run(tmp_path, drop=FUNDS)
    assert done.totals.of("paid")[0] == 0 and done.totals.of("estimated")[0] == made.totals.of("paid")[0]
    assert done.totals.rows == len(ROWS) and done.totals.cost == made.totals.cost
    page = done.paths["page"].read_text(encoding="utf-8")
    assert "应得收入按应付总额估计" in page and "估计（未结算）" in page
    table = done.tables["亏损前50"]
    assert all("按应付总额估计" in text for text in column(table, "原因"))


def test_what_the_file_lacks_is_said(tmp_path: Path) -> None:
    done = run(tmp_path, drop=("doctor", "病区"))
    assert "医师" not in done.tables and "病区" not in done.tables
    assert "输入没有医师、病区列" in done.paths["page"].read_text(encoding="utf-8")


def test_a_column_that_is_missing_is_given_for_all_rows_or_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="insurance_type"):
        run(tmp_path, drop=("insurance_type",))
    assert not list((tmp_path / "out").glob("*"))
    rows = [row for row in ROWS if row["record_id"] != "foreign"]
    done = run(tmp_path, rows, ("insurance_type",), constants={"insurance_type": "310"})
    assert done.whole["result"] == run(tmp_path, rows).whole["result"]
    with pytest.raises(UsageError, match="the input has"):
        run(tmp_path, constants={"department": "x"})
    with pytest.raises(UsageError, match="no such column"):
        run(tmp_path, constants={"departement": "x"})
    with pytest.raises(UsageError, match="no such column"):
        run(tmp_path, ward="三区")


@pytest.mark.parametrize("drop", [(), FUNDS])
def test_chinese_papers_are_chinese(tmp_path: Path, drop: tuple[str, ...]) -> None:
    done = run(tmp_path, drop=drop)
    words: set[str] = set()
    for path in done.paths.values():
        for text in texts_of(path):
            if text not in {row["record_id"] for row in ROWS}:
                words |= set(WORD.findall(CODE.sub("", text)))
    assert words - NAMES == set()


def test_the_command_in_both_languages_and_the_same_bytes_twice(tmp_path: Path) -> None:
    file = write(tmp_path / "june.parquet")
    command = ("simulate", file, "--policy", POLICY)
    code, out, err = call(*command, "-o", tmp_path / "a")
    assert code == 0, err
    assert "收益" in out.decode() and "不作病例" in out.decode()
    assert call(*command, "-o", tmp_path / "b")[0] == 0
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["模拟测算-病例.xlsx", "模拟测算.html", "模拟测算.xlsx"]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    code, out, err = call(*command, "-o", tmp_path / "c", "--lang", "en")
    assert code == 0 and "profit" in out.decode()
    page = (tmp_path / "c" / "simulation.html").read_text(encoding="utf-8")
    words = re.sub(r"<style.*?</style>", "", page.split('<section id="department">')[0], flags=re.DOTALL)
    assert not re.search("[\u4e00-\u9fff]", words)


def test_without_persons_nothing_is_a_readmission_and_the_page_says_so(tmp_path: Path) -> None:
    done = run(tmp_path, drop=("person_id",))
    assert "不能判断再住院" in done.paths["page"].read_text(encoding="utf-8")
    assert done.totals.rows == len(ROWS) and done.whole["cases"]
