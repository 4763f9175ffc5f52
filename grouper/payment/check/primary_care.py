"""Whether a policy pays alike at all levels of hospitals what its scheme names as of primary care."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from grouper.base.findings import Finding, Severity
from grouper.grouping.locate import locate
from grouper.payment.policy.policy import SCORED, Policy
from grouper.payment.price.lookups import Lookups

RULE, BY = "basic_group_coefficient", "primary_care_by"


def primary_care(policy: Policy, lookups: Lookups) -> Iterator[Finding]:
    """Groups of primary care that no rule reaches; a rule that reads a mark which the scheme does not give.

    Raises UsageError when there is no such scheme.
    """
    located = locate(policy.scheme)
    named = located.family.primary_care(located.load())
    marks, name = _values(policy, BY), policy.scheme

    def say(severity: Severity, place: str, zh: str, en: str, *details: str) -> Finding:
        return Finding(severity, "primary-care", policy.id, place, zh, en, details)

    if named is None:
        if "mark" in marks:
            zh = f"{BY} = mark，但方案 {name} 没有基层病种目录，分组结果没有 primary_care 列"
            en = f"{BY} = mark, but {name} has no list of primary care: grouping gives no such column"
            yield say("error", BY, zh, en)
    elif RULE not in policy.parameters:
        if any(rule != "none" for rule in _values(policy, "coefficient_rule")):
            zh = f"方案 {name} 有基层病种，政策另有机构系数而没有设 {RULE}：基层病种不会同病同价"
            en = f"{name} names groups of primary care, and hospitals have coefficients, {RULE} is not set: "
            yield say("warning", RULE, zh, en + "they are not paid alike")
    elif policy.method in SCORED:
        if set(marks) != {"mark"}:
            zh = f"方案 {name} 按诊断和手术认定基层病种，{BY} 不是 mark：{RULE} 只用于该类型的条目"
            en = f"{name} tells primary care by diagnosis and operation, and {BY} is not mark: {RULE} "
            yield say("warning", BY, zh, en + "acts on entries of that kind only")
    elif policy.weights is not None:
        rows = lookups.rows.get("weights", {})
        without = sorted(named - {key[0] for key, row in rows.items() if row["basic"]})
        if without:
            number = f"{len(without)} / {len(named)}"
            zh = f"方案 {name} 的基层病组在权重表中没有标为 basic（{number} 个），{RULE} 不用于它们"
            en = f"groups of primary care of {name} that the table of weights marks not as basic: {number}; "
            yield say("warning", "weights", zh, en + f"{RULE} does not reach them", *without)


def _values(policy: Policy, name: str) -> list[Any]:
    parameter = policy.parameters.get(name)
    return [dated.value for dated in parameter.values] if parameter else []
