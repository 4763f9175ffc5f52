"""Values of parameters in words: what a choice is called where officers read it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from grouper.payment.policy.registry import PARAMETERS, label
from grouper.payment.policy.words import METHODS, POOLS, RECORD_WORDS, Pair, pick

CHOICES: dict[str, Pair] = {
    **METHODS,
    **POOLS,
    **RECORD_WORDS,
    "bed_day": ("其他床日", "other bed-days"),
    "outpatient": ("门诊统筹", "outpatient care"),
    "chronic_outpatient": ("门诊慢特病", "chronic outpatient care"),
    "diabetes": ("糖尿病", "diabetes"),
    "hypertension": ("高血压", "hypertension"),
    "chronic_renal_failure": ("慢性肾衰竭", "chronic renal failure"),
    "province_3a": ("省级三甲", "3A of the province"),
    # coefficients
    "none": ("无", "none"),
    "level": ("按等级", "by level"),
    "hospital": ("按医院", "by hospital"),
    "group_level": ("按病组和等级", "by group and level"),
    "group_hospital": ("按病组和医院", "by group and hospital"),
    "mix": ("医院与等级加权", "mix of hospital and level"),
    # what a cost is divided by
    "standard": ("支付标准", "the standard"),
    # pools and counties
    "hospital_county": ("医院所在县（市、区）", "county of the hospital"),
    "insured_county": ("参保地的县（市、区）", "county of the insured"),
    "alliance": ("医院所属医共体", "alliance of the hospital"),
    "by_weight": ("各县的比重", "weights of the counties"),
    "own_balance": ("各县自己的结余或超支", "what the pool of each leaves or lacks"),
    "group_mean": ("病组例均费用", "mean cost of the group"),
    "mean_by_weight": ("按权重折算的例均费用", "mean cost by weight"),
    "mean_by_weight_and_coefficient": ("按权重和系数折算的例均费用", "mean cost by weight and coefficient"),
    "level_mean": ("同级别例均费用", "mean cost of the level"),
    "last_year_level_mean": ("上年同级别例均费用", "last year's mean cost of the level"),
    "adjusted_standard": ("调节后的支付标准", "the adjusted standard"),
    "kind": ("目录中类型为基层病种的条目", "entries of that kind"),
    "mark": ("目录中的条目和分组结果标记的病例", "entries of that kind and marked cases"),
    # outliers
    "excess_over_standard": ("超过支付标准的部分", "excess over the standard"),
    "excess_over_denominator": ("超过倍率分母的部分", "excess over the denominator"),
    "excess_over_base": ("超过基准的部分", "excess over the base"),
    "excess_by_group_mean": ("按病组例均费用计的超额", "excess by the group's mean"),
    "multiple_of_standard": ("支付标准的倍数", "multiple of the standard"),
    "multiple_without_coefficient": ("不乘系数的倍数", "multiple without the coefficient"),
    "slope_of_standard": ("支付标准按斜率", "slope on the standard"),
    "share_of_cost": ("费用的比例", "share of the cost"),
    "cost": ("按实际费用", "the cost"),
    "share_of_standard": ("支付标准的比例", "share of the standard"),
    "share_of_base": ("基准的比例", "share of the base"),
    "share_by_group_mean": ("按病组例均费用计的比例", "share by the group's mean"),
    "incomplete_stay": ("未完成住院", "incomplete stay"),
    "high": ("按高倍率", "as high outliers"),
    "day_surgery": ("日间手术", "day surgery"),
    "death": ("死亡", "death"),
    "transfer": ("转院", "transfer"),
    # readmission and review
    "group": ("病组", "group"),
    "category": ("主诊断类目", "category of the principal diagnosis"),
    "pool": ("统筹地区出院病例", "discharges of the pooling area"),
    # other methods and the fund's part
    "flat": ("定额", "flat amount"),
    "cap": ("限额", "cap"),
    "F1": ("标准减个人支付", "standard less patient"),
    "F2": ("标准再算待遇", "benefit on the standard"),
    "F3": ("按病例支付率", "by the case's ratio"),
    "points": ("点值只含基金", "point value of fund money"),
    "zero": ("归零", "zero"),
    "carry": ("保留", "carried"),
    "recorded": ("按记录", "as recorded"),
    "benefit": ("按待遇规则重算", "by the benefit rules"),
    # pools, months and years
    "points_total": ("点值含全部费用", "point value of total cost"),
    "points_fund": ("点值只含基金", "point value of fund money"),
    "month": ("按月", "month"),
    "quarter": ("按季", "quarter"),
    "by_item": ("按项目", "by item"),
    "due": ("本期应付", "due of the period"),
    "budget": ("全年预算均分", "the year's budget in equal parts"),
    "stays": ("留在基金", "stays with the fund"),
    "paid_out": ("分给医疗机构", "paid out"),
    "inside": ("从同一池预算支出", "out of the pool's budget"),
    "apart": ("另行支付", "apart from the pool"),
    "of_full": ("得分除以满额返还分", "score over the full score"),
    "of_100": ("得分除以100", "score over 100"),
    "above": ("其余", "above"),
    "yes": ("是", "yes"),
    "no": ("否", "no"),
    "true": ("是", "true"),
    "false": ("否", "false"),
}
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_CLAUSE = re.compile(r"(^|; )(\w+) = (.*?) \(")


def choice(word: str, lang: str) -> str:
    """A value that a policy chooses, in words; one that is not known comes back as it is."""
    return pick(CHOICES.get(word, (word, word)), lang)


def value_told(name: str, text: str, lang: str, routes: Mapping[str, Pair] | None = None) -> str:
    """A value of a parameter as a ledger keeps it, in words: ``due`` is 本期应付, ``yes`` is 是.

    ``routes``: the policy's own routes, whose names stand in tables of bed-days and quotas.
    """
    if name not in PARAMETERS or lang == "en":
        return text
    own = routes or {}

    def told(found: re.Match[str]) -> str:
        return pick(own[found[0]], lang) if found[0] in own else choice(found[0], lang)

    return _WORD.sub(told, text).replace(": ", "：").replace(", ", "，")


def clauses_told(text: str, lang: str) -> str:
    """``name = value (source)`` for each parameter of a line, with names and values in words."""

    def told(found: re.Match[str]) -> str:
        before, name, value = found.groups()
        if name not in PARAMETERS:
            return found[0]
        zh = lang != "en"
        mark, sign = ("；" if before else "", "：") if zh else (before, " = ")
        return f"{mark}{label(name, lang)}{sign}{value_told(name, value, lang)} ("

    return _CLAUSE.sub(told, text)
