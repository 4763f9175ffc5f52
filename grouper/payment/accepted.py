"""The words of a policy: what its pools, levels and routes name, beside the official lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grouper.payment.expression import walk
from grouper.payment.lookups import load_lookups
from grouper.payment.predicates import OneOf

if TYPE_CHECKING:
    from grouper.payment.policy import Policy


def policy_words(policy: Policy) -> dict[str, frozenset[str]]:
    """Canonical field -> the words that the policy knows as they are, such as a level 3a or province_3a."""
    found: dict[str, set[str]] = {"hospital_level": _levels(policy), "insurance_type": set()}
    for types in policy.pools.values():
        found["insurance_type"].update(types)
    for route in policy.routes:
        for part in walk(route.test):
            if isinstance(part, OneOf) and not part.prefix:
                found.setdefault(part.name, set()).update(part.words)
    return {name: frozenset(words - {"*"}) for name, words in found.items()}


def _levels(policy: Policy) -> set[str]:
    levels: set[str] = set()
    for parameter in policy.parameters.values():
        if "level" not in parameter.by:
            continue
        place = parameter.by.index("level")
        for dated in parameter.values:
            levels.update(str(key).split("/")[place] for key in dated.value)
    lookups = load_lookups(policy)
    for name in ("level_coefficients", "means"):
        levels.update(key[1] for key in lookups.rows.get(name, {}))
    return levels
