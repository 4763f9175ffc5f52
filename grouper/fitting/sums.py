"""Exact sums of costs by group and year, from a table of cases in DuckDB that may spill to disk.

The table ``cases`` has the columns g (group, text), y (year), fen (total cost), drug and
consumable (fen, or null where the record has none).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from grouper.base.errors import UsageError
from grouper.base.exact import quotient, root, total, whole_half_up
from grouper.base.leftovers import tag
from grouper.base.machine import memory_size
from grouper.fitting.trim import Trim

if TYPE_CHECKING:
    import duckdb

CASES = "CREATE TABLE cases (g VARCHAR, y INTEGER, fen BIGINT, drug BIGINT, consumable BIGINT)"
PARTS = ("drug", "consumable")


@contextmanager
def workspace(memory: str = "2GiB", threads: int = 2) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in a temporary folder, gone afterwards; what exceeds ``memory`` goes to the disk.

    Raises UsageError when ``memory`` is not understood.
    """
    import duckdb

    with tempfile.TemporaryDirectory(prefix=f"grouper.{tag()}.") as folder:
        try:
            connection = duckdb.connect(
                f"{folder}/cases.duckdb",
                config={
                    "memory_limit": memory_size(memory),
                    "threads": threads,
                    "temp_directory": f"{folder}/spill",
                    "preserve_insertion_order": False,
                },
            )
        except duckdb.Error as error:
            raise UsageError(
                zh=f"无法使用 --memory {memory}（例如 2GiB）：{error}",
                en=f"--memory {memory} cannot be used (it takes a size such as 2GiB): {error}",
            ) from error
        with connection:
            yield connection


@dataclass(frozen=True)
class Moments:
    """Number of costs, their sum (fen) and the sum of their squares (fen²)."""

    number: int = 0
    fen: int = 0
    squares: int = 0

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.number + other.number, self.fen + other.fen, self.squares + other.squares)

    @property
    def mean(self) -> Decimal:
        """Fen. Raises ZeroDivisionError (decimal) without costs."""
        return quotient(self.fen, self.number)

    @property
    def within(self) -> Decimal:
        """Σ(x − mean)², fen²."""
        if not self.number:
            return Decimal(0)
        return quotient(self.number * self.squares - self.fen**2, self.number)

    @property
    def cv(self) -> Decimal | None:
        """Standard deviation (divided by n) over the mean; None without costs."""
        if not self.fen:
            return None
        return quotient(root(Decimal(self.number * self.squares - self.fen**2)), self.fen)


@dataclass(frozen=True)
class YearSums:
    """A group in one year: all its costs, those that trimming keeps, and all with the cut ones pulled in.

    ``winsorised``: a cost that is cut counts with the nearest cost that is kept, at the year's prices.
    ``parts`` gives, for drugs and consumables, how many kept cases have the cost, and its sum.
    """

    every: Moments
    kept: Moments
    winsorised: Moments
    parts: Mapping[str, tuple[int, int]]

    def __add__(self, other: YearSums) -> YearSums:
        parts = {
            part: (number + other.parts[part][0], fen + other.parts[part][1])
            for part, (number, fen) in self.parts.items()
        }
        return YearSums(
            self.every + other.every, self.kept + other.kept, self.winsorised + other.winsorised, parts
        )

    def mean(self, part: str = "") -> Decimal | None:
        """Mean of the kept costs in fen, of drugs or consumables when ``part`` names them; None without."""
        number, fen = self.parts[part] if part else (self.kept.number, self.kept.fen)
        return quotient(fen, number) if number else None


@dataclass
class GroupSums:
    """A group over all years; the properties take them as one lot."""

    years: dict[int, YearSums] = field(default_factory=dict)

    @property
    def cases(self) -> int:
        return sum(year.every.number for year in self.years.values())

    @property
    def kept(self) -> int:
        return self.kept_costs.number

    @property
    def every_cost(self) -> Moments:
        return sum((year.every for year in self.years.values()), Moments())

    @property
    def kept_costs(self) -> Moments:
        return sum((year.kept for year in self.years.values()), Moments())

    @property
    def cv(self) -> Decimal | None:
        """Of the kept costs."""
        return self.kept_costs.cv

    @property
    def cv_all(self) -> Decimal | None:
        """Of all costs."""
        return self.every_cost.cv

    def cases_in(self, year: int) -> int:
        return self.years[year].every.number if year in self.years else 0

    def means(self, part: str = "") -> dict[int, Decimal]:
        """Mean of the kept costs by year, in fen; years without are not there."""
        found = {year: sums.mean(part) for year, sums in self.years.items()}
        return {year: mean for year, mean in found.items() if mean is not None}


def riv(groups: Mapping[str, GroupSums], every: bool = False) -> Decimal | None:
    """1 − Σ within-group / total sum of squares; None when all costs are equal.

    Of the kept costs, or of ``every`` cost. Trimming within groups can only raise it: read both.
    """
    costs = {key: group.every_cost if every else group.kept_costs for key, group in groups.items()}
    whole = sum(costs.values(), Moments()).within
    if not whole:
        return None
    return Decimal(1) - quotient(total(costs[key].within for key in sorted(costs)), whole)


_SUMS = """
WITH levelled AS (
    SELECT cases.*, fen::HUGEINT * factor AS level, factor FROM cases JOIN prices USING (y)
), ranked AS (
    SELECT *, count(*) OVER (PARTITION BY g) AS n,
           row_number() OVER (PARTITION BY g ORDER BY level) AS r
    FROM levelled
), bounds AS (
    SELECT g, n,
           min(level) FILTER (r = greatest(1, (n * {low_over} + {low_under} - 1) // {low_under})) AS q_low,
           min(level) FILTER (r = greatest(1, (n * {high_over} + {high_under} - 1) // {high_under})) AS q_high
    FROM ranked GROUP BY g, n
), marked AS (
    SELECT levelled.*, {test} AS kept FROM levelled JOIN bounds USING (g)
), ends AS (
    SELECT g, min(level) FILTER (kept) AS lowest, max(level) FILTER (kept) AS highest FROM marked GROUP BY g
), pulled AS (
    SELECT marked.*, CASE WHEN kept THEN fen WHEN level < lowest THEN lowest // factor
                          ELSE highest // factor END AS near
    FROM marked JOIN ends USING (g)
)
SELECT g, y, count(*), sum(fen), sum(fen::HUGEINT * fen),
       count(*) FILTER (kept), coalesce(sum(fen) FILTER (kept), 0),
       coalesce(sum(fen::HUGEINT * fen) FILTER (kept), 0),
       sum(near), sum(near::HUGEINT * near),
       count(drug) FILTER (kept), coalesce(sum(drug) FILTER (kept), 0),
       count(consumable) FILTER (kept), coalesce(sum(consumable) FILTER (kept), 0)
FROM pulled GROUP BY g, y ORDER BY g, y
"""
_TESTS = {
    "none": "true",
    "percentiles": "n < {small} OR level BETWEEN q_low AND q_high",
    # both sides doubled, so that 1.5 times the range is a whole number
    "iqr": "n < {small} OR 2 * level BETWEEN 2 * q_low - 3 * (q_high - q_low) "
    "AND 2 * q_high + 3 * (q_high - q_low)",
}
_UNIT = 10**9  # of a factor of prices: a cost of 10¹² fen times it, squared never, fits into 128 bits


def sums_by_group(
    connection: duckdb.DuckDBPyConnection, trim: Trim, small: int, levelled: bool = False
) -> dict[str, GroupSums]:
    """The sums of all groups, in the order of their codes.

    Trimming looks at all years of a group together; groups of fewer than ``small`` cases
    are left whole. ``levelled``: costs are compared at the prices of the latest year, a year's price
    being its mean cost; else as they are.
    """
    _prices(connection, levelled)
    text = _SUMS.format(
        low_over=trim.low.numerator,
        low_under=trim.low.denominator,
        high_over=trim.high.numerator,
        high_under=trim.high.denominator,
        test=_TESTS[trim.kind].format(small=int(small)),
    )
    groups: dict[str, GroupSums] = {}
    for g, y, cases, *sums, drugs, drug, items, consumable in connection.execute(text).fetchall():
        fen, squares, kept, kept_fen, kept_squares, near, near_squares = sums
        groups.setdefault(g, GroupSums()).years[y] = YearSums(
            Moments(cases, fen, squares),
            Moments(kept, kept_fen, kept_squares),
            Moments(cases, near, near_squares),
            {"drug": (drugs, drug), "consumable": (items, consumable)},
        )
    return groups


def _prices(connection: duckdb.DuckDBPyConnection, levelled: bool) -> None:
    """Table ``prices``: by which whole factor a cost of each year is brought to the prices of the latest."""
    years = connection.execute("SELECT y, sum(fen), count(*) FROM cases GROUP BY y ORDER BY y").fetchall()
    means = {int(year): Fraction(int(fen), int(cases)) for year, fen, cases in years}
    latest = means[max(means)] if means else Fraction(0)
    connection.execute("CREATE OR REPLACE TEMP TABLE prices (y INTEGER, factor BIGINT)")
    for year, mean in means.items():
        factor = max(1, whole_half_up(_UNIT * latest / mean)) if levelled else 1
        connection.execute("INSERT INTO prices VALUES (?, ?)", [year, factor])
