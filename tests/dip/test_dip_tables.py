"""DIP catalogues in the ``tables`` commands: spreadsheets in and out, anomalies, differences, areas."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner, Result

import grouper
from grouper.base.errors import GrouperError, UsageError
from grouper.commands.tables import tables
from grouper.grouping.dip.tables.anomalies import anomalies
from grouper.grouping.dip.tables.catalogue import load, scheme_folders
from grouper.grouping.dip.tables.diff import diff, in_words
from grouper.grouping.dip.tables.layout import COLUMNS, PARTS, export_catalogue, load_sheet_map
from grouper.grouping.dip.tables.rules import Exclusions
from grouper.grouping.dip.tables.workbook import import_catalogue
from grouper.grouping.tables.sheets import write_book

from .dip_support import FEATURES, catalogue

CHAIN = Path(__file__).parent / "data" / "chain"
META = {"id": "mine", "name": "我市", "kind": "dip", "area": "mine"}
HEADER = [
    "病种编码",
    "病种名称",
    "病种类型",
    "主要诊断编码",
    "主要手术操作编码",
    "相关手术操作编码",
    "治疗方式",
    "病种分值",
]
IN_NO_SHEET = ("dip-3.0-example",)  # scores beside a chain of rules
GOOD = ["K35.8:47.0100", "阑尾切除", "国家核心", "K35.8", "47.0100", "", "", "812.5"]


def call(*arguments: object) -> Result:
    """The command run in this process; its own errors pass through."""
    result = CliRunner().invoke(tables, [str(a) for a in arguments])
    if isinstance(result.exception, GrouperError):
        raise result.exception
    return result


def sheet(folder: Path, rows: Sequence[Sequence[str]], name: str = "目录", form: Any = "xlsx") -> Path:
    path = folder / ("book.xlsx" if form == "xlsx" else "book")
    write_book({name: rows}, path, form)
    return path


def import_command(source: Path, *options: object) -> Result:
    names = ("--id", "mine", "--name", "我市", "--area", "mine")
    return call("import", source, "-o", source.parent / "out", *names, *options)


# --- without loss --------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("scheme", sorted({*scheme_folders()} - {"dip-3.0", *IN_NO_SHEET}))
@pytest.mark.parametrize("form", ["xlsx", "csv"])
def test_export_then_import_gives_an_equal_catalogue(tmp_path: Path, scheme: str, form: str) -> None:
    target, out = tmp_path / ("book.xlsx" if form == "xlsx" else "book"), tmp_path / "out"
    call("export", scheme, target)
    result = call("import", target, "-o", out, "--id", scheme, "--name", "n", "--area", "a")
    assert result.exit_code == 0, result.output
    again, before = load(out), catalogue(scheme)
    assert again.rows == before.rows
    assert again.options == before.options
    assert diff(before, again) == []
    assert call("verify", out).exit_code == 0


@pytest.mark.parametrize("form", ["xlsx", "csv"])
def test_what_no_sheet_can_hold_is_not_exported(tmp_path: Path, form: str) -> None:
    """A chain of rules, a list of primary-care packets; every other catalogue goes out and comes back."""
    target = tmp_path / ("book.xlsx" if form == "xlsx" else "book")
    for name in IN_NO_SHEET:
        with pytest.raises(UsageError, match="copy the folder"):
            call("export", name, target)
    assert not target.exists()


@pytest.mark.slow
def test_columns_for_readers_come_along(tmp_path: Path) -> None:
    name = "dip-pingdingshan-2025"
    call("export", name, tmp_path / "book.xlsx")
    import_command(tmp_path / "book.xlsx")

    def read(folder: Path) -> list[dict[str, str]]:
        with (folder / "catalogue.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    old, new = read(scheme_folders()[name]), read(tmp_path / "out")
    for column in ("cv", "cases", "average_los", "note"):
        assert [row[column] for row in new] == [row[column] for row in old]


def test_an_imported_catalogue_groups(tmp_path: Path) -> None:
    import_command(sheet(tmp_path, [HEADER, GOOD, ["K35:SS", "", "综合病种", "K35", "", "", "", "900"]]))
    record = {"record_id": ["1"], "diagnoses": [["K35.800"]], "procedures": [["47.0100"]]}
    found = grouper.load_scheme(str(tmp_path / "out")).group(pa.table(record))
    assert found["dip_code"].to_pylist() == ["K35.8:47.0100"]
    assert found["score"].to_pylist() == [Decimal("812.5")]


# --- what is read ---------------------------------------------------------------------------------


def test_the_printed_form_of_taian_is_understood(tmp_path: Path) -> None:
    header = ["序号", "病种编码", "诊断编码", "诊断名称", "主要手术操作编码", "主要手术操作名称",
              "相关手术操作编码", "相关手术操作名称", "分值", "病种类型"]  # fmt: skip
    rows = [
        ["1", "A02.0", "A02.0", "沙门菌肠炎", "", "", "", "", "420.2102 ", "国家核心"],
        ["2", "B49.X_dis1", "b49.x", "\"未特指的真\n菌病\"", "", "", "", "", "1144.0651", "国家核心"],
        ["3", "C07.X:04.0401_26.2901+26.2901", "C07.X", "腮腺恶性肿瘤", "04.0401", "面神经解剖术",
         "26.2901,26.2901", "腮腺病损切除术+腮腺病损切除术", "2311.5289", "本地核心"],
        ["4", "A09:ZDXCZ", "A09", "胃肠炎", "", "", "", "", "467.4137", "综合病种"],
    ]  # fmt: skip
    options = tmp_path / "options.toml"
    options.write_text('[options]\nauxiliary = "variant_rows"\n', encoding="utf-8")
    result = import_command(sheet(tmp_path, [["泰安市病种分值表"], header, *rows]), "--options", options)
    assert result.exit_code == 0, result.output
    found = {row.code: row for row in load(tmp_path / "out").rows}
    assert found["B49.X_dis1"].aux == ("severity", 1) and found["B49.X_dis1"].dx == "B49.X"
    assert found["C07.X:04.0401_26.2901+26.2901"].related == "26.2901+26.2901"
    assert found["A09:ZDXCZ"].treatment == 1
    assert "1 个单元格用逗号分隔" in result.output and "1 行的辅助分型取自编码后缀" in result.output
    assert "未读取的列：序号" in result.output
    assert load(tmp_path / "out").options.auxiliary == "variant_rows"


def test_the_headers_of_pingdingshan_with_a_map(tmp_path: Path) -> None:
    """Codes that say everything, numbers for kinds, and scores of a calculation sheet."""
    header = ["DIP_CODE", "TYPE(1;2)", "WEIGHT_SCORE", "DIP_AVG_FEE", "AVG_IPT_DAYS", "YEAR"]
    rows = [
        ["K35.8:47.0100_54.5100", "1", "812.50000004", "4646.3", "5.25", "2024"],
        ["K35:SS", "0", "900", "5146.2", "6", "2024"],
    ]
    source = sheet(tmp_path, [header, *rows], "中间结果")
    column_map = tmp_path / "map.toml"
    column_map.write_text(
        '[columns]\nkind = "TYPE(1;2)"\n[kind]\n"1" = "core"\n"0" = "mixed"\n', encoding="utf-8"
    )
    refused = import_command(source, "--columns", column_map)
    assert refused.exit_code == 2 and "--round" in refused.output and "中间结果!C2" in refused.output
    assert not (tmp_path / "out").exists()
    assert import_command(source, "--columns", column_map, "--round").exit_code == 0
    first, second = load(tmp_path / "out").rows
    assert (first.dx, first.procedures, first.related) == ("K35.8", "47.0100", "54.5100")
    assert str(first.score) == "812.500000" and str(first.average_cost) == "4646.3"
    assert (second.kind, second.treatment) == ("mixed", 3)


BROKEN = {
    "score": (7, "x1", "H3", "病种分值", "不是数字：x1"),
    "empty score": (7, "", "H3", "病种分值", "不是数字：空"),
    "negative score": (7, "-1", "H3", "病种分值", "应为 0 至"),
    "no number": (7, "NaN", "H3", "病种分值", "不是数字"),
    "decimals": (7, "1.1234567", "H3", "病种分值", "小数超过六位"),
    "separator": (7, "1,234.5", "H3", "病种分值", "不是数字：1,234.5"),
    "code": (0, "", "A3", "病种编码", "不能作为病种编码"),
    "bar": (0, "a|b", "A3", "病种编码", "不能作为病种编码"),
    "kind": (2, "其他", "C3", "病种类型", "未知的病种类型：其他"),
    "no kind": (2, "", "C3", "病种类型", "未知的病种类型：空"),
    "short diagnosis": (3, "K35", "D3", "主要诊断编码", "5 位亚目"),
    "long diagnosis": (3, "K35.800", "D3", "主要诊断编码", "5 位亚目"),
    "no diagnosis": (3, "", "D3", "主要诊断编码", "5 位亚目"),
    "empty term": (4, "47.0100++54.5100", "E3", "主要手术操作编码", "第 2 项：缺少编码"),
    "loose end": (4, "47.0100/", "E3", "主要手术操作编码", "第 2 项：缺少编码"),
    "not an operation": (4, "47.0100_54.5100", "E3", "主要手术操作编码", "不是手术操作编码"),
    "lost zeros": (4, "6.31", "E3", "主要手术操作编码", "疑似丢了零"),
    "lost trailing zeros": (4, "47.01+54.51", "E3", "主要手术操作编码", "第 1 项：47.01 疑似丢了零"),
    "related": (5, "K35.8", "F3", "相关手术操作编码", "不是手术操作编码"),
    "treatment": (6, "针灸", "G3", "治疗方式", "未知的治疗方式：针灸"),
}


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_broken_cell_gives_one_error_with_its_place(tmp_path: Path, case: str, lang: str) -> None:
    at, text, cell, header, words = BROKEN[case]
    row = ["K36.X:47.0900", "n", "核心", "K36.X", "47.0900", "54.5100", "", "700"]
    row[at] = text
    source = sheet(tmp_path, [HEADER, GOOD, row])
    errors = [f for f in import_catalogue(source, META).findings if f.severity == "error"]
    assert len(errors) == 1
    assert errors[0].place == f"book.xlsx 目录!{cell}"
    assert words in errors[0].zh and f"第 3 行“{header}”列" in errors[0].zh
    assert errors[0].en.startswith(f"row 3, column {header}: ")
    result = import_command(source, "--lang", lang)
    assert result.exit_code == 2 and errors[0].text(lang) in result.stdout
    assert sorted(tmp_path.iterdir()) == [source]


def test_every_error_is_collected(tmp_path: Path) -> None:
    bad = [
        ["", "n", "其他", "K36.X", "4.7", "", "", "x"],
        ["K35:SS", "n", "综合病种", "K35.8", "47.0100", "", "手术", "1"],
        ["K37", "n", "综合病种", "K37", "", "", "", "1"],
        ["K38.0", "n", "核心", "K38.0", "", "54.5100", "", "1"],
        ["k35.8:47.0100", "again", "核心", "K35.8", "47.0900", "", "", "1"],
        ["other", "same packet", "核心", "K35.8", "47.0100", "", "", "1"],
    ]
    found = import_catalogue(sheet(tmp_path, [HEADER, GOOD, *bad], form="csv"), META)
    assert found.files is None
    places = {(f.place.partition("!")[2], f.kind) for f in found.findings if f.severity == "error"}
    assert places == {
        ("A3", "code"), ("C3", "kind"), ("E3", "expression"), ("H3", "number"), ("D4", "dx"),
        ("E4", "expression"), ("G5", "treatment"), ("F6", "expression"), ("A7", "duplicate"),
        ("A8", "packet"),
    }  # fmt: skip
    duplicate = next(f for f in found.findings if f.kind == "duplicate")
    assert "第 2 行" in duplicate.zh and "row 2" in duplicate.en


def test_missing_columns_sheets_and_options_are_named(tmp_path: Path) -> None:
    result = import_command(sheet(tmp_path, [["病种编码", "名称"], ["a", "b"]]), "--as", "dip")
    assert result.exit_code == 2 and "book.xlsx 目录!1" in result.stdout and "病种分值" in result.stdout
    with pytest.raises(UsageError, match="no sheet 'x'"):
        import_command(tmp_path / "book.xlsx", "--as", "dip", "--sheet", "x")
    write_book({"a": [HEADER, GOOD], "b": [HEADER, GOOD]}, tmp_path / "two.xlsx", "xlsx")
    with pytest.raises(UsageError, match="name one with sheet="):
        import_command(tmp_path / "two.xlsx")
    assert import_command(tmp_path / "two.xlsx", "--sheet", "b").exit_code == 0
    options = [["选项", "取值"], ["repeats", "often"], ["colour", "red"], ["tie_breaks", "exact, code_order"]]
    write_book({"目录": [HEADER, GOOD], "选项": options}, tmp_path / "options.xlsx", "xlsx")
    found = import_catalogue(tmp_path / "options.xlsx", META)
    assert [f.place for f in found.findings if f.severity == "error"] == [
        "options.xlsx 选项!B2",
        "options.xlsx 选项!B3",
    ]
    with pytest.raises(UsageError, match="--code-column means nothing"):
        import_command(tmp_path / "two.xlsx", "--code-column", "x", "--force")


def test_a_list_of_drgs_is_not_taken_for_a_catalogue(tmp_path: Path) -> None:
    source = sheet(tmp_path, [["code", "name", "weight"], ["BR11", "脑卒中，伴严重合并症或并发症", "1.8"]])
    with pytest.raises(UsageError, match="is a list of groups and needs --base"):
        import_command(source)
    with pytest.raises(UsageError, match="--round means nothing with --as list"):
        import_command(source, "--round", "--base", "chs-drg-2.0")


def test_every_header_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "tables.md").read_text(encoding="utf-8")
    headers = {header for column in (*COLUMNS, *PARTS) for header in column.headers}
    assert sorted(header for header in headers if f"`{header}`" not in text) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[columns]\ncolour = 'x'", "columns.colour"),
        ("[columns]\ncode = 1", "columns.code"),
        ("[kind]\n'1' = 'heart'", "kind.1"),
        ("[treatment]\n'1' = 'x'", "treatment.1"),
        ("[x]", "unknown key"),
        ("kind = 1", "must be a table"),
        ("[", "line 1, character 1"),
    ],
)
def test_broken_column_maps_are_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "map.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=words):
        load_sheet_map(path)


def test_prefix_codes_need_the_option(tmp_path: Path) -> None:
    row = ["K35.8:47.0", "n", "核心", "K35.8", "47.0", "", "", "1"]
    source = sheet(tmp_path, [HEADER, row])
    assert import_catalogue(source, META).files is None
    assert import_catalogue(source, META, options={"procedure_match": "prefix"}).files is not None


def test_rows_on_a_base_are_an_overlay(tmp_path: Path) -> None:
    base = "dip-pingdingshan-2025"
    row = ["U99.9", "新病种", "本地核心", "U99.9", "", "", "", "12.5"]
    assert import_command(sheet(tmp_path, [HEADER, row]), "--base", base).exit_code == 0
    whole = load(tmp_path / "out")
    assert whole.rows[:-1] == catalogue(base).rows and whole.rows[-1].code == "U99.9"
    shutil.rmtree(tmp_path / "out")
    old = catalogue(base).rows[0]
    again = [old.code, "n", "核心", old.dx, "", "", "", "1"]
    refused = import_command(sheet(tmp_path, [HEADER, again]), "--base", base)
    assert refused.exit_code == 2 and "与基础目录重复" in refused.stdout


# --- anomalies and differences ----------------------------------------------------------------------


def test_legal_anomalies_are_findings(tmp_path: Path) -> None:
    rows = [
        GOOD,
        ["K35.8:47.0100_dis1", "n", "核心", "K35.8", "47.0900", "47.0900", "", "0"],
        ["K35.8:a", "n", "核心", "K35.8", "47.0900", "54.5100", "", "1"],
        ["K35.8:b", "n", "核心", "K35.8", "54.5100", "47.0900", "", "1"],
        ["K35.8:c", "n", "核心", "K35.8", "47.0900", "54.5100", "", "1"],
        ["Z01.Z", "n", "综合病种", "U98", "", "", "手术", "1"],
    ]
    header = [*HEADER, "辅助分型", "病种组合"]
    cells = [
        [*row, "severity:1" if "dis1" in row[0] else "", row[0] if row[0][-1] in "abc" else ""]
        for row in rows
    ]
    assert import_command(sheet(tmp_path, [header, *cells])).exit_code == 0
    scheme = tmp_path / "out" / "scheme.toml"
    scheme.write_text(scheme.read_text(encoding="utf-8").replace("rows = 6", "rows = 7"), encoding="utf-8")
    found = {f.kind: f for f in anomalies(load(tmp_path / "out"))}
    assert set(found) == {
        "code", "grey", "repeated", "score", "auxiliary", "same-packet", "counts", "key"
    }  # fmt: skip
    assert found["same-packet"].details == ("K35.8:a = K35.8:b = K35.8:c",)
    assert set(found["code"].details) == {"K35.8:47.0100_dis1", "K35.8:a", "K35.8:b", "K35.8:c", "Z01.Z"}
    assert found["score"].details == ("K35.8:47.0100_dis1",)
    assert found["counts"].severity == "error"
    result = call("verify", tmp_path / "out", "--all", "--lang", "en")
    assert result.exit_code == 2 and "rows should be 7 and is 6" in result.stdout


def test_the_shipped_catalogues_have_only_noted_anomalies() -> None:
    found = {name: {f.kind: len(f.details) for f in anomalies(catalogue(name))} for name in scheme_folders()}
    assert found["dip-taian-2025"] == {"code": 1, "grey": 120, "repeated": 219, "same-operations": 46}
    assert found["dip-pingdingshan-2025"] == {}


def test_differences_in_both_languages_and_as_json(tmp_path: Path) -> None:
    lines = [
        ["K35.8", "保守", "国家核心", "K35.8", "", "", "", "500"],
        ["K35:SS", "综合", "综合病种", "K35", "", "", "手术", "900"],
    ]
    old, new = tmp_path / "old", tmp_path / "new"
    for folder in (old, new):
        folder.mkdir()
    import_command(sheet(old, [HEADER, GOOD, *lines]))
    lines[0][7], lines[0][2], lines[0][1] = "550", "本地核心", "保守治疗"
    changed = ["K35.8:47.0100", *GOOD[1:4], "47.0900", *GOOD[5:]]
    import_command(
        sheet(new, [HEADER, changed, lines[0], ["K36:SS", "新", "综合病种", "K36", "", "", "手术", "1"]])
    )
    a, b = old / "out", new / "out"
    changes = {(c.key, c.what): (c.before, c.after) for c in diff(load(a), load(b))}
    assert changes == {
        ("K35.8:47.0100", "condition"): ("K35.8 47.0100", "K35.8 47.0900"),
        ("K35.8:47.0100", "packet"): ("K35.8:47.0100", "K35.8:47.0900"),
        ("K35.8", "kind"): ("core", "local_core"),
        ("K35.8", "score"): ("500", "550"),
        ("K35.8", "renamed"): ("保守", "保守治疗"),
        ("K36:SS", "added"): ("", "新: mixed, K36 surgical, 1"),
        ("K35:SS", "removed"): ("综合: mixed, K35 surgical, 900", ""),
    }
    chinese, english = call("diff", a, b).stdout, call("diff", a, b, "--lang", "en").stdout
    assert "K35.8 分值: 500 → 550 (+10.00%)" in chinese and "K35.8 score: 500 → 550 (+10.00%)" in english
    assert "K36:SS 新增: 新: 综合病种, K36 手术, 1" in chinese and "类型: 国家核心 → 本地核心" in chinese
    data = json.loads(call("diff", a, b, "--json").stdout)
    assert {"section": "packet", "key": "K35.8", "what": "score", "before": "500", "after": "550",
            "added": [], "removed": []} in data  # fmt: skip
    assert call("diff", a, a).stdout == "没有差别\n"


def test_differences_of_options_and_kinds_of_scheme() -> None:
    changes = diff(catalogue("dip-pingdingshan-2025"), catalogue("dip-pingdingshan-2025-extended"))
    assert [c.after for c in changes if c.section == "options"] == ["KBBZ"]
    assert sum(c.what == "added" for c in changes) == 92 == len(changes) - 1
    assert in_words(changes, "en")[0] == "Options: value 1"
    with pytest.raises(UsageError, match="cannot be compared"):
        call("diff", "chs-drg-2.0", "dip-taian-2025")


def test_export_refuses_what_is_there_and_single_csv_files(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="folder of two files"):
        call("export", "dip-taian-2025", tmp_path / "a.csv")
    (tmp_path / "a.xlsx").touch()
    with pytest.raises(UsageError, match="--force"):
        call("export", "dip-taian-2025", tmp_path / "a.xlsx")


def test_a_chain_is_compared_but_not_exported(tmp_path: Path) -> None:
    old = load(CHAIN)
    with pytest.raises(UsageError, match="copy the folder"):
        export_catalogue(old, [CHAIN])
    rule = old.chain.rules[0]
    chain = replace(old.chain, rules=(replace(rule, main_only=not rule.main_only), *old.chain.rules[1:]),
                    exclusions=Exclusions(frozenset({"Z99"})))  # fmt: skip
    found = {(c.section, c.what) for c in diff(old, replace(old, chain=chain, primary_care=frozenset({"X"})))}
    assert (
        ("packet", "rule") in found and ("exclusion", "codes") in found and ("primary_care", "codes") in found
    )
    assert diff(old, old) == []


def test_the_sign_for_alternatives_follows_the_options(tmp_path: Path) -> None:
    row = ["K35.8:x", "n", "核心", "K35.8", "47.0100|47.0900+54.5100", "", "", "1"]
    source, options = sheet(tmp_path, [HEADER, row]), tmp_path / "options.toml"
    assert import_catalogue(source, META).files is None
    options.write_text('alternatives = "|"', encoding="utf-8")
    assert import_command(source, "--options", options).exit_code == 0
    assert load(tmp_path / "out").rows[0].procedures == "47.0100/47.0900+54.5100"


# --- areas and dates --------------------------------------------------------------------------------


def test_dip_schemes_are_found_by_area_and_date() -> None:
    assert grouper.load_scheme("taian", when=date(2025, 7, 1)).id == "dip-taian-2025"
    assert call("show", "taian", "--date", "2025-03-01").stdout.startswith("dip-taian-2025")
    with pytest.raises(UsageError, match="dip-taian-2025 \\(2025-01-01"):
        grouper.load_scheme("taian", when=date(2024, 7, 1))
    with pytest.raises(UsageError, match="several schemes of area 'pingdingshan' apply on 2025-07-01"):
        grouper.load_scheme("pingdingshan", when=date(2025, 7, 1))
    assert grouper.load_scheme("beijing", when=date(2025, 3, 1)).id == "beijing-2024"
    with pytest.raises(UsageError, match="does not apply on 2024-07-01"):
        grouper.load_scheme("dip-taian-2025", when=date(2024, 7, 1))
    assert grouper.load_scheme(str(FEATURES), profile="demo-b").id == "demo-b"


@pytest.mark.slow
def test_a_packet_and_a_grey_code_are_shown() -> None:
    told = call("show", "dip-3.0", "--code", "85.4300").output
    assert told.splitlines()[0] == "85.4300 单侧扩大的单纯乳房切除术"
    assert "医保灰码" in told and "没有条目用到它" in told
    packet = call("show", "dip-3.0", "--drg", "jc-3625").output
    assert packet.startswith("JC-3625") and "主要诊断：K35" in packet
    with pytest.raises(UsageError, match=r"no packet JC-9.*did you mean JC"):
        call("show", "dip-3.0", "--drg", "JC-99999")
