"""What a settlement goes by though nobody gave it to it so, in words: the assumptions of its ledger.

``grouper.settlement.plan`` makes them. ``past``: "policy 2025-12" or "scheme 2025-12", with the value
"<id>, changed since run 000012"; ``skipped``: "months skipped 2025-07" with the months, "year begins
2025-04"; ``partial``: "partial budget <pool>", with "<yuan> of <yuan>".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

from grouper.payment.policy import pool_names, words

_ROLES = {"policy": ("支付政策", "policy"), "scheme": ("分组方案", "scheme")}
Told = tuple[str, str]


def in_words(name: str, value: str, lang: str) -> Told | None:
    """An assumption's name and value as people read them; None where it is one of another kind."""
    for names, values, tell in _KINDS:
        rule, told = re.fullmatch(names, name), re.fullmatch(values, value)
        if rule and told:
            return tell(rule.groups(), told.groups(), lang)
    return None


def _changed(rule: tuple[str, ...], told: tuple[str, ...], lang: str) -> Told:
    (role, period), (identity, run) = rule, told
    if lang == "en":
        return f"{_ROLES[role][1]} of {period}", f"{identity}, changed since run {run}; taken as it is now"
    return f"{period} 的{_ROLES[role][0]}", f"{identity}，运行 {run} 之后有改动，按现在的内容"


def _skipped(rule: tuple[str, ...], told: tuple[str, ...], lang: str) -> Told:
    if lang == "en":
        return f"months skipped before {rule[0]}", f"{told[0]}; what belongs to them is rejected from now on"
    return f"{rule[0]} 之前跳过的月份", f"{told[0].replace(', ', '、')}；属于这些月份的行以后退回"


def _begins(rule: tuple[str, ...], told: tuple[str, ...], lang: str) -> Told:
    if lang == "en":
        return "first month of the year in this lake", f"{rule[0]}, not January"
    return "本湖该年度的首月", f"{rule[0]}，不是 1 月"


def _partial(rule: tuple[str, ...], told: tuple[str, ...], lang: str) -> Told:
    pool, (part, whole) = words.pool(rule[0], lang), told
    if lang == "en":
        return f"budget of the months cleared, {pool}", f"{part} yuan, of {whole} in the year"
    return f"所清算月份的预算（{pool}）", f"{part} 元，全年 {whole} 元"


def _revised(rule: tuple[str, ...], told: tuple[str, ...], lang: str) -> Told:
    (_, pool), (old, new, document, first) = rule, told
    change = Decimal(new) - Decimal(old)
    if lang == "en":
        where = f"budget of the year revised, {words.pool(pool, lang)}"
        return where, f"{old} to {new} yuan ({change:+}), {document}, from {first}"
    return (
        f"全年预算调整（{words.pool(pool, lang)}）",
        f"原 {old} 元，现 {new} 元，差额 {change:+} 元；{document}，自 {first} 起",
    )


def _counties(rule: tuple[str, ...], told: tuple[str, ...], lang: str) -> Told:
    pool, (balance, parts) = words.pool(rule[0], lang), told
    parts = re.sub(r"\b\d{6}\b(?= )", lambda code: words.pick(pool_names.part_name(code[0]), lang), parts)
    if lang == "en":
        what = "overspend" if balance.startswith("-") else "surplus"
        return f"{what} of the year shared by city and counties, {pool}", f"{balance} yuan: {parts}"
    parts = parts.replace("city", "市").replace(", ", "，")
    what = "超支" if balance.startswith("-") else "结余"
    return f"市县分担的年度{what}（{pool}）", f"{balance} 元：{parts}"


def _regions(rule: tuple[str, ...], told: tuple[str, ...], lang: str) -> Told:
    if lang == "en":
        return (
            "region of insurance or treatment not known",
            f"{told[0]} of {told[1]} cases (offsite_unknown_rule)",
        )
    return "参保地或就医地不明", f"{told[1]} 例中有 {told[0]} 例，按“参保地或就医地不明的病例”的规则处理"


def _no_rule(rule: tuple[str, ...], told: tuple[str, ...], lang: str) -> Told:
    if lang == "en":
        return (
            "paid inside the pools, as the policy has no rule of regions",
            f"{told[0]} cases of own people treated elsewhere, {told[1]} of people insured elsewhere",
        )
    return (
        "政策没有异地就医的规则，计入基金池",
        f"本地参保人在外地 {told[0]} 例，外地参保人在本地 {told[1]} 例",
    )


_KINDS: tuple[tuple[str, str, Callable[[tuple[str, ...], tuple[str, ...], str], Told]], ...] = (
    (r"(policy|scheme) (\d{4}-\d{2})", r"(.+), changed since run (\d+)", _changed),
    (r"months skipped (\d{4}-\d{2})", r"(.+)", _skipped),
    (r"year begins (\d{4}-\d{2})", r"(.+)", _begins),
    (r"partial budget (.+)", r"([\d.]+) of ([\d.]+)", _partial),
    (r"budget revision (\d+) (.+)", r"([\d.]+) to ([\d.]+) by (.+) from (\d{4}-\d{2})", _revised),
    (r"county sharing (.+)", r"(-?[\d.]+) = (.+)", _counties),
    (r"regions unknown", r"(\d+) of (\d+)", _regions),
    (r"offsite without a rule", r"(\d+) own, (\d+) others", _no_rule),
)
