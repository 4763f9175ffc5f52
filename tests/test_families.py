"""A family that the package has never heard of groups, explains and is listed, once it is in the table."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import grouper
from grouper.base.errors import UsageError
from grouper.commands import cli
from grouper.grouping.dip import family as dip
from grouper.grouping.drg import family as drg
from grouper.grouping.family import FAMILIES, Family
from grouper.grouping.files import group_files
from grouper.grouping.locate import locate, stamp

from . import letter_family


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAMILIES, letter_family.KIND, letter_family.__name__)


@pytest.fixture
def scheme(tmp_path: Path) -> str:
    return str(letter_family.write(tmp_path / "letters"))


def run(*arguments: str) -> str:
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_every_family_keeps_the_protocol() -> None:
    """mypy holds the types; here the names."""
    every: list[Family] = [drg, dip, letter_family]
    asked = {name for name in vars(Family) if not name.startswith("_")}
    for each in every:
        assert asked <= vars(each).keys()


def test_it_groups_frames_and_files(scheme: str, tmp_path: Path) -> None:
    loaded = grouper.load_scheme(scheme)
    frame = pl.DataFrame({"diagnoses": [["I63.900"], ["K35.800"], ["Z51.102"]], "procedures": [[], [], []]})
    assert loaded.group(frame)["letter_group"].to_list() == ["HEART", "BELLY", None]
    frame.write_parquet(tmp_path / "in.parquet")
    summary = group_files(loaded, [tmp_path / "in.parquet"], tmp_path / "out.parquet")
    assert summary.statuses == {"grouped": 2, "ungrouped": 1}
    assert pq.read_table(tmp_path / "out.parquet")["letter_name"].to_pylist() == ["循环", "消化", None]


def test_it_explains(scheme: str) -> None:
    told = grouper.load_scheme(scheme).explain({"diagnoses": ["J18.900"], "procedures": []})
    assert told.text() == "J → LUNGS"
    assert told.result["status"] == "grouped"
    assert "J → LUNGS" in run("explain", "--scheme", scheme, "--dx", "J18.900")


@pytest.mark.slow
def test_the_tables_commands_show_it(scheme: str, tmp_path: Path) -> None:
    assert "letters  3" in run("tables", "list")
    assert {"kind": "letter", "id": "letters", "groups": 3} in json.loads(run("tables", "list", "--json"))
    assert run("tables", "show", scheme) == "HEART 循环\nLUNGS 呼吸\nBELLY 消化\n"
    assert run("tables", "show", scheme, "--code", "K35.800") == "BELLY 消化\n"
    run("tables", "verify", scheme)
    other = str(letter_family.write(tmp_path / "fewer", "IJ"))
    lines = run("tables", "diff", scheme, other, "--lang", "zh").splitlines()
    assert lines == ["组: 删除 1", "  K 消化"]


def test_schemes_of_two_families_are_not_compared(scheme: str) -> None:
    done = CliRunner().invoke(cli, ["tables", "diff", scheme, "chs-drg-2.0", "--lang", "en"])
    assert isinstance(done.exception, UsageError)
    assert "one is a scheme of letters, the other a DRG scheme" in done.exception.en


def test_it_is_found_by_its_folder_only(scheme: str) -> None:
    assert locate(scheme).kind == "letter"
    assert [Path(path).name for path, _, _ in stamp(scheme)] == [letter_family.TABLE]
    assert [locate(name).kind for name in ("chs-drg-2.0", "dip-taian-2025")] == ["drg", "dip"]
    with pytest.raises(UsageError):
        locate("letters")


def strings(path: Path) -> Iterator[Any]:
    """What a module compares with ``==``, ``!=`` or ``in``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Compare):
            for part in (node.left, *node.comparators):
                yield from (item.value for item in ast.walk(part) if isinstance(item, ast.Constant))


def test_no_module_outside_grouping_asks_for_the_kind_of_a_scheme() -> None:
    root = Path(grouper.__file__).parent
    asked = {
        f"{path.relative_to(root).as_posix()}: {value}"
        for path in root.rglob("*.py")
        if path.relative_to(root).parts[0] != "grouping"
        for value in strings(path)
        if value in FAMILIES
    }
    # The payment method of points by packets has the name of a family; it is asked for as a method.
    methods = {"payment/price/adjustments.py: dip", "payment/price/standards.py: dip"}
    methods |= {"commands/demo.py: drg", "commands/demo.py: dip"}
    assert asked <= methods
