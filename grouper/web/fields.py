"""The fields of the case page: their words, values and places; what of them a link may carry."""

from __future__ import annotations

from typing import NamedTuple

Pair = tuple[str, str]


class Field(NamedTuple):
    """One input. ``name``: the canonical column. ``kind``: of the input, or "select" with ``values``."""

    name: str
    words: Pair
    kind: str = "number"
    unit: Pair = ("", "")
    values: tuple[tuple[str, Pair], ...] = ()
    hint: Pair = ("", "")


_SEX = (("1", ("男", "male")), ("2", ("女", "female")))
_WAYS = (
    ("1", ("1 医嘱离院", "1 home on medical advice")),
    ("2", ("2 医嘱转院", "2 transfer to a hospital")),
    ("3", ("3 转社区机构", "3 to community care")),
    ("4", ("4 非医嘱离院", "4 against advice")),
    ("5", ("5 死亡", "5 died")),
    ("9", ("9 其他", "9 other")),
)
_LEVELS = (("1", ("一级", "1")), ("2", ("二级", "2")), ("3", ("三级", "3")))
_INSURANCE = (
    ("310", ("310 职工", "310 employees")),
    ("390", ("390 居民", "390 residents")),
    ("340", ("340 离休人员", "340 retired cadres")),
    ("510", ("510 生育保险", "510 maternity")),
)
_VISITS = (
    ("21", ("21 普通住院", "21 inpatient")),
    ("2105", ("2105 按床日住院", "2105 inpatient per diem")),
    ("26", ("26 单病种住院", "26 single disease")),
    ("28", ("28 日间手术", "28 day surgery")),
    ("52", ("52 生育住院", "52 maternity")),
)

PATIENT = (
    Field("sex", ("性别", "Sex"), "select", values=_SEX),
    Field("age_years", ("年龄", "Age"), unit=("岁", "years")),
    Field("age_days", ("天龄（不足一岁）", "Age, under one year"), unit=("天", "days")),
    Field("birth_weight_g", ("出生体重", "Birth weight"), unit=("克", "g")),
    Field("admission_weight_g", ("新生儿入院体重", "Newborn's weight on admission"), unit=("克", "g")),
    Field("los_days", ("住院天数", "Stay"), unit=("天", "days")),
    Field("icu_hours", ("重症监护", "Intensive care"), unit=("小时", "hours")),
    Field("discharge_way", ("离院方式", "Way of discharge"), "select", values=_WAYS),
    Field("department", ("科室", "Department"), "text"),
)
MONEY = (
    Field("discharge_date", ("出院日期", "Discharged on"), "date"),
    Field("total_cost", ("总费用", "Total cost"), "money", ("元", "yuan")),
    Field("hospital_level", ("医院等级", "Hospital level"), "select", values=_LEVELS),
    Field("hospital_code", ("医院编码", "Hospital code"), "text"),
    Field("insurance_type", ("险种", "Insurance"), "select", values=_INSURANCE),
    Field("admission_type", ("就医类型", "Type of admission"), "select", values=_VISITS),
    Field("pool_paid", ("按项目统筹基金", "Pool, by item"), "money", ("元", "yuan")),
    Field("fund_paid", ("按项目基金合计", "All funds, by item"), "money", ("元", "yuan")),
    Field("pool_share", ("统筹占比（未结算时）", "Share of the pool, unsettled"), "money",
          hint=("0 至 1，用来估计", "0 to 1, to estimate by")),
    Field("share_source", ("占比的来源", "Source of the share"), "text"),
)  # fmt: skip
LISTS = {"dx": "diagnoses", "proc": "procedures"}
LINKED = ("sex", "age_years", "age_days")  # and the codes: what a link may carry
SHARES = ("pool_share", "share_source")
