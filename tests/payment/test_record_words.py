"""``pay`` reads official words as settle does, and stops at one that nobody knows."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq

from grouper.payment.policy.policy import find_policy
from grouper.payment.price.accepted import policy_words

from .pay_support import CASES, case, grouper, write_cases, write_policy

PAY = ("pay", "grouped.parquet", "--policy", "policy.toml", "-o", "o.parquet")


def amounts(path: Path) -> dict[str, Decimal]:
    return {row["record_id"]: row["amount"] for row in pq.read_table(path).to_pylist()}


def test_cases_in_words_are_paid_as_in_codes(tmp_path: Path) -> None:
    write_policy(tmp_path)
    words = [row | {"hospital_level": "三级甲等", "insurance_type": "职工基本医疗保险"} for row in CASES]
    write_cases(tmp_path, words)
    code, _, err = grouper(
        "pay", "grouped.parquet", "--policy", "policy.toml", "-o", "o.parquet", cwd=tmp_path
    )
    assert code == 0, err
    assert amounts(tmp_path / "o.parquet")["normal"] == Decimal("12600.00")
    row = pq.read_table(tmp_path / "o.parquet").to_pylist()[0]
    assert (row["hospital_level"], row["insurance_type"], row["pool"]) == ("3", "310", "employee")


def test_levels_of_the_table_of_hospitals(tmp_path: Path) -> None:
    write_policy(tmp_path)
    write_cases(tmp_path)
    (tmp_path / "h.csv").write_text("hospital_code,hospital_level\nA,三甲\nB,2A\n", encoding="utf-8")
    call = ["pay", "grouped.parquet", "--policy", "policy.toml", "--hospitals", "h.csv", "-o", "o.parquet"]
    code, _, err = grouper(*call, cwd=tmp_path)
    assert code == 0, err
    assert amounts(tmp_path / "o.parquet")["normal"] == Decimal("12600.00")
    (tmp_path / "h.csv").write_text("hospital_code,hospital_level\nA,特级\n", encoding="utf-8")
    code, _, err = grouper(*call, cwd=tmp_path)
    assert code == 2 and "'特级' 无法识别；可用：1 一级" in err


def test_a_word_that_nobody_knows_stops_pay_with_its_row(tmp_path: Path) -> None:
    write_policy(tmp_path)
    write_cases(tmp_path, [*CASES, case("odd", "1.00", insurance_type="甲类")])
    code, _, err = grouper(
        "pay", "grouped.parquet", "--policy", "policy.toml", "-o", "o.parquet", cwd=tmp_path
    )
    assert code == 2 and not (tmp_path / "o.parquet").exists()
    for part in (
        f"第 {len(CASES) + 1} 行",
        "insurance_type",
        "'甲类'",
        "310 职工基本医疗保险",
        "[values.insurance_type]",
    ):
        assert part in err, part


def test_the_words_of_a_policy() -> None:
    levels = policy_words(find_policy("xian"))["hospital_level"]
    assert {"3a", "3b", "2a", "2b"} <= levels
    assert policy_words(find_policy("qingyang/2025"))["admission_type"] == {"2105"}


def test_explain_reads_the_same_words(tmp_path: Path) -> None:
    write_policy(tmp_path)
    settings = {
        "record_id": "a", "hospital_code": "A", "total_cost": "15000", "pool_paid": "10965",
        "fund_paid": "10965", "discharge_date": "2025-06-10",
    }  # fmt: skip
    call = [
        "explain",
        "--policy",
        "policy.toml",
        "--dx",
        "K35.300",
        "--proc",
        "47.0100",
        "--sex",
        "男",
        "--age",
        "40",
    ]
    call += ["--los", "6", *(part for n, v in settings.items() for part in ("--set", f"{n}={v}"))]
    words = ["--set", "hospital_level=三级甲等", "--set", "insurance_type=职工"]
    codes = ["--set", "hospital_level=3", "--set", "insurance_type=310"]
    answers = [grouper(*call, *given, cwd=tmp_path) for given in (words, codes)]
    assert answers[0] == answers[1] and answers[0][0] == 0, answers
    code, _, err = grouper(*call, "--set", "hospital_level=三级", "--set", "insurance_type=甲", cwd=tmp_path)
    assert code == 1 and "'甲' 无法识别；可用：310" in err
