"""What the formulas read, the explanation can cite: numbers, and what choices and flags selected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from grouper.base.errors import TableError
from grouper.payment import explain_case
from grouper.payment.formula.cited import Cited
from grouper.payment.formula.expression import Case, Expr, Field, Number, Product, Ratio, Rounded, Sum
from grouper.payment.formula.predicates import Compare, Not
from grouper.payment.formula.simplify import settle
from grouper.payment.policy.policy import Policy, load_policy, policy_files
from grouper.payment.policy.registry import PARAMETERS
from grouper.payment.price.build import build
from grouper.payment.price.compile import evaluate
from grouper.payment.price.formulas import HIGH, LOW, in_letters
from grouper.payment.price.lookups import load_lookups
from grouper.payment.price.steps import Step

from .case_files import policy_of, read_cases, row_of

# Of the texts that the steps make, an explanation tells how these came about.
TOLD = ("method", "outlier_by_ratio", "outlier")
NOT_CITED: dict[str, str] = {}  # parameter: why no explanation of a case names it


def told(expr: Expr) -> Iterator[Expr]:
    """The formula and what is in it, but for what a test denies: that had no say."""
    if not isinstance(expr, Not):
        yield expr
        for part in expr.parts():
            yield from told(part)


def citable(steps: Sequence[Step]) -> set[str]:
    """The parameters that the formulas of the steps carry, where explanations look."""
    parts = [
        p for s in steps if s.name in TOLD or (s.digits is not None and s.digits >= 0) for p in told(s.expr)
    ]
    return {p.parameter for p in parts if isinstance(p, Number | Cited)} - {""}


def same_as_read(policy: Policy, day: date) -> None:
    values = policy.on(day)
    found = citable(build(policy, values))
    assert found | set(NOT_CITED) == set(values.used) | set(NOT_CITED), (day, found ^ set(values.used))


@pytest.mark.parametrize("name", sorted(policy_files()))
def test_every_parameter_that_a_shipped_policy_reads_can_be_cited(name: str) -> None:
    policy = load_policy(policy_files()[name])
    for first, _ in policy.epochs(policy.valid_from, policy.valid_to):
        same_as_read(policy, first)


def test_so_can_those_of_all_case_files() -> None:
    asked = {(c.policy, c.changes, c.day) for c in read_cases()}
    assert len(asked) > 20
    for name, changes, day in sorted(asked):
        same_as_read(policy_of(name, changes), day)


FRAMES = ("national/dip", "national/drg-points", "national/drg-rate", "tianmen/2025", "liaocheng/2022")
WORDS = {
    "low_exempt": ("", "day_surgery,death"),
    "auxiliary_exempt": ("", "tcm"),
    "readmission_exempt": ("", "C,Z51"),
}
# Choices that may need a table or another parameter, which the policy lacks.
MAY_LACK = {"coefficient_rule", "fund_formula", "ratio_denominator"}


@pytest.mark.parametrize("name", FRAMES)
def test_so_can_every_choice_whichever_way_it_goes(name: str) -> None:
    policy = load_policy(policy_files()[name])
    values = policy.on(policy.valid_from)
    build(policy, values)
    built, refused = 0, set()
    for parameter in sorted(values.used):
        spec = PARAMETERS[parameter]
        for value in (
            WORDS.get(parameter) or spec.choices or (("true", "false") if spec.kind == "flag" else ())
        ):
            try:
                same_as_read(policy.changed({parameter: value}), policy.valid_from)
                built += 1
            except TableError:
                refused.add(parameter)
    assert built > 30 and refused <= MAY_LACK


def clauses(policy: Policy, day: date, **own: Any) -> dict[str, dict[str, str]]:
    """What the explanation of a case cites, by column; of the way to the method under "way"."""
    explained = explain_case(policy, row_of(own), day)
    assert explained.text("zh") and explained.text("en")
    found = {line.column: {c.name: c.value for c in line.clauses} for line in explained.lines}
    return found | {"way": {c.name: c.value for c in explained.clauses}}


def everywhere(found: dict[str, dict[str, str]]) -> dict[str, str]:
    return {name: value for cited in found.values() for name, value in cited.items()}


DAY = date(2025, 6, 1)
HERNIA = {
    "group": "K40.9:53.0000", "principal": "K40.900", "procedures": ["53.0000"], "admission_type": "28",
    "total_cost": "6000", "person_paid": "1500", "score": "700", "dip_kind": "core",
}  # fmt: skip


@pytest.mark.parametrize(("kind", "amount"), [("flat", "6800"), ("cap", "6000")])
def test_a_quota_cites_its_kind_and_not_the_formula_of_other_cases(kind: str, amount: str) -> None:
    """Day surgery of a hernia in Tianmen: 6,800 as a quota, 6,000 as a cap; the patient pays 20 %."""
    policy = load_policy(policy_files()["tianmen/2025"]).changed({"quota_kind": kind})
    found = clauses(policy, DAY, **HERNIA)
    assert found["amount"] == {"quota": "", "quota_kind": kind}
    assert found["person_paid"] == {"quota_patient_share": ""}
    assert "fund_formula" not in everywhere(found)
    assert explain_case(policy, row_of(HERNIA), DAY).values["amount"] == Decimal(amount)


RATE, POINTS = "national/drg-rate", "national/drg-points"
CHEAP = {"group": "AA29", "total_cost": "500"}  # at level 3 the standard is 281,146.95 yuan
USUAL = {"group": "AA29", "total_cost": "250000", "person_paid": "50000"}
DEAR = {"group": "AA29", "total_cost": "12000000", "person_paid": "11999999"}
BACK = {"readmission_days": "15", "readmission_same": "group", "readmission_factor": "0.5"}


@pytest.mark.parametrize(
    ("policy", "change", "case", "column", "cited"),
    [
        (RATE, {}, USUAL, "coefficient", {"level_coefficient": "", "coefficient_rule": "level"}),
        (RATE, {"coefficient_rule": "none"}, USUAL, "cost_ratio", {"coefficient_rule": "none"}),
        (
            RATE,
            {"coefficient_min": "2"},
            USUAL,
            "coefficient",
            {"coefficient_min": "", "coefficient_rule": "level"},
        ),
        (RATE, {}, CHEAP, "amount", {"low_formula": "cost"}),
        (RATE, {"high_inclusive": "true"}, DEAR, "outlier", {"high_inclusive": "true"}),
        (RATE, {"high_formula": "standard"}, DEAR, "fund_due", {"fund_floor": "zero"}),
        (
            RATE,
            {"high_formula": "standard", "fund_floor": "carry"},
            DEAR,
            "fund_due",
            {"fund_floor": "carry"},
        ),
        (
            RATE,
            {},
            USUAL | {"los_days": 70, "admission_type": "2105"},
            "amount",
            {"per_diem_cap_cost": "false"},
        ),
        (POINTS, {}, CHEAP | {"status": "ungrouped"}, "way", {"ungrouped_rule": "by_cost"}),
        (POINTS, {}, CHEAP | {"admission_type": "28"}, "outlier", {"low_exempt": "day_surgery"}),
        (
            POINTS,
            BACK,
            USUAL | {"readmitted_after": 3},
            "readmission_factor",
            BACK | {"readmission_factor": ""},
        ),
        (
            POINTS,
            BACK | {"readmission_exempt": "C"},
            USUAL | {"readmitted_after": 3, "principal": "C34.900"},
            "amount",
            {"readmission_exempt": "C"},
        ),
        (POINTS, {}, CHEAP | {"special_review": "by_item"}, "review_result", {"special_review_quota": ""}),
        (POINTS, {}, CHEAP | {"special_review": "by_item"}, "case_value", {"quota_base": "pool"}),
    ],
)
def test_a_case_cites_what_had_a_say_in_it(
    policy: str, change: dict[str, str], case: dict[str, Any], column: str, cited: dict[str, str]
) -> None:
    """A choice that something stays away too: no coefficient, no floor, no cap, never low, no readmission."""
    found = clauses(load_policy(policy_files()[policy]).changed(change), DAY, **case)
    assert cited.items() <= found[column].items(), found


@pytest.mark.parametrize(
    ("policy", "change", "case", "absent"),
    [
        (RATE, {"fund_floor": "carry"}, USUAL, {"fund_floor", "high_formula", "low_formula", "extreme_rule"}),
        (RATE, {}, CHEAP, {"high_formula", "unstable_rule", "unweighted_rule", "ungrouped_rule"}),
        (POINTS, {}, CHEAP, {"low_exempt", "per_diem_in_points", "special_review_quota"}),
        (POINTS, BACK | {"readmission_exempt": "C"}, USUAL, {"readmission_exempt", *BACK}),
        (
            POINTS,
            {},
            CHEAP | {"status": "ungrouped"},
            {"coefficient_rule", "unweighted_rule", "unstable_rule"},
        ),
    ],
)
def test_and_nothing_that_had_none(
    policy: str, change: dict[str, str], case: dict[str, Any], absent: set[str]
) -> None:
    found = everywhere(clauses(load_policy(policy_files()[policy]).changed(change), DAY, **case))
    assert found and not absent & set(found)


# Rows that a rule of some policy may hold back: extreme, cheap, without a group, a weight or a stable group.
DOUBTFUL = (
    USUAL, CHEAP, DEAR, DEAR | {"special_review": "keep"}, DEAR | {"special_review": "by_item"},
    CHEAP | {"status": "ungrouped"}, CHEAP | {"status": "ambiguous"}, CHEAP | {"group": "ZZ99"},
    HERNIA, HERNIA | {"total_cost": "900000", "admission_type": "2101"},
    HERNIA | {"admission_type": "2101", "score": "0"},
    USUAL | {"los_days": 70, "admission_type": "2105"}, USUAL | {"readmitted_after": 3},
)  # fmt: skip


def others(policy: Policy, day: date) -> Iterator[tuple[str, str, Policy]]:
    """Every choice of a policy made another way: the parameter, its other value, and the policy."""
    values = policy.on(day)
    build(policy, values)
    for parameter in sorted(values.used):
        spec = PARAMETERS[parameter]
        for value in (
            WORDS.get(parameter) or spec.choices or (("true", "false") if spec.kind == "flag" else ())
        ):
            try:
                changed = policy.changed({parameter: value})
                build(changed, changed.on(day))
            except TableError:
                continue
            yield parameter, value, changed


@pytest.mark.parametrize("name", FRAMES)
def test_a_choice_that_decides_whether_a_case_is_held_is_cited(name: str) -> None:
    """Where another choice would give another status, the explanation names the one that is there.

    Nothing is said here of where a citation stands: it must come out, also where no amount does.
    """
    policy = load_policy(policy_files()[name])
    day, lookups, rows = policy.valid_from, load_lookups(policy), [row_of(own) for own in DOUBTFUL]

    def status(steps: Sequence[Step], row: dict[str, Any]) -> object:
        return evaluate(steps, row, lookups)["pay_status"]

    def cited(policy: Policy, row: dict[str, Any]) -> set[str]:
        explained = explain_case(policy, row, day)
        return {c.name for part in (explained, *explained.lines) for c in part.clauses}

    steps, asked = build(policy, policy.on(day)), 0
    first = [status(steps, row) for row in rows]
    for parameter, value, other in others(policy, day):
        steps = build(other, other.on(day))
        for row, before in zip(rows, first, strict=True):
            if (after := status(steps, row)) != before:
                asked += 1
                for found, each in ((before, policy), (after, other)):
                    assert found != "held" or parameter in cited(each, row), (parameter, value, row)
    assert asked


def test_the_shipped_policy_that_holds_a_case_says_by_which_rule() -> None:
    """Tianmen holds what costs more than five times its standard until it is reviewed."""
    policy = load_policy(policy_files()["tianmen/2025"])
    dear = HERNIA | {"admission_type": "2101", "total_cost": "900000"}
    explained = explain_case(policy, row_of(dear), DAY)
    assert (explained.head["pay_status"], explained.head["pay_reason"]) == ("held", "extreme-review")
    assert {c.name: c.value for c in explained.clauses}["extreme_rule"] == "hold"
    assert "极高倍率病例 暂不支付：来源" in explained.text("zh")
    assert "extreme_rule" in str(explained.as_dict())


def test_a_citation_changes_nothing_but_the_telling() -> None:
    """The same SQL, numbers and texts, brackets and the values of a case by themselves included."""
    a, b = Field("a", 2), Field("b", 2)
    row = {"a": Decimal("3"), "b": Decimal("2")}
    inner = Case(((Compare(a, ">", b), Sum(a, b, False)),), a)

    def formula(part: Expr) -> Expr:
        return Rounded(Product(Ratio(a, part), Sum(b, part, True)), 2)

    plain, cited = formula(inner), formula(Cited(inner, "high_formula"))
    assert cited.sql() == plain.sql() and cited.value(row) == plain.value(row)
    for lang in ("zh", "en"):
        assert cited.show(lang) == plain.show(lang) and cited.show(lang, row) == plain.show(lang, row)
    bare = Ratio(a, Cited(Sum(a, b, False), "x"))
    assert (
        bare.show("en") == "a ÷ (a + b)"
        and Sum(a, Cited(Sum(a, b, False), "x"), True).show("en") == "a − (a + b)"
    )


def test_what_is_left_out_leaves_its_citation() -> None:
    a, one, zero = Field("a", 2), Cited(Number(Decimal(1)), "one"), Cited(Number(Decimal(0)), "zero")
    assert settle(Product(a, one), {}, {}) == Cited(a, "one")
    assert settle(Sum(a, zero, True), {}, {}) == Cited(a, "zero")
    never = Cited(a, "when", Compare(a, "<", Number(Decimal(0))))
    assert settle(never, {"a": Decimal(1)}, {}) == a
    assert settle(never, {"a": Decimal(-1)}, {}) == Cited(a, "when")


def test_the_page_shows_the_formulas_that_price() -> None:
    assert set(HIGH) == set(PARAMETERS["high_formula"].choices)
    assert set(LOW) == set(PARAMETERS["low_formula"].choices)
    assert in_letters(HIGH["excess_over_denominator"]) == "S + (C − θ × D) × d"
    assert in_letters(HIGH["multiple_without_coefficient"]) == "B × (C ÷ D − θ + k)"
    assert in_letters(LOW["incomplete_stay"]) == "min(B, S × C ÷ M)"
