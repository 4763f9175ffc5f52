"""A month in words is the month in codes; a word that nobody knows goes back with what is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from grouper.base.errors import DataError, UsageError
from grouper.lake import Lake

from . import settle_support as support

SQL = "SELECT record_id, hospital_level, insurance_type, settled_fund FROM cases_current ORDER BY 1"


@pytest.fixture(scope="module")
def place() -> Path:
    return support.city(3600, 0.03, (5,))


@pytest.fixture(scope="module")
def plain(place: Path) -> list[dict[str, Any]]:
    return support.take(place, "2025-05", 40)


def in_words(row: dict[str, Any]) -> dict[str, Any]:
    levels = {"1": "一级", "2": "二级甲等", "3": "三级甲等"}
    kinds = {"310": "职工基本医疗保险", "390": "城乡居民基本医疗保险"}
    words: dict[str, Any] = {
        "hospital_level": levels[row["hospital_level"]],
        "insurance_type": kinds.get(row["insurance_type"], row["insurance_type"]),
        "valid_flag": "有效",
        "refund_flag": "正常",
        "interim_flag": "否",
        "sex": "男" if row["sex"] == 1 else "女",
    }
    return row | words


def test_one_file_in_words_and_one_in_codes(place: Path, plain: list[dict[str, Any]], tmp_path: Path) -> None:
    whole = support.write_csv(tmp_path / "codes.csv", plain)
    one = support.write_csv(tmp_path / "a.csv", plain[:20])
    two = support.write_csv(tmp_path / "b.csv", [in_words(row) for row in plain[20:]])
    text = (place / "hospitals.csv").read_text(encoding="utf-8")
    header, *lines = text.splitlines()
    level = header.split(",").index("hospital_level")
    cells = [line.split(",") for line in lines]
    for line in cells:
        line[level] = {"1": "一级甲等", "2": "二甲", "3": "三级甲等"}[line[level]]
    hospitals = tmp_path / "hospitals.csv"
    hospitals.write_text("\n".join([header, *map(",".join, cells)]) + "\n", encoding="utf-8")
    first, second = Lake(tmp_path / "one"), Lake(tmp_path / "two")
    support.settle(first, place, "2025-05", whole)
    support.settle(second, place, "2025-05", one, two, hospitals=str(hospitals))
    assert support.rows(first, SQL) == support.rows(second, SQL)
    assert {row["insurance_type"] for row in support.rows(second, SQL)} <= {"310", "390", "340", "510"}


def test_a_word_that_nobody_knows_goes_back(place: Path, plain: list[dict[str, Any]], tmp_path: Path) -> None:
    made = [dict(row) for row in plain]
    made[0]["insurance_type"] = "甲类"
    made[1]["valid_flag"] = "待定"
    made[2]["hospital_level"] = "不明"  # the table of hospitals has it: no harm
    lake = Lake(tmp_path / "lake")
    done = support.settle(lake, place, "2025-05", support.write_csv(tmp_path / "may.csv", made))
    assert done.rejected == {"bad-value": 2}
    found = support.rows(lake, "SELECT input_row, reason, reason_text_en FROM rejected_current")
    assert [(row["input_row"], row["reason"]) for row in found] == [(1, "bad-value"), (2, "bad-value")]
    assert "310 职工基本医疗保险" in found[0]["reason_text_en"] and "valid_flag" in found[1]["reason_text_en"]


def test_too_many_unknown_words_stop_the_month(
    place: Path, plain: list[dict[str, Any]], tmp_path: Path
) -> None:
    made = support.write_csv(tmp_path / "may.csv", [row | {"insurance_type": "甲"} for row in plain])
    with pytest.raises(DataError) as error:
        support.settle(Lake(tmp_path / "lake"), place, "2025-05", made, max_rejected="0.1")
    for part in ("insurance_type", "'甲' 40", "390 城乡居民基本医疗保险", "[values.insurance_type]"):
        assert part in error.value.zh
    assert not (tmp_path / "lake" / "ledger.duckdb").exists()
    columns = tmp_path / "map.toml"
    columns.write_text("base = 'canonical'\n[values.insurance_type]\n'甲' = '310'\n", encoding="utf-8")
    lake = Lake(tmp_path / "mapped")
    support.settle(lake, place, "2025-05", made, columns=str(columns))
    assert {row["insurance_type"] for row in support.rows(lake, SQL)} == {"310"}


def test_a_level_that_nobody_knows_in_the_table_of_hospitals(
    place: Path, plain: list[dict[str, Any]], tmp_path: Path
) -> None:
    hospitals = tmp_path / "hospitals.csv"
    hospitals.write_text("hospital_code,hospital_level\nH1,三级\nH2,四级\n", encoding="utf-8")
    path = support.write_csv(tmp_path / "may.csv", plain)
    with pytest.raises(
        DataError, match=r"row 3, column hospital_level: '四级' is not understood; known are 1 一级"
    ):
        support.settle(Lake(tmp_path / "lake"), place, "2025-05", path, hospitals=str(hospitals))


@pytest.mark.parametrize("role", ["input", "correction"])
def test_a_file_that_lacks_needed_columns_is_refused_beside_a_whole_one(
    place: Path, plain: list[dict[str, Any]], tmp_path: Path, role: str
) -> None:
    whole = support.write_csv(tmp_path / "whole.csv", plain[:20])
    gone = ("pool_paid", "fund_paid")
    other = [{k: v for k, v in row.items() if k not in gone} | {"统筹支付额": "1"} for row in plain[20:]]
    half = support.write_csv(tmp_path / "half.csv", other)
    inputs, corrections = ((whole, half), ()) if role == "input" else ((whole,), (str(half),))
    with pytest.raises(UsageError) as error:
        support.settle(Lake(tmp_path / "lake"), place, "2025-05", *inputs, corrections=corrections)
    for part in ("half.csv", "pool_paid", "fund_paid", "统筹支付额", "--allow-missing pool_paid"):
        assert part in error.value.zh, part
    assert "whole.csv" not in error.value.zh
