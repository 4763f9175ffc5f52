"""``grouper case`` on the command line."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import polars as pl
import pytest

import grouper

from ..in_process import call

RECORD = ["--dx", "K80.000x002", "--proc", "51.2300", "--sex", "男", "--age", 60, "--los", 6]
MONEY = [
    "--policy", "liaocheng/2025", "--when", "2025-06-10", "--set", "total_cost=12000", "--set",
    "hospital_level=3", "--set", "insurance_type=310",
]  # fmt: skip


def test_it_says_what_the_library_says() -> None:
    code, out, err = call("case", *RECORD, *MONEY, "--scheme", "chs-drg-3.0", "--json")
    assert code == 0, err
    told = json.loads(out)
    record = {
        "diagnoses": ["K80.000x002"], "procedures": ["51.2300"], "sex": "男", "age_years": "60",
        "los_days": "6", "total_cost": "12000", "hospital_level": "3", "insurance_type": "310",
    }  # fmt: skip
    assert told == grouper.case(record, ["chs-drg-3.0"], "liaocheng/2025", date(2025, 6, 10)).as_dict()


def test_words_in_both_languages() -> None:
    shares = ["--pool-share", "0.6", "--share-source", "本院上年"]
    code, out, _ = call("case", *RECORD, *MONEY, *shares)
    text = out.decode()
    assert code == 0 and "盈亏（所得 − 总费用）" in text and "按总费用的 60% 估计（本院上年）" in text
    assert "不是调高编码的建议" in text or "核对" not in text
    code, out, _ = call("case", *RECORD, *MONEY, "--lang", "en", "--no-alternatives")
    assert code == 0 and "known in part" in out.decode() and "Missing" in out.decode()


def test_json_from_standard_input_and_from_a_file(tmp_path: Path) -> None:
    record = {
        "diagnoses": ["K35.300"],
        "procedures": ["47.0100"],
        "sex": 1,
        "age_years": 30,
        "姓名": "赵钱孙",
    }
    given = json.dumps(record, ensure_ascii=False).encode()
    (tmp_path / "r.json").write_bytes(given)
    code, out, _ = call("case", "-", "--scheme", "chs-drg-2.0", stdin=given)
    again = call("case", tmp_path / "r.json", "--scheme", "chs-drg-2.0")[1]
    assert code == 0 and out == again and "赵钱孙" not in out.decode()
    code, _, err = call("case", tmp_path / "none.json", "--scheme", "chs-drg-2.0")
    assert code == 1 and "none.json" in err.decode()


def test_a_wrong_call_says_what_is_wrong() -> None:
    code, _, err = call("case", *RECORD)
    assert code == 1 and "policy" in err.decode()
    code, _, err = call("case", *RECORD, "--scheme", "chs-drg-2.1")
    assert code == 1 and "chs-drg-2.0" in err.decode()
    code, _, err = call("case", *RECORD, *MONEY, "--pool-share", "0.6")
    assert code == 1 and "来源" in err.decode()


ROW = {
    "record_id": "a1", "diagnoses": "R55.x00x012|K29.500", "procedures": "", "sex": "1", "age_years": "60",
    "los_days": "6", "discharge_date": "2025-06-07", "admission_date": "2025-06-01", "total_cost": "9000",
    "hospital_code": "H1", "hospital_level": "3", "insurance_type": "310", "admission_type": "21",
    "姓名": "赵钱孙",
}  # fmt: skip


@pytest.mark.parametrize("end", ["csv", "xlsx", "parquet"])
def test_a_row_of_a_table_is_the_same_record(tmp_path: Path, end: str) -> None:
    table = pl.DataFrame([ROW, {**ROW, "record_id": "a2", "total_cost": "1"}])
    path = tmp_path / f"f.{end}"
    {"csv": table.write_csv, "xlsx": table.write_excel, "parquet": table.write_parquet}[end](path)
    code, out, err = call("case", path, "--record-id", "a1", "--policy", "lishui", "--json")
    assert code == 0, err
    assert "赵钱孙" not in out.decode()
    told, wanted = json.loads(out), grouper.case(ROW, policy="lishui").as_dict()
    for name in ("missing", "schemes", "prices", "alternatives", "checks"):
        assert told[name] == wanted[name], name
    assert call("case", path, "--policy", "lishui")[0] == 1
    code, _, err = call("case", path, "--record-id", "a3", "--policy", "lishui")
    assert code == 2 and "a3" in err.decode()


def test_a_row_by_a_column_map(tmp_path: Path) -> None:
    given = {"号": "a1", "主诊": "R55.x00x012", "次诊": "K29.500", "费用": "9000", "出院": "2025-06-07"}
    pl.DataFrame([given]).write_csv(tmp_path / "f.csv")
    columns = {
        "record_id": "号",
        "diagnoses": ["主诊", "次诊"],
        "total_cost": "费用",
        "discharge_date": "出院",
    }
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in columns.items()]
    (tmp_path / "m.toml").write_text("[fields]\n" + "\n".join(lines))
    more = ["--columns", tmp_path / "m.toml", "--policy", "lishui", "--json"]
    code, out, err = call("case", tmp_path / "f.csv", "--record-id", "a1", *more)
    assert code == 0, err
    told = json.loads(out)["record"]["fields"]
    assert told["diagnoses"] == ["R55.x00x012", "K29.500"] and told["total_cost"] == "9000"


def test_checks_are_printed_with_what_was_not_evaluated() -> None:
    record = {name: value for name, value in ROW.items() if name != "姓名"}
    code, out, _ = call("case", "-", "--policy", "lishui", stdin=json.dumps(record).encode())
    text = out.decode()
    assert code == 0 and "质控（核查线索" in text and "未评估" in text and "[警告]" in text
    assert "（normal）" not in text
