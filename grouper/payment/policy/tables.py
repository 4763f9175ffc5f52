"""The small tables that a policy names: their rows, and cells that are numbers or flags."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path

from grouper.base.errors import TableError

_TRUE = {"true": True, "false": False, "": None}


def decimals(path: Path, column: str) -> int:
    """The most decimals that a column of a table has."""
    texts = (row.get(column, "") for _, row in read_rows(path, (column,)))
    return max((len(text.partition(".")[2].rstrip("0")) for text in texts), default=0)


def read_rows(path: Path, needed: tuple[str, ...]) -> list[tuple[int, Mapping[str, str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            for name in needed:
                if name not in (reader.fieldnames or ()):
                    raise TableError(zh=f"{path} 缺少列 {name}", en=f"{path} lacks the column {name}")
            return [
                (n, {k: (v or "").strip() for k, v in row.items() if k}) for n, row in enumerate(reader, 2)
            ]
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(zh=f"无法读取 {path}：{error}", en=f"cannot read {path}: {error}") from error


def number_of(row: Mapping[str, str], column: str, path: Path, number: int, digits: int) -> Fraction | None:
    text = row.get(column, "")
    if not text:
        return None
    try:
        value = Fraction(Decimal(text))
    except (InvalidOperation, ValueError, OverflowError) as error:
        raise cell_error(path, number, column, f"{text!r} 不是数", f"{text!r} is no number") from error
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


def cell_error(path: Path, row: int, column: str, zh: str, en: str) -> TableError:
    return TableError(
        zh=f"{path} 第 {row} 行 {column} 列：{zh}", en=f"{path}, row {row}, column {column}: {en}"
    )
