"""Every parameter that a policy may set: its unit, its kind and what it does, in two languages.

A parameter that is not here is a mistake in a policy file. What a parameter does is said once,
here; docs/payment.md is made from it.
"""

from __future__ import annotations

from typing import NamedTuple

KEYS = {  # what a parameter may depend on: name in policies -> column of the case table
    "pool": "pool",
    "level": "hospital_level",
    "hospital": "hospital_code",
    "route": "route",
    "group": "price_group",
    "weight": "weight",
    "points": "base",
    "county": "county",
}
BANDED = frozenset({"weight", "points"})


class Spec(NamedTuple):
    """``kind``: number, count, flag, choice, words, tiers, segments. ``choices`` where kind is choice."""

    kind: str
    unit: str
    zh: str
    en: str
    choices: tuple[str, ...] = ()


VALUE_RULES = ("hold", "by_item", "by_cost", "standard")
HIGH = (
    "standard",
    "excess_over_standard",
    "excess_over_denominator",
    "excess_over_base",
    "excess_by_group_mean",
    "multiple_of_standard",
    "multiple_without_coefficient",
    "slope_of_standard",
    "share_of_cost",
)
LOW = (
    "standard",
    "cost",
    "share_of_standard",
    "share_of_base",
    "share_by_group_mean",
    "incomplete_stay",
)
# what a cost is divided by, and what the formulas of outliers are: payment/price/formulas
DENOMINATORS = (
    "standard", "group_mean", "mean_by_weight", "mean_by_weight_and_coefficient", "level_mean",
    "last_year_level_mean", "adjusted_standard",
)  # fmt: skip
LOW_EXEMPT = ("day_surgery", "death", "transfer")

PARAMETERS: dict[str, Spec] = {
    # standard
    "base_rate": Spec("number", "yuan/weight", "基础费率", "base rate"),
    "points_scale": Spec("number", "points/weight", "权重为1的病例的点数", "points of a case of weight 1"),
    "mean_cost": Spec("number", "yuan", "全部病例例均费用", "mean cost of all cases"),
    "point_value": Spec("number", "yuan/point", "预算点值", "budget point value"),
    "points_digits": Spec("count", "digits", "点数（分值）保留小数位数", "decimals of a case's points"),
    # coefficients
    "coefficient_rule": Spec(
        "choice",
        "",
        "机构系数取法：无、等级、机构、病组×等级、病组×机构（缺则取等级）、机构与等级加权",
        "which coefficient: none, level, hospital, group by level, group by hospital (else the level's), "
        "mix of hospital and level",
        ("none", "level", "hospital", "group_level", "group_hospital", "mix"),
    ),
    "level_coefficient": Spec("number", "factor", "等级系数", "coefficient of the hospital level"),
    "hospital_coefficient": Spec("number", "factor", "医院系数", "coefficient of the hospital"),
    "hospital_share": Spec(
        "number", "share", "加权取系数时医院系数的比重", "share of the hospital's coefficient in the mix"
    ),
    "coefficient_min": Spec("number", "factor", "系数下限", "lower bound of the coefficient"),
    "coefficient_max": Spec("number", "factor", "系数上限", "upper bound of the coefficient"),
    "basic_group_coefficient": Spec(
        "number", "factor", "基层（基础）病组系数", "coefficient of groups paid alike at all levels"
    ),
    "primary_care_by": Spec(
        "choice",
        "",
        "DIP 基层病种的认定：kind 目录中类型为基层病种的条目，mark 还包括分组结果 primary_care 列为真的病例"
        "（不设则只按类型）",
        "which DIP cases are of primary care: kind, entries of that kind (also where it is not set); mark, "
        "also cases whose column primary_care, which grouping gives, is true",
        ("kind", "mark"),
    ),
    "day_surgery_coefficient": Spec("number", "factor", "日间手术系数", "factor on day surgery"),
    # outliers
    "ratio_denominator": Spec("choice", "", "倍率的分母", "what the cost ratio divides by", DENOMINATORS),
    "denominator_adjustment": Spec("number", "factor", "倍率分母的调节系数", "adjustment of the denominator"),
    "high_threshold": Spec("number", "ratio", "高倍率界限", "limit of high outliers"),
    "high_inclusive": Spec("flag", "", "等于高倍率界限也算高倍率", "a ratio at the high limit is high"),
    "high_formula": Spec("choice", "", "高倍率病例算法", "how high outliers are valued", HIGH),
    "high_discount": Spec("number", "factor", "高倍率超额部分折扣", "factor on the excess of a high outlier"),
    "high_case_cap": Spec(
        "number",
        "share",
        "高倍率病例数占出院病例的上限（按超额排序，余者按正常）",
        "high outliers at most, as a share of the hospital's discharges (by excess; the rest are normal)",
    ),
    "extreme_threshold": Spec("number", "ratio", "极高倍率界限", "limit of extreme outliers"),
    "extreme_rule": Spec(
        "choice",
        "",
        "极高倍率病例：按标准、按高倍率、待评审",
        "extreme outliers: standard, as high, or held for review",
        ("standard", "high", "hold"),
    ),
    "low_threshold": Spec("number", "ratio", "低倍率界限", "limit of low outliers"),
    "low_inclusive": Spec("flag", "", "等于低倍率界限也算低倍率", "a ratio at the low limit is low"),
    "low_formula": Spec("choice", "", "低倍率病例算法", "how low outliers are valued", LOW),
    "low_exempt": Spec(
        "words",
        "",
        "不按低倍率处理：day_surgery 日间手术、death 死亡、transfer 转院",
        "never low: day_surgery, death, transfer",
        LOW_EXEMPT,
    ),
    # cases without a usable group
    # city and counties
    "county_surplus_share": Spec(
        "number", "share", "年度结余归县（市、区）的比例", "share of a year's surplus that counties keep"
    ),
    "county_overspend_share": Spec(
        "number",
        "share",
        "年度超支由县（市、区）承担的比例",
        "share of a year's overspend that counties bear",
    ),
    "county_share_by": Spec(
        "choice",
        "",
        "市县分担的依据：预算文件中各县的比重（不设亦然），或各县基金池自己的结余、超支",
        "what counties share: by_weight, the pool's balance by their weights in the budget file (also where "
        "it is not set); own_balance, each what its own pool leaves or lacks",
        ("by_weight", "own_balance"),
    ),
    # whose money pays a case
    "pool_by": Spec(
        "choice",
        "",
        "基金池在险种之下再分：按医院所在县（市、区），按参保地的县（市、区），"
        "或按医院所属医共体、不属于医共体的按所在县（不设则只分险种）",
        "what pools are by, beside the insurance: hospital_county, the county of the hospital; "
        "insured_county, that of the insured; alliance, the alliance (医共体) of the hospital, or the county "
        "of one that is in none (where it is not set, the insurance only)",
        ("hospital_county", "insured_county", "alliance"),
    ),
    # people of other regions, and own people treated elsewhere
    "offsite_own_rule": Spec(
        "choice",
        "",
        "本地参保人在外地就医的病例：计入本地基金池，或池外单列",
        "cases of own people treated elsewhere: inside the pools, or on an account beside them",
        ("inside", "outside"),
    ),
    "offsite_visitor_rule": Spec(
        "choice",
        "",
        "省内其他地区参保人在本地就医的病例：计入本地基金池，或池外单列",
        "cases here of people insured elsewhere in the province: inside the pools, or beside them",
        ("inside", "outside"),
    ),
    "offsite_distant_rule": Spec(
        "choice",
        "",
        "外省参保人在本地就医的病例：计入本地基金池，或池外单列",
        "cases here of people insured in other provinces: inside the pools, or beside them",
        ("inside", "outside"),
    ),
    "offsite_unknown_rule": Spec(
        "choice",
        "",
        "参保地或就医地不明的病例：计入本地基金池，或暂不支付",
        "cases whose region of insurance or treatment is not known: inside the pools, or held",
        ("inside", "hold"),
    ),
    "ungrouped_rule": Spec("choice", "", "未入组病例", "ungrouped cases", VALUE_RULES[:3]),
    "ungrouped_factor": Spec("number", "factor", "未入组病例折扣", "factor on ungrouped cases"),
    "ambiguous_rule": Spec("choice", "", "歧义组（QY）病例", "ambiguous (QY) cases", VALUE_RULES[:3]),
    "ambiguous_factor": Spec("number", "factor", "歧义组病例折扣", "factor on ambiguous cases"),
    "unstable_rule": Spec("choice", "", "非稳定病组病例", "cases of unstable groups", VALUE_RULES),
    "unstable_factor": Spec("number", "factor", "非稳定病组折扣", "factor on unstable groups"),
    "unweighted_rule": Spec(
        "choice", "", "病组无权重（分值）", "groups without a weight or score", VALUE_RULES[:3]
    ),
    "unweighted_factor": Spec("number", "factor", "无权重病组折扣", "factor on groups without weight"),
    "blank_packet_factor": Spec("number", "factor", "空白病种折扣", "factor on blank packets"),
    # adjustments
    "readmission_days": Spec("count", "days", "再住院天数界限", "days within which a stay is a readmission"),
    "readmission_same": Spec(
        "choice",
        "",
        "再住院：同病组或同主诊断类目",
        "readmission: same group or same principal category",
        ("group", "category"),
    ),
    "readmission_factor": Spec("number", "factor", "再住院时上次住院点数乘数", "factor on the previous stay"),
    "readmission_exempt": Spec(
        "words", "", "不算再住院的主诊断（前缀）", "principal diagnoses exempt from it (prefixes)"
    ),
    "special_review_quota": Spec(
        "number", "share", "特例单议病例占出院病例上限", "special reviews at most, as a share of discharges"
    ),
    "quota_base": Spec(
        "choice",
        "",
        "特例单议上限的基数：pool 统筹地区按病种付费的出院病例，hospital 本院出院病例（不设则为本院）",
        "what the limit of special reviews is a share of: pool, the discharges of the pooling area under "
        "DRG/DIP; hospital, those of the hospital (also where it is not set)",
        ("pool", "hospital"),
    ),
    "new_technology_share": Spec(
        "number", "share", "除外支付的新技术费用支付比例", "share paid of carved-out new technology"
    ),
    "tcm_coefficient": Spec("number", "factor", "中医同价系数", "factor on the reference standard for TCM"),
    "tcm_first_share": Spec(
        "number", "share", "中医疗效付费首付比例", "first instalment of TCM outcome payment"
    ),
    "tcm_readmitted_share": Spec(
        "number", "share", "中医疗效付费同病再住院后应付比例", "share payable when the patient was readmitted"
    ),
    "tcm_uplift": Spec("number", "share", "中医治疗加成", "uplift for TCM treatment"),
    "tcm_uplift_from": Spec(
        "number", "share", "享受加成的中治率下限", "TCM share of treatment from which the uplift applies"
    ),
    "auxiliary_exempt": Spec(
        "words", "", "不用辅助目录系数：tcm 中医优势病种", "no auxiliary coefficient for: tcm"
    ),
    # other methods
    "per_diem": Spec("tiers", "yuan/day", "床日标准（分段）", "per-diem standard by tiers of days"),
    "per_diem_cap_cost": Spec("flag", "", "床日支付不超过实际费用", "per-diem never above actual cost"),
    "per_diem_in_points": Spec(
        "flag", "", "床日费用折算为点数进入总点数", "per-diem amounts become points of the pool"
    ),
    "quota": Spec("number", "yuan", "病种定额（限额）", "quota or cap of a disease"),
    "quota_kind": Spec(
        "choice",
        "",
        "定额或限额",
        "quota or cap: a flat amount, or a cap that pays less where the cost is less",
        ("flat", "cap"),
    ),
    "quota_patient_share": Spec("number", "share", "定额病种个人负担比例", "patient's share of the quota"),
    # fund
    "fund_formula": Spec(
        "choice",
        "",
        "基金支付算法：F1 标准减个人，F2 标准再算待遇，F3 按病例支付率，points 点值只含基金",
        "fund's amount: F1 standard less patient, F2 benefit on the standard, F3 by the case's ratio, "
        "points where the point value is of fund money only",
        ("F1", "F2", "F3", "points"),
    ),
    "policy_ratio": Spec("number", "share", "政策支付比例（F2、按项目）", "benefit ratio (F2 and by item)"),
    "fund_floor": Spec(
        "choice", "", "基金应付为负时：归零或保留", "a negative fund amount: zero or carry", ("zero", "carry")
    ),
    # fee for service
    "item_rule": Spec(
        "choice",
        "",
        "按项目病例的基金支付：按记录、按待遇规则重算",
        "the fund's part of cases by item: as recorded, or by the benefit rules",
        ("recorded", "benefit"),
    ),
    "item_deductible": Spec(
        "number",
        "yuan",
        "按项目：起付线（不设则取记录的起付线）",
        "by item: deductible (without it the record's own)",
    ),
    "item_cap": Spec(
        "number", "yuan", "按项目：每例最高支付限额", "by item: most that the fund pays for a case"
    ),
    "item_annual_cap": Spec(
        "number",
        "yuan",
        "按项目：年度最高支付限额（含本次之前已付）",
        "by item: most that the fund pays for a person in a year, with what it paid before",
    ),
    # pool, month and year
    "pool_method": Spec(
        "choice",
        "",
        "统筹池算法：按标准、点值含全部费用、点值只含基金",
        "pool: by the standards, by a point value of total cost, or of fund money",
        ("standard", "points_total", "points_fund"),
    ),
    "reserve_rate": Spec("number", "share", "调剂金（风险金）比例", "reserve kept from the budget"),
    "point_value_min": Spec("number", "yuan/point", "点值下限", "floor of the point value"),
    "point_value_max": Spec("number", "yuan/point", "点值上限", "cap of the point value"),
    "prepay_rate": Spec("number", "share", "月度预拨比例", "share prepaid each month"),
    "prepay_period": Spec("choice", "", "预拨周期", "period of prepayment", ("month", "quarter")),
    "guarantee_rate": Spec("number", "share", "质量保证金比例", "quality deposit withheld"),
    "advance_months": Spec("number", "months", "预付金（月数）", "advance, in months of payment"),
    "assessment_full": Spec(
        "number", "score", "考核得分达到此分全额返还保证金", "score from which the deposit returns in full"
    ),
    "sharing_actual": Spec(
        "choice",
        "",
        "责任共担比较的实际额：按项目记账的基金，或按标准（预算点值）应付的基金",
        "what sharing compares with the budget: fund by item, or fund due at standards or the budget value",
        ("by_item", "due"),
    ),
    "sharing": Spec(
        "segments", "", "结余留用与超支分担（分段线性）", "surplus and overspend sharing, piecewise linear"
    ),
    "surplus_rule": Spec(
        "choice",
        "",
        "按标准支付的统筹池年末有结余：留在基金，或按共担后可支付额放大标准、分给医疗机构",
        "surplus of a pool at standards: it stays with the fund, or scales the standards up and is paid out",
        ("stays", "paid_out"),
    ),
    # capitation and alliance
    "capitation": Spec("number", "yuan/head", "人头标准", "capitation per head"),
    "capitation_keep": Spec("number", "share", "人头包干结余留用比例", "share of a capitation surplus kept"),
    "capitation_share": Spec(
        "number", "share", "人头包干超支由基金分担比例", "fund's share of a capitation overspend"
    ),
    "capitation_share_limit": Spec(
        "number", "share", "分担的超支不超过包干额的比例", "overspend shared up to this share of the package"
    ),
    "alliance_per_head": Spec("number", "yuan/head", "医共体人均基金", "alliance fund per insured head"),
    "alliance_reserve": Spec("number", "share", "医共体风险金比例", "reserve of the alliance total"),
    "alliance_keep": Spec("number", "share", "医共体结余留用比例", "share of the alliance surplus kept"),
    "alliance_share": Spec(
        "number", "share", "医共体合理超支分担比例", "fund's share of an alliance overspend"
    ),
    "alliance_share_limit": Spec(
        "number",
        "share",
        "医共体分担超支的上限（占总额）",
        "alliance overspend shared up to this share of the total",
    ),
    # settlement of pools and hospitals
    "outside_points": Spec(
        "choice",
        "",
        "不按病组（点数）支付的金额：从同一池预算中支出，或另行支付",
        "amounts not paid by group or points: out of the pool's budget, or apart from it",
        ("inside", "apart"),
    ),
    "assessment_rule": Spec(
        "choice",
        "",
        "得分不足时保证金返还：得分÷满额返还分、得分÷100、不返还",
        "deposit returned below the full score: score over the full score, score over 100, or nothing",
        ("of_full", "of_100", "none"),
    ),
    "prepay_base": Spec(
        "choice",
        "",
        "预拨依据：本期应付，或全年预算均分到各期",
        "what is prepaid: the due of the period, or the year's budget in equal instalments",
        ("due", "budget"),
    ),
}


def label(name: str, lang: str) -> str:
    """A parameter in a few words: what its text says before the particulars."""
    spec = PARAMETERS[name]
    return spec.en.split(":")[0] if lang == "en" else spec.zh.split("：")[0]
