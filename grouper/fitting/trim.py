"""Which costs of a group count, and what each year weighs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from grouper.base.errors import UsageError
from grouper.base.exact import ceiling, decimal_of, product, quotient, total

DEFAULT_YEAR_WEIGHTS = (Decimal(1), Decimal(2), Decimal(7))


_PERCENTILES = re.compile(r"p(\d{1,2}(?:\.\d{1,3})?)-p(\d{1,3}(?:\.\d{1,3})?)")


@dataclass(frozen=True)
class Trim:
    """Which costs of a group count in its mean.

    ``kind`` "percentiles": those from the cost of rank ⌈n·low⌉ to that of rank ⌈n·high⌉ (ranks
    from 1, at least 1, of the n costs in rising order), both included with all equal to them.
    "iqr": those from Q1 − 1.5·(Q3 − Q1) to Q3 + 1.5·(Q3 − Q1), Q1 and Q3 being the costs of
    rank ⌈n/4⌉ and ⌈3n/4⌉, both ends included. "none": all.
    """

    kind: str
    low: Fraction = Fraction(0)
    high: Fraction = Fraction(1)

    @classmethod
    def of(cls, text: str) -> Trim:
        """A rule by its name: ``p2.5-p97.5``, ``iqr`` or ``none``. Raises UsageError for another."""
        if text == "iqr":
            return cls(text, Fraction(1, 4), Fraction(3, 4))
        if text == "none":
            return cls(text)
        match = _PERCENTILES.fullmatch(text)
        low, high = (Fraction(match[1]) / 100, Fraction(match[2]) / 100) if match else (1, 0)
        if not 0 <= low < high <= 1:
            raise UsageError(
                zh=f"--trim 不能是 {text!r}；可用 p2.5-p97.5 这样的百分位区间、iqr 或 none",
                en=f"--trim cannot be {text!r}; it takes a range of percentiles such as p2.5-p97.5, "
                "iqr or none",
            )
        return cls("percentiles", Fraction(low), Fraction(high))

    def leaves_whole(self, cases: int, small: int) -> bool:
        """Whether the rule cuts nothing off a group of so many cases, whatever they cost.

        Percentiles take ranks at both ends only from some number on: 2.5 % and 97.5 % from 40.
        """
        if self.kind == "none" or cases < small:
            return True
        return self.kind == "percentiles" and rank(self.low, cases) == 1 and rank(self.high, cases) == cases


def rank(share: Fraction, cases: int) -> int:
    """The rank (from 1) that ``share`` of ``cases`` stands for: ⌈cases·share⌉, at least 1."""
    return max(1, ceiling(cases * share))


def parse_year_weights(text: str) -> tuple[Decimal, ...]:
    """``1,2,7`` as numbers, oldest year first. Raises UsageError unless all are above 0."""
    found = [decimal_of(part.strip()) for part in text.split(",")]
    weights = tuple(weight for weight in found if weight is not None and weight > 0)
    if len(weights) < len(found):
        raise UsageError(
            zh=f"--year-weights 不能是 {text!r}；应为大于 0 的数，由远到近，用逗号隔开，例如 1,2,7",
            en=f"--year-weights cannot be {text!r}; give numbers above 0, oldest year first, joined by "
            "commas, such as 1,2,7",
        )
    return weights


def parse_years(text: str | None) -> tuple[int, ...]:
    """``2024,2025`` as years; none where there is no text. Raises UsageError for anything else."""
    if not text:
        return ()
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and len(part) == 4 for part in parts):
        raise UsageError(
            zh=f"--years 不能是 {text!r}；应为用逗号隔开的年份，例如 2024,2025",
            en=f"--years cannot be {text!r}; give years joined by commas, such as 2024,2025",
        )
    return tuple(sorted({int(part) for part in parts}))


def weights_of_years(years: Iterable[int], weights: tuple[Decimal, ...]) -> dict[int, Decimal]:
    """The weight of each year; fewer years take the last weights.

    Raises UsageError when there are more years than weights.
    """
    ordered = sorted(set(years))
    if len(ordered) > len(weights):
        listed = ", ".join(map(str, ordered))
        raise UsageError(
            zh=f"数据有 {len(ordered)} 个年份（{listed}），但只有 {len(weights)} 个年度权重；"
            "请用 --year-weights 给出每个年份的权重，或去掉多余年份的数据",
            en=f"the data have {len(ordered)} years ({listed}) but there are {len(weights)} year weights; "
            "give one for each year with --year-weights, or leave out the data of other years",
        )
    return dict(zip(ordered, weights[len(weights) - len(ordered) :], strict=True))


def weighted_mean(means: Mapping[int, Decimal], weights: Mapping[int, Decimal]) -> Decimal:
    """Σ weight·mean / Σ weight over the years that have a mean.

    The years 90, 100 and 110 with the weights 1, 2 and 7 give 106. ``means`` is not empty.
    """
    years = sorted(means)
    above = total(product(weights[year], means[year]) for year in years)
    return quotient(above, total(weights[year] for year in years))
