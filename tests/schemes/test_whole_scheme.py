"""A scheme is loaded whole, in whatever encoding its files are, or it is refused with the file that lacks."""

from __future__ import annotations

import codecs
from dataclasses import replace
from pathlib import Path

import pytest

from grouper.base.errors import TableError
from grouper.grouping.dip import facts
from grouper.grouping.drg.tables.store import load_folder, save
from grouper.grouping.tables.text import parse_lists
from tests.schemes.scheme_samples import small_scheme

LISTS = ("lists.txt", "complication.txt", "exclusion.txt")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(small_scheme(), tmp_path / "small")
    return tmp_path / "small"


@pytest.mark.parametrize("name", ["mdc.csv", "adrg.csv", "drg.csv", *LISTS])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(TableError) as caught:
        load_folder(folder)
    assert name in caught.value.zh and name in caught.value.en and str(folder) in caught.value.en


@pytest.mark.parametrize("name", ["drg.csv", *LISTS])
def test_a_file_that_was_cut_off_shows_in_the_counts(folder: Path, name: str) -> None:
    path = folder / name
    path.write_text("".join(path.read_text(encoding="utf-8").splitlines(True)[:-1]), encoding="utf-8")
    with pytest.raises(TableError, match=r"scheme\.toml \[counts\] .* says"):
        load_folder(folder)


def test_an_overlay_may_lack_files_but_not_what_its_counts_say(folder: Path) -> None:
    base = load_folder(folder)
    drgs = {**base.drgs, "BR2": base.drgs["BR1"]}
    local = replace(base, id="local", meta={**base.meta, "id": "local", "base": "small"}, drgs=drgs)
    local.meta["counts"] = local.counts()
    save(local, folder.parent / "local", base)
    assert {path.name for path in (folder.parent / "local").iterdir()} == {"scheme.toml", "drg.csv"}
    assert load_folder(folder.parent / "local").drgs == drgs
    (folder.parent / "local" / "drg.csv").unlink()
    with pytest.raises(TableError, match="counts"):
        load_folder(folder.parent / "local")


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "gb18030"])
def test_a_list_is_the_same_in_every_encoding_that_tables_have(
    folder: Path, name: str, encoding: str
) -> None:
    before, path = load_folder(folder), folder / name
    path.write_text(path.read_text(encoding="utf-8"), encoding=encoding)
    again = load_folder(folder)
    assert (again.lists, again.complications, again.exclusions) == (
        before.lists, before.complications, before.exclusions,
    )  # fmt: skip


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("data", [b"\xff\xff\xff", codecs.BOM_UTF16_LE + b"a", b"37.5100\n[A.proc]\n1.0\n"])
def test_a_list_that_cannot_be_read_is_named(folder: Path, name: str, data: bytes) -> None:
    (folder / name).write_bytes(data)
    with pytest.raises(TableError, match=name.replace(".", r"\.")):
        load_folder(folder)


@pytest.mark.parametrize("text", ["37.5100\n[A]\n", " [A]\n37.5100\n", "\ufeff[A]\n1\n", "[A]\n1\n [B]\n2\n"])
def test_what_stands_in_no_section_is_refused(text: str) -> None:
    with pytest.raises(TableError, match=r"x\.txt"):
        parse_lists(text, {}, "x.txt")


def test_blank_lines_may_come_first() -> None:
    assert parse_lists("\r\n\n[A]\r\n1\r\n", {}, "x.txt") == {"A": frozenset({"1"})}


@pytest.mark.parametrize(
    ("name", "old"), [("adrg.csv", "principal_dx in BR1.dx"), ("drg.csv", "mcc"), ("mdc.csv", "in MDCB.dx")]
)
def test_a_condition_that_is_cut_off_names_file_and_row(folder: Path, name: str, old: str) -> None:
    path = folder / name
    text = path.read_text(encoding="utf-8")
    row = text[: text.index(old)].count("\n") + 1
    path.write_text(text.replace(old, "principal_dx in" if name != "mdc.csv" else "in", 1), encoding="utf-8")
    with pytest.raises(TableError) as caught:
        load_folder(folder)
    assert f"{path}, row {row}, column " in caught.value.en and f"{path} 第 {row} 行" in caught.value.zh


def test_the_lists_that_dip_borrows_are_read_the_same_way(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder.parent / "drg").mkdir()
    folder.rename(folder.parent / "drg" / facts.SEVERITY_SCHEME)
    monkeypatch.setattr(facts, "tables_dir", lambda: folder.parent)
    path = folder.parent / "drg" / facts.SEVERITY_SCHEME / "complication.txt"
    path.write_text(path.read_text(encoding="utf-8"), encoding="utf-16")
    assert facts._lists("complication.txt") == {"MCC 1": frozenset({"A40.900"})}
    path.unlink()
    with pytest.raises(TableError, match=r"complication\.txt"):
        facts._lists("complication.txt")
