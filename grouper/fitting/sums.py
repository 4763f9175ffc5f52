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
from typing import TYPE_CHECKING

from grouper.base.errors import UsageError
from grouper.base.exact import quotient, root, total
from grouper.base.leftovers import tag
from grouper.base.machine import memory_size
from grouper.fitting.trim import Trim, weighted_mean

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


@dataclass
class YearSums:
    """A group in one year: all cases, and the sums (fen) over the cases that trimming keeps.

    ``parts`` gives, for drugs and consumables, how many kept cases have the cost, and its sum.
    """

    cases: int
    kept: int
    fen: int
    squares: int
    parts: dict[str, tuple[int, int]]


@dataclass
class GroupSums:
    """A group over all years."""

    years: dict[int, YearSums] = field(default_factory=dict)

    @property
    def cases(self) -> int:
        return sum(year.cases for year in self.years.values())

    @property
    def kept(self) -> int:
        return sum(year.kept for year in self.years.values())

    @property
    def fen(self) -> int:
        return sum(year.fen for year in self.years.values())

    @property
    def squares(self) -> int:
        return sum(year.squares for year in self.years.values())

    @property
    def within(self) -> Decimal:
        """Σ(x − mean)² of the kept costs, fen²: the years are one lot here."""
        if not self.kept:
            return Decimal(0)
        return quotient(self.kept * self.squares - self.fen**2, self.kept)

    @property
    def cv(self) -> Decimal | None:
        """Standard deviation (divided by n) over the mean of the kept costs; None without any."""
        if not self.fen:
            return None
        return quotient(root(Decimal(self.kept * self.squares - self.fen**2)), self.fen)

    def mean(self, weights: Mapping[int, Decimal], part: str = "") -> Decimal | None:
        """Mean cost in fen over the years by weight; of drugs or consumables when ``part`` names them."""
        means = {}
        for year, sums in self.years.items():
            kept, fen = sums.parts[part] if part else (sums.kept, sums.fen)
            if kept:
                means[year] = quotient(fen, kept)
        return weighted_mean(means, weights) if means else None


def pooled(groups: Mapping[str, GroupSums]) -> GroupSums:
    """All groups as one."""
    whole: dict[int, YearSums] = {}
    for group in groups.values():
        for year, sums in group.years.items():
            into = whole.setdefault(year, YearSums(0, 0, 0, 0, dict.fromkeys(PARTS, (0, 0))))
            into.cases += sums.cases
            into.kept += sums.kept
            into.fen += sums.fen
            into.squares += sums.squares
            for part, (kept, fen) in sums.parts.items():
                into.parts[part] = (into.parts[part][0] + kept, into.parts[part][1] + fen)
    return GroupSums(whole)


def riv(groups: Mapping[str, GroupSums]) -> Decimal | None:
    """1 − Σ within-group / total sum of squares of the kept costs; None when all costs are equal."""
    whole = pooled(groups).within
    if not whole:
        return None
    return Decimal(1) - quotient(total(groups[key].within for key in sorted(groups)), whole)


_SUMS = """
WITH ranked AS (
    SELECT *, count(*) OVER (PARTITION BY g) AS n,
           row_number() OVER (PARTITION BY g ORDER BY fen) AS r
    FROM cases
), bounds AS (
    SELECT g, n,
           min(fen) FILTER (r = greatest(1, (n * {low_over} + {low_under} - 1) // {low_under})) AS q_low,
           min(fen) FILTER (r = greatest(1, (n * {high_over} + {high_under} - 1) // {high_under})) AS q_high
    FROM ranked GROUP BY g, n
), marked AS (
    SELECT cases.*, n < {small} OR {test} AS kept FROM cases JOIN bounds USING (g)
)
SELECT g, y, count(*), count(*) FILTER (kept),
       coalesce(sum(fen) FILTER (kept), 0), coalesce(sum(fen::HUGEINT * fen) FILTER (kept), 0),
       count(drug) FILTER (kept), coalesce(sum(drug) FILTER (kept), 0),
       count(consumable) FILTER (kept), coalesce(sum(consumable) FILTER (kept), 0)
FROM marked GROUP BY g, y ORDER BY g, y
"""
_PLAIN = "SELECT *, true AS kept FROM cases"
_TESTS = {
    "percentiles": "fen BETWEEN q_low AND q_high",
    # both sides doubled, so that 1.5 times the range is a whole number
    "iqr": "2 * fen BETWEEN 2 * q_low - 3 * (q_high - q_low) AND 2 * q_high + 3 * (q_high - q_low)",
}


def sums_by_group(connection: duckdb.DuckDBPyConnection, trim: Trim, small: int) -> dict[str, GroupSums]:
    """The sums of all groups, in the order of their codes.

    Trimming looks at all years of a group together; groups of fewer than ``small`` cases
    are left whole.
    """
    if trim.kind == "none":
        text = f"WITH marked AS ({_PLAIN}) SELECT{_SUMS.rpartition('SELECT')[2]}"
    else:
        text = _SUMS.format(
            low_over=trim.low.numerator,
            low_under=trim.low.denominator,
            high_over=trim.high.numerator,
            high_under=trim.high.denominator,
            small=int(small),
            test=_TESTS[trim.kind],
        )
    groups: dict[str, GroupSums] = {}
    for g, y, cases, kept, fen, squares, drugs, drug, items, consumable in connection.execute(
        text
    ).fetchall():
        parts = {"drug": (drugs, drug), "consumable": (items, consumable)}
        groups.setdefault(g, GroupSums()).years[y] = YearSums(cases, kept, fen, squares, parts)
    return groups
