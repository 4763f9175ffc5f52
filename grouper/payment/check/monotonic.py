"""Where a policy pays less for a dearer case: typical cases over a grid of costs around the limits.

Payment by groups should not fall when a case costs more. Some rules do that on purpose (Jining pays
cases above five times as normal ones); this finds and reports them with their numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from grouper.base.exact import fraction, half_up
from grouper.payment.policy.parameters import Band, Values
from grouper.payment.policy.policy import Policy
from grouper.payment.policy.registry import BANDED
from grouper.payment.price.compile import evaluate
from grouper.payment.price.inputs import INPUTS, names_in
from grouper.payment.price.lookups import Lookups
from grouper.payment.price.steps import Step

_LIMITS = ("low_threshold", "high_threshold", "extreme_threshold")
_BETWEEN = tuple(Fraction(n, 4) for n in range(1, 5))
_BEYOND = Fraction(3, 2)  # the grid ends at this multiple of the highest limit
_TYPICAL: dict[str, Any] = {
    "record_id": "typical",
    "hospital_code": "H",
    "hospital_coefficient": Decimal(1),
    "insurance_type": "310",
    "admission_type": "21",
    "payment_method": "4",
    "department": "03",
    "status": "grouped",
    "reason": "grouped",
    "dip_kind": "core",
    "discharge_way": 1,
    "los_days": 8,
    "age_years": 50,
    "principal": "K35.300",
    "diagnoses": ["K35.300"],
    "procedures": [],
    "auxiliary_coefficient": Decimal(1),
    "hospital_cases": 1_000_000,  # so that no cap on numbers is met
    "area_cases": 1_000_000,
}
_ZERO = ("unreasonable_cost", "new_technology_cost", "own_expense", "self_pay_first", "deductible")


@dataclass(frozen=True)
class Drop:
    """A case of this group and level that costs ``cost[1]`` is paid less than one of ``cost[0]`` (yuan).

    ``unit`` of the two ``paid``: yuan, or points where the policy has no point value.
    """

    when: date
    level: str
    group: str
    outliers: tuple[str, str]
    cost: tuple[Decimal, Decimal]
    paid: tuple[Decimal, Decimal]
    unit: str


@dataclass(frozen=True)
class Tried:
    """``drops`` found on one day; ``unpaid``: level, group and reason of typical cases that have no price."""

    drops: list[Drop]
    unpaid: list[tuple[str, str, str]]


def drops(
    policy: Policy, values: Values, steps: Sequence[Step], lookups: Lookups, insurance: str = "310"
) -> Tried:
    """The falls of payment on one day, for every level that the policy names and a group of every band."""
    made = {step.name for step in steps}
    tried = Tried([], [])
    if "cost_ratio" not in made:
        return tried
    for level in _levels(policy, values):
        for group in _groups(policy, values, lookups, level):
            row = {**_row(steps), "insurance_type": insurance, "hospital_level": level, **group}
            curve = _Curve(policy, values, steps, lookups, row)
            if curve.reason is not None:
                tried.unpaid.append((level, str(group["group"]), curve.reason))
            tried.drops.extend(_falls(curve, values.when))
    return tried


def _row(steps: Sequence[Step]) -> dict[str, Any]:
    """An ordinary case with all that the steps read, but group, level and cost."""
    read = {name for step in steps for name in names_in(step.expr)} - {step.name for step in steps}
    row = {name: _TYPICAL.get(name) for name in read | set(_TYPICAL) if name in INPUTS}
    return row | dict.fromkeys(_ZERO, Decimal(0))


def typical_row(policy: Policy, steps: Sequence[Step], values: Values, lookups: Lookups) -> dict[str, Any]:
    """An ordinary case of the first level and group that the policy prices; without its cost."""
    level = _levels(policy, values)[0]
    return {**_row(steps), "hospital_level": level, **next(_groups(policy, values, lookups, level))}


class _Curve:
    """Payment of one typical case as a function of its cost in fen."""

    def __init__(
        self, policy: Policy, values: Values, steps: Sequence[Step], lookups: Lookups, row: Mapping[str, Any]
    ) -> None:
        self.steps, self.lookups, self.row = steps, lookups, row
        self.in_yuan = policy.method == "drg_rate" or values.has("point_value")
        at = self.at(100_000_000)
        ratio = fraction(at.get("cost_ratio"))
        cost = fraction(at.get("cost_considered"))
        self.denominator = None if not ratio or not cost else cost / ratio * 100
        usual = self.at(int(self.denominator)) if self.denominator else at
        self.reason = None if usual["pay_status"] == "paid" else str(usual["pay_reason"])
        limits = [_limit(values, name, at) for name in _LIMITS]
        self.limits = sorted(limit for limit in limits if limit)

    def at(self, fen: int) -> dict[str, Any]:
        """All columns of the case at this cost; paid by the fund and by all funds as usual shares."""
        cost = Decimal(fen).scaleb(-2)
        paid = half_up(Fraction(cost) * Fraction(7, 10), 2)
        return evaluate(
            self.steps, {**self.row, "total_cost": cost, "pool_paid": paid, "fund_paid": paid}, self.lookups
        )

    def grid(self) -> list[int]:
        """Costs in fen: on both sides of every limit, and between limits."""
        assert self.denominator is not None
        found: set[int] = set()
        before = Fraction(0)
        for limit in [*self.limits, self.limits[-1] * _BEYOND]:
            found |= {int((before + (limit - before) * part) * self.denominator) for part in _BETWEEN}
            edge = int(limit * self.denominator)
            found |= {edge - 1, edge, edge + 1, edge + 2}
            before = limit
        return sorted(fen for fen in found if fen > 0)


def _falls(curve: _Curve, when: date) -> Iterator[Drop]:
    if not curve.denominator or not curve.limits:
        return
    column = "amount" if curve.in_yuan else "case_value"
    last: tuple[int, Fraction, str] | None = None
    for fen in curve.grid():
        found = curve.at(fen)
        paid = fraction(found.get(column))
        if paid is None or found["pay_status"] != "paid":
            continue
        outlier = str(found.get("outlier"))
        if last is not None and paid < last[1]:
            yield Drop(
                when,
                str(curve.row["hospital_level"]),
                str(curve.row["group"]),
                (last[2], outlier),
                (Decimal(last[0]).scaleb(-2), Decimal(fen).scaleb(-2)),
                (
                    half_up(last[1], 4 if not curve.in_yuan else 2),
                    half_up(paid, 4 if not curve.in_yuan else 2),
                ),
                "yuan" if curve.in_yuan else "points",
            )
        last = fen, paid, outlier


def _limit(values: Values, name: str, row: Mapping[str, Any]) -> Fraction | None:
    formula = values.number(name)
    return None if formula is None else formula.value(row)


def _levels(policy: Policy, values: Values) -> list[str]:
    """The hospital levels that some parameter of the day names."""
    found: set[str] = set()
    for parameter in policy.parameters.values():
        dated = parameter.on(values.when)
        if "level" in parameter.by and dated is not None and isinstance(dated.value, Mapping):
            place = parameter.by.index("level")
            found |= {key.split("/")[place] for key in dated.value} - {"*"}
    return sorted(found) or ["3"]


def _groups(policy: Policy, values: Values, lookups: Lookups, level: str) -> Iterator[dict[str, Any]]:
    """A typical group of every band of the limits: the middle one by weight; in DIP a score of each band."""
    edges = _edges(policy, values)
    if policy.weights is None:
        scores = [Decimal(1000)] if not edges else [*edges, edges[-1] + 1]
        for score in scores:
            yield {"group": f"score {score}", "score": score}
        return
    rows = lookups.rows["weights"]
    usable = sorted(
        (row["weight"], key[0]) for key, row in rows.items() if row["weight"] and not row["unstable"]
    )
    if policy.means is not None:
        known = {key[0] for key in lookups.rows["means"] if key[1] == level}
        usable = [pair for pair in usable if pair[1] in known]
    scale = _scale(policy, values)
    low = Fraction(0)
    for edge in [*(Fraction(e) / scale for e in edges), None]:
        band = [pair for pair in usable if pair[0] > low and (edge is None or pair[0] <= edge)]
        if band:
            yield {"group": band[len(band) // 2][1]}
        low = edge if edge is not None else low


def _edges(policy: Policy, values: Values) -> list[Decimal]:
    """Ends of the bands, of all limits that have bands."""
    found: set[Decimal] = set()
    for name in _LIMITS:
        parameter = policy.parameters.get(name)
        if parameter is not None and BANDED & set(parameter.by):
            dated = parameter.on(values.when)
            bands: Sequence[Band] = dated.value if dated else ()
            found |= {band.up_to for band in bands if band.up_to is not None}
    return sorted(found)


def _scale(policy: Policy, values: Values) -> Fraction:
    """Points per weight where bands are of points; else 1."""
    by_points = any("points" in policy.parameters[n].by for n in _LIMITS if n in policy.parameters)
    scale = values.number("points_scale") if by_points else None
    return Fraction(1) if scale is None else scale.value({}) or Fraction(1)
