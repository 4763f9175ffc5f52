"""What holds for every case under every shipped policy."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grouper.base.exact import half_up
from grouper.payment.policy.policy import Policy, policy_files

from .case_files import by_evaluate, by_sql, policy_of, row_of, steps_of, tables

RANKS = ("high_rank", "review_rank")
# Policies under which a dearer stay may be worth less. Lishui: the limit of high outliers has the
# hospital's coefficient in it, the points added above it have not.
AREAS = ("national", "lishui", "liaocheng", "qingyang", "tianmen", "yulin")
NOT_MONOTONIC = {"lishui/2022"}
SHIPPED = sorted(policy_files())
OURS = [name for name in SHIPPED if name.split("/")[0] in AREAS]
# One policy of each method in every run, the others of these areas with the slow tests.
QUICK = ("lishui/2022", "liaocheng/2025", "national/dip-3.0")
EACH = [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in OURS]
SEEDS = st.integers(0, 2**32)
FEW = settings(max_examples=2)


def _groups(policy: Policy) -> list[str]:
    lookups = tables(policy)[0]
    known = sorted(key[0] for key in lookups.rows.get("weights", {}))
    return [*known[:: max(1, len(known) // 60)], "ZZ99"]


def _hospitals(policy: Policy) -> list[str]:
    lookups = tables(policy)[0]
    return ["H1", "H2", *sorted({key[1] for key in lookups.rows.get("hospital_coefficients", {})})]


def _fen(rng: Random, top: int) -> str:
    return str(Decimal(rng.randrange(top * 100)).scaleb(-2))


def draw_row(rng: Random, policy: Policy, review: bool = True) -> dict[str, Any]:
    """A record; many of them reach all routes, classes and decisions, and lack what a record may lack."""
    of = rng.choice
    return {
        "group": of(_groups(policy)),
        "hospital_code": of(_hospitals(policy)),
        "hospital_level": of(["1", "2", "3", "3", "9", "none"]),
        "hospital_kind": of(["none"] * 5 + ["psychiatric", "rehabilitation", "hospice"]),
        "hospital_cases": rng.randrange(1, 400),
        "area_cases": rng.randrange(1, 400),
        "hospital_coefficient": of(["0.8", "1", "1.234567"]),
        "insurance_type": of(["310", "390", "510", "340"]),
        "admission_type": of(["21", "21", "21", "28", "2105"]),
        "department": of(["普通外科", "精神科", "康复医学科", "安宁疗护科"]),
        "payment_method": of(["none", "1", "4"]),
        "status": of(["grouped"] * 9 + ["ambiguous", "ungrouped", "needs-data", "invalid"]),
        "reason": of(["grouped", "grouped", "blank-packet"]),
        "dip_kind": of(["core", "mixed", "primary_care"]),
        "primary_care": of([True, False, None]),
        "score": of(["none", "0", str(Decimal(rng.randrange(50_000_000)).scaleb(-4))]),
        "discharge_way": of([1, 2, 5, 9]),
        "los_days": of([rng.randrange(2, 60), rng.randrange(400), 2, 3, 59, 60, 61]),
        "principal": of(["K80.200", "F20.900", "Z51.100", "H25.900"]),
        "procedures": of([[], ["13.7100x001"], ["53.0204"]]),
        "total_cost": of([_fen(rng, 40_000), _fen(rng, 40_000), _fen(rng, 5_000_000), "0"]),
        "pool_paid": of([_fen(rng, 30_000), _fen(rng, 30_000), "none"]),
        "fund_paid": _fen(rng, 40_000),
        "pool_paid_before": of([_fen(rng, 300_000), _fen(rng, 300_000), "none"]),
        "own_expense": _fen(rng, 5_000),
        "self_pay_first": _fen(rng, 5_000),
        "deductible": of([_fen(rng, 2_000), _fen(rng, 2_000), "none"]),
        "auxiliary_coefficient": of(["1", "1.2345"]),
        "unreasonable_cost": of(["0", "0", "123.45"]),
        "new_technology_cost": of(["0", "0", "99.99"]),
        "special_review": of(["none", "none", "by_item", "adjust", "keep"]) if review else "none",
        "special_review_amount": of([_fen(rng, 90_000), "none"]),
        "special_review_points": of(["none", "123.4567"]),
        "readmitted_after": of(["none", 0, 15, 16]),
        "readmission_justified": of(["none", "yes"]),
        "tcm_pathway": of(["none"] * 4 + ["anorectal", "fracture_reduction", "same_price"]),
        "tcm_outcome": of(["none", "met", "failed", "readmitted"]),
        "tcm_share": of(["none", "0.6", "0.75"]),
    }


def _numbered(drawn: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row_of({**row, "record_id": f"R{n:04}"}) for n, row in enumerate(drawn)]


def _at_limits(policy: Policy, steps: list[Any], drawn: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same records with a cost at, or a fen beside, what a limit compares it with."""
    found = []
    for number, row in enumerate(drawn):
        made = by_evaluate(policy, steps, row_of(row))
        ratio = made.get("cost_ratio")
        if ratio:
            times = (Fraction(3, 10), Fraction(2, 5), Fraction(1, 2), Fraction(3, 5), 2, 3, Fraction(5, 2), 5)
            limit = made["cost_considered"] / ratio * times[number % len(times)]
            cost = half_up(limit, 2) + Decimal(number % 3 - 1).scaleb(-2)
            found.append({**row, "total_cost": str(max(cost, Decimal(0)))})
    return found


def _agree(policy: Policy, seed: int) -> None:
    rng = Random(seed)
    for start, _ in policy.epochs(policy.valid_from, policy.valid_to):
        steps = steps_of(policy, start)
        drawn = [draw_row(rng, policy) for _ in range(60)]
        made = _numbered([*drawn, *_at_limits(policy, steps, drawn)])
        table = by_sql(policy, steps, made)
        for row, found in zip(made, table, strict=True):
            ranks = {rank: found[rank] for rank in RANKS if rank in found}
            assert by_evaluate(policy, steps, row | ranks) == found


@pytest.mark.parametrize("name", EACH)
@FEW
@given(seed=SEEDS)
def test_the_query_and_the_single_case_agree(name: str, seed: int) -> None:
    _agree(policy_of(name, ()), seed)


BENEFIT = "worked/policies/benefit.toml"
CAPS = {"item_deductible": "500", "item_cap": "15000.01", "item_annual_cap": "250000"}


@pytest.mark.parametrize("given", [(), ("item_cap",), ("item_annual_cap",), tuple(CAPS)])
@FEW
@given(seed=SEEDS)
def test_they_agree_by_the_benefit_rules(given: tuple[str, ...], seed: int) -> None:
    _agree(policy_of(BENEFIT, tuple((name, CAPS[name]) for name in given)), seed)


@FEW
@given(seed=SEEDS)
def test_the_benefit_is_what_plain_arithmetic_gives(seed: int) -> None:
    """Every limit bears on some case; who pays what adds up to the cost, or the case is held."""
    policy, rng = policy_of(BENEFIT, tuple(CAPS.items())), Random(seed)
    steps = steps_of(policy, policy.valid_from)
    for _ in range(60):
        row = row_of({**draw_row(rng, policy), "los_days": 61, "hospital_level": "3"})
        made = by_evaluate(policy, steps, row)
        if made["method"] != "by_item":
            continue
        if row["pool_paid"] is None or row["pool_paid_before"] is None:
            assert (made["item_fund"], made["fund_due"], made["pay_status"]) == (None, None, "held")
            assert made["pay_reason"] == "no-settlement"
            continue
        base = max(row["total_cost"] - row["own_expense"] - row["self_pay_first"] - 500, Decimal(0))
        rest = max(250_000 - row["pool_paid_before"], Decimal(0))
        fund = half_up(min(Fraction(base) * Fraction("0.85"), Fraction("15000.01"), Fraction(rest)), 2)
        person = row["total_cost"] - fund - (row["fund_paid"] - row["pool_paid"])
        assert (made["item_fund"], made["person_paid"]) == (fund, person)
        assert made["item_difference"] == fund - row["pool_paid"]
        if person < 0:
            assert (made["pay_reason"], made["fund_due"], made["income"]) == ("benefit-differs", None, None)
        else:
            assert (made["fund_due"], made["income"]) == (fund, row["total_cost"])


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(SHIPPED) - set(OURS)))
def test_they_agree_in_further_areas(name: str) -> None:
    _agree(policy_of(name, ()), crc32(name.encode()))


@pytest.mark.parametrize("name", EACH)
@FEW
@given(seed=SEEDS)
def test_a_case_more_changes_no_other_case(name: str, seed: int) -> None:
    policy, rng = policy_of(name, ()), Random(seed)
    steps = steps_of(policy, policy.valid_from)
    made = _numbered([draw_row(rng, policy, review=False) for _ in range(20)])
    cut = rng.randrange(1, len(made))
    assert by_sql(policy, steps, made)[:cut] == by_sql(policy, steps, made[:cut])


def falls(policy: Policy) -> str:
    """A case whose value falls as its cost rises; "" where the policy has none."""
    steps = steps_of(policy, policy.valid_from)
    lookups = tables(policy)[0]
    groups = sorted(lookups.rows["weights"])[::40] if "weights" in lookups.rows else [("EX",)]
    for (group,) in groups:
        for hospital in _hospitals(policy):
            for level in ("1", "2", "3"):
                case = {"group": group, "hospital_code": hospital, "hospital_level": level, "score": "1000"}
                before: Any = Fraction(0)
                for fen in _costs(policy, steps, case):
                    made = by_evaluate(policy, steps, row_of({**case, "total_cost": str(fen)}))
                    value = made["case_value"]
                    if value is None:
                        break
                    if value < before:
                        return f"{group} {hospital} {level}: {fen}"
                    before = value
    return ""


def _costs(policy: Policy, steps: list[Any], case: dict[str, Any]) -> list[Decimal]:
    made = by_evaluate(policy, steps, row_of(case))
    if not made.get("cost_ratio"):
        return []
    one = made["cost_considered"] / made["cost_ratio"]
    limits = [Fraction(n, 10) for n in (1, 3, 4, 5, 6, 7, 10, 13, 14, 15, 20, 22, 25, 30, 40, 50, 60)]
    return [half_up(one * n, 2) + Decimal(step).scaleb(-2) for n in limits for step in (-2, 0, 2)]


@pytest.mark.parametrize("name", EACH)
def test_a_dearer_stay_is_worth_no_less(name: str) -> None:
    assert bool(falls(policy_of(name, ()))) == (name in NOT_MONOTONIC)
