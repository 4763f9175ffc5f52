"""The published 3.0 workbook, written anew with all its rules and lists, imports to the shipped scheme."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import xlsxwriter
from click.testing import CliRunner

from grouper.base.findings import Finding
from grouper.commands import cli
from grouper.grouping.drg.conditions import parse, to_text
from grouper.grouping.drg.tables import official
from grouper.grouping.drg.tables.model import Scheme
from grouper.grouping.drg.tables.store import FILES, load_folder, save, scheme_folders
from grouper.grouping.drg.tables.workbook import import_workbook
from grouper.grouping.tables.folders import digest
from grouper.grouping.tables.sheets import write_book

DATA = Path(__file__).parents[1] / "data"
Sheets = dict[str, list[list[Any]]]


def rules(sheet: str) -> list[dict[str, str]]:
    """The rules of a sheet as the workbook writes them."""
    rows = pq.read_table(DATA / "chs_drg_3_workbook_rules.parquet").to_pylist()
    return [row for row in rows if row["sheet"] == sheet]


def set_name(name: str) -> str:
    """The published number of a list."""
    if name == "VALID":
        return "OP_ALL"
    if name.startswith("MDCZ.site."):
        return f"DI_Z0{name[-1]}"
    owner, _, kind = name.partition(".")
    if owner == "UNGROUPABLE":
        return name
    side = "DI" if kind.startswith("dx") else "OP"
    number = kind.removeprefix("dx").removeprefix("proc")
    return f"{side}{number}_{owner[3] + '00' if owner.startswith('MDC') else owner}"


def mdc_sheet(renewed: bool) -> list[list[Any]]:
    rows = [[r["code"], r["name"], r["rule"], int(r["order"])] for r in rules("mdc")]
    return [["附件 主要诊断大类"], ["MDC编码", "MDC名称", "MDC规则", "排序"], *rows]


def adrg_sheet(renewed: bool) -> list[list[Any]]:
    """The first issue has an empty column A; O00 has the number of OS2, before OT1 and OZ1."""
    places: Counter[str] = Counter()
    rows: list[list[Any]] = [["ADRG编码", "ADRG名称", "ADRG规则", "所属MDC编码", "MDC内排序"]]
    if renewed:
        rows[0][-1] = "排序"
    rows.append(["000", "未入组", "", "", ""])
    for row in rules("adrg"):
        places[row["mdc"]] += 1
        own = {"O00": 18, "OS2": 18}.get(row["code"], places[row["mdc"]])
        rows.append([row["code"], row["name"], row["rule"], row["mdc"], own])
    return rows if renewed else [["", *row] for row in rows]


def drg_sheet(renewed: bool) -> list[list[Any]]:
    head = ["DRG编码" if renewed else "DRG", "DRG名称", "DRG规则", "所属ADRG编码", "所属MDC编码", "排序"]
    rows: list[list[Any]] = [["0000", "未入组", "", "", "", 0]]
    groups = [(r["code"], r["name"], r["rule"], r["adrg"], r["mdc"]) for r in rules("drg")]
    for row in rules("adrg"):
        if row["code"].endswith("QY"):
            groups.append((row["code"], "", "", row["code"], row["mdc"]))
        elif row["code"].endswith("00"):
            groups.append((row["code"] + "0", "", "", row["code"], row["mdc"]))
    rows += [[*group, number] for number, group in enumerate(groups, start=1)]
    return [head, *rows]


def published(scheme: Scheme, renewed: bool) -> Sheets:
    """The six sheets of the first issue, or of that of 2026-09-09."""
    kind = "类型" if renewed else "类型编号"
    sets = [
        [set_name(name), code, "", set_name(name)[:2]]
        for name, codes in scheme.lists.items()
        if name != "MDCZ.dx"
        for code in codes
    ]
    severity = [
        [code, "", f"EX_{table}" if table else "无", level]
        for code, (levels, table) in scheme.complications.items()
        for level in levels
    ]
    excluded = [[f"EX_{table}", code, ""] for table, codes in scheme.exclusions.items() for code in codes]
    disease = ["ICD编码", "ICD名称"] if renewed else ["疾病编码", "疾病名称"]
    return {
        "MDC": mdc_sheet(renewed),
        "ADRG": adrg_sheet(renewed),
        "DRG": drg_sheet(renewed),
        "集合": [["集合编号", "ICD编码", "ICD名称", kind], *sets],
        "CC": [[*disease, "排除表", "类型编号" if renewed else "类型"], *severity],
        "排除表": [["集合编号", "ICD编码", "ICD名称"], *excluded],
    }


def write_xlsx(sheets: Sheets, path: Path) -> Path:
    with xlsxwriter.Workbook(path, {"constant_memory": True}) as workbook:
        for name, rows in sheets.items():
            sheet = workbook.add_worksheet(name)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
    return path


def imported(path: Path, shipped: Scheme) -> tuple[Scheme, list[Finding]]:
    """What the workbook gives under the names and notes of the shipped scheme."""
    meta = {key: value for key, value in shipped.meta.items() if key not in ("options", "counts")}
    scheme, findings = import_workbook(path, meta)
    assert scheme is not None, [f.text("en") for f in findings][:5]
    return scheme, findings


PARTS = ("mdcs", "adrgs", "drgs", "lists", "complications", "exclusions")


@pytest.mark.slow
def test_the_first_issue_imports_to_exactly_the_shipped_scheme(
    tmp_path: Path, shipped: Callable[[str], Scheme]
) -> None:
    scheme = shipped("chs-drg-3.0")
    path = write_xlsx(published(scheme, renewed=False), tmp_path / "3.0.xlsx")
    again, findings = imported(path, scheme)
    for part in PARTS:
        assert getattr(again, part) == getattr(scheme, part), part
    assert again.meta["options"] == scheme.meta["options"]
    said = {f.kind: f for f in findings}
    assert set(said) == {"options", "placeholder"} and "weight = admission" in said["options"].en


@pytest.mark.slow
def test_the_second_issue_gives_the_same_files_and_digest(
    tmp_path: Path, shipped: Callable[[str], Scheme]
) -> None:
    """With a sheet of the groups of primary care, which the published workbook lacks."""
    scheme = shipped("chs-drg-3.0")
    sheets = published(scheme, renewed=True)
    sheets["基层病组"] = [["DRG编码"], *([code] for code in scheme.primary_care)]
    book = {name: [[str(cell) for cell in row] for row in rows] for name, rows in sheets.items()}
    write_book(book, tmp_path / "book", "csv")
    again, _ = imported(tmp_path / "book", scheme)
    meta = {key: again.meta[key] for key in scheme.meta}  # the order of the keys of the shipped file
    object.__setattr__(again, "meta", meta)
    save(again, tmp_path / "scheme")
    folder = scheme_folders()["chs-drg-3.0"]
    for name in FILES:
        assert (tmp_path / "scheme" / name).read_bytes() == (folder / name).read_bytes(), name
    assert digest(tmp_path / "scheme", FILES) == scheme.digest
    assert load_folder(tmp_path / "scheme").digest == scheme.digest


# --- small workbooks ------------------------------------------------------------------------------------


def small() -> Sheets:
    """Two MDCs in the published form."""
    return {
        "MDC": [
            ["附件"],
            ["MDC编码", "MDC名称", "MDC规则", "排序"],
            ["MDCA", "先期分组", "", 1],
            ["MDCB", "神经系统", "ZYZD in DI_B00", 2],
        ],
        "ADRG": [
            ["", "ADRG编码", "ADRG名称", "ADRG规则", "所属MDC编码", "MDC内排序"],
            ["", "AA1", "移植", "ZYSS in OP_AA1", "MDCA", 1],
            ["", "B00", "", "", "MDCB", 1],
            ["", "BR1", "脑梗死", "ZYZD in DI_BR1_x000D_\nOR ZYZD in DI2_BR1", "MDCB", 1],
            ["", "BZ1", "其他", 1, "MDCB", 2],
        ],
        "DRG": [
            ["DRG", "DRG名称", "DRG规则", "所属ADRG编码", "所属MDC编码", "排序"],
            ["AA19", "移植", "", "AA1", "MDCA", 1],
            ["BR15", "脑梗死", "", "BR1", "MDCB", 2],
            ["BZ19", "其他", "", "BZ1", "MDCB", 3],
        ],
        "集合": [
            ["集合编号", "ICD编码", "ICD名称", "类型编号"],
            ["DI_B00", "I63.900", "", "DI"],
            ["DI_BR1", "I63.900", "", "DI"],
            ["DI2_BR1", "I63.800", "", "DI"],
            ["OP_AA1", "17.7200X001", "", "OP"],
        ],
        "CC": [
            ["疾病编码", "疾病名称", "排除表", "类型"],
            ["Z94.001", "", "无", "CC"],
            ["I10.x00", "", "EX_1", "CC"],
        ],
        "排除表": [["集合编号", "ICD编码", "ICD名称"], ["EX_1", "I63.900", ""]],
    }


META = {"id": "w", "name": "测试", "area": "w"}


def test_names_numbers_and_ends_are_those_of_the_tables(tmp_path: Path) -> None:
    scheme, _ = import_workbook(write_xlsx(small(), tmp_path / "small.xlsx"), META)
    assert scheme is not None
    assert [(a.variant, a.condition, a.kind) for a in scheme.adrgs] == [
        ("AA1", "principal_proc in AA1.proc", "surgical"),
        ("BR1", "principal_dx in BR1.dx or principal_dx in BR1.dx2", "medical"),
        ("BZ1", "true", "medical"),
        ("B00", "true", "ungrouped"),  # the last of its MDC, whatever its number
    ]
    assert scheme.lists["AA1.proc"] == {"17.7200x001"}
    assert scheme.complications["Z94.001"] == (frozenset({"CC"}), "")
    assert scheme.exclusions == {"1": {"I63.900"}}
    assert scheme.options.when_no_drg == "stop" and scheme.options.weight == "admission"


@pytest.mark.parametrize(
    ("spoil", "place", "words"),
    [
        (lambda s: s.pop("CC"), "CC_MCC", ("CC_MCC / CC/MCC", "诊断编码", "ADRG")),
        (lambda s: s["ADRG"][0].__setitem__(3, "说明"), "ADRG!1", ("规则 / ADRG规则",)),
        (lambda s: s["ADRG"][1].__setitem__(3, "ZYSS in OP_XX1"), "ADRG!D2", ("OP_XX1",)),
        (lambda s: s["ADRG"][1].__setitem__(4, "MDCB"), "ADRG!E2", ("MDCA",)),
        (lambda s: s["ADRG"][3].__setitem__(3, ""), "ADRG!D4", ("BR1", "x00", "1")),
        (lambda s: s["CC"][2].__setitem__(2, "EX_999"), "CC!C3", ("EX_999", "无")),
        (lambda s: s["CC"][1].__setitem__(2, ""), "CC!C2", ("无",)),
        (lambda s: s["MDC"][3].__setitem__(0, "MDC1"), "MDC!A4", ("MDC1",)),
    ],
)
def test_a_fault_names_the_sheet_and_what_was_expected(
    tmp_path: Path, spoil: Callable[[Sheets], Any], place: str, words: tuple[str, ...]
) -> None:
    sheets = small()
    spoil(sheets)
    scheme, findings = import_workbook(write_xlsx(sheets, tmp_path / "bad.xlsx"), META)
    assert scheme is None
    found = next(f for f in findings if f.severity == "error")
    assert found.place == place
    for word in words:
        assert word in found.zh and word in found.en


def test_sites_of_injury_are_counted_only_where_the_rule_says_just_that() -> None:
    def rule(sites: int) -> str:
        every = [f"MDCZ.site.{n}" for n in range(1, sites + 1)]
        parts = [f"principal_dx in {s} and other_dx in {{{', '.join(set(every) - {s})}}}" for s in every]
        return " or ".join(f"({part})" for part in parts)

    lists = {f"MDCZ.site.{n}": frozenset({f"S0{n}.000"}) for n in range(1, 4)}
    assert official.injured_sites(parse(rule(3)), lists) == {"S01.000", "S02.000", "S03.000"}
    assert official.injured_sites(parse(rule(2)), lists) is None  # a site is left out
    twice = {**lists, "MDCZ.site.3": frozenset({"S01.000"})}
    assert official.injured_sites(parse(rule(3)), twice) is None  # a code of two sites would count twice
    assert to_text(official.SEVERAL_SITES) == "principal_dx in MDCZ.dx and injured_sites >= 2"


def test_the_command_reads_the_published_form(tmp_path: Path) -> None:
    source = write_xlsx(small(), tmp_path / "small.xlsx")
    options = ["-o", str(tmp_path / "out"), "--id", "w", "--name", "测试", "--area", "w"]
    done = CliRunner().invoke(cli, ["tables", "import", str(source), *options])
    assert done.exit_code == 0, done.output
    scheme = load_folder(tmp_path / "out")
    assert scheme.counts()["ungrouped"] == 1
    assert scheme.meta["editions"]["icd9cm3"] == "insurance-2.0+2026"
