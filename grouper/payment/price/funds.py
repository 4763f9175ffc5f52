"""From the value of a case to yuan, and to what the fund, the patient and other funds pay."""

from __future__ import annotations

from grouper.payment.formula.expression import ONE, ZERO, Case, Expr, Field, Limit, Null, Text, Word
from grouper.payment.formula.predicates import All, Any_, Compare, IsNull, Not, OneOf
from grouper.payment.policy import pool_names
from grouper.payment.price.per_diem import per_diem_amount
from grouper.payment.price.routing import FOREIGN, NO_STAY, offsite_apart
from grouper.payment.price.steps import FUND_PAID, IS_GROUP, LOS, POOL_PAID, TOTAL, Context, money

OWN = money("own_expense", "全自费", "own expense")
FIRST = money("self_pay_first", "先自付", "self-paid first")
DEDUCTIBLE = money("deductible", "起付线", "deductible")
PAID_BEFORE = money("pool_paid_before", "本年此前统筹基金已付", "paid by the pool earlier in the year")
ITEM_BASE = money("item_base", "待遇计算基数", "amount that the benefit is of")
ITEM_REST = money("item_rest", "年度限额余额", "left of the year's limit")
ITEM_FUND = money("item_fund", "按待遇规则的基金", "fund by the benefit rules")
PERSON = money("person_paid", "个人支付", "patient paid")
BY_ITEM = OneOf("method", ("by_item",))
# By the benefit rules less than nothing is left for the patient: records and rules do not fit.
OVERPAID = All((BY_ITEM, Compare(PERSON, "<", ZERO)))
# An amount without what patients and funds paid by item: the fund's part, or that of others, is not known.
NO_FUND = All(
    (Not(OneOf("method", ("outside",))), Not(IsNull(Field("amount", 2))), IsNull(Field("income", 2)))
)
# Records that cannot be: funds paid more than the case cost.
ABOVE = All((Not(OneOf("method", ("outside",))), Compare(FUND_PAID, ">", TOTAL)))
# What the benefit of a case by item is made of.
BENEFIT = ("policy_ratio", "item_deductible", "item_cap", "item_annual_cap")
VALUED = Any_((IS_GROUP, OneOf("method", ("by_cost",))))


def add(context: Context) -> None:
    """Columns amount, fund_due, person_paid, other_funds, income, pay_status, pay_reason."""
    item = _item_fund(context)
    _amount(context)
    context.add("person_paid", _person(context, item), "yuan", 2, "个人支付", "paid by the patient")
    context.add("other_funds", _others(context), "yuan", 2, "其他基金", "other funds")
    _fund(context, item)
    income = money("fund_due", "", "") + money("person_paid", "", "") + money("other_funds", "", "")
    context.add("income", income, "yuan", 2, "医院所得", "income of the hospital")
    context.text("pay_status", _status(context), "支付状态", "payment status")
    context.text("pay_reason", _reason(context), "支付原因", "payment reason")


def _item_fund(context: Context) -> Expr:
    """The fund's part of a case by item: as recorded, or a column by the benefit rules.

    A case that lacks an amount or a parameter has no part: a limit that is not known is not skipped.
    """
    if context.values.plain("item_rule") != "benefit":
        return POOL_PAID
    values = context.values
    ratio, cap = values.need_number("policy_ratio"), values.number("item_cap")
    annual, own_deductible = values.number("item_annual_cap"), values.number("item_deductible")
    deductible = DEDUCTIBLE if own_deductible is None else own_deductible
    read = [OWN, FIRST, POOL_PAID, FUND_PAID]
    read += [DEDUCTIBLE] if own_deductible is None else []
    read += [] if annual is None else [PAID_BEFORE]
    known = (BY_ITEM, Not(_no_benefit(context)), *(Not(IsNull(column)) for column in read))
    base = Limit(TOTAL - OWN - FIRST - deductible, ZERO, least=False)
    context.add("item_base", Case(((All(known), base),), Null()), "yuan", 2, ITEM_BASE.zh, ITEM_BASE.en)
    counted = Not(IsNull(ITEM_BASE))
    fund: Expr = ITEM_BASE * ratio
    if cap is not None:
        fund = Limit(fund, cap, least=True)
    if annual is not None:
        rest = Limit(annual - PAID_BEFORE, ZERO, least=False)
        context.add("item_rest", Case(((counted, rest),), Null()), "yuan", 2, ITEM_REST.zh, ITEM_REST.en)
        fund = Limit(fund, ITEM_REST, least=True)
    by_rule = values.cited(Case(((counted, fund),), Null()), "item_rule")
    context.add("item_fund", by_rule, "yuan", 2, ITEM_FUND.zh, ITEM_FUND.en)
    difference = ITEM_FUND - POOL_PAID
    context.add("item_difference", difference, "yuan", 2, "待遇与记录之差", "benefit less what is recorded")
    return ITEM_FUND


def _no_benefit(context: Context) -> Expr:
    """A parameter of the benefit has no entry for the case, or one below 0."""
    found = (context.values.number(name) for name in BENEFIT)
    return Any_(tuple(Not(Compare(number, ">=", ZERO)) for number in found if number is not None))


def _amount(context: Context) -> None:
    values = context.values
    valued: Expr = context.field("case_value")
    if context.in_points:
        point_value = values.number("point_value")
        if point_value is None:
            valued = Null()
        else:
            column = context.add(
                "point_value", point_value, "yuan/point", 10, "预算点值", "budget point value"
            )
            valued = valued * column
    shares = _tcm_share(context)
    if shares is not None:
        valued = valued * context.add(
            "tcm_payable_share", shares, "share", 4, "中医疗效付费应付比例", "share payable by outcome"
        )
    branches: list[tuple[Expr, Expr]] = [(VALUED, valued)]
    if _uses(context, "per_diem"):
        branches.append((OneOf("method", ("per_diem",)), _per_diem(context, valued)))
    if _uses(context, "quota"):
        branches.append((OneOf("method", ("quota",)), _quota(context)))
    branches += [(BY_ITEM, TOTAL), (OneOf("method", ("outside",)), ZERO)]
    amount: Expr = Case(tuple(branches), Null())
    carved = values.number("new_technology_share")
    if carved is not None:
        cost = money("new_technology_cost", "除外支付费用", "carved-out cost")
        context.add(
            "new_technology_amount", cost * carved, "yuan", 2, "除外支付", "new technology paid apart"
        )
        extra = money("new_technology_amount", "除外支付", "new technology paid apart")
        amount = Case(((VALUED, amount + extra),), amount)
    context.add("amount", amount, "yuan", 2, "应付总额", "amount due in all")


def _per_diem(context: Context, valued: Expr) -> Expr:
    """Bed-days in yuan, or where the policy says so by their points."""
    values = context.values
    if not context.in_points:
        return per_diem_amount(context)
    amount = valued if values.plain("per_diem_in_points") else per_diem_amount(context)
    return values.cited(amount, "per_diem_in_points")


def _uses(context: Context, method: str) -> bool:
    return any(route.method == method for route in context.policy.routes)


def _tcm_share(context: Context) -> Expr | None:
    """First instalment while the outcome is open or not met, all when it is met; a readmission claws back."""
    first = context.values.number("tcm_first_share") if _uses(context, "tcm") else None
    if first is None:
        return None
    branches = (
        (OneOf("tcm_outcome", ("met",)), ONE),
        (OneOf("tcm_outcome", ("failed",)), first),
        (OneOf("tcm_outcome", ("readmitted",)), context.values.need_number("tcm_readmitted_share")),
    )
    return Case(((OneOf("method", ("tcm",)), Case(branches, first)),), ONE)


def _quota(context: Context) -> Expr:
    """A flat quota pays the same whatever the cost; a cap pays the cost where that is less."""
    values = context.values
    quota = values.need_number("quota")
    capped = values.need("quota_kind") == "cap"
    return values.cited(Limit(quota, TOTAL, least=True) if capped else quota, "quota_kind")


def _patient_share(context: Context) -> Expr | None:
    """The patient's share of a quota, where the policy has quotas and sets it."""
    return context.values.number("quota_patient_share") if _uses(context, "quota") else None


def _person(context: Context, item: Expr) -> Expr:
    """By item, whatever the method; a quota may set the patient's share."""
    by_item: Expr = TOTAL - FUND_PAID
    if item is not POOL_PAID:
        by_item = Case(((BY_ITEM, TOTAL - item - (FUND_PAID - POOL_PAID)),), by_item)
    share = _patient_share(context)
    if share is None:
        return by_item
    amount = money("amount", "应付总额", "amount due")
    return Case(((OneOf("method", ("quota",)), amount * share),), by_item)


def _others(context: Context) -> Expr:
    by_item = FUND_PAID - POOL_PAID
    if _patient_share(context) is None:
        return by_item
    return Case(((OneOf("method", ("quota",)), ZERO),), by_item)


def _fund(context: Context, item: Expr) -> None:
    values = context.values
    amount = money("amount", "应付总额", "amount due")
    formula = values.need("fund_formula")
    rest = amount - PERSON - money("other_funds", "其他基金", "other funds")
    formulas: dict[str, Expr] = {"F1": rest, "points": amount}
    if formula == "F2":
        formulas["F2"] = (amount - OWN - FIRST - DEDUCTIBLE) * values.need_number("policy_ratio")
    formulas["F3"] = amount * (POOL_PAID / TOTAL)
    # The point value of fund money prices no quota and no bed-day: of their amount the patient pays.
    apart = rest if formula == "points" else formulas[formula]
    raw = Case(
        (
            (BY_ITEM, values.cited(item, "item_rule")),
            (OneOf("method", ("outside",)), ZERO),
            (OneOf("method", ("quota", "per_diem")), values.cited(apart, "fund_formula")),
        ),
        values.cited(formulas[formula], "fund_formula"),
    )
    if _patient_share(context) is not None:
        raw = Case(((OneOf("method", ("quota",)), values.cited(rest, "quota_patient_share")),), raw)
    context.add("fund_raw", raw, "yuan", 2, "基金应付（未取下限）", "fund due before the floor")
    fund = money("fund_raw", "基金应付", "fund due")
    below = Compare(fund, "<", ZERO)
    floored: Expr = Case(((below, ZERO),), fund) if values.need("fund_floor") == "zero" else fund
    floored = values.cited(floored, "fund_floor", when=below)
    if item is not POOL_PAID:
        floored = Case(((OVERPAID, Null()),), floored)
    context.add("fund_due", floored, "yuan", 2, "基金应付", "fund due")


def _status(context: Context) -> Expr:
    above = ((ABOVE, Word("held")),) if context.hold_above else ()
    return Case(
        (
            (OneOf("method", ("hold",)), Word("held")),
            (OneOf("method", ("outside",)), Word("outside")),
            (All((VALUED, IsNull(Field("case_value")))), Word("held")),
            (All((OneOf("method", ("per_diem", "quota")), IsNull(Field("amount", 2)))), Word("held")),
            (NO_FUND, Word("held")),
            *above,
        ),
        Word("paid"),
    )


def _no_county(context: Context) -> list[tuple[Expr, Expr]]:
    """Held as the pool is not known, where pools are by county or alliance."""
    if not context.has(pool_names.PART):
        return []
    held = OneOf("method", ("hold",))
    none = IsNull(Text(pool_names.PART))
    return [(All((held, none, Not(OneOf("route", ("held", NO_STAY, FOREIGN))))), Word("no-county"))]


def _reason(context: Context) -> Expr:
    """Why a case is held, or by which rule it is paid."""
    unvalued = IsNull(Field("case_value"))
    missing: list[tuple[Expr, Expr]] = [
        (IsNull(Text("pool")), Word("no-pool")),
        *_no_county(context),
        (OneOf("method", ("hold",)), Case(((OneOf("route", ("group",)), Word("no-weight")),), Text("route"))),
    ]
    if apart := offsite_apart(context):
        missing.append((OneOf("route", apart), Text("route")))
    for name, word in (
        ("base_rate", "no-base-rate"),
        ("coefficient", "no-coefficient"),
        ("level_mean", "no-level-mean"),
    ):
        if context.has(name):
            missing.append((All((IS_GROUP, unvalued, IsNull(Field(name)))), Word(word)))
    if context.values.plain("ratio_denominator") == "group_mean":
        none = Not(Compare(Field("group_mean", 2), ">", ZERO))
        missing.append((All((OneOf("method", ("group",)), unvalued, none)), Word("no-group-mean")))
    missing.append((All((OneOf("outlier", ("extreme",)), unvalued)), Word("extreme-review")))
    missing.append((All((VALUED, unvalued)), Word("no-value")))
    if _uses(context, "per_diem"):
        by_day = OneOf("method", ("per_diem",))
        missing.append((All((by_day, IsNull(LOS), IsNull(Field("amount", 2)))), Word("no-stay")))
    missing.append(
        (All((OneOf("method", ("per_diem", "quota")), IsNull(Field("amount", 2)))), Word("no-standard"))
    )
    if context.has("item_fund"):
        missing.append((All((BY_ITEM, _no_benefit(context))), Word("no-benefit")))
        missing.append((OVERPAID, Word("benefit-differs")))
    missing.append((NO_FUND, Word("no-settlement")))
    missing += [(ABOVE, Word("fund-above-cost"))] if context.hold_above else []
    missing.append(
        (
            IS_GROUP,
            Case(((OneOf("outlier", ("high", "low", "extreme", "blank")), Text("outlier")),), Text("method")),
        )
    )
    return Case(tuple(missing), Text("method"))
