"""Needed canonical fields that a file does not give, with the columns whose names look like them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from grouper.records.columns import ColumnMap, aliases, fold

_NEAR = 0.6  # names less alike are not told as near


class Missing(NamedTuple):
    """A needed field without a source, the columns whose names look like it, and words of it."""

    field: str
    near: tuple[str, ...]
    zh: str
    en: str


def missing_field(field: str, header: Sequence[str], also: tuple[str, str] = ("", "")) -> Missing:
    """``field`` as a missing one, with the columns of ``header`` that look most like it."""
    names = [alias.column for alias in aliases() if alias.field == field and not alias.personal]
    scores = {
        column: max(
            difflib.SequenceMatcher(None, fold(column), fold(name)).ratio() for name in (field, *names)
        )
        for column in header
    }
    near = sorted((c for c, score in scores.items() if score >= _NEAR), key=lambda c: -scores[c])[:2]
    zh = f"（相近的列：{'、'.join(near)}）" if near else ""
    en = f" (like: {', '.join(near)})" if near else ""
    return Missing(field, tuple(near), f"{field}{also[0]}{zh}", f"{field}{also[1]}{en}")


def missing_fields(columns: ColumnMap, header: Sequence[str], needed: Iterable[str]) -> list[Missing]:
    """Which of the needed canonical fields a file does not give, with the columns that look like them."""
    return [missing_field(field, header) for field in needed if field not in columns.fields]
