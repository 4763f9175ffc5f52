"""A list of inputs (``--inputs``): every file has its own map, layout, encoding, sheet and header row."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import xlsxwriter
from click.testing import CliRunner

from grouper.base.errors import UsageError
from grouper.commands import cli
from grouper.lake import Lake
from grouper.settlement.month import settle_month
from grouper.settlement.plan.inputs import read_inputs
from grouper.settlement.replay import replay

from . import settle_support as support

CHINESE = {
    "record_id": "病案序号", "settlement_id": "结算编号", "hospital_code": "机构",
    "insurance_type": "险种名", "total_cost": "总额", "pool_paid": "统筹", "fund_paid": "基金合计",
    "diagnoses": "诊断", "procedures": "手术",
}  # fmt: skip
MONTH = "2025-06"
KEPT = (
    "record_id", "settlement_id", "visit_id", "person_id", "hospital_code", "hospital_level",
    "insurance_type", "sex", "age_years", "age_days", "birth_weight_g", "los_days", "discharge_way",
    "department", "admission_date", "discharge_date", "admission_type", "diagnoses", "procedures",
    "total_cost", "pool_paid", "fund_paid", "own_expense", "self_pay_first", "deductible", "region_code",
)  # fmt: skip


def _plain(row: dict[str, Any], names: dict[str, str] | None = None) -> dict[str, str]:
    found = {}
    for name in KEPT:
        value = row.get(name)
        text = "|".join(value) if isinstance(value, list) else "" if value is None else str(value)
        found[(names or {}).get(name, name)] = text
    return found


def _book(path: Path, sheet: str, rows: list[dict[str, str]]) -> None:
    """A workbook with two titles above the header of one sheet, and another sheet before it."""
    with xlsxwriter.Workbook(str(path)) as book:
        book.add_worksheet("说明").write(0, 0, "导出说明")
        page = book.add_worksheet(sheet)
        page.write(0, 0, "2025年5月结算明细")
        page.write(1, 0, "单位：元")
        for column, name in enumerate(rows[0]):
            page.write_string(2, column, name)
            for number, row in enumerate(rows, 3):
                page.write_string(number, column, row[name])


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, list[dict[str, Any]], Path]:
    """Three files in three notations beside their list; the rows; and the same rows in one file."""
    place = support.city(3600, 0.03, (5,))
    rows = [{name: row.get(name) for name in row} for row in support.take(place, "2025-05", 45)]
    for number, row in enumerate(rows):
        row["interim_flag"] = row["refund_flag"] = False
        row["visit_id"] = f"v{number}"
    like = place / "2025-05.parquet"
    first, second, third = rows[:15], rows[15:30], rows[30:]
    support.write(tmp_path / "first.parquet", first, like)
    words = {"310": "甲", "390": "乙"}
    told = [_plain(row, CHINESE) | {"险种名": words.get(row["insurance_type"], "甲")} for row in second]
    for row in second:
        row["insurance_type"] = row["insurance_type"] if row["insurance_type"] in words else "310"
    support.write_csv(tmp_path / "second.csv", told, "gb18030")
    fields = "".join(f'{field} = "{column}"\n' for field, column in CHINESE.items())
    values = '[values.insurance_type]\n"甲" = "310"\n"乙" = "390"\n'
    (tmp_path / "second.toml").write_text(f'base = "canonical"\n[fields]\n{fields}{values}', encoding="utf-8")
    _book(tmp_path / "third.xlsx", "明细", [_plain(row) for row in third])
    listed = tmp_path / "inputs.toml"
    listed.write_text(
        '[[input]]\npath = "first.parquet"\n'
        '[[input]]\npath = "second.csv"\ncolumns = "second.toml"\nencoding = "gb18030"\n'
        '[[correction]]\npath = "third.xlsx"\nsheet = "明细"\nheader_row = 3\n',
        encoding="utf-8",
    )
    return listed, rows, support.write(tmp_path / "all.parquet", rows, like)


def _due(lake: Lake) -> list[tuple[Any, ...]]:
    sql = "SELECT record_id, drg, total_cost, settled_fund FROM cases_current ORDER BY record_id"
    return [tuple(row.values()) for row in support.rows(lake, sql.replace("drg", '"group"'))]


def test_each_file_is_read_in_its_own_way(
    files: tuple[Path, list[dict[str, Any]], Path], tmp_path: Path
) -> None:
    listed, rows, whole = files
    place = support.city(3600, 0.03, (5,))
    one, other = Lake(tmp_path / "one"), Lake(tmp_path / "other")
    options = {"area": "yulin", "allow_missing": ("payment_method", "icu_hours"), "max_held": "1"}
    support.settle(one, place, "2025-05", whole, **options)
    job = support.job(place, "2025-05", **options, inputs_file=str(listed))
    settle_month(other, replace(job, inputs=()), reports=False)
    assert _due(one) == _due(other) and len(_due(one)) == len(rows) == 45
    roles = support.rows(other, "SELECT role, path FROM inputs WHERE role IN ('inputs', 'columns')")
    assert {(row["role"], Path(row["path"]).name) for row in roles} == {
        ("inputs", "inputs.toml"), ("columns", "second.toml"),
    }  # fmt: skip
    assert set(replay(other, "000001").tables.values()) == {"bytes"}


def test_what_files_lack_is_told_of_all_at_once(
    files: tuple[Path, list[dict[str, Any]], Path], tmp_path: Path
) -> None:
    """A complete file beside them does not help."""
    _, rows, whole = files
    place = support.city(3600, 0.03, (5,))
    names = []
    for number, gone in enumerate((("pool_paid",), ("total_cost", "sex")), 1):
        short = [{k: v for k, v in _plain(row).items() if k not in gone} for row in rows[:5]]
        support.write_csv(tmp_path / f"short{number}.csv", short)
        names.append(f"short{number}.csv")
    (tmp_path / "list.toml").write_text(
        "".join(f'[[input]]\npath = "{name}"\n' for name in names), encoding="utf-8"
    )
    with pytest.raises(UsageError) as caught:
        support.settle(
            Lake(tmp_path / "lake"), place, "2025-05", whole, inputs_file=str(tmp_path / "list.toml"),
            area="yulin", allow_missing=("payment_method", "icu_hours"),
        )  # fmt: skip
    lines = caught.value.en.splitlines()
    assert any("short1.csv lacks columns that the policy reads: pool_paid" in line for line in lines)
    assert any("short2.csv lacks columns that the policy reads: total_cost" in line for line in lines)
    assert any(line.startswith("short2.csv: ") and "sex" in line for line in lines)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[input]]\npath = "none.csv"', r"input\[1\]\.path: there is no file .*none\.csv"),
        ('[[input]]\nsheet = "x"', r"input\[1\]\.path: is missing"),
        ('[[input]]\npath = "a.csv"\n[[input]]\npath = "a.csv"\nlayouts = "hqms"',
         r"input\[2\]\.layouts: unknown key; did you mean layout\?"),
        ('[[input]]\npath = "a.csv"\nlayout = "hqm"', r"input\[1\]\.layout: 'hqm' is unknown"),
        ('[[correction]]\npath = "a.csv"\nheader_row = 0', r"correction\[1\]\.header_row: should be from 1"),
        ('[[correction]]\npath = "a.csv"\nsheet = 3', r"correction\[1\]\.sheet: should be a text"),
        ('[[inputs]]\npath = "a.csv"', r"inputs: unknown key; did you mean input\?"),
        ("format = 2", "format 2"),
    ],
)  # fmt: skip
def test_an_error_names_list_and_key(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "a.csv").write_text("record_id\n1\n", encoding="utf-8")
    (tmp_path / "list.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=rf"list\.toml.*{told}"):
        read_inputs(str(tmp_path / "list.toml"))


def test_a_map_at_fault_is_named_with_the_key_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("record_id\n1\n", encoding="utf-8")
    (tmp_path / "map.toml").write_text("[fields]\nsexx = 'a'\n", encoding="utf-8")
    (tmp_path / "list.toml").write_text('[[input]]\npath = "a.csv"\ncolumns = "map.toml"\n', encoding="utf-8")
    place = support.city(3600, 0.03, (5,))
    with pytest.raises(UsageError, match=r"list\.toml: input\[1\]\.columns: .*map\.toml.*sexx"):
        support.settle(Lake(tmp_path / "lake"), place, "2025-05", inputs_file=str(tmp_path / "list.toml"))


def test_without_any_input_the_command_says_how(tmp_path: Path) -> None:
    place = support.city(3600, 0.03, (5,))
    done = CliRunner().invoke(
        cli,
        ["settle", "--area", "yulin", "--month", "2025-05", "--budget", str(place / "budget.toml"),
         "--hospitals", str(place / "hospitals.csv"), "-o", str(tmp_path / "lake")],
    )  # fmt: skip
    assert done.exit_code == 1 and isinstance(done.exception, UsageError)
    assert done.exception.zh == "没有输入文件；请用 --input 给出，或在 --inputs 的清单中写 [[input]]"


def test_a_column_to_go_without_is_one_that_there_is(tmp_path: Path) -> None:
    """Two in one option were one that nobody asks for."""
    place = support.city(2400, 0.0)
    path = support.write(tmp_path / "in.parquet", support.take(place, MONTH, 4), place / f"{MONTH}.parquet")
    with pytest.raises(UsageError, match="there is no column payment_method,icu_hours to go without"):
        support.settle(
            Lake(tmp_path / "lake"), place, MONTH, path, area="yulin",
            allow_missing=("payment_method,icu_hours",),
        )  # fmt: skip


def test_the_file_of_a_row_that_may_be_a_newborn_is_named(tmp_path: Path) -> None:
    place = support.city(2400, 0.0)
    rows = support.take(place, MONTH, 4)
    rows[2] |= {"birth_date": rows[2]["admission_date"], "age_years": 0, "age_days": 0}
    path = support.write(tmp_path / "in.parquet", rows, place / f"{MONTH}.parquet")
    table = pq.read_table(path)
    left = [name for name in table.column_names if "weight_g" not in name]
    pq.write_table(table.select(left), path)
    with pytest.raises(UsageError, match=r"^in\.parquet, row 3 may be a newborn"):
        support.settle(
            Lake(tmp_path / "lake"), place, MONTH, path, area="yulin", allow_missing=("payment_method",)
        )
