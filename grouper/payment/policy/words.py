"""Payment in words: statuses, reasons, methods, units, columns and formulas, in Chinese and English."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from grouper.base.reasons import REASONS as OF_GROUPING
from grouper.payment.formula.expression import Bool, Expr, Field, Text
from grouper.payment.formula.predicates import AnyPrefix, OneOf
from grouper.payment.policy import pool_names
from grouper.records.gate import REASONS as GATE_REASONS
from grouper.records.words import WordReader

Pair = tuple[str, str]
E = TypeVar("E")

STATUSES: dict[str, Pair] = {
    "paid": ("支付", "paid"),
    "held": ("暂不支付", "held"),
    "outside": ("不由本政策支付", "outside this policy"),
    "left": ("不作病例", "no case"),
}
METHODS: dict[str, Pair] = {
    "drg_rate": ("DRG 费率法", "DRG with a base rate"),
    "drg_points": ("DRG 点数法", "DRG points"),
    "dip": ("DIP 分值法", "DIP scores"),
    "group": ("按病组", "by group"),
    "tcm": ("中医按疗效", "TCM by outcome"),
    "per_diem": ("按床日", "per diem"),
    "quota": ("按定额（限额）", "quota or cap"),
    "by_item": ("按项目", "by item"),
    "by_cost": ("按费用折算", "by cost"),
    "hold": ("暂不支付", "held"),
    "outside": ("不由本政策支付", "outside this policy"),
}
OUTLIERS: dict[str, Pair] = {
    "normal": ("正常倍率", "normal"),
    "high": ("高倍率", "high outlier"),
    "low": ("低倍率", "low outlier"),
    "extreme": ("极高倍率", "extreme outlier"),
    "blank": ("空白病种", "blank packet"),
}
REVIEWS: dict[str, Pair] = {
    "taken": ("按评审决定", "as the review decided"),
    "over-quota": ("超过上限，不按评审", "beyond the limit, the decision does not count"),
    "kept": ("评审维持", "the review keeps the standard"),
    "not-reviewed": (
        "不按病组或费用支付的病例，评审不适用",
        "not paid by its group or cost, so the review does not apply",
    ),
}
_REASONS: dict[str, Pair] = {
    "group": ("按病组标准", "by the standard of the group"),
    "high": ("高倍率病例", "high outlier"),
    "low": ("低倍率病例", "low outlier"),
    "extreme": ("极高倍率病例", "extreme outlier"),
    "blank": ("空白病种病例", "blank packet"),
    "no-settlement": ("缺按项目结算的金额", "the amounts settled by item are missing"),
    "fund-above-cost": (
        "基金合计支付超过总费用，待核对",
        "all funds paid more than the total cost; to be checked",
    ),
    "no-benefit": ("没有适用的待遇参数", "no parameters of the benefit fit the case"),
    "benefit-differs": (
        "按待遇规则的基金与记录的其他基金合计超过总费用",
        "the fund's part by the benefit rules and the other funds recorded exceed the total cost",
    ),
    "no-pool": ("险种不属于任何基金池", "the insurance type is in no pool"),
    "no-county": (
        "不知属于哪个县（市、区）或医共体的基金池",
        "not known which county's or alliance's pool pays it",
    ),
    "no-weight": ("病组没有权重或分值", "the group has no weight or score"),
    "no-base-rate": ("没有适用的费率", "no base rate fits the case"),
    "no-coefficient": ("没有适用的系数", "no coefficient fits the case"),
    "no-stay": ("缺住院天数，支付路径或床日数取决于它", "the stay is missing, and route or days hang on it"),
    "no-group-mean": ("缺病组例均费用，倍率取决于它", "no mean cost of the group to compare the cost with"),
    "no-level-mean": ("缺同级别例均费用", "no mean cost of the group at this level"),
    "no-value": ("无法计价", "the case has no value"),
    "no-standard": ("没有适用的床日标准或定额", "no per-diem standard or quota fits the case"),
    "extreme-review": ("极高倍率，待评审", "extreme outlier, to be reviewed"),
    "not-in-force": (
        "日期不在政策有效期内，应按当日的政策另行计价",
        "of a day on which the policy does not apply; to be priced by the policy of that day",
    ),
    "held": ("分组结果无效或缺数据", "the grouping is invalid or needs data"),
    "offsite-own": ("本地参保人在外地就医，池外单列", "own people treated elsewhere, beside the pools"),
    "offsite-visitor": (
        "省内外地参保人在本地就医，池外单列",
        "people insured elsewhere in the province, beside the pools",
    ),
    "offsite-distant": (
        "外省参保人在本地就医，池外单列",
        "people insured in other provinces, beside the pools",
    ),
    "offsite-foreign": (
        "参保地、就医地都不在本地",
        "neither insured nor treated in the area",
    ),
    "offsite-unknown": ("参保地或就医地不明", "region of insurance or treatment not known"),
    "ungrouped": ("未入组", "ungrouped"),
    "ambiguous": ("歧义组", "ambiguous group"),
    **GATE_REASONS,
}
_GROUPING: dict[str, Pair] = {each.code: (each.zh, each.en) for each in OF_GROUPING}
POOLS: dict[str, Pair] = {
    "employee": ("职工", "employees"),
    "resident": ("居民", "residents"),
    "all": ("全部", "all"),
}
_POOL_OF_TYPE = {"310": "employee", "390": "resident"}
VALUES: dict[str, Pair] = {  # at which value of a point a period is settled
    "budget": ("预算点值", "the budget value"),
    "settlement": ("结算点值", "the settlement value"),
}
ROLES: dict[str, Pair] = {  # what a run of a lake reads
    "input": ("输入", "input"),
    "correction": ("更正", "correction"),
    "decisions": ("评审决定", "decisions"),
    "revision": ("预算调整", "budget revision"),
    "budget": ("预算", "budget"),
    "hospitals": ("医院表", "hospitals"),
    "columns": ("列映射", "column map"),
    "inputs": ("输入清单", "list of inputs"),
    "run": ("运行", "run"),
    "policy": ("支付政策", "policy"),
    "scheme": ("分组方案", "scheme"),
}
UNITS: dict[str, Pair] = {
    "yuan": ("元", "yuan"),
    "points": ("点", "points"),
    "ratio": ("倍", "times"),
    "share": ("", ""),
    "factor": ("", ""),
    "days": ("天", "days"),
    "cases": ("", ""),
    "yuan/weight": ("元/权重", "yuan/weight"),
    "yuan/point": ("元/点", "yuan/point"),
    "yuan/day": ("元/天", "yuan/day"),
    "yuan/head": ("元/人", "yuan/head"),
    "points/weight": ("点/权重", "points/weight"),
    "months": ("个月", "months"),
    "digits": ("位", "digits"),
    "score": ("分", "score"),
}
COLUMNS: dict[str, Pair] = {
    "record_id": ("记录号", "record"),
    "hospital_code": ("医院", "hospital"),
    "hospital_level": ("医院等级", "hospital level"),
    "hospital_kind": ("医院类别", "kind of hospital"),
    "county": ("县区", "county"),
    "alliance": ("医共体", "alliance"),
    "region_code": ("参保地", "region of insurance"),
    "pool_part": ("基金池所属县区（医共体）", "county or alliance of the pool"),
    "offsite": ("异地就医", "treated elsewhere, or insured elsewhere"),
    "insurance_type": ("险种", "insurance type"),
    "admission_type": ("就医类型", "admission type"),
    "payment_method": ("医保支付方式", "payment method"),
    "department": ("科室", "department"),
    "person_id": ("人员", "person"),
    "status": ("分组状态", "status of grouping"),
    "reason": ("分组原因", "reason of grouping"),
    "group": ("病组", "group"),
    "price_group": ("计价病组", "group priced"),
    "dip_kind": ("病种类别", "kind of packet"),
    "primary_care": ("基层病种", "packet of primary care"),
    "score": ("病种分值", "packet score"),
    "discharge_way": ("离院方式", "way of discharge"),
    "los_days": ("住院天数", "days of stay"),
    "age_years": ("年龄", "age"),
    "principal": ("主要诊断", "principal diagnosis"),
    "diagnoses": ("诊断", "diagnoses"),
    "procedures": ("手术操作", "procedures"),
    "total_cost": ("总费用", "total cost"),
    "own_expense": ("全自费", "own expense"),
    "self_pay_first": ("先自付", "self-paid first"),
    "deductible": ("起付线", "deductible"),
    "pool_paid": ("按项目统筹基金", "pool paid by item"),
    "fund_paid": ("按项目基金合计", "all funds by item"),
    "pool_paid_before": ("本年此前统筹基金已付", "paid by the pool earlier in the year"),
    "auxiliary_coefficient": ("辅助目录系数", "auxiliary coefficient"),
    "unreasonable_cost": ("不合理费用", "unreasonable cost"),
    "new_technology_cost": ("除外支付费用", "carved-out cost"),
    "special_review": ("特例单议", "special review"),
    "special_review_amount": ("评审金额", "amount by review"),
    "special_review_points": ("评审点数", "points by review"),
    "readmission_justified": ("再住院有正当理由", "readmission justified"),
    "admission_date": ("入院日期", "day of admission"),
    "discharge_date": ("出院日期", "day of discharge"),
    "tcm_share": ("中治率", "TCM share"),
    "tcm_outcome": ("中医疗效", "TCM outcome"),
    "tcm_pathway": ("中医路径", "TCM pathway"),
    "hospital_coefficient": ("医院系数", "hospital coefficient"),
    "hospital_cases": ("本院出院病例数", "discharges of the hospital"),
    "area_cases": ("统筹地区按病种付费出院病例数", "discharges of the pooling area under DRG/DIP"),
    "readmitted_after": ("至再住院天数", "days until readmission"),
    "settlement_id": ("结算号", "settlement"),
    "visit_id": ("就诊号", "visit"),
    "record_no": ("病案号", "chart number"),
    "refund_flag": ("冲正标志", "refund flag"),
    "valid_flag": ("有效标志", "flag of validity"),
    "interim_flag": ("中途结算标志", "flag of interim bills"),
    "settlement_date": ("结算日期", "day of settlement"),
    "serious_illness_paid": ("大病保险支付", "paid by serious-illness insurance"),
    "large_amount_paid": ("职工大额补助支付", "paid by large-amount aid"),
    "civil_servant_paid": ("公务员补助支付", "paid by aid of civil servants"),
    "medical_aid_paid": ("医疗救助支付", "paid by medical aid"),
    "account_paid": ("个人账户支付", "paid from the account"),
    "cash_paid": ("现金支付", "paid in cash"),
    "person_paid": ("个人支付", "paid by the person"),
    "in_scope_amount": ("符合政策范围金额", "amount in scope"),
    "weight": ("权重", "weight"),
    "pool": ("基金池", "pool"),
    "base": ("基准点数", "base points"),
    "route": ("支付路径", "route"),
    "method": ("支付方式", "method"),
}
RECORD_WORDS: dict[str, Pair] = {  # what the conditions of routes ask a column of the record for
    "psychiatric": ("精神专科", "psychiatric"),
    "rehabilitation": ("康复专科", "rehabilitation"),
    "hospice": ("安宁疗护", "hospice"),
    "fracture_reduction": ("骨折手法复位", "reduction of fractures"),
    "anorectal": ("肛肠", "anorectal"),
    "same_price": ("同病同价", "same price"),
}


def pick(pair: Pair, lang: str) -> str:
    """The Chinese or the English of a pair."""
    return pair[1] if lang == "en" else pair[0]


def unit(name: str, lang: str) -> str:
    """A unit in words; one that is not known comes back as it is."""
    return pick(UNITS.get(name, (name, name)), lang)


def reason(code: str, lang: str, routes: Mapping[str, Pair] | None = None) -> str:
    """Why a case is paid as it is: of the program, of a route of the policy, of a method, or of its
    grouping."""
    known = {**_GROUPING, **METHODS, **(routes or {}), **_REASONS}
    return pick(known.get(code, (code, code)), lang)


def pool_pair(name: str) -> Pair:
    """The name of a pool: its insurance, and the county or alliance whose money it is; the policy's own names
    come back as they are."""
    zh, en = POOLS.get(pool_names.insurance(name), (pool_names.insurance(name),) * 2)
    of = pool_names.part(name)
    if not of:
        return zh, en
    of_zh, of_en = pool_names.part_name(of)
    return f"{zh}·{of_zh}", f"{en}, {of_en}"


def pool(name: str, lang: str) -> str:
    """The name of a pool in words."""
    return pick(pool_pair(name), lang)


def pool_named(text: str, pools: Iterable[str]) -> str:
    """Which of ``pools`` a text names: by its own name, by its name in words, or by a word of its 险种 (职工,
    城乡居民医保, employees), for one county with the county's code or name behind (职工/331121, 职工·青田县);
    else the text."""
    own = list(pools)
    if text in own:
        return text
    kind, between, of = text.strip().replace("·", "/").replace(", ", "/").partition("/")
    if between:
        head = pool_named(kind, dict.fromkeys(map(pool_names.insurance, own)))
        parts = [pool_names.part(each) for each in own if pool_names.insurance(each) == head]
        return pool_names.joined(head.strip(), pool_names.part_named(of.strip(), parts)) or text
    short = text.strip().removesuffix("基金池").removesuffix("池").removesuffix("基金")
    of_type = _POOL_OF_TYPE.get(WordReader("insurance_type")(short).value)
    named = (of_type, *(name for name, pair in POOLS.items() if short.casefold() in pair))
    return next((name for name in named if name in own), text)


def pools_told(pools: Iterable[str]) -> str:
    """Pools for a message, each with its Chinese name."""
    named = [(name, pool(name, "zh")) for name in sorted(pools)]
    return "、".join(name if name == zh else f"{name} {zh}" for name, zh in named)


def column(name: str, lang: str) -> str:
    """The label of an input column."""
    return pick(COLUMNS.get(name, (name, name)), lang)


def labelled(expr: Expr, lang: str) -> Expr:
    """The formula with the names of its columns in words: for showing only."""

    def rename(part: Any) -> Any:
        if isinstance(part, Field):
            words = pick(COLUMNS.get(part.name, (part.zh or part.name, part.en or part.name)), lang)
            return replace(part, zh=words, en=words)
        if isinstance(part, OneOf) and not part.prefix:
            said = tuple(pick(RECORD_WORDS.get(word, (word, word)), lang) for word in part.words)
            return replace(part, name=column(part.name, lang), words=said)
        if isinstance(part, Text | Bool | OneOf | AnyPrefix):
            return replace(part, name=column(part.name, lang))
        return part

    return mapped(expr, rename)


def mapped(expr: E, change: Any) -> E:
    """The formula with ``change`` applied to every part of it, innermost first."""
    if isinstance(expr, tuple):
        # a tuple for a tuple, which a type variable cannot say
        return tuple(mapped(part, change) for part in expr)  # type: ignore[return-value]
    if not isinstance(expr, Expr) or not is_dataclass(expr):
        return expr
    parts = {f.name: getattr(expr, f.name) for f in fields(expr)}
    inner = {name: mapped(part, change) for name, part in parts.items() if isinstance(part, Expr | tuple)}
    return change(replace(expr, **inner) if inner else expr)


def in_words(expr: Expr, lang: str) -> str:
    """A condition or formula with column names in words."""
    return labelled(expr, lang).show(lang)
