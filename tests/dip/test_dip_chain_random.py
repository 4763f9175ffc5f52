"""Kernel, reference and explanation of DIP agree under random chains."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grouper.grouping.dip import facts
from grouper.grouping.dip.engine import DipEngine
from grouper.grouping.dip.explain import explain
from grouper.grouping.dip.options import CHAIN, TIE_BREAKS
from grouper.grouping.dip.reference import Reference
from grouper.grouping.dip.tables.catalogue import Catalogue
from grouper.grouping.dip.tables.packets import STEPS
from grouper.grouping.dip.tables.rules import Exclusions, Listed

from .chain_support import (
    ADHESIONS,
    APPENDECTOMY,
    DEBRIDEMENT,
    ECG,
    ECMO,
    LOBECTOMY,
    OPEN,
    build,
    demo,
    rule,
)
from .dip_support import outcome, row, rows_of, same

DIAGNOSES = ["K35.800", "K35.801", "K36.x00", "P07.100", "C78.000", "U84.300", "Z00.000", "K35.8X77"]
BEGINNINGS = ["K35", "K35.8", "K36", "P07", "C78", "U84.3", "K35.800", "K35.8X77"]
OPERATIONS = [APPENDECTOMY, OPEN, ADHESIONS, ECMO, ECG, "99.9999X999", "47.01"]
lists_of_dx = st.sampled_from([(), *((code,) for code in BEGINNINGS), ("K35", "K36"), ("P07", "K35.800")])
terms_of_dx = lists_of_dx.map(lambda term: (term,) if term else ())
requirement = st.sampled_from(
    ["", "47.0100", "47.0100/47.0900", "54.5100+39.6500", "47.01", "47.0100_54.5100", "47.0100_47.0100"]
)
named_lists = st.sampled_from(
    [
        None,
        None,
        Listed("L", ("K35", "K36.X00"), ("U84.3",)),
        Listed("M", (), ("C78",)),
        Listed("N", ("P07",)),
    ]
)
limits = st.sampled_from([None, (0, 28), (0, 999), (1000, 1499), (20, 2000)])


@st.composite
def chains(draw: Any) -> Catalogue:
    rules = []
    for number in range(draw(st.integers(0, 6))):
        asks = {
            "other_dx": draw(terms_of_dx),
            "any_dx": draw(terms_of_dx),
            "treatment": draw(st.sampled_from([-1, -1, -1, 0, 3])),
            "age_days": draw(limits),
            "weight": draw(limits),
            "main_only": draw(st.booleans()),
            "listed": draw(named_lists),
            "not_listed": draw(named_lists),
        }
        named = draw(requirement)
        asks["main_only"] = asks["main_only"] and bool(named)
        dx, score = "/".join(draw(lists_of_dx)), draw(st.integers(1, 5))
        rules.append(rule(f"R{number}", dx, named, score, draw(st.sampled_from(STEPS)), **asks))
    out = Exclusions(
        frozenset(draw(st.sets(st.sampled_from(["Z00", "K36.X00"])))),
        frozenset({ECG}),
        frozenset(draw(st.sets(st.sampled_from([OPEN, "47.01", ECMO])))),
        draw(st.sampled_from([{}, {ADHESIONS: ("K36", "K35.800")}])),
    )
    care = [rule("C1", "K35", "47.0100/47.0900", 0, "primary_care", main_only=True)]
    care.append(rule("C2", "K36", "", 0, "primary_care", treatment=0))
    options = {
        "not_main": draw(st.sampled_from(["next", "conservative"])),
        "chain": draw(st.permutations(CHAIN)),
        "rule_choice": draw(st.sampled_from(["tie_breaks", "row_order"])),
        "procedure_match": draw(st.sampled_from(["exact", "prefix", "family"])),
        "repeats": draw(st.sampled_from(["multiset", "set"])),
        "main_position": draw(st.sampled_from(["any", "first"])),
        "conservative_rule": draw(st.sampled_from(["class", "no_procedure", "always"])),
        "tie_breaks": draw(st.lists(st.sampled_from(TIE_BREAKS), unique=True)),
        "auxiliary": draw(st.sampled_from(["off", "variant_rows"])),
        "mixed_class_from": draw(st.sampled_from(["highest", "first"])),
    }
    rows = [
        *(row("K35.8"), row("K35.8#age:0", 3), row("K35.8#age:4", 4), row("K35:SS"), row("K35:BSZL")),
        *(row("K35.8:47.0100"), row("K36.X"), row("K35.8:39.6500"), row("P07.1:54.5100#severity:3")),
    ]
    return build(rows, rules, out, draw(st.sampled_from([[], care])), **options)


records = st.fixed_dictionaries(
    {
        "diagnoses": st.tuples(
            st.sampled_from(DIAGNOSES), st.lists(st.sampled_from(DIAGNOSES), max_size=2)
        ).map(lambda pair: [pair[0], *pair[1]]),
        "procedures": st.lists(st.sampled_from(OPERATIONS), max_size=4),
        "age_years": st.sampled_from([None, 0, 0, 0, 40]),
        "age_days": st.sampled_from([None, 0, 28, 29]),
        "birth_weight_g": st.sampled_from([None, 0, 999, 1000, 1499, 1500]),
        "los_days": st.sampled_from([None, 2, 9]),
        "total_cost": st.sampled_from([None, Decimal("100.00")]),
    }
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(chains(), st.lists(records, min_size=8, max_size=8))
def test_kernel_reference_and_explanation_agree(made: Catalogue, some: list[dict[str, Any]]) -> None:
    engine, reference = light_engine(made), Reference(made)
    for record, found in zip(some, rows_of(engine, some), strict=True):
        wanted = outcome(reference.group(record))
        assert same(found, wanted), (record, found, wanted)
        step = explain(engine, record)
        assert list(step.result.values()) == list(found.values())
        assert step.text("zh") and step.text("en")


def light_engine(made: Catalogue) -> DipEngine:
    """An engine whose code books know a few codes only, as building whole ones takes a second."""
    from grouper.codes.book import CodeOptions
    from grouper.grouping.dip.compile import compile_catalogue
    from grouper.grouping.dip.texts import DipCodes

    compiled = compile_catalogue(made)
    dx = [code for code in DIAGNOSES if code in facts.diagnoses()]
    ops = sorted({*OPERATIONS} & {*compiled.procedures})
    books = (DipCodes("diagnosis", dx, {}, CodeOptions()), DipCodes("procedure", ops, {}, CodeOptions()))
    return DipEngine(compiled, *books, lang="en")


@pytest.mark.slow
def test_random_chains_reach_every_step() -> None:
    """The strategy above is worth something: each step wins somewhere, and every reason comes up."""
    rng = random.Random(1)
    won, reasons = set(), set()
    for dx in ("K35.800", "P22.000", "Z00.000", "C34.100", "T20.300", "A15.000", "I25.100"):
        for _ in range(60):
            codes = [APPENDECTOMY, ECMO, ECG, DEBRIDEMENT, LOBECTOMY]
            record = {
                "diagnoses": [dx, *rng.sample(["P07.100", "C78.000", "U84.300"], rng.randrange(3))],
                "procedures": rng.sample(codes, rng.randrange(3)),
                "age_years": rng.choice([0, 40]),
                "age_days": rng.choice([None, 3]),
                "birth_weight_g": rng.choice([None, 900]),
            }
            step = explain(demo(), record)
            won.add(step.won_by)
            reasons.add(step.result["reason"])
    assert {*STEPS, "core", "mixed"} <= won
    assert {"grouped", "principal-excluded", "no-packet", "missing-birth-weight"} <= reasons
