"""Which pool a case belongs to and which method pays it."""

from __future__ import annotations

from grouper.base.errors import TableError
from grouper.payment.formula.expression import ONE, ZERO, Bool, Case, Expr, Field, Lookup, Null, Text, Word
from grouper.payment.formula.predicates import All, Any_, Compare, IsNull, OneOf
from grouper.payment.policy import pool_names, words
from grouper.payment.policy.digits import SCORE_DIGITS
from grouper.payment.price.inputs import names_in
from grouper.payment.price.steps import LOS, Context

NO_STAY = "no-stay"
# Who is treated where (column ``offsite``) -> the route of such a case, and what decides.
OFFSITE = {
    "own": ("offsite-own", "offsite_own_rule"),
    "visitor": ("offsite-visitor", "offsite_visitor_rule"),
    "distant": ("offsite-distant", "offsite_distant_rule"),
    "unknown": ("offsite-unknown", "offsite_unknown_rule"),
}
FOREIGN = "offsite-foreign"
_UNUSABLE = {"ungrouped": "ungrouped", "ambiguous": "ambiguous"}


def add(context: Context) -> None:
    """Columns pool (and pool_part, where pools are by county or alliance), route, method, price_group, and
    of the group: weight, marks and means."""
    context.text("pool", _pool(context), "基金池", "pool")
    if by := context.values.plain(pool_names.BY):
        part, named = context.values.cited(_part(by), pool_names.BY), words.COLUMNS[pool_names.PART]
        context.text(pool_names.PART, part, *named)
    context.text("route", _route(context), "支付路径", "route")
    context.text("price_group", _price_group(context), "计价病组", "group priced")
    _group_columns(context)
    context.text("method", _method(context), "支付方式", "method")


def _pool(context: Context) -> Expr:
    named = [(types, pool) for pool, types in context.policy.pools.items() if "*" not in types]
    rest = [pool for pool, types in context.policy.pools.items() if "*" in types]
    branches = tuple((OneOf("insurance_type", types), Word(pool)) for types, pool in named)
    return Case(branches, Word(rest[0]) if rest else Null())


def _part(by: str) -> Expr:
    """Whose pool pays a case: who was treated in another area has his own county's, who is insured in another
    that of the hospital's county."""
    hospital, insured = Text("county"), Text("region_code")
    if by == "insured_county":
        return Case(((OneOf("offsite", ("visitor", "distant")), hospital),), insured)
    here: Expr = hospital
    if by == "alliance":  # hospitals of none have their county's pool
        here = Case(((IsNull(Text("alliance")), hospital),), Text("alliance"))
    return Case(((OneOf("offsite", ("own",)), insured),), here)


def _route(context: Context) -> Expr:
    """The first route that fits; then the state of the grouping."""
    bad = OneOf("status", ("invalid", "needs-data"))
    branches = _offsite_routes(context)
    branches.append((bad, Word("held")))
    for route in context.policy.routes:
        if not route.holds(context.values.when):
            continue
        if "los_days" in names_in(route.test):  # whether it takes the case cannot be told
            branches.append((All((IsNull(LOS), IsNull(route.test))), Word(NO_STAY)))
        branches.append((route.test, Word(route.name)))
    branches += [(OneOf("status", (status,)), Word(word)) for status, word in _UNUSABLE.items()]
    return Case(tuple(branches), Word("group"))


def _offsite_routes(context: Context) -> list[tuple[Expr, Expr]]:
    """Cases that a policy which has rules of regions pays beside the pools or holds, whatever their group."""
    if not any(context.values.has(rule) for _, rule in OFFSITE.values()):
        return []
    words = {route: kind for kind, (route, _) in OFFSITE.items()}
    routes = [(OneOf("offsite", (words[route],)), Word(route)) for route in offsite_apart(context)]
    return [*routes, (OneOf("offsite", ("foreign",)), Word(FOREIGN))]


def offsite_apart(context: Context) -> tuple[str, ...]:
    """The routes of such cases that the policy has."""
    rules = {route: context.values.plain(rule) for route, rule in OFFSITE.values()}
    return tuple(route for route, rule in rules.items() if rule not in (None, "inside"))


def _price_group(context: Context) -> Expr:
    references = [r for r in context.policy.routes if r.reference_group]
    if references and context.policy.weights is None:
        raise TableError(
            zh=f"{context.policy.where}：reference_group 需要 [weights]；DIP 以病例自己的分值计价",
            en=f"{context.policy.where}: reference_group needs [weights]; DIP prices a case by its own score",
        )
    branches = tuple((OneOf("route", (r.name,)), Word(r.reference_group)) for r in references)
    return Case(branches, Text("group"))


def _group_columns(context: Context) -> None:
    policy = context.policy
    if policy.weights is None:
        return
    key = ("price_group",)
    digits = policy.weight_digits
    context.add("weight", Lookup("weights", key, "weight", digits), "factor", digits, "权重", "weight")
    context.add("basic_group", Lookup("weights", key, "basic", -1), "", -1, "基础病组", "basic group")
    context.add(
        "unstable_group", Lookup("weights", key, "unstable", -1), "", -1, "非稳定病组", "unstable group"
    )
    context.add(
        "group_mean",
        Lookup("weights", key, "mean_cost", 2),
        "yuan",
        2,
        "病组例均费用",
        "mean cost of the group",
    )


def _method(context: Context) -> Expr:
    """The method of the route; groups that cannot be priced follow their rule."""
    policy, values = context.policy, context.values
    branches: list[tuple[Expr, Expr]] = [(OneOf("route", ("held", NO_STAY, FOREIGN)), Word("hold"))]
    branches.append((IsNull(Text("pool")), Word("hold")))
    inside: list[tuple[Expr, str]] = []
    for kind, (route, name) in OFFSITE.items():
        if (rule := values.plain(name)) == "inside":
            inside.append((OneOf("offsite", (kind,)), name))
        elif rule:
            branches.append((OneOf("route", (route,)), values.cited(Word(rule), name)))
    if context.has(pool_names.PART):
        branches.append((IsNull(Text(pool_names.PART)), Word("hold")))
    branches += [
        (OneOf("route", (r.name,)), Word(r.method)) for r in policy.routes if r.method not in ("group", "tcm")
    ]
    for status, word in _UNUSABLE.items():
        branches.append((OneOf("route", (word,)), _by_rule(context, f"{status}_rule")))
    branches.append((_without_measure(context), _by_rule(context, "unweighted_rule")))
    otherwise: Expr = Word("group")
    unstable = values.plain("unstable_rule") if policy.weights else None
    if unstable == "standard":
        otherwise = values.cited(otherwise, "unstable_rule", when=Bool("unstable_group"))
    elif unstable:
        branches.append((Bool("unstable_group"), _by_rule(context, "unstable_rule")))
    branches += [(OneOf("route", (r.name,)), Word("tcm")) for r in policy.routes if r.method == "tcm"]
    method: Expr = Case(tuple(branches), otherwise)
    for test, name in inside:
        method = values.cited(method, name, when=test)
    return method


def _by_rule(context: Context, name: str) -> Expr:
    """The method that a rule of the policy names; held where it has none."""
    return context.values.cited(Word(context.values.plain(name) or "hold"), name)


def _without_measure(context: Context) -> Expr:
    """The group lacks what it must have to be priced: a weight, or in DIP a score; 0 is none."""
    measure = context.weight if context.policy.weights else Field("score", SCORE_DIGITS)
    return Any_((IsNull(measure), Compare(measure, "=", ZERO)))


def factor_of(context: Context) -> Expr | None:
    """The factor on a case valued by its cost: of the rule that sent it there."""
    values = context.values
    branches: list[tuple[Expr, Expr]] = []
    for word, name in (("ungrouped", "ungrouped_factor"), ("ambiguous", "ambiguous_factor")):
        factor = values.number(name)
        if factor is not None:
            branches.append((OneOf("route", (word,)), factor))
    unweighted = values.number("unweighted_factor")
    if unweighted is not None:
        branches.append((All((OneOf("route", ("group",)), _without_measure(context))), unweighted))
    unstable = values.number("unstable_factor") if context.policy.weights else None
    if unstable is not None:
        branches.append((All((OneOf("route", ("group",)), Bool("unstable_group"))), unstable))
    if not branches:
        return None
    return Case(tuple(branches), ONE)
