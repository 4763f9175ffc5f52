"""Column maps: found, written by hand, proposed."""

from __future__ import annotations

import tomllib
from collections import Counter

import pytest
import xlsxwriter

from grouper.base.errors import DataError, UsageError
from grouper.records import CANONICAL, Source, detect_layout, load_map, open_records, propose_map
from grouper.records.columns import LAYOUTS, aliases
from grouper.records.propose import Sample, draft, field_named
from grouper.records.sample import read_sample

from .record_files import FIELDS, write_csv


def test_alias_table_is_sound():
    for alias in aliases():
        assert alias.layout in (*LAYOUTS, "label", "private")
        assert (alias.field in CANONICAL) != alias.personal, alias
    keys = Counter((alias.layout, alias.column.casefold()) for alias in aliases())
    assert keys.most_common(1)[0][1] == 1


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
        ("layout = ", r"\(columns=\), line 1, .*Invalid value"),
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
    with pytest.raises(UsageError, match=r"diagnoses from column '其他\{n\}'.*columns="):
        columns.bind(["主诊断编码"])
    with pytest.raises(UsageError, match=r"'主诊断编码'.*did you mean '主诊断码'.*--inputs"):
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


def drafted(path, **how):
    made = draft(read_sample(path, **how))
    tomllib.loads(made.text)
    return made


EXPORT = [
    "结算ID",
    "定点医药机构编号",
    "险种",
    "主要诊断编码",
    "其他诊断编码",
    "手术操作编码",
    "大病保险支付",
    "医疗救助支付",
    "材料费",
    "被冲正结算ID",
]


def test_separators_inside_cells_stand_in_the_draft(tmp_path, read):
    rows = [
        ["1", "H1", "职工", "I63.900", "I10.x00;E11.900、J18.900", "38.9300，06.3100", "1", "2", "3", ""],
        ["2", "H1", "居民", "J18.900", "", "", "0", "0", "0", "1"],
    ]
    path = write_csv(tmp_path / "export.csv", EXPORT, rows)
    made = drafted(path)
    (tmp_path / "map.toml").write_text(made.text, "utf-8")
    columns = load_map(tmp_path / "map.toml")
    result = read(path, [], columns=columns)
    assert result.rows[0]["diagnoses"] == ["I63.900", "I10.x00", "E11.900", "J18.900"]
    assert result.rows[0]["procedures"] == ["38.9300", "06.3100"]
    assert result.rows[1]["diagnoses"] == ["J18.900"]
    fields = columns.bind(EXPORT).fields
    named = {
        "hospital_code": "定点医药机构编号",
        "serious_illness_paid": "大病保险支付",
        "medical_aid_paid": "医疗救助支付",
        "consumable_cost": "材料费",
        "refund_of": "被冲正结算ID",
        "settlement_id": "结算ID",
    }
    assert {field: fields[field].columns for field in named} == {f: (c,) for f, c in named.items()}
    assert any("';' 1" in en and "'、' 1" in en for _, en in made.notes)
    assert {"sex", "pool_paid", "discharge_date"} <= set(made.missing)
    assert not {"hospital_code", "record_id"} & set(made.missing)


def test_the_header_below_titles(tmp_path, read):
    rows = [
        ["某市医保局结算明细", "", ""],
        ["2025年6月", "", ""],
        ["主要诊断编码", "手术操作编码", "性别"],
        ["I10.x00", "", "男"],
    ]
    path = tmp_path / "export.csv"
    path.write_text("\n".join(",".join(row) for row in rows) + "\n", "utf-8")
    book = tmp_path / "export.xlsx"
    with xlsxwriter.Workbook(str(book)) as workbook:
        sheet = workbook.add_worksheet()
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    for file in (path, book):
        made = drafted(file)
        assert tomllib.loads(made.text)["header_row"] == 3
        (tmp_path / "map.toml").write_text(made.text, "utf-8")
        result = read(file, ["sex"], columns=load_map(tmp_path / "map.toml"))
        assert result.rows == [
            {"diagnoses": ["I10.x00"], "procedures": result.rows[0]["procedures"], "sex": 1}
        ]


def test_numbers_and_names_in_code_cells_are_told(tmp_path):
    book = tmp_path / "export.xlsx"
    with xlsxwriter.Workbook(str(book)) as workbook:
        sheet = workbook.add_worksheet()
        sheet.write_row(0, 0, ["主要诊断编码", "手术操作编码"])
        sheet.write_row(1, 0, ["I63.900 脑梗死", "38.9300"])
        sheet.write_row(2, 0, ["肺炎(J18.900)", 0.55])
    made = drafted(book)
    assert any("2 cells of diagnoses hold code and name" in en for _, en in made.notes)
    assert any("手术操作编码 holds codes stored as numbers" in en for _, en in made.notes)


def test_a_value_map_is_proposed_for_words_that_nobody_knows(tmp_path):
    rows = [["I10.x00", "城镇职工医疗保险", "1"], ["I10.x00", "甲", "2"], ["I10.x00", "310", "3"]]
    path = write_csv(tmp_path / "e.csv", ["诊断编码", "险种", "性别"], rows)
    text = drafted(path).text
    assert "[values.insurance_type]" in text and "[values.sex]" in text
    assert '# "城镇职工医疗保险" = "310"  # 1' in text and '# "甲" = ""  # 1' in text
    assert tomllib.loads(text)["values"] == {"insurance_type": {}, "sex": {}}


@pytest.mark.parametrize("name", ["a\nb", "\x7f", "险种\n类型", 'q"\\', "\u2028 x", "主诊断编码\t"])
def test_no_name_breaks_the_toml(name):
    made = draft(Sample([name, "诊断编码"], {name: Counter({"甲\n乙": 1})}))
    document = tomllib.loads(made.text)
    assert document["fields"]["diagnoses"]


def test_the_draft_speaks_chinese(tmp_path):
    text = draft(Sample(["性别", "总费用(元)"]), "zh").text
    assert "列名近似" in text and "the name" not in text


def test_opendrg_sample_files(tmp_path, read):
    header = ["BAHM", "BRXB", "NL", "NLT", "XSECSTZ", "CYKS", "ZYTS", "LYFS", "ICD10_DRGS", "ICD9_DRGS"]
    rows = [
        [
            "22100217",
            "2",
            "60",
            "",
            "",
            "13070001",
            "3",
            "1",
            "H43.100,E14.300x071+H36.0*,H25.900",
            "14.7401,13.4100x001",
        ],
        ["22100218", "1", "60", "", "", "13070001", "3", "1", "H43.100|H25.900", ""],
    ]
    path = write_csv(tmp_path / "o.csv", header, rows)
    result = read(path, ["sex", "age_years", "los_days", "discharge_way"])
    assert result.rows[0]["diagnoses"] == ["H43.100", "E14.300x071+H36.0*", "H25.900"]
    assert result.rows[0]["procedures"] == ["14.7401", "13.4100x001"]
    assert result.rows[1]["diagnoses"] == ["H43.100", "H25.900"]
    assert (result.rows[0]["sex"], result.rows[0]["age_years"], result.rows[0]["los_days"]) == (2, 60, 3)


@pytest.mark.parametrize(
    "header",
    [
        "主诊断编码,其他诊断1,其他诊断2,手术编码",
        "主要诊断,次要诊断1,次要诊断2,手术操作1",
        "主诊断,次诊断1,次诊断2,手术及操作",
        "诊断1,诊断2,诊断3,手术代码",
        "出院诊断1,出院诊断2,出院诊断3,手术与操作编码",
        "出院主要诊断,出院其他诊断1,出院其他诊断2,操作编码",
        "主要诊断代码,其他诊断代码(1),其他诊断代码(2),手术操作(1)",
        "主要诊断编码,其他诊断,次要诊断,手术1",
    ],
)
def test_columns_of_codes_as_hospitals_name_them(header):
    names = header.split(",")
    cells = {name: Counter({"I63.900": 2}) for name in names[:3]} | {names[3]: Counter({"38.9300": 1})}
    made = draft(Sample(["结算编号", *names, "其他诊断名称1"], cells))
    fields = load_map_text(made.text)
    assert fields["diagnoses"] == names[:3]
    assert fields["procedures"] == names[3]
    assert not [en for _, en in made.notes if "CHECK: no column" in en or "the only column" in en]


def load_map_text(text):
    return tomllib.loads(text)["fields"]


def test_columns_of_names_are_not_taken_for_codes():
    cells = {"主要诊断": Counter({"脑梗死": 3}), "其他诊断1": Counter({"高血压病2级": 3})}
    made = draft(Sample(["主要诊断编码", "主要诊断", "其他诊断1", "其他诊断1编码", "门诊诊断编码"], cells))
    assert load_map_text(made.text)["diagnoses"] == ["主要诊断编码", "其他诊断1编码"]


def test_what_a_draft_does_not_read_is_told():
    cells = {
        "疾病二": Counter({"E11.900": 5, "I10.x00x002": 4, "": 2}),
        "处置": Counter({"39.9500": 3, "88.72": 1}),
        "金额": Counter({"12.50": 3, "99.95": 1}),
        "科": Counter({"A01": 9, "B02": 1}),
        "入院诊断": Counter({"E11.900": 5}),
    }
    made = draft(Sample(["主诊断编码", *cells], cells), "zh")
    told = "\n".join(zh for zh, _ in made.notes)
    assert "列 疾病二 的单元格是诊断编码" in told and "列 处置 的单元格是手术操作编码" in told
    assert "没有手术操作列" in told and "诊断只有主要诊断一列" in told
    assert not any(name in told for name in ("金额", "列 科", "入院诊断"))
    assert all(line in made.text for line in told.splitlines())


def test_columns_of_codes_that_are_not_read_are_told(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text("diagnoses,sex,其他诊断1,费用,门诊诊断\nI63.900,1,E11.900,12.50,I63.900\n", "utf-8")
    with open_records(path, look=True) as source:
        assert source.unread == {"其他诊断1": "diagnoses"}


@pytest.mark.parametrize(
    ("heading", "field"),
    [
        ("中途结算", "interim_flag"), ("自费", "own_expense"), ("自费金额", "own_expense"),
        ("个人账户", "account_paid"), ("符合范围金额", "in_scope_amount"),
        ("政策范围内费用", "in_scope_amount"),
    ],
)  # fmt: skip
def test_short_headings_of_offices_are_known(heading: str, field: str) -> None:
    assert field_named(heading) == field
