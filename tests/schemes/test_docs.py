"""docs/tables.md and tables/SOURCES.md say what the code and the tables have."""

from __future__ import annotations

from pathlib import Path

import pytest

from grouper.base.paths import tables_dir
from grouper.grouping.drg.conditions import NUMBERS, SUBJECTS
from grouper.grouping.drg.tables.grouplist import CODE_HEADERS, NAME_HEADERS, WEIGHT_HEADERS
from grouper.grouping.drg.tables.layout import SHEETS
from grouper.grouping.drg.tables.store import FILES, scheme_folders

DOCS = Path(__file__).parents[2] / "docs" / "tables.md"


@pytest.fixture(scope="module")
def text() -> str:
    return DOCS.read_text(encoding="utf-8")


def test_every_sheet_and_header_is_documented(text: str) -> None:
    words = {name for names, _ in SHEETS.values() for name in names}
    words |= {header for _, columns in SHEETS.values() for column in columns for header in column.headers}
    words |= {*CODE_HEADERS, *NAME_HEADERS, *WEIGHT_HEADERS}
    assert sorted(word for word in words if f"`{word}`" not in text) == []


def test_every_variable_and_file_is_documented(text: str) -> None:
    assert [word for word in (*SUBJECTS, *NUMBERS, *FILES) if word not in text] == []


def test_sources_name_every_scheme() -> None:
    text = (tables_dir() / "SOURCES.md").read_text(encoding="utf-8")
    assert [scheme for scheme in scheme_folders() if f"| {scheme} |" not in text] == []
