"""The small tables that a policy names: their rows, and cells that are numbers or flags."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

from grouper.base import tables_in
from grouper.base.errors import GrouperError, TableError
from grouper.base.exact import decimal_of
from grouper.base.tables_in import read_table

_TRUE = {"true": True, "false": False, "": None}


def decimals(path: Path, column: str) -> int:
    """The most decimals that a column of a table has."""
    texts = (row.get(column, "") for _, row in read_rows(path, (column,)))
    return max((len(text.partition(".")[2].rstrip("0")) for text in texts), default=0)


def read_rows(path: Path, needed: tuple[str, ...]) -> list[tuple[int, Mapping[str, str]]]:
    """Number and cells of the rows of a table. Raises TableError."""
    return [(row.row, row.cells) for row in read_table(path, needed=needed, kind=TableError)]


def number_of(row: Mapping[str, str], column: str, path: Path, number: int, digits: int) -> Fraction | None:
    text = row.get(column, "")
    if not text:
        return None
    found = decimal_of(text)
    if found is None:
        raise cell_error(path, number, column, f"{text!r} 不是数", f"{text!r} is no number")
    value = Fraction(found)
    if value < 0 or (value * 10**digits).denominator != 1:
        raise cell_error(
            path,
            number,
            column,
            f"{text} 为负或小数多于 {digits} 位",
            f"{text} is negative or has more than {digits} decimals",
        )
    return value


def flag_of(row: Mapping[str, str], column: str, path: Path, number: int) -> bool | None:
    text = row.get(column, "").lower()
    if text not in _TRUE:
        raise cell_error(
            path, number, column, f"{text!r} 应为 true 或 false", f"{text!r} is not true or false"
        )
    return _TRUE[text]


def cell_error(path: Path, row: int, column: str, zh: str, en: str) -> GrouperError:
    return tables_in.cell_error(path, row, column, zh, en, TableError)
