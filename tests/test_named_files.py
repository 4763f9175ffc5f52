"""The files that the pages for developers name are there."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = ("CONTRIBUTING.md", "docs/architecture.md", "docs/formats.md")
FOLDERS = (".ci", "grouper", "tables", "tests", "docs")
# Named, and in no repository: what the program makes.
MADE = {"chain/", "set-aside/", "city.toml", "quality.toml"}
_FILE = re.compile(r"[\w./*<>-]*(?:/|\.(?:py|pyx|pyi|csv|md|toml|json|txt|parquet))[\w./*<>-]*")


@cache
def there() -> list[str]:
    """Paths of all files and folders, folders also with a slash, modules also without their suffix."""
    found = [path.name for path in ROOT.iterdir() if path.is_file()]
    for path in (path for folder in FOLDERS for path in (ROOT / folder).rglob("*")):
        name = path.relative_to(ROOT).as_posix()
        found += [name, name + "/"] if path.is_dir() else [name]
        found += [name.removesuffix(".py")] if path.suffix == ".py" else []
    return ["/" + name for name in (*found, *(folder + "/" for folder in FOLDERS))]


def named(text: str) -> set[str]:
    """What stands in backticks and looks like a file or folder of the repository."""
    inline = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return {name for name in re.findall(r"`([^`\n]+)`", inline) if _FILE.fullmatch(name)} - MADE


def lost(names: set[str]) -> list[str]:
    patterns = {name: "*/" + re.sub(r"<\w+>", "*", name) for name in names}
    return sorted(n for n, pattern in patterns.items() if not any(fnmatch(path, pattern) for path in there()))


@pytest.mark.parametrize("page", PAGES)
def test_the_files_that_a_page_names_are_there(page: str) -> None:
    names = named((ROOT / page).read_text(encoding="utf-8"))
    assert len(names) > 5
    assert lost(names) == []


def test_a_file_that_is_not_there_is_seen() -> None:
    text = "`tests/test_letters.py` and `tests/letter_family.py`, `payment/nowhere/`, `--flag`, `{n}`"
    assert named(text) == {"tests/test_letters.py", "tests/letter_family.py", "payment/nowhere/"}
    assert lost(named(text)) == ["payment/nowhere/", "tests/test_letters.py"]
