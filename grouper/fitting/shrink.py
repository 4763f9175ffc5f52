"""Small groups drawn towards their ADRG by credibility (Bühlmann and Straub 1970; docs/statistics.md)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from grouper.base.exact import product, quotient, total
from grouper.fitting.precision import Precision, typical

SHRINK = ("none", "adrg")
_ROUNDS = 500
_CLOSE = 1e-12


@dataclass(frozen=True)
class Shrunk:
    """A group's ratio after shrinkage. ``shrinkage``: the weight of the ADRG in it, from 0 to 1.

    ``variance``: mean squared error over the square of the ratio.
    """

    ratio: Decimal
    shrinkage: float
    variance: float


@dataclass(frozen=True)
class Shrinkage:
    """``within``: relative variance of a case, ``between``: of the groups of an ADRG around it.

    ``groups``: those that share their ADRG with another one; a group alone in it is as it was.
    """

    within: float
    between: float
    groups: Mapping[str, Shrunk]


def shrink(
    ratios: Mapping[str, Decimal], precisions: Mapping[str, Precision], adrgs: Mapping[str, str]
) -> Shrinkage:
    """Z·ratio + (1 − Z)·(mean of the ADRG), with Z = n/(n + within/between) and n the effective cases.

    The mean of an ADRG is that of its groups by Z. Both variances are estimated from all ADRGs of two groups
    and more, "between" by De Vylder's iteration; where it is 0 the groups of an ADRG have one ratio.
    """
    families: dict[str, list[str]] = {}
    for key in sorted(ratios):
        families.setdefault(adrgs[key], []).append(key)
    shared = {adrg: keys for adrg, keys in families.items() if len(keys) > 1}
    within = typical(precisions[key] for keys in shared.values() for key in keys)
    cases = {key: precisions[key].n_eff for keys in shared.values() for key in keys}
    if not within:
        return Shrinkage(0.0, 0.0, {})
    between = _between(ratios, cases, shared, within)
    found: dict[str, Shrunk] = {}
    for keys in shared.values():
        trust = _trust(cases, keys, within, between)
        centre = _centre(ratios, trust)
        for key in keys:
            own = trust[key] if between else 0.0
            ratio = total([product(ratios[key], Decimal(own)), product(centre, 1 - Decimal(own))])
            rest = 1 - own
            error = between * rest * (1 + rest / math.fsum(trust.values()))
            if not between:
                error = within / math.fsum(cases[one] for one in keys)
            found[key] = Shrunk(ratio, rest, error * float(quotient(centre, ratio)) ** 2)
    return Shrinkage(within, between, found)


def _trust(cases: Mapping[str, float], keys: list[str], within: float, between: float) -> dict[str, float]:
    """Z of each group; where the groups do not differ, its effective cases, as all are one lot then."""
    if not between:
        return {key: cases[key] for key in keys}
    return {key: cases[key] / (cases[key] + within / between) for key in keys}


def _centre(ratios: Mapping[str, Decimal], trust: Mapping[str, float]) -> Decimal:
    above = total(product(ratios[key], Decimal(trust[key])) for key in trust)
    return quotient(above, total(Decimal(one) for one in trust.values()))


def _between(
    ratios: Mapping[str, Decimal],
    cases: Mapping[str, float],
    shared: Mapping[str, list[str]],
    within: float,
) -> float:
    """Σ Z·(ratio/mean − 1)² / Σ (groups − 1), Z and mean being those of the result (De Vylder 1981)."""
    freedom = sum(len(keys) - 1 for keys in shared.values())
    plain = {key: float(ratio) for key, ratio in ratios.items()}
    between = 1.0
    for _ in range(_ROUNDS):
        above = 0.0
        for keys in shared.values():
            trust = _trust(cases, keys, within, between)
            centre = math.fsum(trust[key] * plain[key] for key in keys) / math.fsum(trust.values())
            above += math.fsum(trust[key] * (plain[key] / centre - 1) ** 2 for key in keys)
        found = above / freedom
        if found < _CLOSE * within:
            return 0.0
        if abs(found - between) <= _CLOSE * between:
            return found
        between = found
    return between
