"""Small tables that people keep beside a settlement, as CSV: read whole, checked cell by cell."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path

from grouper.base.errors import UsageError


@dataclass(frozen=True)
class Line:
    """A row of a sheet; its numbers are exact and not negative. Errors name file, row and column."""

    path: str
    row: int
    cells: Mapping[str, str]

    def text(self, name: str) -> str:
        """The text of a cell; "" where it is empty or its column is not there."""
        return self.cells.get(name, "")

    def number(self, name: str, default: str = "0") -> Fraction:
        text = self.text(name) or default
        try:
            value = Decimal(text)
            if value.is_finite() and value >= 0:
                return Fraction(value)
        except InvalidOperation:
            pass
        raise self.error(name, f"{text!r} 应为不小于 0 的数", f"{text!r} should be a number of at least 0")

    def count(self, name: str) -> int:
        value = self.number(name)
        if value.denominator != 1:
            raise self.error(name, "应为整数", "should be a whole number")
        return value.numerator

    def fen(self, name: str) -> int:
        """An amount in yuan as fen."""
        value = self.number(name) * 100
        if value.denominator != 1:
            raise self.error(name, "不是整分", "has parts of a fen")
        return value.numerator

    def error(self, name: str, zh: str, en: str) -> UsageError:
        return UsageError(
            zh=f"{self.path} 第 {self.row} 行 {name} 列：{zh}",
            en=f"{self.path}, row {self.row}, column {name}: {en}",
        )


def read_lines(path: str, needed: Sequence[str], optional: Sequence[str] = ()) -> list[Line]:
    """The rows of a CSV (UTF-8, with a header). Every row has the ``needed`` cells.

    Raises UsageError for a file that cannot be read, an unknown column or an empty needed cell.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            rows = [{str(k).strip(): (v or "").strip() for k, v in row.items()} for row in reader]
            header = [name.strip() for name in reader.fieldnames or ()]
    except (OSError, UnicodeDecodeError, AttributeError) as error:
        raise UsageError(zh=f"无法读取 {path}：{error}", en=f"cannot read {path}: {error}") from error
    lines = [Line(path, number, row) for number, row in enumerate(rows, 2)]
    for name in header:
        if name not in (*needed, *optional):
            raise Line(path, 1, {}).error(name, "未知的列", "unknown column")
    for line in lines:
        for name in needed:
            if not line.text(name):
                raise line.error(name, "缺失", "is missing")
    return lines
