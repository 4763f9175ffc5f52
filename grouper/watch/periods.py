"""Months, quarters, half-years and years."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from grouper.base.errors import UsageError

Month = tuple[int, int]  # year, month
_FORM = re.compile(r"(\d{4})(?:-(0[1-9]|1[0-2])|Q([1-4])|H([12]))?")


@dataclass(frozen=True, order=True)
class Period:
    """``length`` months (1, 3, 6 or 12) of ``year`` from the month ``first`` on."""

    year: int
    first: int
    length: int

    @property
    def months(self) -> tuple[Month, ...]:
        return tuple((self.year, month) for month in range(self.first, self.first + self.length))

    @property
    def last(self) -> int:
        """The number of its last month."""
        return self.first + self.length - 1

    def year_before(self) -> Period:
        return Period(self.year - 1, self.first, self.length)

    def before(self) -> Period:
        """The period of the same length just before."""
        if self.first > 1:
            return Period(self.year, self.first - self.length, self.length)
        return Period(self.year - 1, 13 - self.length, self.length)

    def split(self) -> list[tuple[Period, ...]]:
        """The ways to cut it into shorter periods: a year into half-years, quarters or months."""
        return [
            tuple(Period(self.year, at, length) for at in range(self.first, self.last + 1, length))
            for length in (6, 3, 1)
            if length < self.length
        ]

    def __str__(self) -> str:
        number = (self.first - 1) // self.length + 1
        tail = {1: f"-{self.first:02}", 3: f"Q{number}", 6: f"H{number}", 12: ""}[self.length]
        return f"{self.year}{tail}"


def parse_period(text: str, flag: str = "--period") -> Period:
    """``2025-06``, ``2025Q2``, ``2025H1`` or ``2025``. Raises UsageError that names ``flag``."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise UsageError(
            zh=f"{flag}：{text!r} 不是期间；应为 2025-06、2025Q2、2025H1 或 2025",
            en=f"{flag}: {text!r} is no period; write 2025-06, 2025Q2, 2025H1 or 2025",
        )
    year, month, quarter, half = found.groups()
    if month:
        return Period(int(year), int(month), 1)
    if quarter:
        return Period(int(year), 3 * int(quarter) - 2, 3)
    if half:
        return Period(int(year), 6 * int(half) - 5, 6)
    return Period(int(year), 1, 12)


def whole_periods(months: Collection[Month]) -> list[Period]:
    """Every month that is there, then the quarters, half-years and years whose months all are."""
    years = sorted({year for year, _ in months})
    return [
        period
        for length in (1, 3, 6, 12)
        for year in years
        for first in range(1, 13, length)
        if set((period := Period(year, first, length)).months) <= set(months)
    ]


def name_months(months: Collection[Month]) -> str:
    """2025-04, 2025-05."""
    return ", ".join(f"{year}-{month:02}" for year, month in sorted(months))
