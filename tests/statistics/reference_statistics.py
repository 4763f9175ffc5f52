"""The statistics a second time, in plain Python with fractions: slow, obvious, and sharing no code."""

from __future__ import annotations

from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from math import ceil, isqrt
from typing import NamedTuple


class Case(NamedTuple):
    """One discharge: group, year, cost in fen."""

    group: str
    year: int
    fen: int


def rounded(value: Fraction, digits: int) -> Decimal:
    """Halves away from zero (all values here are positive)."""
    whole = (value * 10**digits * 2 + 1) // 2
    return Decimal(whole).scaleb(-digits)


def kept(costs: list[Fraction], trim: str, small: int) -> list[Fraction]:
    """The costs of one group that count."""
    if trim == "none" or len(costs) < small:
        return costs
    ordered = sorted(costs)

    def at(share: Fraction) -> int:
        return ordered[max(1, ceil(share * len(ordered))) - 1]

    if trim == "iqr":
        q1, q3 = at(Fraction(1, 4)), at(Fraction(3, 4))
        low, high = q1 - Fraction(3, 2) * (q3 - q1), q3 + Fraction(3, 2) * (q3 - q1)
    else:
        first, last = (Fraction(part.removeprefix("p")) / 100 for part in trim.split("-"))
        low, high = at(first), at(last)
    return [cost for cost in costs if low <= cost <= high]


def prices(cases: list[Case]) -> dict[int, Fraction]:
    """Mean cost of each year over that of the latest."""
    years: dict[int, list[int]] = defaultdict(list)
    for case in cases:
        years[case.year].append(case.fen)
    means = {year: Fraction(sum(costs), len(costs)) for year, costs in years.items()}
    return {year: mean / means[max(means)] for year, mean in means.items()}


def trimmed(cases: list[Case], trim: str, small: int, by_year: bool = True) -> list[Case]:
    """All cases that count: those whose cost, at the latest year's prices, is among the kept ones."""
    price = prices(cases) if by_year else defaultdict(lambda: Fraction(1))
    by_group: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        by_group[case.group].append(case)
    left = []
    for members in by_group.values():
        costs = set(kept([case.fen / price[case.year] for case in members], trim, small))
        left += [case for case in members if case.fen / price[case.year] in costs]
    return left


def whole(trim: str, small: int, number: int) -> bool:
    """A group of so many cases can lose none."""
    if trim == "none" or number < small:
        return True
    if trim == "iqr":
        return False
    first, last = (Fraction(part.removeprefix("p")) / 100 for part in trim.split("-"))
    return ceil(first * number) <= 1 and ceil(last * number) == number


def level_of(cases: list[Case], trim: str, small: int, by_year: bool = True) -> dict[str, Fraction]:
    """The factor of each group: what trimming leaves of the others' means, for those left whole."""
    left = trimmed(cases, trim, small, by_year)
    number: dict[str, int] = defaultdict(int)
    for case in cases:
        number[case.group] += 1
    above = below = Fraction(0)
    for group, year in {(case.group, case.year) for case in left}:
        if not whole(trim, small, number[group]):
            every = [case.fen for case in cases if (case.group, case.year) == (group, year)]
            some = [case.fen for case in left if (case.group, case.year) == (group, year)]
            above += Fraction(sum(some), len(some)) * len(every)
            below += sum(every)
    share = above / below if below else Fraction(1)
    return {group: share if whole(trim, small, n) else Fraction(1) for group, n in number.items()}


def ratios(
    cases: list[Case],
    trim: str,
    small: int,
    ratio: str = "by-year",
    untrimmed: str = "scaled",
    points: dict[int, Fraction] | None = None,
) -> dict[str, Fraction]:
    """Each group over all, by the ratio of each year or of the means over the years."""
    by_year = ratio == "by-year"
    weights = points or year_weights(cases)
    left = trimmed(cases, trim, small, by_year)
    level = (
        level_of(cases, trim, small, by_year) if untrimmed == "scaled" else defaultdict(lambda: Fraction(1))
    )
    overall = {
        year: sum(level[case.group] * case.fen for case in left if case.year == year)
        / sum(case.year == year for case in left)
        for year in {case.year for case in left}
    }
    found = {}
    for group in sorted({case.group for case in left}):
        own = [case for case in left if case.group == group]
        years = sorted({case.year for case in own})
        own_mean = {
            year: level[group]
            * Fraction(sum(c.fen for c in own if c.year == year), sum(c.year == year for c in own))
            for year in years
        }
        span = sum(weights[year] for year in years)
        if by_year:
            found[group] = sum(weights[year] * own_mean[year] / overall[year] for year in years) / span
        else:
            everywhere = sum(weights[y] * overall[y] for y in overall) / sum(weights[y] for y in overall)
            found[group] = sum(weights[year] * own_mean[year] for year in years) / span / everywhere
    return found


def mean(cases: list[Case], weights: dict[int, Fraction]) -> Fraction:
    """The mean of the yearly means, by the weights of the years that have cases."""
    years: dict[int, list[int]] = defaultdict(list)
    for case in cases:
        years[case.year].append(case.fen)
    above = sum(weights[year] * Fraction(sum(costs), len(costs)) for year, costs in years.items())
    return above / sum(weights[year] for year in years)


def squares(costs: list[int]) -> Fraction:
    """Σ(x − mean)²."""
    centre = Fraction(sum(costs), len(costs))
    return sum(((cost - centre) ** 2 for cost in costs), Fraction(0))


def cv(costs: list[int], digits: int = 4) -> Decimal:
    """Standard deviation (n) over mean, rounded from 30 more digits than wanted."""
    deep = digits + 30
    ratio = squares(costs) * len(costs) / Fraction(sum(costs)) ** 2
    with localcontext() as context:
        context.prec = deep + 20
        number = Decimal(isqrt(ratio.numerator * 10 ** (2 * deep) // ratio.denominator)).scaleb(-deep)
        return number.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def riv(cases: list[Case]) -> Fraction:
    by_group: dict[str, list[int]] = defaultdict(list)
    for case in cases:
        by_group[case.group].append(case.fen)
    within = sum((squares(costs) for costs in by_group.values()), Fraction(0))
    return 1 - within / squares([case.fen for case in cases])


def year_weights(cases: list[Case], weights: tuple[int, ...] = (1, 2, 7)) -> dict[int, Fraction]:
    years = sorted({case.year for case in cases})
    return dict(zip(years, map(Fraction, weights[-len(years) :]), strict=True))


def relative_weights(
    cases: list[Case],
    trim: str,
    small: int,
    factors: dict[str, Fraction] | None = None,
    **method: str,
) -> dict[str, Fraction]:
    """RW of each group, scaled so that Σ n·RW = Σ n over the cases of the latest year."""
    raw = ratios(cases, trim, small, **method)
    raw = {g: weight * (factors or {}).get(g, Fraction(1)) for g, weight in raw.items()}
    latest = [case.group for case in cases if case.year == max(year_weights(cases))]
    factor = Fraction(len(latest)) / sum(raw[g] for g in latest)
    return {g: weight * factor for g, weight in raw.items()}


# --- packets ----------------------------------------------------------------------------------


class Stay(NamedTuple):
    """One discharge for a catalogue: principal diagnosis, operations in order, year, costs in fen."""

    principal: str
    operations: tuple[str, ...]
    year: int
    fen: int
    drug: int | None = None


CLASS_OF_KIND = {"surgery": 3, "therapeutic": 2, "interventional": 2, "diagnostic": 1, "": 0}
SUFFIX = ("BSZL", "ZDXCZ", "ZLXCZ", "SS")


def packets(stays: list[Stay], kinds: dict[str, str], core: int, mixed_min: int, related: bool) -> list[str]:
    """The code of the packet of each stay."""
    weights = year_weights([Case("", stay.year, 1) for stay in stays])
    whole = sum(weights.values())

    def frequent(places: list[int], least: int) -> bool:
        return sum(weights[stays[i].year] for i in places) >= least * whole

    def by(places: list[int], key) -> dict:  # type: ignore[no-untyped-def,type-arg]
        found = defaultdict(list)
        for i in places:
            found[key(i)].append(i)
        return found

    key = [stay.principal[:5].upper() for stay in stays]
    main = [stay.operations[0] if stay.operations else "" for stay in stays]
    rest = [tuple(sorted(set(s.operations[1:]) - {m})) if related else () for s, m in zip(stays, main)]  # noqa: B905
    level = [max((CLASS_OF_KIND[kinds[code]] for code in stay.operations), default=0) for stay in stays]
    code = [""] * len(stays)

    sets = by(list(range(len(stays))), lambda i: (key[i], main[i], rest[i]))
    cores = [s for s, places in sets.items() if s[2] and frequent(places, core)]
    for (k, m, r), places in sets.items():
        fitting = [c for c in cores if c[:2] == (k, m) and set(c[2]) <= set(r)]
        if fitting:

            def worth(c: tuple[str, str, tuple[str, ...]], r: tuple[str, ...] = r) -> tuple:  # type: ignore[type-arg]
                over = any(CLASS_OF_KIND[kinds[x]] == 3 for x in set(r) - set(c[2]))
                return (-len(c[2]), over, c[2])

            best = min(fitting, key=worth)
            for i in places:
                code[i] = f"{k}:{m}_{'+'.join(best[2])}".upper()
    steps = [
        (lambda i: (key[i], main[i]), lambda i: bool(main[i]), core, lambda i: f"{key[i]}:{main[i]}"),
        (lambda i: key[i], lambda i: level[i] == 0, core, lambda i: key[i]),
    ]
    for width, least in ((3, mixed_min), (2, mixed_min), (1, 0)):
        steps.append(
            (
                lambda i, width=width: (key[i][:width], level[i]),
                lambda i: True,
                least,
                lambda i, width=width: f"{key[i][:width]}:{SUFFIX[level[i]]}",
            )
        )
    for group, allowed, least, name in steps:
        left = [i for i in range(len(stays)) if not code[i] and allowed(i)]
        for places in by(left, group).values():
            if frequent(places, least):
                for i in places:
                    code[i] = name(i).upper()
    return code
