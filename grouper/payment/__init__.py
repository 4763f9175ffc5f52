"""Payment: from groups to fen.

    from grouper.payment import pay
    done = pay("grouped.parquet", "national/drg-rate", "priced.parquet")
    print(done.hospitals)

Names load on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from grouper.base.lazy import lazy

if TYPE_CHECKING:
    from grouper.payment.api import Paid, pay
    from grouper.payment.check.verify import verify_policy
    from grouper.payment.explain.explain import explain_case
    from grouper.payment.explain.explanation import PaymentExplanation
    from grouper.payment.frames import price
    from grouper.payment.policy.policy import Policy, find_policy, load_policy

_HOME = {
    "Paid": "api",
    "PaymentExplanation": "explain.explanation",
    "Policy": "policy.policy",
    "explain_case": "explain.explain",
    "find_policy": "policy.policy",
    "load_policy": "policy.policy",
    "pay": "api",
    "price": "frames",
    "verify_policy": "check.verify",
}
__all__ = [
    "Paid",
    "PaymentExplanation",
    "Policy",
    "explain_case",
    "find_policy",
    "load_policy",
    "pay",
    "price",
    "verify_policy",
]


__getattr__, __dir__ = lazy(__name__, _HOME)
