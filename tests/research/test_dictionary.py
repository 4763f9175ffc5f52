"""The data dictionary is that of the tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from grouper.research.columns import TABLES, declared
from grouper.research.dictionary import page

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize(("path", "lang"), [("dictionary.md", "en"), ("zh/dictionary.md", "zh")])
def test_the_pages_are_made_from_the_declarations(path: str, lang: str) -> None:
    told = "run: python -P -m grouper.research.dictionary docs/dictionary.md docs/zh/dictionary.md"
    assert (DOCS / path).read_text(encoding="utf-8") == page(lang), told


def test_every_column_has_its_words() -> None:
    assert set(declared()) == set(TABLES)
    for columns in declared().values():
        assert columns and len({column.name for column in columns}) == len(columns)
        assert all(column.zh and column.en and column.type for column in columns)
