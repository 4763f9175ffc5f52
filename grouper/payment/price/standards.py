"""The standard of a grouped case: weight × rate, base points or score, times the coefficient."""

from __future__ import annotations

from collections.abc import Iterator

from grouper.base.errors import TableError
from grouper.payment.formula.expression import ONE, Bool, Case, Expr, Field, Lookup, Null
from grouper.payment.formula.predicates import Any_, Compare, IsNull, OneOf
from grouper.payment.policy.digits import (
    BASE_DIGITS,
    COEFFICIENT_DIGITS,
    DIFFERENCE_DIGITS,
    MOST_FACTOR,
    SCORE_DIGITS,
)
from grouper.payment.price.steps import IS_GROUP, Context


def _coefficient_digits(context: Context) -> int:
    """Decimals of the coefficient, as its rule gives it."""
    fine = context.values.need("coefficient_rule") == "group_hospital"
    return DIFFERENCE_DIGITS if fine else COEFFICIENT_DIGITS


def _standard_digits(context: Context) -> int:
    """Decimals of the standard: fen, or what points carry within."""
    return BASE_DIGITS if context.in_points else 2


def add(context: Context) -> None:
    """Columns base, coefficient, standard."""
    value, zh, en = _base(context)
    base = context.add("base", Case(((IS_GROUP, value),), Null()), context.unit, BASE_DIGITS, zh, en)
    coefficient = _coefficient(context)
    context.add(
        "standard",
        base * coefficient,
        context.unit,
        _standard_digits(context),
        "支付标准" if not context.in_points else "标准点数（分值）",
        "payment standard" if not context.in_points else "standard points (score)",
    )


def _base(context: Context) -> tuple[Expr, str, str]:
    values, method = context.values, context.policy.method
    if method == "drg_rate":
        rate = context.add(
            "base_rate", values.need_number("base_rate"), "yuan/weight", 4, "费率", "base rate"
        )
        return context.weight * rate, "权重×费率", "weight × rate"
    if method == "drg_points":
        return context.weight * values.need_number("points_scale"), "基准点数", "base points"
    return _score(context), "病种分值", "packet score"


def _score(context: Context) -> Expr:
    """The packet's score; a blank packet is worth its share of the cost (funds.py values it by cost)."""
    return Field("score", SCORE_DIGITS, "病种分值", "packet score")


def _coefficient(context: Context) -> Field:
    """One factor per case; groups paid alike at all levels have their own."""
    values = context.values
    rule = values.need("coefficient_rule")
    expr: Expr
    if rule == "none":
        expr = ONE
    elif rule == "level":
        expr = values.need_number("level_coefficient")
    elif rule == "hospital":
        expr = _hospital(context)
    elif rule == "mix":
        share = values.need_number("hospital_share")
        expr = share * _hospital(context) + (1 - share) * values.need_number("level_coefficient")
    elif rule == "group_hospital":
        expr = _group_hospital(context)
    else:
        _need_weights(context, rule)
        expr = context.add(
            "group_level_coefficient",
            Lookup(
                "level_coefficients", ("price_group", "hospital_level"), "coefficient", COEFFICIENT_DIGITS
            ),
            "factor",
            COEFFICIENT_DIGITS,
            "病组等级系数",
            "coefficient of group and level",
        )
    expr = values.cited(expr, "coefficient_rule")
    for name, least in (("coefficient_min", False), ("coefficient_max", True)):
        bound = values.number(name)
        if bound is not None:
            expr = Case(((Compare(expr, "<" if not least else ">", bound), bound),), expr)
    expr = Case(((IS_GROUP, Case(tuple(_apart(context)), expr)),), Null())
    day = values.number("day_surgery_coefficient")
    if day is not None:
        expr = Case(((OneOf("admission_type", ("28",)), expr * day),), expr)
    digits = _coefficient_digits(context)
    return context.add("coefficient", expr, "factor", digits, "系数", "coefficient")


def _apart(context: Context) -> Iterator[tuple[Expr, Expr]]:
    """Cases with a coefficient of their own: basic groups, packets of primary care, blank packets."""
    values, dip = context.values, context.policy.method == "dip"
    if context.has("basic_group") or dip:
        basic = values.number("basic_group_coefficient")
        if basic is not None and context.has("basic_group"):
            yield Bool("basic_group"), basic
        if basic is not None and dip:
            care: Expr = OneOf("dip_kind", ("primary_care",))
            if values.plain("primary_care_by") == "mark":  # else the file need not have the column
                care = Any_((care, Bool("primary_care")))
            yield care, values.cited(basic, "primary_care_by")
    if dip and values.plain("blank_packet_factor") is not None:
        yield OneOf("reason", ("blank-packet",)), values.cited(ONE, "blank_packet_factor")


def _hospital(context: Context) -> Expr:
    """The hospital's coefficient: by policy, else from the table of hospitals."""
    own = context.values.number("hospital_coefficient")
    return (
        own
        if own is not None
        else Field(
            "hospital_coefficient", COEFFICIENT_DIGITS, "医院系数", "hospital coefficient", most=MOST_FACTOR
        )
    )


def _group_hospital(context: Context) -> Expr:
    """The difference coefficient of the hospital in the group; where the table has none, the level's."""
    _need_weights(context, "group_hospital")
    table = Lookup("hospital_coefficients", ("price_group", "hospital_code"), "difference", DIFFERENCE_DIGITS)
    own = context.add(
        "difference_coefficient", table, "factor", DIFFERENCE_DIGITS, "差异系数", "difference coefficient"
    )
    return Case(((IsNull(own), context.values.need_number("level_coefficient")),), own)


def _need_weights(context: Context, rule: str) -> None:
    if context.policy.weights is None:
        raise TableError(
            zh=f"{context.policy.where}：coefficient_rule = {rule} 需要 [weights]",
            en=f"{context.policy.where}: coefficient_rule = {rule} needs [weights]",
        )
