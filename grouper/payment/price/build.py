"""The columns of a priced case, from all the rooms of pricing."""

from __future__ import annotations

from collections.abc import Callable

from grouper.payment.policy.parameters import Values
from grouper.payment.policy.policy import Policy
from grouper.payment.price import adjustments, funds, outliers, routing, standards
from grouper.payment.price.steps import Context, Step


def build(policy: Policy, values: Values, *, hold_above: bool = True) -> list[Step]:
    """The columns of a priced case, in order. ``hold_above``: as in ``Files``.

    Raises TableError when the policy lacks a parameter that its method needs.
    """
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
    return context.steps
