"""What a group costs beside all groups: the ratios of the years, or the ratio of means over the years."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from grouper.base.errors import UsageError
from grouper.base.exact import product, quotient, total
from grouper.fitting.sums import GroupSums
from grouper.fitting.trim import Trim, weighted_mean

RATIOS = ("by-year", "of-means")
UNTRIMMED = ("scaled", "as-is")


def one_of(flag: str, value: str, known: tuple[str, ...]) -> None:
    """Raise UsageError for a value of a method that is none."""
    if value not in known:
        raise UsageError(
            zh=f"{flag} 不能是 {value!r}；可用 {'、'.join(known)}",
            en=f"{flag} cannot be {value!r}; it takes {' or '.join(known)}",
        )


def check_method(ratio: str, untrimmed: str, confidence: float) -> None:
    """Raise UsageError for a method that is none, or a confidence outside 50 to 99.99 per cent."""
    one_of("--ratio", ratio, RATIOS)
    one_of("--untrimmed", untrimmed, UNTRIMMED)
    if not 50 <= confidence <= 99.99:
        raise UsageError(
            zh=f"--confidence 不能是 {confidence}；应为 50 到 99.99（%）",
            en=f"--confidence cannot be {confidence}; it takes 50 to 99.99 (per cent)",
        )


def trim_share(groups: Mapping[str, GroupSums], trim: Trim, small: int) -> Decimal:
    """What trimming leaves of the mean of the groups that it trims: Σ n·(kept mean) / Σ n·(mean of all).

    Summed over their years with kept costs. 1 where no group is trimmed.
    """
    cells = [
        year
        for _, group in sorted(groups.items())
        if not trim.leaves_whole(group.cases, small)
        for _, year in sorted(group.years.items())
        if year.kept.number
    ]
    if not cells:
        return Decimal(1)
    above = total(product(year.kept.mean, year.every.number) for year in cells)
    return quotient(above, sum(year.every.fen for year in cells))


def levels(groups: Mapping[str, GroupSums], trim: Trim, small: int, untrimmed: str) -> dict[str, Decimal]:
    """The factor of each group's means: ``trim_share`` for groups left whole, 1 for the others.

    So one treatment is that of all: costs are skewed, and trimming takes more from a mean than it adds.
    ``untrimmed`` "as-is": 1 for all.
    """
    share = trim_share(groups, trim, small) if untrimmed == "scaled" else Decimal(1)
    return {
        key: share if trim.leaves_whole(group.cases, small) else Decimal(1) for key, group in groups.items()
    }


def means_of_all(
    groups: Mapping[str, GroupSums], level: Mapping[str, Decimal], part: str = ""
) -> dict[int, Decimal]:
    """Mean cost in fen of all groups by year, each group at its level; years without costs are not there."""
    above: dict[int, Decimal] = {}
    below: dict[int, int] = {}
    for key in sorted(groups):
        for year, sums in groups[key].years.items():
            number, fen = sums.parts[part] if part else (sums.kept.number, sums.kept.fen)
            above[year] = total([above.get(year, Decimal(0)), product(level[key], fen)])
            below[year] = below.get(year, 0) + number
    return {year: quotient(above[year], below[year]) for year in sorted(below) if below[year]}


def ratios_of(
    groups: Mapping[str, GroupSums],
    weights: Mapping[int, Decimal],
    level: Mapping[str, Decimal],
    ratio: str,
    part: str = "",
) -> dict[str, Decimal]:
    """Each group's cost over that of all; groups without costs are not there.

    "by-year": Σ wʸ·(mʸ/Mʸ) / Σ wʸ over the years that the group has, so a rise of all prices changes nothing.
    "of-means": (Σ wʸ·mʸ / Σ wʸ) / (Σ wʸ·Mʸ / Σ wʸ), the one sum over the group's years, the other over all.
    ``part``: of drugs or consumables.
    """
    whole = means_of_all(groups, level, part)
    found: dict[str, Decimal] = {}
    for key, group in groups.items():
        means = {year: product(level[key], mean) for year, mean in group.means(part).items()}
        if not means or not all(whole[year] for year in means):
            continue
        if ratio == "by-year":
            found[key] = weighted_mean({year: quotient(means[year], whole[year]) for year in means}, weights)
        else:
            found[key] = quotient(weighted_mean(means, weights), weighted_mean(whole, weights))
    return found
