"""Where a policy departs from a national clause in force, and what in it rests on a draft."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from grouper.base.findings import Finding
from grouper.payment.formula.expression import plain
from grouper.payment.policy.clauses import Clause, clauses
from grouper.payment.policy.parameters import Band, Dated
from grouper.payment.policy.policy import Policy
from grouper.payment.policy.words import METHODS, pick


def departures(policy: Policy) -> Iterator[Finding]:
    """A finding for each value beyond a national clause in force in its days, and for those on a draft."""
    told: dict[str, Finding] = {}  # of several clauses about a parameter the first
    for clause in clauses().values():
        parameter = policy.parameters.get(clause.parameter)
        if parameter is None or not clause.document.in_force:
            continue
        if clause.methods and policy.method not in clause.methods:
            continue
        for dated in parameter.values:
            wrong = [value for value in _single(dated.value) if not _kept(clause, value)]
            if wrong and _together(policy, dated, clause):
                told.setdefault(clause.parameter, _departure(policy, clause, wrong[0]))
    yield from told.values()
    if "special_review_quota" in policy.parameters and "quota_base" not in policy.parameters:
        yield Finding(
            "warning", "national-rule", policy.id, "quota_base",
            "未设 quota_base：特例单议上限按本院病例计；国家办法按统筹地区计，请设为 pool，"
            "地区另有规定的设为 hospital 并注明来源",
            "quota_base is not set: special reviews are limited by the hospital's cases; the national rule "
            "counts the pooling area: set pool, or hospital with the source where the area says so",
        )  # fmt: skip
    yield from _foreign(policy)
    drafts = [
        name
        for name, parameter in policy.parameters.items()
        if any(not clauses()[one].document.in_force for dated in parameter.values for one in dated.clauses)
    ]
    if drafts:
        zh, en = f"{len(drafts)} 个参数依据征求意见稿", f"{len(drafts)} parameters rest on a draft"
        yield Finding("info", "draft", policy.id, "", zh, en, tuple(drafts))


def _foreign(policy: Policy) -> Iterator[Finding]:
    """Values that cite a clause about other methods than the policy's."""
    for name, parameter in policy.parameters.items():
        for one in dict.fromkeys(one for dated in parameter.values for one in dated.clauses):
            methods = clauses()[one].methods
            if methods and policy.method not in methods:
                of_zh, of_en = (
                    "、".join(dict.fromkeys(pick(METHODS[m], "zh") for m in methods)),
                    ", ".join(dict.fromkeys(pick(METHODS[m], "en") for m in methods)),
                )
                own_zh, own_en = pick(METHODS[policy.method], "zh"), pick(METHODS[policy.method], "en")
                yield Finding(
                    "warning", "clause-method", policy.id, name,
                    f"引用的国家条款 {one} 只适用于{of_zh}，本政策是{own_zh}",
                    f"cites the national clause {one}, which is of {of_en}; this policy is of {own_en}",
                )  # fmt: skip


def _together(policy: Policy, dated: Dated, clause: Clause) -> bool:
    """The value, the policy and the clause hold on some day together."""
    start = clause.document.start
    assert start is not None
    return max(start, dated.start, policy.valid_from) <= min(clause.document.end, dated.end, policy.valid_to)


def _departure(policy: Policy, clause: Clause, value: Any) -> Finding:
    told = plain(value) if isinstance(value, Decimal) else str(value)
    limits = {"at_most": ("超过", "above"), "equals": ("不是", "not"), "about": ("不同于约", "not about")}
    zh, en = limits.get(clause.rule, ("不合", "not"))
    where = f"{clause.document.named}{clause.article}"
    return Finding(
        "warning",
        "national-limit" if clause.rule == "at_most" else "national-rule",
        policy.id,
        clause.parameter,
        f"{told} {zh}国家规定的 {clause.value}（{where}）",
        f"{told} is {en} {clause.value}, the national rule ({where})",
    )


def _kept(clause: Clause, value: Any) -> bool:
    """Whether a single value keeps to a clause; what is no number or word of its kind is not judged."""
    words = clause.value.split("|")
    if clause.rule == "at_most" and isinstance(value, Decimal):
        return value <= Decimal(clause.value)
    if clause.rule in ("equals", "about"):
        return value == Decimal(clause.value) if isinstance(value, Decimal) else value == clause.value
    if clause.rule == "one_of":
        return value in words
    return True


def _single(value: Any) -> Iterator[Any]:
    """The single values of a parameter: one, or one for each key or band."""
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _single(item)
    elif isinstance(value, tuple):
        for item in value:
            yield item.value if isinstance(item, Band) else item
    else:
        yield value
