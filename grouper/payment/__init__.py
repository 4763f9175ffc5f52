"""Payment: from groups to fen.

    from grouper.payment import pay
    done = pay("grouped.parquet", "national/drg-rate", "priced.parquet")
    print(done.hospitals)

Names load on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grouper.payment.api import Paid, pay
    from grouper.payment.explain import explain_case
    from grouper.payment.explanation import PaymentExplanation
    from grouper.payment.policy import Policy, find_policy, load_policy
    from grouper.payment.verify import verify_policy

_HOME = {
    "Paid": "api",
    "PaymentExplanation": "explanation",
    "Policy": "policy",
    "explain_case": "explain",
    "find_policy": "policy",
    "load_policy": "policy",
    "pay": "api",
    "verify_policy": "verify",
}
__all__ = [
    "Paid",
    "PaymentExplanation",
    "Policy",
    "explain_case",
    "find_policy",
    "load_policy",
    "pay",
    "verify_policy",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"grouper.payment.{_HOME[name]}"), name)
