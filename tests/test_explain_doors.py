"""``explain`` gives what ``group`` gives, by whatever door the record comes."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import grouper
from grouper.base.errors import DataError, GrouperError, UsageError
from grouper.commands import cli

from .support import loaded

ALL = (
    "sex",
    "age_years",
    "age_days",
    "birth_weight_g",
    "los_days",
    "discharge_way",
    "department",
    "icu_hours",
)
SCHEMES = ("chs-drg-2.0", "zhejiang-2022", "dip-taian-2025")
CODES = [
    "K35.300", "J18.900", "I63.900", "I10.x00", "O80.000", "P22.000", "C50.900", "k35.300", "K35300", "-", "",
    "nothing",
]  # fmt: skip
OPERATIONS = ["47.0100", "85.4300", "85.4301", "51.2300", "6.31", "06.4", "xx", "", "512300"]
TEXTS = {
    "sex": ["1", "2", "男", "女性", "3", "9", "", "x"],
    "age_years": ["0", "40", "-3", "999", "3.5", "64岁", ""],
    "age_days": ["3", "400", "", "x"],
    "birth_weight_g": ["2500", "900", "0", "-1", ""],
    "los_days": ["3", "99", "-1", ""],
    "discharge_way": ["1", "医嘱离院", "7", "5", ""],
    "department": ["ICU", "0303", ""],
    "icu_hours": ["0", "1/2/30", "-4", ""],
    "birth_date": ["1980-01-02", "2025-01-01", "2030-01-01", "never", ""],
    "admission_date": ["2025-01-03", "2025-06-10 08:00:00", ""],
    "discharge_date": ["2025-01-05", "2025-01-01", ""],
}
RECORDS = st.fixed_dictionaries(
    {
        "diagnoses": st.lists(st.sampled_from(CODES), min_size=1, max_size=4),
        "procedures": st.lists(st.sampled_from(OPERATIONS), max_size=3),
    },
    optional={name: st.sampled_from(words) for name, words in TEXTS.items()},
)


def allowing(name: str) -> grouper.Grouper:
    if name not in _LOADED:
        _LOADED[name] = grouper.load_scheme(name, allow_missing=(*ALL, "total_cost"))
    return _LOADED[name]


_LOADED: dict[str, grouper.Grouper] = {}


@pytest.mark.parametrize("scheme", SCHEMES)
@settings(max_examples=60, deadline=None)
@given(record=RECORDS)
def test_any_record_is_explained_as_it_is_grouped(scheme: str, record: dict[str, Any]) -> None:
    drg = allowing(scheme)
    lists = {name: [record[name]] for name in ("diagnoses", "procedures")}
    texts = {name: [value] for name, value in record.items() if name not in lists}
    schema = pa.schema(
        [(name, pa.list_(pa.string())) for name in lists] + [(name, pa.string()) for name in texts]
    )
    table = pa.table({**lists, **texts}, schema=schema)
    (grouped,) = drg.group(table).select(drg.result_names).to_pylist()
    assert dict(drg.explain(record).result) == grouped


@pytest.mark.parametrize(
    ("values", "same"),
    [
        ({"sex": "男"}, {"sex": 1}),
        ({"gender": 1, "age": 40}, {"sex": 1, "age_years": 40}),
        ({"birth_date": date(1980, 1, 2), "admission_date": date(2025, 1, 3)}, {"age_years": 45}),
        ({"diagnoses": [{"diag_code": "K35.300"}]}, {"diagnoses": ["K35.300"]}),
        ({"diagnoses": "K35.300|I10.x00"}, {"diagnoses": ["K35.300", "I10.x00"]}),
    ],
)
def test_what_a_file_may_hold_is_understood(values: dict[str, Any], same: dict[str, Any]) -> None:
    base = {"diagnoses": ["K35.300"], "procedures": [], "age_years": 40, "sex": 1}
    if "age" in values or "birth_date" in values:
        base = {"diagnoses": ["K35.300"], "procedures": []}
    drg = loaded("chs-drg-2.0")
    assert drg.explain(base | values).result == drg.explain(base | same).result


@pytest.mark.parametrize("record", [{"diagnoses": [35.3]}, {"diagnoses": [{"name": "x"}]}, {"age_years": 3}])
def test_what_a_file_is_refused_for_is_refused(record: dict[str, Any]) -> None:
    with pytest.raises((DataError, UsageError)):
        loaded("chs-drg-2.0").explain(record)


def call(*arguments: str, stdin: str = "") -> tuple[int, str]:
    """Exit code and what the user reads; anything but an error in words is a failure of the test."""
    command = ["explain", *arguments, "--scheme", "chs-drg-2.0", "--lang", "zh"]
    done = CliRunner().invoke(cli, command, input=stdin)
    if isinstance(done.exception, GrouperError):
        return 1, done.exception.zh
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def test_options_json_and_file_agree(tmp_path: Path) -> None:
    record = {"record_id": "a", "diagnoses": ["J18.900"], "procedures": [], "sex": "男", "age_years": "70岁"}
    (tmp_path / "r.json").write_text(json.dumps([record], ensure_ascii=False), encoding="utf-8")
    doors = [
        call("--dx", "J18.900", "--sex", "男", "--age", "70岁"),
        call("-", stdin=json.dumps(record)),
        call("-", stdin=json.dumps([record])),
        call(str(tmp_path / "r.json"), "--record-id", "a", *(f"--allow-missing={name}" for name in ALL[2:])),
    ]
    assert {code for code, _ in doors} == {0} and len({text for _, text in doors}) == 1
    code, text = call("--dx", "J18.900", "--sex", "3", "--age", "-3")
    assert code == 0 and "性别取值无法识别" in text


def test_a_message_on_standard_input() -> None:
    message = {
        "setlinfo": {"gend": "2", "age": 70, "act_ipt_days": 3},
        "diseinfo": [{"diag_code": "J18.900", "maindiag_flag": "1", "diag_type": "1"}],
        "oprninfo": [],
    }
    code, text = call("-", stdin=json.dumps({"input": message}))
    assert code == 0 and "ES3" in text


@pytest.mark.parametrize(
    ("stdin", "words"),
    [
        ('{"diagnoses": ["J18.900"], "agee_years": 30}', "是否为 age_years"),
        ("not json", "不是 JSON：第 1 行第 1 个字符处"),
        ('{"主要诊断": "J18.900"}', "'主要诊断'（请写 diagnoses）"),
        ('{"主要诊断编码": "J18.900", "性别": "男"}', "'性别'（请写 sex）"),
        ("[]", "实有 0 条"),
        ("3", "一条 JSON 记录"),
        ('{"diagnoses": ["J18.900"], "age_years": ' + "9" * 5000 + "}", "年龄不是 0 至 150 的整数"),
        ('{"diagnoses": ["J18.900"], "sex": {"a": 1}}', "sex"),
        ("[" * 100_000, "嵌套超过 32 层"),
    ],
)
def test_what_cannot_be_read_is_said_in_words(stdin: str, words: str) -> None:
    _, text = call("-", stdin=stdin)
    assert words in text and "Traceback" not in text and "Expecting" not in text


def test_codes_joined_in_one_option_are_refused() -> None:
    code, text = call("--dx", "I63.900,I10.x00")
    assert code == 1 and "每个编码写一个 --dx" in text
    code, text = call("--dx", "I63.900", "--proc", "38.9300、06.3100")
    assert code == 1 and "每个编码写一个 --proc" in text
