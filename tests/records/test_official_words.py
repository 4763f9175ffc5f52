"""Official words: what each is read as, and that a word that nobody knows is never another."""

from __future__ import annotations

import csv
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grouper.base.errors import UsageError
from grouper.base.paths import tables_dir
from grouper.records import CANONICAL, load_map
from grouper.records.words import WordReader, fold_word, known_words, word_fields, word_table

from .record_files import write_csv


def test_the_table_of_words_is_sound():
    with (tables_dir() / "records" / "words.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert Counter((row["field"], fold_word(row["word"])) for row in rows).most_common(1)[0][1] == 1
    for row in rows:
        assert row["field"] in CANONICAL and row["source"]
        assert row["value"] == "" or row["value"] in word_table()[row["field"]] | {"true": 0, "false": 0}


@pytest.mark.parametrize(
    ("field", "word", "value"),
    [
        ("insurance_type", "职工基本医疗保险", "310"),
        ("insurance_type", "城镇职工", "310"),
        ("insurance_type", "城乡居民基本医疗保险", "390"),
        ("insurance_type", " 居民医保 ", "390"),
        ("insurance_type", "310.0", "310"),
        ("insurance_type", "３９０", "390"),
        ("hospital_level", "三级甲等", "3"),
        ("hospital_level", "三甲", "3"),
        ("hospital_level", "3A", "3"),
        ("hospital_level", "03", "3"),
        ("hospital_level", "二级乙等医院", "2"),
        ("hospital_level", "一级", "1"),
        ("valid_flag", "有效", "true"),
        ("valid_flag", "正常", "true"),
        ("valid_flag", "无效", "false"),
        ("valid_flag", "TRUE", "true"),
        ("refund_flag", "退费", "true"),
        ("refund_flag", "正常", "false"),
        ("refund_flag", "N", "false"),
        ("interim_flag", "中途结算", "true"),
        ("sex", "女性", "2"),
        ("discharge_way", "医嘱转社区卫生服务机构", "3"),
        ("discharge_way", "死亡", "5"),
        ("admission_type", "普通住院", "21"),
        ("admission_type", "2101", "2101"),
        ("payment_method", "按病种分值付费", "3"),
        ("insurance_type", "employee", "310"),
        ("insurance_type", "Urban Employee Basic Medical Insurance", "310"),
        ("insurance_type", "Resident", "390"),
        ("insurance_type", "URRBMI", "390"),
        ("insurance_type", "maternity insurance", "510"),
        ("hospital_level", "Tertiary", "3"),
        ("hospital_level", "Grade 3A", "3"),
        ("hospital_level", "level Ⅱ", "2"),
        ("valid_flag", "invalid", "false"),
        ("valid_flag", "valid", "true"),
        ("refund_flag", "refunded", "true"),
        ("interim_flag", "final", "false"),
        ("discharge_way", "against medical advice", "4"),
        ("discharge_way", "deceased", "5"),
    ],
)
def test_official_words(field, word, value):
    assert WordReader(field)(word)[:2] == (value, False)


@pytest.mark.parametrize(
    ("field", "word"),
    [
        ("insurance_type", "甲"),
        ("insurance_type", "31"),
        ("hospital_level", "四级"),
        ("hospital_level", "10"),
        ("valid_flag", "退费"),
        ("valid_flag", "2"),
        ("discharge_way", "7"),
        ("discharge_way", "治愈"),
        ("admission_type", "9"),
        ("sex", "3"),
    ],
)
def test_words_that_nobody_knows(field, word):
    assert WordReader(field)(word) == (None, True, "")


def test_a_policy_that_tells_3a_from_3_gets_3a():
    assert WordReader("hospital_level", ["3a", "3", "province_3a"])("三级甲等").value == "3a"
    assert WordReader("hospital_level", ["3a", "3", "province_3a"])("PROVINCE_3A").value == "province_3a"
    assert WordReader("hospital_level", ["3", "2"])("3A").value == "3"
    assert WordReader("hospital_level", ["中医Ⅰ级"])("中医Ⅰ级").value == "中医Ⅰ级"


@given(st.sampled_from(sorted(word_fields())), st.text(max_size=8))
def test_a_value_is_one_of_the_list_or_nothing(field, word):
    parsed = WordReader(field)(word)
    values = {value for value, _ in word_table()[field].values()}
    assert parsed.value is None or parsed.value in values or parsed.value[:2] in values
    assert not (parsed.bad and parsed.value is not None)


def test_known_words_are_told_with_their_values():
    assert known_words("insurance_type").startswith("310 职工基本医疗保险、")


MAP = """
[fields]
diagnoses = "诊断"
sex = "性别"
department = "科室"
[values.sex]
"甲" = "1"
"乙" = 2
[values.department]
"重症医学科" = "ICU"
"""


def test_a_value_map_of_the_user_comes_first(tmp_path, read):
    path = tmp_path / "map.toml"
    path.write_text(MAP, "utf-8")
    rows = [["I10.x00", "甲", "重症医学科"], ["I10.x00", "乙", "内科"], ["I10.x00", "丙", ""]]
    data = write_csv(tmp_path / "r.csv", ["诊断", "性别", "科室"], rows)
    result = read(data, ["sex", "department"], columns=load_map(path), allow_missing=["procedures"])
    assert [row["sex"] for row in result.rows] == [1, 2, None]
    assert [row["department"] for row in result.rows] == ["ICU", "内科", None]
    assert [flag & 1 for flag in result.flags] == [0, 0, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[fields]\nsex = 'a'\n[values.sex]\n'甲' = '3'",
            r"values.sex.甲: '3' is no value of sex",
        ),
        ("[fields]\nsex = 'a'\n[values.insurance_type]\n'甲' = '310'", "does not have insurance_type"),
        ("[fields]\nsex = 'a'\n[values.total_cost]\n'甲' = '1'", "takes no value map"),
        ("[fields]\nsex = 'a'\n[values.sex]\n'甲' = 1.5", 'must be "word" = "value"'),
        ("base = 'agencyy'\n[fields]\nsex = 'a'", "base: known are canonical"),
    ],
)
def test_value_maps_that_are_refused(tmp_path, text, message):
    path = tmp_path / "map.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(UsageError, match=message):
        load_map(path)


def test_a_map_on_top_of_a_known_layout(tmp_path):
    path = tmp_path / "map.toml"
    path.write_text("base = 'pinyin'\n[fields]\ndepartment = '病区'\n[values.sex]\n'甲' = '1'", "utf-8")
    bound = load_map(path).bind(["JBDM", "JBDM1", "XB", "病区"])
    assert bound.fields["diagnoses"].columns == ("JBDM", "JBDM1")
    assert bound.fields["department"].columns == ("病区",)
    assert bound.values == {"sex": {"甲": "1"}}
