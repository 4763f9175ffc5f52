"""Small tables that people keep beside a settlement, as CSV or workbook: read whole, checked cell by cell."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from grouper.base.exact import decimal_of
from grouper.base.tables_in import Row, read_table
from grouper.records.headings import headings
from grouper.records.values import money_text, not_money


class Line(Row):
    """A row of a sheet; its numbers are exact and not negative. Errors name file, row and column."""

    def number(self, name: str, default: str = "0") -> Fraction:
        text = self.text(name) or default
        value = decimal_of(text)
        if value is not None and value >= 0:
            return Fraction(value)
        raise self.error(name, f"{text!r} 应为不小于 0 的数", f"{text!r} should be a number of at least 0")

    def count(self, name: str) -> int:
        value = self.number(name)
        if value.denominator != 1:
            raise self.error(name, "应为整数", "should be a whole number")
        return value.numerator

    def fen(self, name: str) -> int:
        """An amount in yuan as fen."""
        text = self.text(name)
        if text and money_text(text) is None:
            raise self.error(name, *not_money(text))
        value = Fraction(money_text(text) or "0") * 100
        if value < 0:
            raise self.error(
                name, f"{text!r} 应为不小于 0 的数", f"{text!r} should be a number of at least 0"
            )
        if value.denominator != 1:
            raise self.error(name, "不是整分", "has parts of a fen")
        return value.numerator


def read_lines(path: str, needed: Sequence[str], optional: Sequence[str] = ()) -> list[Line]:
    """The rows of a small table with a header. Every row has the ``needed`` cells.

    Raises UsageError for a file that cannot be read, an unknown column or an empty needed cell.
    """
    table = read_table(path, needed=needed, known=optional, headings=headings())
    lines = [Line(row.path, row.row, row.cells) for row in table]
    for line in lines:
        for name in needed:
            if not line.text(name):
                raise line.error(name, "缺失", "is missing")
    return lines
