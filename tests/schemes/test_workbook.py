"""Workbooks: the rule forms of the 3.0 layout, an address for every bad cell, lossless round trips."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import xlsxwriter

import grouper
from grouper.base.errors import UsageError
from grouper.base.findings import Finding
from grouper.codes import icd
from grouper.grouping.drg.conditions import parse
from grouper.grouping.drg.tables.layout import export_book, is_workbook
from grouper.grouping.drg.tables.model import Scheme
from grouper.grouping.drg.tables.store import load_folder, save
from grouper.grouping.drg.tables.workbook import import_workbook
from grouper.grouping.tables.sheets import column_letters, read_book, write_book

META = {"id": "w", "name": "测试", "area": "w"}
RULES = [  # as the official workbook writes them, and what they mean
    ("ZYZD in DI_1", "principal_dx in DI_1"),
    ("ZYZD in DI_1 and\n{ZYSS, QTSS} in OP_1", "principal_dx in DI_1 and any_proc in OP_1"),
    ("ZYSS in {OP_1,_x000D_\nOP_2}", "principal_proc in OP_1 or principal_proc in OP_2"),
    ("ZYZD not in DI_1", "principal_dx not in DI_1"),
    ("length(OP_1 ∩ {ZYSS, QTSS}) >= 2", "count(any_proc in OP_1) >= 2"),
    (
        "(ZYSS in OP_1 and {ZYSS,QTSS} in OP_2) OR (ZYSS in OP_2 and {ZYSS,QTSS} in OP_1)",
        "principal_proc in OP_1 and any_proc in OP_2 or principal_proc in OP_2 and any_proc in OP_1",
    ),
    ("NL = 0 and 29 <= XSRTL < 366", "age = 0 and age_days >= 29 and age_days < 366"),
    ("XSRTZ<1500", "weight < 1500"),
    ("XB＝1 and NL≥70", "sex = 1 and age >= 70"),
    ("", "true"),
]
Sheets = dict[str, list[list[Any]]]


def official() -> Sheets:
    """A workbook of our own in the 3.0 layout: a title row, sort keys out of order, QY and placeholders."""
    return {
        "MDC": [
            ["表1 主要诊断大类"],
            ["排序", "MDC编码", "MDC名称", "规则"],
            [2, "MDCB", "神经系统", "ZYZD in DI_B"],
            [1, "MDCA", "先期分组", None],
        ],
        "ADRG": [
            ["排序", "MDC", "ADRG编码", "ADRG名称", "规则"],
            [30, "MDCB", "BQY", "歧义组", "ZYSS in OP_ALL"],
            [40, "MDCB", "BR1", "脑梗死", "ZYZD in DI_1"],
            [99, "MDCB", "B000", "未入组", None],
            [20, "MDCB", "BB1", "开颅\n手术", "ZYZD in DI_1 and {ZYSS, QTSS} in OP_1"],
            [10, "MDCA", "AA1", "移植", "ZYSS in OP_2"],
        ],
        "DRG": [
            ["排序", "ADRG", "DRG编码", "DRG名称", "规则"],
            [1, "AA1", "AA19", "移植", None],
            [2, "BB1", "BB10", "开颅手术，机器人辅助", "{ZYSS,QTSS} in OP_ARB"],
            [3, "BB1", "BB19", "开颅手术", None],
            [5, "BR1", "BR15", "脑梗死，不伴", None],
            [4, "BR1", "BR13", "脑梗死，伴合并症或并发症", "QTZD in {MCC, CC}"],
            [6, "BQY", "BQY", "歧义组", None],
            [7, "B000", "B000", "未入组", None],
            [8, "0000", "0000", "未入组", None],
        ],
        "集合": [
            ["集合名", "编码", "名称"],
            ["DI_B", "I63.900", ""],
            ["DI_B", "I61.000", ""],
            ["DI_1", "I63.900", ""],
            ["OP_1", "01.2400", ""],
            ["OP_1", "01.2500", ""],
            ["OP_2", "37.5100", ""],
            ["OP_ALL", "01.2400", ""],
            ["OP_ALL", "37.5100", ""],
            ["OP_ARB", "17.4200", ""],
            ["OP_9", "00.5500", ""],
        ],
        "CC_MCC": [["诊断编码", "级别", "排除表"], ["A40.900", "MCC", "PDX_1"], ["A04.402", "CC", "PDX_2"]],
        "排除": [
            ["排除表", "主要诊断编码"],
            ["PDX_1", "I63.900"],
            ["PDX_2", "I63.900"],
            ["PDX_2", "I61.000"],
        ],
        "说明": [["给人看的"]],
    }


def write_xlsx(sheets: Sheets, path: Path) -> Path:
    with xlsxwriter.Workbook(path) as workbook:
        for name, rows in sheets.items():
            sheet = workbook.add_worksheet(name)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
    return path


def imported(
    sheets: Sheets, tmp_path: Path, base: Scheme | None = None
) -> tuple[Scheme | None, list[Finding]]:
    return import_workbook(write_xlsx(sheets, tmp_path / "book.xlsx"), META, base)


def good(sheets: Sheets, tmp_path: Path) -> Scheme:
    scheme, findings = imported(sheets, tmp_path)
    assert scheme is not None, [f.text("en") for f in findings]
    return scheme


def test_the_official_layout(tmp_path: Path) -> None:
    scheme = good(official(), tmp_path)
    assert [(m.mdc, m.name, m.entry) for m in scheme.mdcs] == [
        ("MDCA", "先期分组", "true"),
        ("MDCB", "神经系统", "principal_dx in DI_B"),
    ]
    assert [(a.variant, a.name, a.condition, a.kind) for a in scheme.adrgs] == [
        ("AA1", "移植", "principal_proc in OP_2", "surgical"),
        ("BB1", "开颅手术", "principal_dx in DI_1 and any_proc in OP_1", "surgical"),
        ("BQY", "歧义组", "principal_proc in OP_ALL", "ambiguous"),
        ("BR1", "脑梗死", "principal_dx in DI_1", "medical"),
    ]
    assert {v: [(d.drg, d.condition) for d in rows] for v, rows in scheme.drgs.items()} == {
        "AA1": [("AA19", "true")],
        "BB1": [("BB10", "any_proc in OP_ARB"), ("BB19", "true")],
        "BR1": [("BR13", "mcc or cc"), ("BR15", "true")],
    }
    assert scheme.lists["OP_1"] == {"01.2400", "01.2500"}
    assert scheme.complications["A40.900"] == (frozenset({"MCC"}), "PDX_1")
    assert scheme.exclusions["PDX_2"] == {"I63.900", "I61.000"}


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    _, findings = imported(official(), tmp_path)
    said = {(f.kind, f.place): f.details for f in findings}
    assert {f.severity for f in findings} == {"info"}
    assert said["placeholder", "ADRG"] == ("B000",)
    assert said["placeholder", "DRG"] == ("BQY", "B000", "0000")
    assert said["unused-set", "集合"] == ("OP_9",)
    assert said["unread", "说明"] == ("说明",)
    assert ("options", "选项") in said


@pytest.mark.parametrize(("rule", "meaning"), RULES)
def test_rule_forms(rule: str, meaning: str, tmp_path: Path) -> None:
    sheets = official()
    sheets["ADRG"][2][4] = rule
    scheme = good(sheets, tmp_path)
    (adrg,) = [a for a in scheme.adrgs if a.variant == "BR1"]
    assert adrg.condition == meaning
    assert parse(adrg.condition) == parse(rule)


def test_english_headers_and_sheet_names_and_options(tmp_path: Path) -> None:
    sheets = official()
    sheets["MDC"][1] = ["sort", "MDC", "name", "rule"]
    sheets["ADRG"][0] = ["sort", "MDC", "code", "name", "rule"]
    sheets["DRG"][0] = ["sort", "ADRG", "code", "name", "rule"]
    sheets["sets"] = [["set name", "Code", "Name"], *sheets.pop("集合")[1:]]
    sheets["sets"][0][0] = "set"
    sheets["Complications"] = [["code", "level", "exclusion table"], *sheets.pop("CC_MCC")[1:]]
    sheets["Complications"][0][2] = "table"
    sheets["Exclusions"] = [["table", "principal dx code"], *sheets.pop("排除")[1:]]
    sheets["Options"] = [["option", "value"], ["when_no_drg", "stop"], ["retry_other_procedures", "是"]]
    scheme = good(sheets, tmp_path)
    assert scheme.counts() == good(official(), tmp_path).counts()
    assert scheme.meta["options"] == {
        "when_no_drg": "stop",
        "retry_other_procedures": True,
        "severity_from_other_diagnoses_only": True,
    }


# sheet, row and column (from 0) of the cell to break, its new text; address and kind of the error;
# what else no longer fits because of it
BROKEN: dict[str, tuple[str, int, int, Any, str, str, list[str]]] = {
    "rule": ("ADRG", 2, 4, "ZYZD in", "ADRG!E3", "rule", []),
    "MDC rule": ("MDC", 2, 3, "ZYZD im DI_B", "MDC!D3", "rule", []),
    "set that is not there": ("DRG", 2, 4, "ZYSS in OP_77", "DRG!E3", "missing-set", []),
    "MDC code": ("MDC", 3, 1, "MDC1", "MDC!B4", "code", ["ADRG!B6"]),
    "ADRG code": ("ADRG", 4, 2, "B1", "ADRG!C5", "code", ["DRG!B3", "DRG!B4"]),
    "ADRG of another MDC": ("ADRG", 4, 1, "MDCA", "ADRG!B5", "mdc", []),
    "repeated ADRG": ("ADRG", 4, 2, "BR1", "ADRG!C3", "duplicate", ["DRG!B3", "DRG!B4"]),
    "sort key": ("ADRG", 4, 0, "第一", "ADRG!A5", "sort", []),
    "DRG code": ("DRG", 3, 2, "AA", "DRG!C4", "code", []),
    "DRG of another ADRG": ("DRG", 4, 2, "AB19", "DRG!C5", "code", []),
    "DRG without ADRG": ("DRG", 1, 1, "AC1", "DRG!B2", "code", []),
    "set name": ("集合", 6, 0, "1 OP", "集合!A7", "set", ["ADRG!E6"]),
    "empty code": ("集合", 1, 1, "", "集合!B2", "code", []),
    "code that Excel took for a number": ("集合", 4, 1, 1.24, "集合!B5", "lost-zeros", []),
    "level": ("CC_MCC", 2, 1, "C", "CC_MCC!B3", "level", []),
    "exclusion table": ("排除", 1, 0, "", "排除!A2", "table", []),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_cell_gives_an_error_with_its_address(name: str, tmp_path: Path) -> None:
    sheet, row, column, text, address, kind, also = BROKEN[name]
    sheets = official()
    sheets[sheet][row][column] = text
    scheme, findings = imported(sheets, tmp_path)
    errors = [f for f in findings if f.severity == "error"]
    assert scheme is None
    assert [f.kind for f in errors if f.place == address] == [kind]
    assert sorted(f.place for f in errors if f.place != address) == also


def test_all_errors_are_collected(tmp_path: Path) -> None:
    sheets = official()
    alone = [broken for broken in BROKEN.values() if not broken[-1] and broken[0] != "ADRG"]
    for sheet, row, column, text, *_ in alone:
        sheets[sheet][row][column] = text
    _, findings = imported(sheets, tmp_path)
    assert {f.place for f in findings if f.severity == "error"} == {broken[4] for broken in alone}


def test_missing_sheets_and_columns_are_named(tmp_path: Path) -> None:
    sheets = official()
    del sheets["集合"]
    sheets["DRG"][0][4] = "备注"
    _, findings = imported(sheets, tmp_path)
    errors = {f.place: f.zh for f in findings if f.kind in ("sheet", "header")}
    assert set(errors) == {"集合", "DRG!1"}
    assert "规则" in errors["DRG!1"]


def test_variants_need_their_column(tmp_path: Path) -> None:
    sheets = official()
    sheets["ADRG"].append([41, "MDCB", "BR1", "脑梗死", "ZYSS in OP_1"])
    _, findings = imported(sheets, tmp_path)
    assert [(f.place, f.kind) for f in findings if f.severity == "error"] == [("ADRG!C7", "duplicate")]
    for row, variant in zip(sheets["ADRG"], ["变体", "", "BR1_1", "", "", "", "BR1_2"], strict=True):
        row.append(variant)
    _, findings = imported(sheets, tmp_path)
    assert [f.place for f in findings if f.severity == "error"] == ["DRG!B6", "DRG!B5"]  # in sort order
    for row in sheets["DRG"]:
        row.append("变体" if row[0] == "排序" else "BR1_2" if row[1] == "BR1" else "")
    scheme = good(sheets, tmp_path)
    assert [d.drg for d in scheme.drgs["BR1_2"]] == ["BR13", "BR15"] and "BR1_1" not in scheme.drgs


def test_letter_case_of_codes_becomes_official(tmp_path: Path) -> None:
    sheets = official()
    sheets["集合"][3][1] = "a00.000X001"
    assert good(sheets, tmp_path).lists["DI_1"] == {"A00.000x001"} <= icd.diagnoses().keys()


def test_the_base_gives_what_the_workbook_lacks(tmp_path: Path, shipped: Callable[[str], Scheme]) -> None:
    base = shipped("chs-drg-2.0")
    sheets = official()
    for name in ("CC_MCC", "排除"):
        del sheets[name]
    sheets["ADRG"][2][4] = "ZYZD in BR2.dx"
    sheets["ADRG"][2][3] = ""
    scheme, findings = imported(sheets, tmp_path, base)
    assert scheme is not None
    assert scheme.complications == base.complications and scheme.exclusions == base.exclusions
    assert scheme.lists["BR2.dx"] == base.lists["BR2.dx"]
    assert {f.place for f in findings if f.kind == "from-base"} == {"CC_MCC", "排除", "集合"}
    assert next(a for a in scheme.adrgs if a.variant == "BR1").name == "脑卒中"  # the base's name
    save(scheme, tmp_path / "overlay", base)
    again = load_folder(tmp_path / "overlay")
    assert again.adrgs == scheme.adrgs and again.drgs == scheme.drgs and again.lists == scheme.lists


def test_paths_that_are_no_workbook_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        read_book(tmp_path)
    (tmp_path / "x.pdf").write_text("x")
    with pytest.raises(UsageError):
        read_book(tmp_path / "x.pdf")
    (tmp_path / "x.xlsx").write_text("no workbook")
    with pytest.raises(UsageError):
        read_book(tmp_path / "x.xlsx")


def test_names_of_columns() -> None:
    assert [column_letters(n) for n in (0, 25, 26, 52, 701, 702)] == ["A", "Z", "AA", "BA", "ZZ", "AAA"]


PARTS = ("mdcs", "adrgs", "drgs", "lists", "complications", "exclusions", "primary_care")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("chs-drg-2.0", "xlsx"),
        ("chs-drg-2.0", "csv"),
        ("chs-drg-3.0", "csv"),
        ("zhejiang-2022", "csv"),
        ("guangxi-2022", "csv"),
    ],
)
def test_export_and_import_lose_nothing(
    name: str, form: str, tmp_path: Path, shipped: Callable[[str], Scheme]
) -> None:
    scheme = shipped(name)
    path = tmp_path / ("book.xlsx" if form == "xlsx" else "book")
    write_book(export_book(scheme, icd.diagnoses()), path, form)  # type: ignore[arg-type]
    assert is_workbook(read_book(path))
    base = shipped(scheme.base) if scheme.base else None
    meta = {key: scheme.meta[key] for key in ("id", "name", "area", "base") if key in scheme.meta}
    again, findings = import_workbook(path, meta, base)
    assert findings == [] and again is not None
    for candidate in (again, *saved(again, base, tmp_path)):
        for part in PARTS:
            assert getattr(candidate, part) == getattr(scheme, part), part
        assert candidate.meta["options"] == scheme.meta["options"]
        assert candidate.meta["counts"] == scheme.meta["counts"]


def saved(scheme: Scheme, base: Scheme | None, tmp_path: Path) -> list[Scheme]:
    """An overlay, written and loaded again."""
    if base is None:
        return []
    save(scheme, tmp_path / "folder", base)
    return [load_folder(tmp_path / "folder")]


def test_an_imported_workbook_groups_records(tmp_path: Path) -> None:
    """Robot before the rest, severity with its exclusions, and an operation of another MDC."""
    save(good(official(), tmp_path), tmp_path / "scheme")
    records = pa.table(
        {
            "record_id": [
                "severe but excluded",
                "plain",
                "foreign operation",
                "robot",
                "no robot",
                "transplant",
            ],
            "diagnoses": [["I63.900", "A40.900"], ["I63.900"], ["I61.000"], *[["I63.900"]] * 2, ["I10.x00"]],
            "procedures": [[], [], ["01.2400"], ["01.2500", "17.4200"], ["01.2500"], ["37.5100"]],
        }
    )
    grouped = grouper.load_scheme(str(tmp_path / "scheme")).group(records)
    assert grouped["drg"].to_pylist() == ["BR15", "BR15", "BQY", "BB10", "BB19", "AA19"]
