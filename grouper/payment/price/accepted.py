"""What a policy reads of a case: its columns, and the words that its pools, levels and routes name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from grouper.base.errors import UsageError
from grouper.payment.formula.expression import walk
from grouper.payment.formula.predicates import OneOf
from grouper.payment.price.build import build
from grouper.payment.price.inputs import INPUTS, needed
from grouper.payment.price.lookups import lookups_of
from grouper.records.words import WordReader, word_fields

if TYPE_CHECKING:
    from grouper.payment.policy.policy import Policy


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


def row_words(policy: Policy, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with its words as values. Raises UsageError for a word that nobody knows, with the known ones."""
    also = policy_words(policy)
    read = dict(row)
    for name in word_fields():
        text = row.get(name)
        if not isinstance(text, str):
            continue
        reader = WordReader(name, also.get(name, ()))
        parsed = reader(text)
        if parsed.bad:
            known = reader.known()
            raise UsageError(
                zh=f"{name}：{text!r} 无法识别；可用：{known}",
                en=f"{name}: {text!r} is not understood; known are {known}",
            )
        read[name] = parsed.value
    return read


def policy_columns(policy: Policy, probe: date) -> list[str]:
    """The input columns that the policy reads on ``probe`` and wherever a parameter changes."""
    names: set[str] = set()
    edges = {probe} | {dated.start for p in policy.parameters.values() for dated in p.values}
    for edge in edges:
        if policy.valid_from <= edge <= policy.valid_to:
            names |= set(needed((s.name, s.expr) for s in build(policy, policy.on(edge))))
    return [name for name in INPUTS if name in names]


def required_columns(policy: Policy, probe: date) -> list[str]:
    """Those of ``policy_columns`` that records or the table of hospitals must have."""
    kinds = ("window", "list")
    return [
        name
        for name in policy_columns(policy, probe)
        if INPUTS[name].default is None and not INPUTS[name].of and INPUTS[name].kind not in kinds
    ]


def _levels(policy: Policy) -> set[str]:
    levels: set[str] = set()
    for parameter in policy.parameters.values():
        if "level" not in parameter.by:
            continue
        place = parameter.by.index("level")
        for dated in parameter.values:
            levels.update(str(key).split("/")[place] for key in dated.value)
    lookups = lookups_of(policy)
    for name in ("level_coefficients", "means"):
        levels.update(key[1] for key in lookups.rows.get(name, {}))
    return levels
