"""Payment by the day of stay, in tiers."""

from __future__ import annotations

from decimal import Decimal

from grouper.payment.formula.expression import ZERO, Case, Expr, Limit, Null, Number
from grouper.payment.formula.predicates import All, OneOf
from grouper.payment.policy.parameters import Band
from grouper.payment.price.steps import LOS, TOTAL, Context


def per_diem_amount(context: Context) -> Expr:
    """Σ standard × days within each tier, by route; never above cost where the policy says so."""
    values = context.values
    tiers = values.need("per_diem")
    by_route = tiers if isinstance(tiers, dict) else {"*": tiers}
    branches: list[tuple[Expr, Expr]] = []
    for key, bands in by_route.items():
        route, _, level = key.partition("/")
        tests = [] if route == "*" else [OneOf("route", (route,))]
        tests += [OneOf("hospital_level", (level,))] if level and level != "*" else []
        branches.append((All(tuple(tests)), _tiers(bands)))
    amount: Expr = Case(tuple(branches), Null())
    if values.plain("per_diem_cap_cost"):
        amount = Limit(amount, TOTAL, least=True)
    return values.cited(amount, "per_diem_cap_cost")


def _tiers(bands: tuple[Band, ...]) -> Expr:
    total: Expr | None = None
    start = Decimal(0)
    for band in bands:
        days: Expr = LOS if not start else Limit(LOS - Number(start), ZERO, least=False)
        if band.up_to is not None:
            days = Limit(days, Number(band.up_to - start), least=True)
            start = band.up_to
        part = days * Number(band.value, "per_diem", "床日标准", "per-diem standard")
        total = part if total is None else total + part
    assert total is not None
    return total
