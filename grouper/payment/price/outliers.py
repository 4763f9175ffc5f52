"""Outliers: the ratio of cost to a named denominator, its class, and the value of each class."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

from grouper.base.errors import TableError
from grouper.payment.formula.expression import (
    ONE,
    ZERO,
    Case,
    Expr,
    Field,
    Lookup,
    Null,
    Number,
    Text,
    Whole,
    Word,
)
from grouper.payment.formula.predicates import All, Any_, Compare, IsNull, Not, OneOf
from grouper.payment.formula.window import Rank
from grouper.payment.policy.digits import BASE_DIGITS, RATIO_DIGITS
from grouper.payment.price.formulas import DENOMINATORS, HIGH, LOW, Divisors, Terms
from grouper.payment.price.steps import COST, IS_GROUP, TOTAL, Context, money

# TCM is paid at the standard of its reference whatever it cost, so that outlier rules do not reach it.
BY_RATIO = OneOf("method", ("group",))
BLANK = OneOf("reason", ("blank-packet",))
EXEMPT = {
    "day_surgery": OneOf("admission_type", ("28",)),
    "death": Compare(Field("discharge_way"), "=", Number(Decimal(5))),
    "transfer": Compare(Field("discharge_way"), "=", Number(Decimal(2))),
}


def add(context: Context) -> None:
    """Columns cost_considered, denominator, cost_ratio, limits, outlier, group_value."""
    unreasonable = money("unreasonable_cost", "不合理费用", "unreasonable cost")
    carved = money("new_technology_cost", "除外支付费用", "carved-out cost")
    context.add("cost_considered", TOTAL - unreasonable - carved, "yuan", 2, "计入费用", "cost considered")
    standard = context.field("standard")
    denominator = _denominator(context, standard)
    if denominator is None:
        context.text("outlier", Case(((IS_GROUP, Word("normal")),), Null()), "倍率类型", "outlier class")
        context.add("group_value", standard, context.unit, BASE_DIGITS, "病组价值", "value by group")
        return
    high = context.values.number("high_threshold")
    low = context.values.number("low_threshold")
    context.add("cost_ratio", COST / denominator, "ratio", RATIO_DIGITS, "倍率", "cost ratio")
    if high is not None:
        context.add("high_limit", high, "ratio", RATIO_DIGITS, "高倍率界限", "high limit")
    _classes(context, denominator, low)
    context.add(
        "group_value",
        _values(context, standard, denominator),
        context.unit,
        BASE_DIGITS if context.in_points else 2,
        "病组价值",
        "value by group",
    )


def limits(context: Context) -> dict[str, Expr]:
    """The costs in yuan at which the classes begin, of a context whose columns are made."""
    denominator = _denominator(context, context.field("standard"))
    if denominator is None:
        return {}
    thresholds = {name: context.values.number(f"{name}_threshold") for name in ("low", "high", "extreme")}
    return {name: times * denominator for name, times in thresholds.items() if times is not None}


def _denominator(context: Context, standard: Field) -> Expr | None:
    """What the cost is compared with; None where the policy knows no outliers."""
    name = context.values.plain("ratio_denominator")
    return name and context.values.cited(_divisor(context, name, standard), "ratio_denominator")


def _divisor(context: Context, name: str, standard: Field) -> Expr:
    """A choice of ``ratio_denominator`` as a formula."""
    values = context.values
    return DENOMINATORS[name](
        Divisors(
            lambda: standard * _total_cost_value(context) if context.in_points else standard,
            lambda: values.need_number("denominator_adjustment"),
            lambda: _group_mean(context),
            lambda: values.need_number("mean_cost"),
            lambda: context.weight,
            lambda: context.field("coefficient"),
            lambda: _mean_at_level(context, name, "mean_cost", "同级别病组例均费用"),
            lambda: _mean_at_level(context, name, "last_year_mean_cost", "上年度同级别病组例均费用"),
        )
    )


def _group_mean(context: Context) -> Expr:
    """The mean cost of the group, from the table of weights; packets have none."""
    if context.policy.weights is None:
        raise TableError(
            zh=f"{context.policy.where}：ratio_denominator = group_mean 需要 [weights] 表（mean_cost 列）",
            en=f"{context.policy.where}: ratio_denominator = group_mean needs a [weights] table (mean_cost)",
        )
    return money("group_mean", "病组例均费用", "mean cost of the group")


def _mean_at_level(context: Context, name: str, column: str, zh: str) -> Expr:
    """A mean cost of the group at the level of the hospital, from the policy's table of means."""
    if context.policy.means is None:
        raise TableError(
            zh=f"{context.policy.where}：ratio_denominator = {name} 需要 [means] 表（病组×等级例均费用）",
            en=f"{context.policy.where}: ratio_denominator = {name} needs a [means] table (group × level)",
        )
    lookup = Lookup("means", ("price_group", "hospital_level"), column, 2)
    return context.add("level_mean", lookup, "yuan", 2, zh, name.replace("_", " "))


def _classes(context: Context, denominator: Expr, low: Expr | None) -> None:
    """The class of each case: extreme, high, low or normal."""
    values = context.values
    branches: list[tuple[Expr, Expr]] = []
    extreme = values.number("extreme_threshold")
    if extreme is not None:
        branches.append((Compare(COST, ">", extreme * denominator), Word("extreme")))
    if values.has("high_threshold"):
        above = _beyond(context, ">", "high_inclusive", values.need_number("high_threshold") * denominator)
        branches.append((above, Word("high")))
    if low is not None:
        test = below = _beyond(context, "<", "low_inclusive", low * denominator)
        exempt = tuple(EXEMPT[word] for word in values.plain("low_exempt") or ())
        if exempt:
            test = All((test, Not(Any_(exempt))))
        branches.append((values.cited(test, "low_exempt", when=All((below, Any_(exempt)))), Word("low")))
    if values.plain("blank_packet_factor") is not None:
        branches.insert(0, (BLANK, Word("blank")))
    grouped = All((BY_RATIO, Compare(denominator, ">", ZERO)))
    found = Case(((grouped, Case(tuple(branches), Word("normal"))), (IS_GROUP, Word("normal"))), Null())
    cap = values.number("high_case_cap")
    if cap is None:
        context.text("outlier", found, "倍率类型", "outlier class")
        return
    context.text("outlier_by_ratio", found, "倍率类型（限额前）", "outlier class before the cap")
    limit = values.need_number("high_threshold")
    context.add("high_excess", COST - limit * denominator, "yuan", 2, "超额", "excess over the limit")
    is_high = OneOf("outlier_by_ratio", ("high",))
    rank = Rank("high_rank", ("hospital_code",), is_high, Field("high_excess", 2))
    context.add("high_rank", rank, "cases", 0, "本院高倍率排序", "rank among the hospital's high cases")
    allowed = Whole(cap * Field("hospital_cases", 0, "本院出院病例数", "discharges of the hospital"))
    beyond = All((is_high, Compare(Field("high_rank"), ">", allowed)))
    context.text(
        "outlier", Case(((beyond, Word("normal")),), Text("outlier_by_ratio")), "倍率类型", "outlier class"
    )


def _beyond(context: Context, sign: str, inclusive: str, limit: Expr) -> Expr:
    """The cost is beyond a limit; or at it, where the policy counts that in."""
    sign = f"{sign}=" if context.values.plain(inclusive) else sign
    return context.values.cited(Compare(COST, sign, limit), inclusive)


def cost_value(context: Context, cost: Expr = COST) -> Expr:
    """A cost in the unit of the case values: yuan; points by the mean cost, else by the point value."""
    values = context.values
    if not context.in_points:
        return cost
    if values.has("mean_cost") and values.has("points_scale"):
        return cost / values.need_number("mean_cost") * values.need_number("points_scale")
    return cost / _total_cost_value(context)


def _total_cost_value(context: Context) -> Expr:
    """The budget point value, where costs may be compared with it: not where it prices fund money only."""
    if context.values.need("fund_formula") == "points":
        where = context.policy.where
        raise TableError(
            zh=f"{where}：点值只含基金（fund_formula = points）时不能用来折算费用；"
            "请设 mean_cost 和 points_scale，ratio_denominator 用 mean_by_weight、group_mean 或 level_mean",
            en=f"{where}: a point value of fund money (fund_formula = points) cannot stand for costs; set "
            "mean_cost and points_scale, and ratio_denominator = mean_by_weight, group_mean or level_mean",
        )
    return context.values.need_number("point_value")


def _values(context: Context, standard: Field, denominator: Expr) -> Expr:
    """The value of a grouped case by its class."""
    values, terms = context.values, _terms(context, standard, denominator)
    high = _formula(context, "high_formula", terms) if values.has("high_threshold") else standard
    branches: list[tuple[Expr, Expr]] = [(OneOf("outlier", ("high",)), high)]
    rule, extreme = values.plain("extreme_rule"), OneOf("outlier", ("extreme",))
    if rule in ("high", "hold"):
        branches.append((extreme, values.cited(high if rule == "high" else Null(), "extreme_rule")))
    if values.has("low_threshold"):
        branches.append((OneOf("outlier", ("low",)), _formula(context, "low_formula", terms)))
    if values.plain("blank_packet_factor") is not None:
        blank = values.need_number("blank_packet_factor")
        branches.insert(
            0, (OneOf("outlier", ("blank",)), context.field("base") * (COST / denominator) * blank)
        )
    otherwise = standard if rule in ("high", "hold") else values.cited(standard, "extreme_rule", when=extreme)
    return Case(((_lacking(context), Null()), *branches), otherwise)


def _lacking(context: Context) -> Expr:
    """A group has no value where one of its numbers is missing, whatever the formula of its class reads."""
    tests: list[Expr] = [IsNull(Field(name)) for name in ("base_rate", "coefficient") if context.has(name)]
    means: list[Expr] = []
    if context.values.plain("ratio_denominator") == "group_mean":
        means.append(All((BY_RATIO, Not(Compare(Field("group_mean", 2), ">", ZERO)))))
    if context.has("level_mean"):
        means.append(All((BY_RATIO, IsNull(Field("level_mean", 2)))))
    tests += (context.values.cited(mean, "ratio_denominator", when=mean) for mean in means)
    return All((IS_GROUP, Any_(tuple(tests))))


def _formula(context: Context, choice: str, terms: Terms) -> Expr:
    """The value of an outlier by the formula that the policy chose."""
    name = context.values.need(choice)
    made = HIGH[name] if choice == "high_formula" else LOW[name]
    return context.values.cited(made(terms), choice)


def _terms(context: Context, standard: Field, denominator: Expr) -> Terms:
    values = context.values
    return Terms(
        standard,
        context.field("base"),
        context.field("coefficient"),
        COST,
        denominator,
        money("group_mean", "病组例均费用", "mean cost of the group"),
        lambda: values.need_number("high_threshold"),
        lambda: values.number("high_discount") or ONE,
        partial(cost_value, context),
    )
