"""What the watch says of columns, facts and limits, in words."""

from __future__ import annotations

import re
from collections.abc import Iterable

from grouper.payment.policy import words

Pair = tuple[str, str]
# The user's own figures, by their names in a file of facts.
FACTS: dict[str, Pair] = {
    "income": ("基金收入", "income of the fund"),
    "expenditure": ("基金支出", "expenditure of the fund"),
    "accumulated_balance": ("基金累计结余", "accumulated balance"),
    "annual_budget": ("全年预算", "budget of the year"),
    "inpatient_fund": ("住院基金支出", "inpatient fund"),
    "chronic_outpatient_paid": ("门诊慢性病基金支付", "paid for outpatient chronic diseases"),
    "chronic_outpatient_in_scope": ("门诊慢性病政策范围内费用", "outpatient chronic diseases, in scope"),
    "cross_province_direct": ("跨省直接结算住院费用", "cost across provinces settled directly"),
    "cross_province_cost": ("跨省住院费用", "cost across provinces"),
    "medical_aid_paid": ("医疗救助支付", "paid by medical aid"),
    "medical_aid_in_scope": ("救助对象政策范围内自付费用", "own payments of those entitled, in scope"),
    "out_of_pocket": ("个人卫生支出", "out-of-pocket health expenditure"),
    "health_expenditure": ("卫生总费用", "all health expenditure"),
}
COLUMNS: dict[str, Pair] = {
    "settled_fund": ("统筹应付", "fund due"),
    "fund_due": ("统筹应付", "fund due"),
    "budget": ("预算", "budget"),
    "pay_status": ("支付状态", "status of payment"),
}
_LIMIT = re.compile(r"(<=|>=|<|>) (-?[\d.]+)")
_SIGNS = {"<=": "不高于", "<": "低于", ">=": "不低于", ">": "高于"}


def fact(name: str) -> Pair:
    """A fact in words; one of the user's own file comes back as it is."""
    return FACTS.get(name, (name, name))


def columns(names: Iterable[str]) -> Pair:
    """Columns in words, one after the other."""
    found = [COLUMNS.get(name) or words.COLUMNS.get(name, (name, name)) for name in names]
    return "、".join(dict.fromkeys(zh for zh, _ in found)), ", ".join(dict.fromkeys(en for _, en in found))


def months(names: str) -> str:
    """2025-04, 2025-05 as a Chinese sentence has them."""
    return names.replace(", ", "、")


def lines(watch: str | None, alarm: str | None, unit: Pair) -> Pair | None:
    """The lines of an indicator, such as "<= 82", with their unit; None where there is none."""
    parts = [(("关注", "watch"), watch), (("预警", "alarm"), alarm)]
    zh = [f"{pair[0]}：{_limits(text, unit[0])}" for pair, text in parts if text]
    en = [f"{pair[1]} {text}{unit[1]}" for pair, text in parts if text]
    return ("；".join(zh), "; ".join(en)) if zh else None


def target(text: str, unit: str, zh: bool) -> str:
    """ "> 85 (2025)" as 高于 85%（2025）."""
    limit, _, by = text.partition(" (")
    return f"{_limits(limit, unit)}（{by[:-1]}）" if zh else text


def _limits(text: str, unit: str) -> str:
    """ "< 83, > 87" as 低于 83% 或高于 87%."""
    return "或".join(f"{_SIGNS[sign]} {limit}{unit}" for sign, limit in _LIMIT.findall(text))
