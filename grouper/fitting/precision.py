"""How sure a ratio of costs is: effective cases, standard errors and intervals (docs/statistics.md).

These are floats: nothing is paid by them. They come from exact sums in a fixed order, so that the same data
give the same figures.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from statistics import NormalDist

from grouper.base.exact import half_up
from grouper.fitting.sums import GroupSums

FEW = 5  # effective cases below which a figure is counted as thin
WIDE = 0.2  # relative standard error above which it is counted as wide
_FACTOR = 1000  # an interval that spans more than the value times or over this says nothing
_SERIES = 100  # degrees of freedom up to which Student's distribution is summed


@dataclass(frozen=True)
class Precision:
    """Of a group's ratio. ``n_eff``: Kish's effective cases, (Σw)²/Σw², a case of a year weighing wʸ/nʸ.

    ``df``: kept cases less years. ``variance``: of the ratio over its square; None without freedom.
    """

    n_eff: float
    df: int
    variance: float | None

    @property
    def of_a_case(self) -> float | None:
        """Relative variance of a single case."""
        return None if self.variance is None else self.variance * self.n_eff


@dataclass(frozen=True)
class Interval:
    """Standard error and confidence interval, in units of the value; no ends where they say nothing."""

    se: float
    low: float | None
    high: float | None


def precision(
    group: GroupSums, weights: Mapping[int, Decimal], prices: Mapping[int, Decimal]
) -> Precision | None:
    """Of the group's weighted mean of yearly means over ``prices`` (fen); None without kept cases.

    The variance within the years is pooled, and that of the winsorised costs, as a trimmed mean needs
    (Tukey and McLaughlin 1963, Yuen 1974): Σ SSʸ/(h − Y) with h kept cases of Y years.
    """
    years = [year for year in sorted(group.years) if group.years[year].kept.number]
    if not years:
        return None
    whole = float(sum(weights[year] for year in years))
    share = {year: float(weights[year]) / whole for year in years}
    kept = {year: group.years[year].kept for year in years}
    n_eff = 1 / math.fsum(share[year] ** 2 / kept[year].number for year in years)
    df = sum(kept[year].number for year in years) - len(years)
    if not df:
        return Precision(n_eff, 0, None)
    price = {year: float(prices[year]) for year in years}
    centre = math.fsum(share[year] * float(kept[year].mean) / price[year] for year in years)
    within = math.fsum(float(group.years[year].winsorised.within) / price[year] ** 2 for year in years)
    return Precision(n_eff, df, within / df / n_eff / centre**2)


def typical(precisions: Iterable[Precision]) -> float:
    """Relative variance of a single case, pooled by degrees of freedom; 0 without any."""
    found = [(one.of_a_case, one.df) for one in precisions]
    known = [(variance, df) for variance, df in found if variance is not None]
    freedom = sum(df for _, df in known)
    return math.fsum(variance * df for variance, df in known) / freedom if freedom else 0.0


def beside_all(
    variances: Mapping[str, float | None], shares: Mapping[str, float], spare: Mapping[str, float]
) -> dict[str, float | None]:
    """Relative variances of ratios after all are divided by Σ share·ratio, to first order (delta method).

    v·(1 − 2π) + Σ π²·v, π being the group's share of the total. ``spare`` stands in for a variance that
    is not known, in the sum only.
    """
    sure = {key: spare[key] if found is None else found for key, found in variances.items()}
    rest = math.fsum(shares.get(key, 0.0) ** 2 * sure[key] for key in sorted(sure))
    return {
        key: None if found is None else max(0.0, found * (1 - 2 * shares.get(key, 0.0)) + rest)
        for key, found in variances.items()
    }


def interval(value: Decimal, variance: float, df: int | None, confidence: float) -> Interval:
    """Of a value and its relative variance: on the logarithm, as costs are skewed and weights above 0.

    value · exp(± t·√variance), t of Student with ``df`` degrees, or of the normal distribution for None.
    """
    centre, spread = float(value), math.sqrt(variance)
    upper = 0.5 + confidence / 200
    reach = (NormalDist().inv_cdf(upper) if df is None else student(upper, df)) * spread
    if reach > math.log(_FACTOR):
        return Interval(centre * spread, None, None)
    return Interval(centre * spread, centre * math.exp(-reach), centre * math.exp(reach))


@lru_cache(maxsize=4096)
def student(share: float, df: int) -> float:
    """The quantile of Student's t, ``share`` from 0.5 to below 1, to 7 digits.

    Abramowitz and Stegun (1964): the finite sums 26.7.3 and 26.7.4, beyond 100 degrees the expansion 26.7.5.
    """
    if df > _SERIES:
        return _expansion(NormalDist().inv_cdf(share), df)
    low, high = 0.0, math.pi / 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _between(middle, df) < 2 * share - 1 else (low, middle)
    return math.sqrt(df) * math.tan((low + high) / 2)


def _between(angle: float, df: int) -> float:
    """The probability between −t and t, t being √df·tan(angle)."""
    sine, cosine = math.sin(angle), math.cos(angle)
    start = 1 if df % 2 else 0
    term, found = (cosine, 0.0) if start else (1.0, 0.0)
    for power in range(start, df - 1, 2):
        found += term
        term *= cosine**2 * (power + 1) / (power + 2)
    return 2 / math.pi * (angle + sine * found) if start else sine * found


def _expansion(x: float, df: int) -> float:
    return (
        x
        + (x**3 + x) / (4 * df)
        + (5 * x**5 + 16 * x**3 + 3 * x) / (96 * df**2)
        + (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / (384 * df**3)
    )


def shown(value: float | None, digits: int) -> Decimal | None:
    """A figure as it is written."""
    return None if value is None else half_up(Decimal(repr(value)), digits)
