"""The manifest names every file with its digest, and every departure from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from grouper.grouping.tables.manifest import check_manifest, write_manifest


def test_changes_are_found(tmp_path: Path) -> None:
    (tmp_path / "drg").mkdir()
    for name in ("a.csv", "b.csv", "drg/c.txt"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    (tmp_path / "__init__.py").write_text("", encoding="utf-8")
    write_manifest(tmp_path)
    assert check_manifest(tmp_path) == []

    (tmp_path / "a.csv").unlink()
    (tmp_path / "drg/c.txt").write_text("changed", encoding="utf-8")
    (tmp_path / "new.csv").write_text("", encoding="utf-8")
    assert [(f.severity, f.place) for f in check_manifest(tmp_path)] == [
        ("error", "a.csv"),
        ("error", "drg/c.txt"),
        ("error", "new.csv"),
    ]
    assert [f.place for f in check_manifest(tmp_path, under="drg/")] == ["drg/c.txt"]


def test_a_manifest_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    (finding,) = check_manifest(tmp_path)
    assert (finding.severity, finding.place) == ("error", "manifest.json")


@pytest.mark.parametrize("text", ["[]", "null", "1", '"a.csv"', "{", "[" * 100_000])
def test_a_manifest_of_another_shape_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text, encoding="utf-8")
    (finding,) = check_manifest(tmp_path)
    assert (finding.severity, finding.place) == ("error", "manifest.json")


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("b", encoding="utf-8")
    (tmp_path / "a.csv").write_text("a", encoding="utf-8")
    first = write_manifest(tmp_path).read_bytes()
    assert write_manifest(tmp_path).read_bytes() == first
