"""What changes a case's value after its group: auxiliary, TCM, special review, readmission."""

from __future__ import annotations

from decimal import Decimal

from grouper.payment.formula.expression import ONE, Case, Expr, Field, Null, Number, Text, Whole, Word
from grouper.payment.formula.predicates import All, Any_, Compare, IsNull, Not, OneOf
from grouper.payment.formula.window import Rank
from grouper.payment.policy.digits import BASE_DIGITS
from grouper.payment.price.outliers import cost_value
from grouper.payment.price.per_diem import per_diem_amount
from grouper.payment.price.routing import factor_of
from grouper.payment.price.steps import IS_GROUP, Context, money

AUXILIARY = Field("auxiliary_coefficient", 4, "辅助目录系数", "auxiliary coefficient")


def add(context: Context) -> None:
    """Columns value_before_review, special_review, readmission_factor, case_value."""
    digits = BASE_DIGITS if context.in_points else 2
    value: Expr = context.add(
        "adjusted_value",
        _adjusted(context),
        context.unit,
        digits,
        "调整后价值",
        "value after adjustments",
    )
    value = _review(context, value)
    value = _readmission(context, value)
    final = context.values.need("points_digits") if context.in_points else 2
    zh, en = (
        ("病例点数（分值）", "points of the case")
        if context.in_points
        else ("病例支付标准", "value of the case")
    )
    if context.in_points:
        value = context.values.cited(value, "points_digits")
    context.add("case_value", value, context.unit, final, zh, en)


def _adjusted(context: Context) -> Expr:
    """The group's value with the auxiliary and TCM factors; cases without a group by their cost."""
    values = context.values
    grouped: Expr = context.field("group_value")
    if context.policy.method == "dip":
        grouped = Case(((_without_auxiliary(context), grouped),), grouped * AUXILIARY)
        grouped = values.cited(grouped, "auxiliary_exempt", when=OneOf("method", ("tcm",)))
    if any(route.method == "tcm" for route in context.policy.routes):
        same = values.need_number("tcm_coefficient")
        grouped = Case(((OneOf("method", ("tcm",)), grouped * same),), grouped)
    uplift = values.number("tcm_uplift")
    if uplift is not None:
        share = Field("tcm_share", 4, "中治率", "TCM share")
        enough = Compare(share, ">=", values.need_number("tcm_uplift_from"))
        grouped = Case(((enough, grouped * (ONE + uplift)),), grouped)
    factor = factor_of(context)
    by_cost = cost_value(context) if factor is None else cost_value(context) * factor
    branches: list[tuple[Expr, Expr]] = [(IS_GROUP, grouped), (OneOf("method", ("by_cost",)), by_cost)]
    adjusted: Expr = Null()
    if context.in_points:
        by_day = OneOf("method", ("per_diem",))
        adjusted = values.cited(adjusted, "per_diem_in_points", when=by_day)
        if values.plain("per_diem_in_points"):
            days = cost_value(context, per_diem_amount(context))
            branches.append((by_day, values.cited(days, "per_diem_in_points")))
    return Case(tuple(branches), adjusted)


def _without_auxiliary(context: Context) -> Expr:
    """Blank packets take no coefficient at all; others as the policy says."""
    exempt: tuple[Expr, ...] = (OneOf("outlier", ("blank",)),)
    if "tcm" in (context.values.plain("auxiliary_exempt") or ()):
        exempt = (*exempt, OneOf("method", ("tcm",)))
    return Any_(exempt)


def _quota_base(context: Context) -> tuple[tuple[str, ...], Field]:
    """Among which cases special reviews are ranked, and the discharges that the quota is a share of."""
    if context.values.plain("quota_base") == "pool":
        return (), Field("area_cases", 0, "统筹地区按病种付费出院病例数", "discharges of the area by group")
    return ("hospital_code",), Field("hospital_cases", 0, "本院出院病例数", "discharges of the hospital")


def _review(context: Context, value: Expr) -> Expr:
    """The decision of a special review replaces the value, within the quota of the area or hospital."""
    values = context.values
    quota = values.number("special_review_quota")
    if quota is None:
        return value
    reviewed = Any_((IS_GROUP, OneOf("method", ("by_cost",))))
    asked = All((OneOf("special_review", ("by_item", "adjust")), reviewed))
    within, discharges = _quota_base(context)
    rank = Rank("review_rank", within, asked, Field("cost_considered", 2))
    context.add("review_rank", rank, "cases", 0, "特例单议排序", "rank among special reviews")
    allowed = Whole(quota * discharges)
    taken = Case(
        (
            (All((asked, Compare(Field("review_rank"), "<=", allowed))), Word("taken")),
            (asked, Word("over-quota")),
            (OneOf("special_review", ("keep",)), Word("kept")),
            (Not(IsNull(Text("special_review"))), Word("not-reviewed")),
        ),
        Null(),
    )
    context.text("review_result", taken, "特例单议结果", "result of the special review")
    amount = money("special_review_amount", "评审金额", "amount by review")
    decided: Expr = amount
    if context.in_points:  # an amount is worth its points
        points = Field("special_review_points", 4, "评审点数", "points by review")
        decided = Case(((IsNull(points), cost_value(context, amount)),), points)
    by_review = Case(((OneOf("special_review", ("adjust",)), decided),), cost_value(context))
    branches: list[tuple[Expr, Expr]] = [(OneOf("review_result", ("taken",)), by_review)]
    kept = All((OneOf("review_result", ("kept",)), OneOf("outlier", ("extreme",))))
    if values.plain("extreme_rule") == "hold":  # the review keeps the standard: no longer held
        branches.append((kept, context.field("standard")))
    result = values.cited(Case(tuple(branches), value), "extreme_rule", when=kept)
    counted = OneOf("review_result", ("taken", "over-quota"))
    return values.cited(
        values.cited(result, "special_review_quota", when=counted), "quota_base", when=counted
    )


def _readmission(context: Context, value: Expr) -> Expr:
    """A stay that was followed by a readmission without good reason loses a share of its value."""
    values = context.values
    days = values.plain("readmission_days")
    if days is None:
        return value
    after = Field("readmitted_after", 0, "至再住院天数", "days until readmission")
    tests: list[Expr] = [
        IS_GROUP,
        Not(IsNull(after)),
        Not(OneOf("readmission_justified", ("yes",))),
        Compare(after, "<=", Number(Decimal(days), "readmission_days", "再住院天数界限", "readmission days")),
    ]
    exempt, back = values.plain("readmission_exempt"), All(tuple(tests))
    spared = Any_((OneOf("principal", exempt, prefix=True),) if exempt else ())
    if exempt:
        tests.append(Not(spared))
    counted = values.cited(values.need_number("readmission_factor"), "readmission_same")
    factor: Expr = Case(((All(tuple(tests)), counted),), ONE)
    factor = values.cited(factor, "readmission_exempt", when=All((back, spared)))
    column = context.add("readmission_factor", factor, "factor", 4, "再住院乘数", "readmission factor")
    return value * column
