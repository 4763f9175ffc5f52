"""Personal columns are told by their names and their values, are left out, and that is said."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from grouper.base.errors import DataError, UsageError
from grouper.base.provenance import PROVENANCE_KEY
from grouper.commands import cli
from grouper.records.columns import aliases
from grouper.records.private import KINDS, by_values, kind_of_name, patterns, valid_identity
from grouper.records.schema import CANONICAL

from ..support import RECORD_COLUMNS, canonical

PERSONAL = {
    "name": "姓名 患者姓名 新生儿姓名 母亲姓名 参保人姓名 联系人 联系人姓名 监护人 name NAME "
    "pat_name PatientName psn_name xm XM HZXM brxm XM2 医师姓名 患者姓名(必填) contactPerson",
    "identity": "身份证 身份证号 证件号 患者身份证号 证件号码 护照号 idcard IDCard id_no ID-NO "
    "cert_no certno SFZ SFZH patientIDNumber GMSFHM zjhm 社会保障号码",
    "phone": "手机 手机号码 电话 联系电话 联系方式 tel TEL1 phoneNumber MOBILE_PHONE lxdh dh2 sjhm "
    "contactPhone1",
    "address": "地址 住址 家庭地址 户籍地址 现住址 home-address curr_addr xzz 邮编 出生地",
    "card": "银行卡号 银行账户 社保卡号 医保卡号 卡号 card_no bank_account kh",
    "electronic": "email E-Mail 邮箱 微信号 qq",
    "employer": "单位 工作单位 工作单位名称 employer gzdw dwmc",
}
PLAIN = (
    "hospital_name dept_name drg_name 科室名称 诊断名称 手术名称 病组名称 项目名称 医院名称 医院地址 "
    "机构电话 科室 性别 年龄单位 计价单位 record_id visit_no 病案号 住院号 SFXM 收费项目 付款方式 psn_no "
    "人员编号 RYSJ RY_SJ 民族 入院时间 file_name fixmedins_name group_name adrg_name 主要诊断名称 个人账户 "
    "acct_pay account_paid 单病种 电子病历号 emergency iphones 参保地 就诊类型 card_type 证件类型 cert_type "
    "username 是否本人电话"
)
NUMBER = "330102199001011234"


@pytest.mark.parametrize("kind", PERSONAL)
def test_names_tell_of_personal_data(kind: str) -> None:
    assert {name: kind_of_name(name) for name in PERSONAL[kind].split()} == dict.fromkeys(
        PERSONAL[kind].split(), kind
    )


@pytest.mark.parametrize(
    "name",
    ["姓  名", "Ｎａｍｅ", "NameOfPatient", "patient", "pt_nm", "paName", "contact", "就诊人", "被保险人"],
)
def test_names_are_compared_without_width_and_blanks(name: str) -> None:
    assert kind_of_name(name) == "name"


def test_other_names_tell_of_none() -> None:
    canonical_names = {name: kind_of_name(name) for name in (*CANONICAL, *PLAIN.split())}
    assert {name for name, kind in canonical_names.items() if kind} == set()
    known = {a.column.replace("{n}", "1") for a in aliases() if not a.personal}
    assert {name for name in known if kind_of_name(name)} == set()


def test_every_private_name_of_the_alias_table_is_known_by_its_kind() -> None:
    names = [alias.column for alias in aliases() if alias.layout == "private"]
    assert len(names) > 40 and {name for name in names if not kind_of_name(name)} == set()


def test_patterns_are_of_known_kinds() -> None:
    assert {pattern.kind for pattern in patterns()} <= {*KINDS, "not"} and len(patterns()) > 200


def test_a_check_digit_proves_an_identity_number() -> None:
    assert valid_identity("11010519491231002X") and valid_identity("11010519491231002x")
    good = [d for d in "0123456789X" if valid_identity(NUMBER[:17] + d)]
    assert good == [NUMBER[17]]
    assert not valid_identity("330102199013011234") and not valid_identity("330102199001321234")


def identities(number: int) -> list[str]:
    rng, found = random.Random(3), []
    while len(found) < number:
        begin = f"3301{rng.randrange(10):02}19{rng.randrange(30, 99)}{rng.randrange(1, 13):02}"
        begin += f"{rng.randrange(1, 29):02}{rng.randrange(1000):03}"
        found += [begin + d for d in "0123456789X" if valid_identity(begin + d)]
    return found


IDS = identities(40)
MOBILES = [f"1{3 + i % 7}{i % 10}{i * 7919 % 100_000_000:08}" for i in range(40)]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (IDS, "identity"),
        ([f" {x.lower()} " for x in IDS], "identity"),
        ([None] * 39 + [f"患者证号：{IDS[0]}，已核"], "identity"),
        (pa.array(IDS).dictionary_encode(), "identity"),
        ([int(x) for x in IDS if x[17] != "X"], "identity"),
        ([[x] for x in IDS], "identity"),
        (pa.array(IDS, pa.string_view()), "identity"),
        (MOBILES, "phone"),
        ([f"+86 {x}" for x in MOBILES], "phone"),
        ([int(x) for x in MOBILES], "phone"),
        ([float(x) for x in MOBILES], "phone"),
        (MOBILES[:1], "phone"),
        ([f"电话{x}" for x in MOBILES], "phone"),
        ([f"+86-{x[:3]}-{x[3:7]}-{x[7:]}" for x in MOBILES], "phone"),
        ([f"患者 {x[:6]} {x[6:14]} {x[14:]}" for x in IDS], "identity"),
        ([f"1390000{i:02}.{i:02}" for i in range(40)], ""),  # amounts
        ([*MOBILES[:20], *["无"] * 20], "phone"),
        ([str(330102199001010000 + i) for i in range(40)], ""),  # running numbers: few check digits are right
        ([f"1390000{i:04}" for i in range(40)], ""),  # running numbers
        (["13900000000001"] * 40, ""),
        ([f"{i:018}" for i in range(40)], ""),
        (["普通文字"] * 40, ""),
        ([1.5, 2.25], ""),
        ([True, False], ""),
        ([None], ""),
        ([], ""),
    ],
)  # fmt: skip
def test_values_tell_of_personal_data(values: list[object] | pa.Array, kind: str) -> None:
    column = values if isinstance(values, pa.Array) else pa.array(values)
    if kind == "" and len(column) == 40 and str(column[0]).startswith("3301"):
        column = pa.array([str(10**17 + i * 7) for i in range(400)])
    batch = pa.record_batch({"x": column})
    assert by_values(batch, ["x"]) == ({"x": kind} if kind else {})


# --- group ---------------------------------------------------------------------------------------


def cases(path: Path, rows: int = 3, **more: list[object]) -> Path:
    row = {"diagnoses": ["A01.000"], "procedures": [], "sex": 1, "age_years": 40}
    table = pa.Table.from_pylist(
        [row | {"record_id": f"R{i}"} for i in range(rows)], schema=canonical(RECORD_COLUMNS)
    )
    for name, values in more.items():
        table = table.append_column(name, pa.array(values))
    pq.write_table(table, path)
    return path


def group(path: Path, *more: str) -> Result:
    out = path.with_name("out.parquet")
    call = ["group", str(path), "-o", str(out), "--scheme", "chs-drg-2.0", "--lang", "en", *more]
    return CliRunner().invoke(cli, call)


PEOPLE = {
    "患者身份证号": IDS[:3], "hzxm": ["张三", "李四", "王五"], "备用1": MOBILES[:3], "备用2": IDS[3:6],
    "person_id": IDS[6:9], "note": ["a", "b", "c"],
}  # fmt: skip


def test_group_leaves_them_out_and_says_so(tmp_path: Path) -> None:
    done = group(cases(tmp_path / "in.parquet", **PEOPLE))
    assert done.exit_code == 0, done.output
    table = pq.read_table(tmp_path / "out.parquet")
    assert {"note", "person_id", "record_id"} < set(table.column_names)
    assert not {"患者身份证号", "hzxm", "备用1", "备用2"} & set(table.column_names)
    told = json.loads(table.schema.metadata[PROVENANCE_KEY.encode()])
    kinds = {"患者身份证号": "identity", "hzxm": "name", "备用1": "phone", "备用2": "identity"}
    assert told["dropped_kinds"] == kinds and set(told["dropped_columns"]) == set(kinds)
    assert told["personal_columns_read"] == {"person_id": "identity"}
    assert "备用1 (phone)" in done.output and "person_id (identity number)" in done.output
    everything = json.dumps(table.to_pylist(), ensure_ascii=False, default=str) + done.output
    assert not any(value in everything for name in kinds for value in PEOPLE[name])


def test_columns_are_kept_or_left_out_as_the_user_says(tmp_path: Path) -> None:
    path = cases(tmp_path / "in.parquet", **PEOPLE)
    done = group(path, "--keep", "HZXM", "--keep", "备用1", "--drop", "person_id", "--drop", "note")
    assert done.exit_code == 0, done.output
    names = pq.read_schema(tmp_path / "out.parquet").names
    assert {"hzxm", "备用1"} < set(names) and not {"person_id", "note", "备用2"} & set(names)
    done = group(path, "--keep-personal", "--drop", "note")
    assert set(PEOPLE) - set(pq.read_schema(tmp_path / "out.parquet").names) == {"note"}
    for flag in ("--keep", "--drop"):
        done = group(path, flag, "nothing")
        assert isinstance(done.exception, UsageError) and f"{flag} 'nothing'" in done.exception.en
    done = group(path, "--drop", "sex")
    assert isinstance(done.exception, UsageError) and "sex" in done.exception.en


def test_what_appears_further_down_stops_the_run(tmp_path: Path) -> None:
    late = ["x"] * 10_000 + [IDS[0]]
    done = group(cases(tmp_path / "in.parquet", 10_001, remark=late))
    assert isinstance(done.exception, DataError) and "remark (identity number)" in done.exception.en
    assert IDS[0] not in done.exception.en + done.exception.zh and "--keep remark" in done.exception.en
    assert not (tmp_path / "out.parquet").exists()
    assert group(tmp_path / "in.parquet", "--keep", "remark").exit_code == 0
    assert group(tmp_path / "in.parquet", "--drop", "remark").exit_code == 0
