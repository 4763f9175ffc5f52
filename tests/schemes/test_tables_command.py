"""``grouper tables``: what it writes, where, and with which exit code."""

from __future__ import annotations

import csv
import json
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from grouper.base.errors import GrouperError, UsageError
from grouper.commands.tables import tables
from grouper.grouping.drg.tables.store import load, load_folder
from grouper.grouping.locate import shipped


def call(*arguments: object) -> Result:
    """The command run in this process; its own errors pass through."""
    result = CliRunner().invoke(tables, [str(a) for a in arguments])
    if isinstance(result.exception, GrouperError):
        raise result.exception
    return result


def test_show_names_the_groups_of_primary_care_and_the_edition_of_a_code() -> None:
    whole = call("show", "chs-drg-3.0").stdout
    assert "基层病组（31）" in whole and "  BR29 其他脑缺血性疾病" in whole
    assert "BR29 其他脑缺血性疾病  [基层病组]" in call("show", "chs-drg-3.0", "--drg", "BR29").stdout
    assert "[基层病组]" not in call("show", "chs-drg-3.0", "--drg", "BR13").stdout
    assert "P00  [未入组]" in call("show", "chs-drg-3.0", "--mdc", "P").stdout
    assert "insurance-2.0+2026" in call("show", "chs-drg-3.0", "--code", "17.7200x001").stdout


def test_diff_writes_a_page_and_refuses_to_overwrite_it(tmp_path: Path) -> None:
    page = tmp_path / "changes.html"
    assert call("diff", "chs-drg-2.0", "chs-drg-3.0", "-o", page).exit_code == 0
    assert "编码沿用、所指改变" in page.read_text(encoding="utf-8")
    with pytest.raises(GrouperError, match="--force"):
        call("diff", "chs-drg-2.0", "chs-drg-3.0", "-o", page)
    with pytest.raises(GrouperError, match="--json"):
        call("diff", "chs-drg-2.0", "chs-drg-3.0", "-o", page, "--force", "--json")


@pytest.mark.slow
def test_list_has_every_scheme_and_as_json_the_same() -> None:
    text, data = call("list").stdout, json.loads(call("list", "--json").stdout)
    lines = [line.split()[0] for line in text.splitlines() if line and not line.startswith("方案 ")]
    assert [row["id"] for row in data] == lines
    assert sum(row["kind"] == "drg" for row in data) >= 39 and sum(row["kind"] == "dip" for row in data) >= 3
    (national,) = [row for row in data if row["id"] == "chs-drg-2.0"]
    assert (national["mdc"], national["adrg"], national["drg"], national["base"]) == (26, 409, 634, "")
    assert national["valid_from"] == "2024-07-23"


SHOW = {
    "": ["按病组（DRG）付费分组方案（2.0版）", "when_no_drg = next", "MDCB 神经系统疾病及功能障碍"],
    "--mdc B": ["principal_dx in MDCB.dx", "BQY", "BR1 脑卒中 [内科] BR11"],
    "--adrg JA1": ["any_proc in JA1.proc1", "JA1.proc1 ("],
    "--drg BR15": ["principal_dx in BR1.dx", "先试: BR11"],
    "--list AC1.proc1": ["ADRG AC1", "任一手术操作属于 AC1 手术操作表1"],
    "--code i63.900": ["I63.900 脑梗死", "BR2.dx (", "ADRG BR2", "排除表"],
    "--code S06.500": ["MCC，排除表 187"],
}


@pytest.mark.parametrize("options", SHOW)
def test_show(options: str) -> None:
    output = call("show", "chs-drg-2.0", *options.split()).stdout
    for text in SHOW[options]:
        assert text in output


def test_show_in_english_and_by_area_and_date() -> None:
    assert "tried before it: BR11" in call("show", "chs-drg-2.0", "--drg", "BR15", "--lang", "en").stdout
    assert call("show", "beijing", "--date", "2023-03-01").stdout.startswith("beijing-2022")
    assert call("show", "beijing", "--date", "2025-03-01").stdout.startswith("beijing-2024")


@pytest.mark.parametrize(
    "options", ["--mdc 1", "--adrg BR9", "--drg BR12", "--list X", "--code Z99", "--mdc B --drg BR11"]
)
def test_show_of_what_there_is_not_is_refused(options: str) -> None:
    with pytest.raises(GrouperError) as refused:
        call("show", "chs-drg-2.0", *options.split())
    assert refused.value.zh != refused.value.en


def test_diff_in_words_and_as_json() -> None:
    words = call("diff", "chs-drg-2.0", "guangxi-2024").stdout
    assert "BS11 删除" in words and "WQY 新增" in words
    assert "BS11 removed" in call("diff", "chs-drg-2.0", "guangxi-2024", "--lang", "en").stdout
    data = json.loads(call("diff", "chs-drg-2.0", "guangxi-2024", "--json").stdout)
    assert {"section": "drg", "key": "BS11", "what": "removed"}.items() <= next(
        c for c in data if c["key"] == "BS11"
    ).items()
    assert call("diff", "chs-drg-2.0", "chs-drg-2.0").stdout == "没有差别\n"


def test_verify_exit_code_tells_errors(small_folder: Path) -> None:
    assert call("verify", small_folder).exit_code == 0
    (small_folder / "drg.csv").write_text("variant,drg,name,condition\nBR1,BR11,,mcc and\n", encoding="utf-8")
    result = call("verify", small_folder)
    assert result.exit_code == 2 and "错误：small drg.csv:2 BR11" in result.stdout
    first = json.loads(call("verify", small_folder, "--json").stdout)[0]
    assert (first["severity"], first["kind"], first["place"]) == ("error", "condition", "drg.csv:2 BR11")


@pytest.mark.slow
def test_verify_all_lists_codes() -> None:
    short, long = call("verify", "chs-drg-1.1").stdout, call("verify", "chs-drg-1.1", "--all").stdout
    assert "K43.901" not in short and "K43.902" in long and len(long) > len(short)


def test_export_then_import(tmp_path: Path, small_folder: Path) -> None:
    book, folder = tmp_path / "小.xlsx", tmp_path / "again"
    assert call("export", small_folder, book).exit_code == 0
    with pytest.raises(GrouperError, match="--force"):
        call("export", small_folder, book)
    result = call("import", book, "-o", folder, "--id", "small", "--name", "小方案", "--area", "small")
    assert result.exit_code == 0 and "已写出" in result.stderr
    small, again = load_folder(small_folder), load_folder(folder)
    assert (again.mdcs, again.adrgs, again.drgs) == (small.mdcs, small.adrgs, small.drgs)
    assert again.lists == small.lists
    assert call("verify", folder).exit_code == 0


def test_nothing_is_written_when_the_workbook_has_errors(tmp_path: Path, small_folder: Path) -> None:
    call("export", small_folder, tmp_path / "book")
    adrg = tmp_path / "book" / "ADRG.csv"
    text = adrg.read_text(encoding="utf-8")
    adrg.write_text(text.replace("ZYZD in BR2.dx", "ZYZD in"), encoding="utf-8")
    before = sorted(tmp_path.iterdir())
    names = ("--id", "x", "--name", "x", "--area", "x")
    result = call("import", tmp_path / "book", "-o", tmp_path / "out", *names)
    assert result.exit_code == 2 and "ADRG!E5" in result.stdout
    assert sorted(tmp_path.iterdir()) == before


@pytest.fixture
def group_list(tmp_path: Path) -> Path:
    path = tmp_path / "目录.csv"
    rows = [
        ["DRG编码", "DRG名称", "权重"],
        ["BR11", "脑卒中，伴严重合并症或并发症", "1.8"],
        ["BR15", "脑卒中，不伴严重合并症或并发症", "1.1"],
        ["BR17", "脑卒中，死亡", "0.6"],
    ]
    with path.open("w", encoding="gb18030", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def import_list(source: Path, *options: object) -> Result:
    names = ("--id", "my", "--name", "我市", "--area", "my")
    return call("import", source, "-o", source.parent / "out", *names, *options)


def test_a_list_needs_a_base_and_every_condition(group_list: Path) -> None:
    with pytest.raises(GrouperError, match="--base"):
        import_list(group_list)
    result = import_list(group_list, "--base", "chs-drg-2.0")
    assert result.exit_code == 2 and "BR17" in result.stdout and "--fourth" in result.stderr
    assert not (group_list.parent / "out").exists()


def test_undecided_groups_can_be_left_out_or_given(group_list: Path) -> None:
    folder = group_list.parent / "out"
    left_out = import_list(group_list, "--base", "chs-drg-2.0", "--allow-undecided", "--keep-missing")
    assert left_out.exit_code == 0
    assert [d.drg for d in load(folder).drgs["BR1"]] == ["BR11", "BR15"]
    assert "BR17" in (folder / "report.csv").read_text(encoding="utf-8")
    assert (folder / "weights.csv").read_text(encoding="utf-8").splitlines()[1:] == [
        "BR11,脑卒中，伴严重合并症或并发症,1.8",
        "BR15,脑卒中，不伴严重合并症或并发症,1.1",
        "BR17,脑卒中，死亡,0.6",
    ]
    with pytest.raises(GrouperError, match="--force"):
        import_list(group_list, "--base", "chs-drg-2.0")
    fourth = group_list.parent / "fourth.toml"
    fourth.write_text('[BR17]\ncondition = "discharge in (5)"\nrank = 0\n', encoding="utf-8")
    result = import_list(
        group_list,
        "--base",
        "chs-drg-2.0",
        "--fourth",
        fourth,
        "--keep-missing",
        "--force",
        "--valid-from",
        "2025-01-01",
        "--region",
        "我市",
    )
    assert result.exit_code == 0
    scheme = load(folder)
    assert [d.drg for d in scheme.drgs["BR1"]] == ["BR17", "BR11", "BR15"]
    assert scheme.valid_from == date(2025, 1, 1) and scheme.meta["region"] == "我市"
    assert not (folder / "report.csv").exists()


def test_force_replaces_only_what_an_import_wrote(group_list: Path) -> None:
    folder = group_list.parent / "out"
    folder.mkdir()
    (folder / "letters.txt").write_text("dear", encoding="utf-8")
    again = ("--base", "chs-drg-2.0", "--allow-undecided", "--force")
    with pytest.raises(GrouperError, match=r"letters\.txt"):
        import_list(group_list, *again)
    (folder / "letters.txt").unlink()
    assert import_list(group_list, *again).exit_code == 0
    (folder / "drg.csv").write_text("mended by hand", encoding="utf-8")
    with pytest.raises(GrouperError, match=r"drg\.csv"):
        import_list(group_list, *again)
    assert (folder / "drg.csv").read_text(encoding="utf-8") == "mended by hand"


@pytest.mark.parametrize("name", ["list", "show", "diff", "verify", "export", "import"])
def test_help_ends_with_an_example_in_both_languages(name: str) -> None:
    for lang, word in (("zh", "示例：grouper tables"), ("en", "Example: grouper tables")):
        assert word in call(name, "--lang", lang, "--help").stdout


@pytest.mark.slow
def test_every_shipped_scheme_is_exported_or_says_why_not(tmp_path: Path) -> None:
    """Only scores on top of the national packets have no place in a workbook; the words say where."""
    refused = []
    for found in shipped():
        target = tmp_path / found.folder.name
        try:
            assert call("export", found.folder.name, target).exit_code == 0
            assert list(target.glob("*.csv"))
        except UsageError as error:
            refused.append(found.folder.name)
            assert str(found.folder) in error.en
    assert refused == ["dip-3.0-example"]
