"""Pairs of diagnoses for which the edition has one combined code (``combinations.csv``)."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from grouper.base.errors import TableError
from grouper.base.paths import tables_dir
from grouper.base.tables_in import read_table

_MOST = 63  # each is a bit


class Combination(NamedTuple):
    """``first`` and ``second`` are beginnings of codes, ``combined`` that of the code for both."""

    first: str
    second: str
    combined: str
    name: str


@cache
def combinations() -> tuple[Combination, ...]:
    """The shipped pairs. Raises TableError."""
    columns = ("first", "second", "combined", "name", "source", "verified")
    table = read_table(
        tables_dir() / "checks" / "combinations.csv", needed=columns, known=(), kind=TableError
    )
    made = tuple(Combination(*(row.text(name) for name in Combination._fields)) for row in table)
    if len(made) > _MOST:
        raise TableError(
            zh=f"combinations.csv 最多 {_MOST} 行", en=f"combinations.csv has at most {_MOST} rows"
        )
    return made


def sides_of(code: str) -> tuple[int, int]:
    """Bits of the combinations of which a code may be the first, and the second."""
    first = sum(1 << n for n, pair in enumerate(combinations()) if code.startswith(pair.first))
    second = sum(1 << n for n, pair in enumerate(combinations()) if code.startswith(pair.second))
    return first, second
