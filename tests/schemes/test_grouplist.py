"""Local lists of groups on a national base: the shipped conditions are found again, or nothing is claimed."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from grouper.base.errors import UsageError
from grouper.grouping.drg.tables.fourth import built_in, read_fourth, read_name
from grouper.grouping.drg.tables.grouplist import Result, import_list
from grouper.grouping.drg.tables.model import Scheme
from grouper.grouping.drg.tables.store import load_folder, save

META = {"id": "local", "name": "本地", "area": "local"}
Shipped = Callable[[str], Scheme]
Rows = list[tuple[Any, ...]]


def groups_of(scheme: Scheme) -> Rows:
    """The list of groups that an area would publish: codes and names, QY rows included."""
    rows = {drg.drg: drg.name for _, drg in scheme.groups()}
    rows |= {adrg.adrg: adrg.name for adrg in scheme.adrgs if adrg.kind == "ambiguous"}
    return list(rows.items())


def run(
    rows: Rows,
    base: Scheme,
    tmp_path: Path,
    header: tuple[str, ...] = ("DRG编码", "DRG名称", "权重"),
    **how: Any,
) -> Result:
    path = tmp_path / "list.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return import_list(path, META, base, **how)


def conditions(scheme: Scheme) -> dict[str, list[tuple[str, str]]]:
    return {variant: [(drg.drg, drg.condition) for drg in rows] for variant, rows in scheme.drgs.items()}


def by_adrg(scheme: Scheme) -> dict[str, list[tuple[str, str]]]:
    return {variant[:3]: rows for variant, rows in conditions(scheme).items()}


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("chs-drg-1.0", "chs-drg-1.0"),
        ("chs-drg-1.1", "chs-drg-1.1"),
        ("chs-drg-2.0", "chs-drg-2.0"),
        ("liaocheng-2025", "chs-drg-2.0"),
        ("qingyang-2023", "chs-drg-1.1"),
        ("chongqing-2022", "chs-drg-1.0"),
    ],
)
def test_the_list_of_a_shipped_scheme_gives_its_conditions(
    name: str, base: str, tmp_path: Path, shipped: Shipped
) -> None:
    scheme = shipped(name)
    result = run(groups_of(scheme), shipped(base), tmp_path)
    assert result.undecided() == [] and result.scheme is not None
    if name in ("qingyang-2023", "chongqing-2022"):  # ADRGs in another order, or in other variants
        assert by_adrg(result.scheme) == by_adrg(scheme)
    else:
        assert conditions(result.scheme) == conditions(scheme)
        assert [a.variant for a in result.scheme.adrgs] == [a.variant for a in scheme.adrgs]


# Groups whose condition cannot be told from a code and a name; the others must be right.
@pytest.mark.parametrize(
    ("name", "undecided", "wrong"),
    [
        ("beijing-2024", 20, 0),
        ("guangxi-2024", 1, 0),
        ("zhejiang-2024", 139, 0),
        ("beijing-2022", 20, 0),
        ("foshan-2022", 142, 0),
        ("guangxi-2022", 0, 12),
    ],
)
def test_local_splits_are_reported_not_guessed(
    name: str, undecided: int, wrong: int, tmp_path: Path, shipped: Shipped
) -> None:
    """guangxi-2022: 12 groups named 伴严重 take CC too in the public copy, which no name says."""
    scheme = shipped(name)
    result = run(groups_of(scheme), shipped(scheme.base or ""), tmp_path)
    assert result.scheme is not None
    assert len(result.undecided()) == undecided
    known, found = (
        # after MCC, "mcc or cc" and "cc" are the same test
        {drg.drg: drg.condition.removeprefix("mcc or ") for _, drg in each.groups()}
        for each in (scheme, result.scheme)
    )
    assert len(known) == len(found) + undecided
    assert sum(known[drg] != rule for drg, rule in found.items()) == wrong


def test_ambiguous_groups_follow_the_list(tmp_path: Path, shipped: Shipped) -> None:
    """guangxi-2024 has no UQY, but a WQY that 2.0 lacks."""
    result = run(groups_of(shipped("guangxi-2024")), shipped("chs-drg-2.0"), tmp_path)
    assert result.scheme is not None
    assert [a.variant for a in result.scheme.adrgs] == [a.variant for a in shipped("guangxi-2024").adrgs]
    said = {f.kind: f.details for f in result.findings if f.kind.startswith("ambiguous")}
    assert said["ambiguous-off"] == ("UQY",) and "ambiguous-on" in said


def test_a_scheme_can_be_written_and_loaded(tmp_path: Path, shipped: Shipped) -> None:
    base = shipped("chs-drg-2.0")
    result = run(groups_of(shipped("beijing-2024")), base, tmp_path)
    assert result.scheme is not None
    save(result.scheme, tmp_path / "local", base)
    again, made = load_folder(tmp_path / "local"), result.scheme
    assert (again.adrgs, again.drgs, again.lists) == (made.adrgs, made.drgs, made.lists)
    assert again.meta["counts"] == again.counts() and again.base == "chs-drg-2.0"


BE1: Rows = [("BR11", "脑卒中，伴严重合并症或并发症"), ("BR15", "脑卒中，不伴严重合并症或并发症")]


def test_missing_adrgs_are_left_out_or_kept(tmp_path: Path, shipped: Shipped) -> None:
    base = shipped("chs-drg-2.0")
    short = run(BE1, base, tmp_path)
    assert short.scheme is not None and [a.variant for a in short.scheme.adrgs] == ["BR1"]
    kinds = {f.kind: len(f.details) for f in short.findings}
    assert kinds == {"missing-adrg": 408, "ambiguous-off": 20}
    kept = run(BE1, base, tmp_path, keep_missing=True)
    assert kept.scheme is not None and kept.scheme.adrgs == base.adrgs
    assert kept.scheme.drgs["BR1"] != base.drgs["BR1"] and kept.scheme.drgs["BR2"] == base.drgs["BR2"]
    assert kept.findings == []


def test_groups_outside_the_base_are_reported(tmp_path: Path, shipped: Shipped) -> None:
    result = run([*BE1, ("BR99", "新组")], shipped("chs-drg-2.0"), tmp_path)
    (finding,) = result.undecided()
    assert (finding.kind, finding.place, finding.details) == ("unknown-adrg", "list!A4", ("BR99",))


@pytest.mark.parametrize(
    ("row", "kind", "place"),
    [
        (("BR1", "x", ""), "code", "list!A4"),
        (("", "合计", "12"), "code", "list!A4"),
        (("BR11", "又一次", ""), "duplicate", "list!A4"),
        (("BR29", "x", "一点五"), "weight", "list!C4"),
    ],
)
def test_bad_cells_are_errors_with_an_address(
    row: tuple[str, ...], kind: str, place: str, tmp_path: Path, shipped: Shipped
) -> None:
    result = run([*BE1, row], shipped("chs-drg-2.0"), tmp_path)
    assert result.scheme is None
    assert [(f.kind, f.place) for f in result.findings if f.severity == "error"] == [(kind, place)]


def test_weights_and_named_columns_in_a_workbook(tmp_path: Path, shipped: Shipped) -> None:
    path = tmp_path / "list.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("目录")
        for number, row in enumerate(
            [
                ["某市病组目录"],
                ["组", "叫法", "点数"],
                ["BR11", BE1[0][1], 181.5],
                ["BR15", BE1[1][1], "1,020.25"],
            ]
        ):
            sheet.write_row(number, 0, row)
    with pytest.raises(UsageError) as refused:
        import_list(path, META, shipped("chs-drg-2.0"))
    assert "--code-column" in str(refused.value)
    columns = {"code": "组", "name": "叫法", "weight": "点数"}
    result = import_list(path, META, shipped("chs-drg-2.0"), columns=columns)
    assert [(row["drg"], row["weight"]) for row in result.weights] == [("BR11", "181.5"), ("BR15", "1020.25")]


def test_a_mapping_file_decides_other_characters(tmp_path: Path, shipped: Shipped) -> None:
    path = tmp_path / "fourth.toml"
    path.write_text(
        '["0"]\ncondition = "NL < 17"\nrank = 0\n[BR19]\ncondition = "dept = \'ICU\'"\nrank = 0.5\n'
        '["1B"]\ncondition = "mcc and los > 30"\nrank = 0.7\n',
        encoding="utf-8",
    )
    rows = [*BE1, ("BR10", "脑卒中，小于17岁"), ("BR19", "脑卒中，伴重症监护"), ("BR11B", "脑卒中，长期")]
    base = shipped("chs-drg-2.0")
    assert {f.details[0] for f in run(rows, base, tmp_path).undecided()} == {"BR10", "BR19", "BR11B"}
    result = run(rows, base, tmp_path, fourth=read_fourth(path))
    assert result.scheme is not None and result.undecided() == []
    assert conditions(result.scheme)["BR1"] == [
        ("BR10", "age < 17"),
        ("BR19", "dept = 'ICU'"),
        ("BR11B", "mcc and los > 30"),
        ("BR11", "mcc"),
        ("BR15", "true"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        '["0"]\ncondition = "age <"\nrank = 1\n',
        '["0"]\ncondition = "age < 17"\n',
        '[BR1234]\ncondition = "mcc"\nrank = 1\n',
        '["0"]\ncondition = "mcc"\nrank = "first"\n',
        "not toml",
    ],
)
def test_bad_mapping_files_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "fourth.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError):
        read_fourth(tmp_path / "fourth.toml")


def test_a_mapping_with_an_unknown_list_is_an_error(tmp_path: Path, shipped: Shipped) -> None:
    (tmp_path / "fourth.toml").write_text('[BR10]\ncondition = "any_proc in ROBOT"\nrank = 0\n')
    fourth = read_fourth(tmp_path / "fourth.toml")
    result = run([*BE1, ("BR10", "机器人")], shipped("chs-drg-2.0"), tmp_path, fourth=fourth)
    assert [f.kind for f in result.findings if f.severity == "error"] == ["missing-list"]


@pytest.mark.parametrize(
    ("ending", "level"),
    [
        ("，伴严重合并症或并发症", "mcc"),
        ("伴有严重并发症与合并症", "mcc"),
        ("，伴一般合并症或并发症", "cc"),
        ("，伴并发症或合并症", "cc"),
        ("，伴严重或一般并发症与合并症", "any-cc"),
        ("，不伴合并症或并发症", "none"),
        ("，不伴严重合并症或并发症", "rest"),
        ("，不伴或伴一般并发症或合并症", "rest"),
        ("，伴与不伴并发症与合并症", "rest"),
        ("，伴重症监护", None),
        ("", None),
    ],
)
def test_levels_in_names(ending: str, level: str | None) -> None:
    assert read_name("脑卒中" + ending) == (level, "脑卒中" if level else "脑卒中" + ending)


@pytest.mark.parametrize(
    ("fourth", "siblings", "ending"),
    [
        ("1", "15", "，伴合并症或并发症"),
        ("5", "15", "，伴合并症或并发症"),
        ("3", "135", "，伴严重合并症或并发症"),
        ("3", "135", "，不伴或伴一般并发症或合并症"),
        ("1", "15", "，颅内血肿，伴严重合并症或并发症"),
        ("1", "15", ""),
        ("9", "19", ""),
        ("7", "7", ""),
    ],
)
def test_what_the_name_contradicts_is_not_decided(fourth: str, siblings: str, ending: str) -> None:
    names = dict.fromkeys(siblings, "脑卒中，不伴合并症或并发症") | {fourth: "脑卒中" + ending}
    assert isinstance(built_in(fourth, names, "脑卒中" + ending, "脑卒中"), tuple)
