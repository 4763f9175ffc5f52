"""Files and folders appear whole or not at all; nothing is replaced that the program did not make."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from grouper.base.errors import UsageError
from grouper.base.whole import (
    MARK,
    foreign,
    put_mark,
    refuse_existing,
    refuse_input,
    remove_own,
    whole_file,
    whole_folder,
    write_text,
)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def fill(folder: Path, text: str = "new") -> None:
    with whole_folder(folder) as part:
        (part / "inner").mkdir()
        (part / "scheme.toml").write_text(text, encoding="utf-8")
        (part / "inner" / "rows.csv").write_text(text, encoding="utf-8")


def break_off(part: Path) -> None:
    """Write half of a file, and fail."""
    part.write_text("half")
    raise ZeroDivisionError


@pytest.fixture
def made(tmp_path: Path) -> Path:
    fill(tmp_path / "made", "old")
    return tmp_path / "made"


def test_a_file_is_there_whole_or_the_old_one_stays(tmp_path: Path) -> None:
    path = write_text(tmp_path / "a.txt", "old\r\n")
    assert path.read_bytes() == b"old\r\n"
    with pytest.raises(ZeroDivisionError), whole_file(path) as part:
        break_off(part)
    assert contents(tmp_path) == {"a.txt": b"old\r\n"}
    with pytest.raises(UsageError, match="cannot write"):
        write_text(tmp_path / "none" / "a.txt", "x")


def test_a_folder_is_there_whole_with_a_mark_or_the_old_one_stays(made: Path) -> None:
    before = contents(made)
    assert json.loads(before[MARK]).keys() == {"scheme.toml", "inner/rows.csv"} == before.keys() - {MARK}
    with pytest.raises(ZeroDivisionError), whole_folder(made) as part:
        break_off(part / "scheme.toml")
    assert contents(made) == before and list(made.parent.iterdir()) == [made]
    fill(made)
    assert contents(made)["inner/rows.csv"] == b"new"


CHANGES = [
    "a file more",
    "a file changed",
    "a file less",
    "a link",
    "an empty folder",
    "no mark",
    "a torn mark",
    "an empty mark",
]


@pytest.mark.parametrize("change", CHANGES)
def test_force_does_not_replace_what_the_program_did_not_make(made: Path, change: str) -> None:
    if change == "a file more":
        (made / "inner" / "mine.csv").write_text("x")
        names = ["inner/mine.csv"]
    elif change == "a file changed":
        (made / "scheme.toml").write_text("by hand")
        names = ["scheme.toml"]
    elif change == "a file less":
        (made / "scheme.toml").unlink()
        names = ["scheme.toml"]
    elif change == "a link":
        (made / "away").symlink_to(made.parent)
        names = ["away"]
    elif change == "an empty folder":
        (made / "inner" / "later").mkdir()
        names = ["inner/later/"]
    else:
        text = {"no mark": None, "a torn mark": "{", "an empty mark": "{}"}[change]
        (made / MARK).unlink() if text is None else (made / MARK).write_text(text)
        names = ["inner/rows.csv", "scheme.toml"]
    before = contents(made)
    assert foreign(made) == names
    for attempt in (lambda: refuse_existing(made, True), lambda: fill(made), lambda: remove_own(made)):
        with pytest.raises(UsageError) as caught:
            attempt()
        for told in (caught.value.zh, caught.value.en):
            assert str(made) in told and all(name in told for name in names)
    assert contents(made) == before and list(made.parent.iterdir()) == [made]


def test_a_mark_cannot_name_a_file_elsewhere(made: Path) -> None:
    victim = write_text(made.parent / "mine.txt", "x")
    (made / MARK).write_text(json.dumps({"../mine.txt": foreign(made), str(victim): ""}))
    with pytest.raises(UsageError):
        remove_own(made)
    assert victim.is_file()


def test_without_force_only_nothing_may_be_in_the_way(made: Path, tmp_path: Path) -> None:
    refuse_existing(tmp_path / "none", False)
    (tmp_path / "empty").mkdir()
    refuse_existing(tmp_path / "empty", False)
    file = write_text(tmp_path / "a.xlsx", "x")
    for path in (made, file):
        with pytest.raises(UsageError, match="--force"):
            refuse_existing(path, False)
        refuse_existing(path, True)
    with pytest.raises(UsageError, match="did not make"):
        refuse_existing(file, True, folder=True)


def test_many_foreign_files_are_counted_and_some_are_named(tmp_path: Path) -> None:
    for number in range(7):
        (tmp_path / f"{number}.csv").write_text("x")
    with pytest.raises(UsageError, match=r"7 \(0\.csv, 1\.csv, 2\.csv, 3\.csv, 4\.csv, …\)"):
        remove_own(tmp_path)


def test_files_set_aside_stay_and_are_not_looked_at(made: Path) -> None:
    put_mark(made)
    (made / ".lock").write_text("held")
    remove_own(made, aside=(".lock",))
    assert contents(made) == {".lock": b"held"}


def test_an_output_is_no_input_by_any_name(tmp_path: Path) -> None:
    path = write_text(tmp_path / "a.parquet", "x")
    (tmp_path / "b.parquet").symlink_to(path)
    refuse_input("-", ["-"])
    refuse_input(tmp_path / "new", [str(path), str(tmp_path / "missing")])
    for name in ("a.parquet", "b.parquet"):
        with pytest.raises(UsageError, match="is an input"):
            refuse_input(tmp_path / name, [str(path)])
