"""Column maps: found, written by hand, proposed."""

from __future__ import annotations

import tomllib
from collections import Counter

import pytest
from record_files import FIELDS, write_csv

from grouper.base.errors import DataError, UsageError
from grouper.records import CANONICAL, Source, detect_layout, load_map, propose_map
from grouper.records.columns import LAYOUTS, aliases
from grouper.records.values import _code_list


def test_alias_table_is_sound():
    for alias in aliases():
        assert alias.layout in (*LAYOUTS, "label", "private")
        assert (alias.field in CANONICAL) != alias.personal, alias
    keys = Counter((alias.layout, alias.column.casefold()) for alias in aliases())
    assert keys.most_common(1)[0][1] == 1
    assert [value for value, *_ in _code_list("discharge_way")] == ["1", "2", "3", "4", "5", "9"]


def test_wide_columns_follow_their_numbers():
    header = ["c06X10c", "C06x02C", "C06x01C", "c03c", "C35x01C", "C14X01C", "A12C"]
    columns = detect_layout(header)
    assert columns.layout == "hqms"
    assert columns.fields["diagnoses"].columns == ("c03c", "C06x01C", "C06x02C", "c06X10c")
    assert columns.fields["procedures"].columns == ("C14X01C", "C35x01C")
    assert columns.fields["sex"] == Source(("A12C",), "")


def test_parts_of_a_duration():
    columns = detect_layout(["JBDM", "RYQ_F", "RYQ_T", "RYQ_XS"])
    assert columns.fields["coma_before_hours"] == Source(("RYQ_T", "RYQ_XS", "RYQ_F"), "days+hours+minutes")


def test_canonical_names_fill_gaps_of_a_layout():
    columns = detect_layout(["JBDM", "SSJCZBM1", "XB", "icu_hours", "sex"])
    assert columns.layout == "pinyin"
    assert columns.fields["icu_hours"].columns == ("icu_hours",)
    assert columns.fields["sex"].columns == ("XB",)


def test_ambiguous_columns():
    columns = detect_layout(["dscg_maindiag_code", "begndate", "begntime", "gend"])
    assert columns.ambiguous("admission_date") == ("begndate", "begntime")
    assert columns.ambiguous("sex") == columns.ambiguous("diagnoses") == columns.ambiguous("los_days") == ()


def test_private_columns_of_any_layout():
    assert detect_layout(["diagnoses", "姓名", "psn_name"]).drop == ("psn_name", "姓名")


def write(tmp_path, text):
    path = tmp_path / "map.toml"
    path.write_text(text, "utf-8")
    return path


MAP = """
layout = "my hospital"
drop = ["name"]
[fields]
diagnoses = ["主诊断", "其他诊断{n}"]
procedures = {columns = "手术", separator = ";"}
sex = "性别"
age_years = "NL"
birth_date = "生日"
icu_hours = {columns = ["d", "h"], unit = "days+hours"}
age_days = {columns = "月龄", unit = "months"}
"""
HEADER = ["主诊断", "手术", "其他诊断2", "其他诊断1", "性别", "nl", "生日", "d", "h", "月龄", "NAME", "more"]


def test_a_map_by_hand(tmp_path, read):
    columns = load_map(write(tmp_path, MAP))
    assert columns.layout == "my hospital"
    bound = columns.bind(HEADER)
    assert bound.fields["diagnoses"] == Source(("主诊断", "其他诊断1", "其他诊断2"))
    assert bound.fields["procedures"] == Source(("手术",), "split:;")
    assert bound.fields["age_years"].columns == ("nl",)
    assert bound.drop == ("NAME",)
    row = ["I10.x00", "38.93;06.3100", "J18", "-", "女", "0", "", "1", "2", "2 15/30", "赵六", "kept"]
    path = write_csv(tmp_path / "r.csv", HEADER, [row])
    result = read(path, ["sex", "age_days", "icu_hours"], columns=columns)
    assert result.rows == [
        {
            "diagnoses": ["I10.x00", "J18"],
            "procedures": ["38.93", "06.3100"],
            "sex": 2,
            "age_days": 75,
            "icu_hours": 26,
        }
    ]
    assert "赵六" not in str(result.kept.to_pylist()) and result.kept["more"].to_pylist() == ["kept"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("layout = ", "not valid TOML"),
        ("x = 1", "x: unknown key"),
        ("layout = 'a'", r"there is no \[fields\]"),
        ("[fields]\nsexx = 'a'", "sexx: there is no such canonical column; did you mean sex"),
        ("[fields]\nsex = 1", "sex: must be a column name"),
        ("[fields]\nsex = []", "sex: must be a column name"),
        ("[fields]\nsex = {column = 'a'}", "sex.column: unknown key"),
        ("[fields]\nsex = {columns = 'a', separator = ';'}", "sex.separator"),
        ("[fields]\nsex = {columns = 'a', unit = 'days'}", "sex.unit"),
        ("[fields]\nicu_hours = {columns = 'a', unit = 'days+hours'}", "icu_hours.unit"),
        ("[fields]\nicu_hours = {columns = 'a', unit = 'weeks'}", "icu_hours.unit"),
        ("[fields]\nage_days = {columns = 'a', unit = 'weeks'}", "age_days.unit"),
    ],
)
def test_maps_that_are_refused(tmp_path, text, message):
    with pytest.raises(UsageError, match=message):
        load_map(write(tmp_path, text))


def test_maps_that_do_not_fit_the_file(tmp_path):
    columns = load_map(write(tmp_path, "[fields]\ndiagnoses = ['主诊断编码', '其他{n}']"))
    with pytest.raises(UsageError, match=r"diagnoses from column '其他\{n\}'.*--columns"):
        columns.bind(["主诊断编码"])
    with pytest.raises(UsageError, match=r"'主诊断编码'.*did you mean '主诊断码'"):
        columns.bind(["主诊断码", "其他1"])
    with pytest.raises(UsageError, match=r"missing\.toml"):
        load_map(tmp_path / "missing.toml")
    with pytest.raises(DataError, match="same name"):
        columns.bind(["a", "A"])


LABELS = [
    "病案号",
    "患者姓名",
    "性别",
    "出生日期",
    "年龄",
    "不足一周岁年龄（天）",
    "新生儿出生体重(克)",
    "入院时间",
    "出院时间",
    "实际住院天数",
    "离院方式",
    "出院科别",
    "其他诊断编码2",
    "主要诊断编码",
    "其他诊断编码1",
    "手术操作编码1",
    "手术操作编码2",
    "医疗总费用(元)",
    "院内流水",
]


def test_a_proposed_map_is_a_map(tmp_path):
    text = propose_map(LABELS)
    columns = load_map(write(tmp_path, text)).bind(LABELS)
    assert set(FIELDS) <= columns.fields.keys()
    assert columns.fields["diagnoses"].columns == ("主要诊断编码", "其他诊断编码1", "其他诊断编码2")
    assert columns.fields["procedures"].columns == ("手术操作编码1", "手术操作编码2")
    assert columns.fields["total_cost"].columns == ("医疗总费用(元)",)
    assert columns.drop == ("患者姓名",)
    assert "CHECK" in next(line for line in text.splitlines() if line.startswith("total_cost"))
    assert "CHECK" not in next(line for line in text.splitlines() if line.startswith("sex"))
    assert "# icu_hours" in text and "院内流水" in text


@pytest.mark.parametrize("header", [["a", "b"], [], ['we"ird\\name\n', "性别"], ["gender", "SEX", "XB"]])
def test_any_header_gives_toml(header):
    document = tomllib.loads(propose_map(header))
    assert "fields" in document


def test_known_layouts_are_recognised_in_a_proposal():
    text = propose_map(["Index", "gender", "ICD10", "JBDM2", "C06x03C"])
    assert "named so in the layout 'opendrg'" in text
    assert tomllib.loads(text)["fields"]["sex"] == "gender"
