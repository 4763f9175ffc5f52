"""The columns of a priced case, from all the rooms of pricing."""

from __future__ import annotations

from collections.abc import Callable

from grouper.payment.formula.expression import Expr
from grouper.payment.policy.parameters import Values
from grouper.payment.policy.policy import Policy
from grouper.payment.price import adjustments, funds, outliers, routing, standards
from grouper.payment.price.steps import Context, Step


def build(policy: Policy, values: Values, *, hold_above: bool = True) -> list[Step]:
    """The columns of a priced case, in order. ``hold_above``: as in ``Files``.

    Raises TableError when the policy lacks a parameter that its method needs.
    """
    return _built(policy, values, hold_above).steps


def limits(policy: Policy, values: Values) -> dict[str, Expr]:
    """The costs in yuan beyond which a case is "low", "high" or "extreme", over the columns of ``build``;
    none where the policy knows no outliers."""
    return outliers.limits(_built(policy, values, True))


def _built(policy: Policy, values: Values, hold_above: bool) -> Context:
    context = Context(policy, values, hold_above=hold_above)
    rooms: list[Callable[[Context], None]] = [
        routing.add,
        standards.add,
        outliers.add,
        adjustments.add,
        funds.add,
    ]
    for room in rooms:
        room(context)
    return context
